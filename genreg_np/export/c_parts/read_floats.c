/* Read numbers as text, separated by blanks. Return whether their count is that of the model's inputs. */
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
