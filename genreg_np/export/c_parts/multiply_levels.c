/* sums = W levels + bias, as multiply_int8 does it. */
static void multiply_levels(const uint8_t *restrict levels, int inputs, const int8_t *restrict weight,
                            const int32_t *restrict bias, int outputs, int32_t *restrict sums)
{
    for (int o = 0; o < outputs; o++)
        sums[o] = bias[o];
    for (int i = 0; i < inputs; i++, weight += outputs) {
        const int value = levels[i];
        if (value != 0)
            for (int o = 0; o < outputs; o++)
                sums[o] += weight[o] * value;
    }
}
