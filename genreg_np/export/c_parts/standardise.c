/* y = (x - mean) * scale; y may be x. */
static void standardise(const float *x, const float *mean, const float *scale, int count, float *y)
{
    for (int i = 0; i < count; i++)
        y[i] = (x[i] - mean[i]) * scale[i];
}
