/* q = each sum, rescaled and cut to low .. 127. */
static void cut_int8(const int32_t *restrict sums, int count, const int32_t *restrict multiplier, int shift, int low,
                     int8_t *restrict q)
{
    for (int i = 0; i < count; i++) {
        const int64_t t = rescaled(sums[i], multiplier[i], shift);
        q[i] = (int8_t)(t < low ? low : t < 127 ? t : 127);
    }
}
