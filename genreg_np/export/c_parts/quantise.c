/* q = floor(a x + b), cut to low .. 127. a and x have 24 bits each, so their product is exact in a double, and a fused
 * multiplication and addition gives the same as separate ones. */
static void quantise(const float *restrict x, const float *restrict a, const float *restrict b, int count, int low,
                     int8_t *restrict q)
{
    for (int i = 0; i < count; i++) {
        const double value = (double)a[i] * (double)x[i] + (double)b[i];
        int whole = value < low ? low : value < 127.0 ? (int)value : 127;
        if (whole > low && (double)whole > value)
            whole--; /* a cast rounds towards 0 */
        q[i] = (int8_t)whole;
    }
}
