/* Read a row: a field for each input in order, separated by commas; empty if a value is missing. Words, yes and no are
 * written as they are, or in quotes ("New York, NY"), where "" stands for a quote. Return whether the number of fields
 * is that of the model's inputs. */
static int read_input(FILE *file, float *features)
{
    char line[4096], *field = line;
    if (fgets(line, sizeof line, file) == NULL)
        return 0;
    line[strcspn(line, "\r\n")] = '\0';
    for (int i = 0; i < MODEL_INPUTS; i++) {
        char *next = field + strcspn(field, ",");
        if (*field == '"') {
            char *end = field;
            for (next = field + 1; *next != '\0' && (*next != '"' || next[1] == '"'); next++) {
                next += *next == '"';
                *end++ = *next;
            }
            if (*next == '\0') /* not closed */
                return 0;
            next++;
            *end = '\0';
        }
        const int last = *next == '\0';
        if ((!last && *next != ',') || last != (i == MODEL_INPUTS - 1))
            return 0;
        *next = '\0';
        features[i] = MODEL_NAME_field(i, field);
        if (features[i] != features[i] && !MODEL_NAME_is_missing(field)) /* not a number */
            return 0;
        field = next + 1;
    }
    return 1;
}
