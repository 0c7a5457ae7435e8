/* Read numbers as text, blanks between them. Returns whether they are as many as the model takes. */
static int read_input(FILE *file, float *features)
{
    char word[64], *end;
    for (int i = 0; i < MODEL_INPUTS; i++) {
        if (fscanf(file, "%63s", word) != 1)
            return 0;
        features[i] = strtof(word, &end);
        if (*end != '\0')
            return 0;
    }
    return fscanf(file, "%63s", word) == EOF;
}
