/* sums = W q + bias, exact in any order. Weights are stored output by output: compilers vectorise sums of products. */
static void multiply_whole_TYPE(const TYPE *restrict q, int inputs, const int8_t *restrict weight,
                                const int32_t *restrict bias, int outputs, int32_t *restrict sums)
{
    for (int o = 0; o < outputs; o++, weight += inputs) {
        int32_t sum = bias[o];
        for (int i = 0; i < inputs; i++)
            sum += weight[i] * q[i];
        sums[o] = sum;
    }
}
