/* sums = W q + bias, exact in any order. Weights lie input by input, so that the loop over outputs runs through memory
 * and vectorises. Inputs of 0, most of an image, add nothing and are skipped. */
static void multiply_int8(const int8_t *restrict q, int inputs, const int8_t *restrict weight,
                          const int32_t *restrict bias, int outputs, int32_t *restrict sums)
{
    for (int o = 0; o < outputs; o++)
        sums[o] = bias[o];
    for (int i = 0; i < inputs; i++, weight += outputs) {
        const int value = q[i];
        if (value != 0)
            for (int o = 0; o < outputs; o++)
                sums[o] += weight[o] * value;
    }
}
