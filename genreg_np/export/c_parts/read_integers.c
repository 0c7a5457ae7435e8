/* Read whole numbers as text, separated by blanks. Return whether their count and range are those of the model. */
static int read_input(FILE *file, INPUT_TYPE *values)
{
    char word[64], *end;
    for (int i = 0; i < MODEL_INPUTS; i++) {
        if (fscanf(file, "%63s", word) != 1)
            return 0;
        const long long number = strtoll(word, &end, 10);
        if (*end != '\0' || number < MODEL_SMALLEST || number > MODEL_LARGEST)
            return 0;
        values[i] = (INPUT_TYPE)number;
    }
    return fscanf(file, "%63s", word) == EOF;
}
