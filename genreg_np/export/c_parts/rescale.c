/* Turn sums into logits, in place: whole numbers below 2**24. */
static void rescale(int32_t *restrict sums, int count, const int32_t *restrict multiplier, int shift)
{
    for (int i = 0; i < count; i++)
        sums[i] = (int32_t)rescaled(sums[i], multiplier[i], shift);
}
