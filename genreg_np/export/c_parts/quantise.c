/* q = floor(a x + b), cut to low .. 127. a and x have 24 bits each, so their product is exact in a double, and a fused
 * multiplication and addition gives the same as separate ones. */
static void quantise(const float *restrict x, const float *restrict a, const float *restrict b, int count, int low,
                     int8_t *restrict q)
{
    for (int i = 0; i < count; i++)
        q[i] = floored((double)a[i] * (double)x[i] + (double)b[i], low);
}
