typedef struct {
    int groups, channels, area; /* groups, channels per group, and places per channel */
    int64_t near_zero;
    const float *a, *b; /* for each channel */
    int low;
} Groups;

/* r = (n q - S) / sqrt(n Q - S**2 + near_zero) with S and Q the sums of a group's n values and of their squares, and
 * q = floor(a r + b). a and r have 24 bits, so their product is exact in a double. */
static void normalise_int8(int8_t *restrict q, const Groups *layer)
{
    const int n = layer->channels * layer->area;
    for (int channel = 0; channel < layer->groups * layer->channels; channel += layer->channels) {
        int64_t squares = 0;
        int32_t sum = 0;
        for (int i = 0; i < n; i++) {
            sum += q[i];
            squares += q[i] * q[i];
        }
        const double factor = 1.0 / sqrt((double)(n * squares - (int64_t)sum * sum + layer->near_zero));
        for (int c = channel; c < channel + layer->channels; c++, q += layer->area)
            for (int i = 0; i < layer->area; i++) {
                const float r = (float)((double)(n * q[i] - sum) * factor);
                q[i] = floored((double)layer->a[c] * (double)r + (double)layer->b[c], layer->low);
            }
    }
}
