/* q = table[t - low], t each sum rescaled and cut to low .. low + entries - 1. */
static void activate_int8(const int32_t *restrict sums, int count, const int32_t *restrict multiplier, int shift,
                          const int8_t *restrict table, int low, int entries, int8_t *restrict q)
{
    for (int i = 0; i < count; i++) {
        const int64_t place = rescaled(sums[i], multiplier[i], shift) - low;
        q[i] = table[place < 0 ? 0 : place < entries ? place : entries - 1];
    }
}
