/* floor((value + half) / 2**shift) with half = 2**(shift - 1), or 0 for a shift of 0. Values stay below 2**53. They are
 * made positive first by adding a multiple of 2**shift, since C does not define right shifts of negative numbers. */
static int64_t shifted(int64_t value, int shift)
{
    const int64_t half = shift > 0 ? INT64_C(1) << (shift - 1) : 0;
    const uint64_t offset = UINT64_C(1) << 62;
    const uint64_t positive = (uint64_t)(value + half) + offset;
    return (int64_t)(positive >> shift) - (int64_t)(offset >> shift);
}

static int64_t rescaled(int32_t sum, int32_t multiplier, int shift)
{
    return shifted((int64_t)sum * multiplier, shift);
}
