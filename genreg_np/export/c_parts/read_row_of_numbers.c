/* Read the next row: a number for each input, separated by blanks or commas; empty lines are skipped. Return 1, 0 if no
 * row is left, or -1 if a row is invalid or too long. */
static int read_row(FILE *file, INPUT_TYPE *INPUT_NAME)
{
    static char line[32 * MODEL_INPUTS + 64];
    const char *const between = " ,\t\r\n";
    int count = 0;
    do {
        if (fgets(line, sizeof line, file) == NULL)
            return 0;
        if (strchr(line, '\n') == NULL && !feof(file))
            return -1;
    } while (line[strspn(line, between)] == '\0');
    for (char *word = strtok(line, between), *end; word != NULL; word = strtok(NULL, between), count++) {
        NUMBER;
        if (count == MODEL_INPUTS || *end != '\0'OUT_OF_RANGE)
            return -1;
        INPUT_NAME[count] = (INPUT_TYPE)number;
    }
    return count == MODEL_INPUTS ? 1 : -1;
}
