static void as_floats(const uint8_t *restrict levels, int count, float *restrict values)
{
    for (int i = 0; i < count; i++)
        values[i] = (float)levels[i];
}
