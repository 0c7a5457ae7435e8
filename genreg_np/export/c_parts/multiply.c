/* y = W x. Weights are stored input by input, so that the loop over outputs is contiguous and vectorises. Inputs of 0,
 * which are most of an image, are skipped. */
static void multiply(const float *restrict x, int inputs, const float *restrict weight, int outputs, float *restrict y)
{
    for (int o = 0; o < outputs; o++)
        y[o] = 0.0F;
    for (int i = 0; i < inputs; i++, weight += outputs) {
        const float value = x[i];
        if (value != 0.0F)
            for (int o = 0; o < outputs; o++)
                y[o] += weight[o] * value;
    }
}
