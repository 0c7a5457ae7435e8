static void clear(float *values, int count)
{
    for (int i = 0; i < count; i++)
        values[i] = 0.0F;
}
