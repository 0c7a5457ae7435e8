/* f = (own q + other f), rescaled and cut to low .. 127. */
static void add_int8(int8_t *restrict f, const int8_t *restrict q, int count, int32_t own, int32_t other,
                     int shift, int low)
{
    for (int i = 0; i < count; i++) {
        const int64_t t = shifted((int64_t)q[i] * own + (int64_t)f[i] * other, shift);
        f[i] = (int8_t)(t < low ? low : t < 127 ? t : 127);
    }
}
