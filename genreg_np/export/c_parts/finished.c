typedef struct {
    const int32_t *multiplier;
    int shift;
    int32_t low, high;   /* limits to which a rescaled sum t is cut */
    const int8_t *table; /* has an entry for each t from low to high; without a table, the output is t */
} Finish;

static int32_t finished(int32_t sum, int32_t multiplier, const Finish *finish)
{
    const int64_t t = rescaled(sum, multiplier, finish->shift);
    const int32_t cut = t < finish->low ? finish->low : t < finish->high ? (int32_t)t : finish->high;
    return finish->table ? finish->table[cut - finish->low] : cut;
}
