/* sums = W q + bias of raw values, q[i] = table[PLACE], exact in any order. Most of an image is a q of 0, which adds
 * nothing: where others are is listed without a branch, which nobody could predict, for some inputs at a time. They are
 * taken two by two, as two products fit 16 bits together: 2 * 128 * 127 < 2**15. Weights lie input by input, so that
 * the loop over outputs runs through memory and vectorises. */
static void multiply_raw(const RAW *restrict values, int inputs, const int8_t *restrict table,
                         const int8_t *restrict weight, const int32_t *restrict bias, int outputs,
                         int32_t *restrict sums)
{
    enum { LISTED = 128 }; /* and what ends a list: the place after all others */
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
