/* Read raw bytes. Returns whether they are as many as the model takes. */
static int read_input(FILE *file, uint8_t *values)
{
    return fread(values, 1, MODEL_INPUTS, file) == MODEL_INPUTS && getc(file) == EOF;
}
