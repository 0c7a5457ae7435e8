/* sums = W q + bias for raw values, q[i] = table[PLACE], exact in any order. In most of an image q is 0, which adds
 * nothing: positions of the others are listed, some inputs at a time, without a branch, which would be unpredictable.
 * They are used in pairs, since two products fit in 16 bits together: 2 * 128 * 127 < 2**15. Weights are stored input
 * by input, so that the loop over outputs is contiguous and vectorises. */
static void multiply_raw(const RAW *restrict values, int inputs, const int8_t *restrict table,
                         const int8_t *restrict weight, const int32_t *restrict bias, int outputs,
                         int32_t *restrict sums)
{
    enum { LISTED = 128 }; /* also the end of a list, beyond all positions */
    uint8_t places[LISTED + 2];
    for (int o = 0; o < outputs; o++)
        sums[o] = bias[o];
    for (int start = 0; start < inputs; start += LISTED) {
        const RAW *raw = values + start;
        int count = 0;
        for (int i = 0; i < LISTED && start + i < inputs; i++) {
            places[count] = (uint8_t)i;
            count += table[PLACE] != 0;
        }
        places[count] = places[count + 1] = LISTED;
        for (const uint8_t *place = places; *place < LISTED; place += 2) {
            int i = place[0];
            const int8_t *first = weight + (start + i) * outputs, *second = first;
            const int16_t x = table[PLACE];
            int16_t y = 0;
            if (place[1] < LISTED) {
                i = place[1];
                second = weight + (start + i) * outputs;
                y = table[PLACE];
            }
            for (int o = 0; o < outputs; o++)
                sums[o] += (int16_t)(first[o] * x + second[o] * y);
        }
    }
}
