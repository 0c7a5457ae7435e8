/* q = table[t - low], t each sum rescaled and cut to low .. low + entries - 1: by two choices of a number, not three of
 * an entry, for which compilers branch. */
static void activate_int8(const int32_t *restrict sums, int count, const int32_t *restrict multiplier, int shift,
                          const int8_t *restrict table, int low, int entries, int8_t *restrict q)
{
    for (int i = 0; i < count; i++) {
        const int64_t last = entries - 1, place = rescaled(sums[i], multiplier[i], shift) - low;
        const int64_t above = place > 0 ? place : 0;
        q[i] = table[above < last ? above : last];
    }
}
