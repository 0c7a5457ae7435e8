/* values += bias. */
static void add(float *restrict values, const float *restrict bias, int count)
{
    for (int i = 0; i < count; i++)
        values[i] += bias[i];
}
