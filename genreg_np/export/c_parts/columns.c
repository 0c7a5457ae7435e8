/* Write for each number, depending on its mode: a value of x or the replacement for a missing one, whether the value
 * is missing, or whether it equals a constant. Missing values are NAN. */
static void columns(const float *x, const int32_t *source, const int32_t *mode, const float *value, const float *fill,
                    int count, float *y)
{
    for (int i = 0; i < count; i++) {
        const float given = x[source[i]];
        const int missing = given != given;
        const float v = missing ? fill[source[i]] : given;
        if (mode[i] == 0)
            y[i] = v;
        else
            y[i] = mode[i] == 1 ? (float)missing : v == value[i] ? 1.0F : 0.0F;
    }
}
