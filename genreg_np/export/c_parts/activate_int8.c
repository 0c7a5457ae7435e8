/* q = table[t - low], where t is each sum rescaled and cut to low .. low + entries - 1. The index is selected in two
 * steps, because compilers branch for a selection among three entries. */
static void activate_int8(const int32_t *restrict sums, int count, const int32_t *restrict multiplier, int shift,
                          const int8_t *restrict table, int low, int entries, int8_t *restrict q)
{
    for (int i = 0; i < count; i++) {
        const int64_t last = entries - 1, place = rescaled(sums[i], multiplier[i], shift) - low;
        const int64_t above = place > 0 ? place : 0;
        q[i] = table[above < last ? above : last];
    }
}
