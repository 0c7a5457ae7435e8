/* Read raw bytes. Return whether their number is that of the model's inputs. */
static int read_input(FILE *file, uint8_t *values)
{
    return fread(values, 1, MODEL_INPUTS, file) == MODEL_INPUTS && getc(file) == EOF;
}
