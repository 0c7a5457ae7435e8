/* Add the products of the SIZE taps in a row of FILTERS filters, at `count` adjacent places. */
static void see_FILTERS_SIZE(const float *restrict maps, const int32_t *restrict taps, const float *restrict w, int count,
                             SUMS)
{
    TAPS
    for (int p = 0; p < count; p++) {
        const float SEEN;
        ADDED
    }
}

/* z = b + sum of w v, for FILTERS filters at a time. Rows of maps are treated as contiguous, so places between rows are
 * computed too: z has space for them, and is compacted after each group. */
static void convolve_FILTERS_SIZE(const float *restrict maps, const Convolution *layer, float *restrict z)
{
    const int32_t *const end = layer->taps + SIZE * SIZE;
    const float *weights = layer->weights;
    for (int f = 0; f < layer->filters; f += FILTERS) {
        for (int first = 0; first < layer->spread; first += 512) { /* few enough to stay in the cache */
            const int count = layer->spread - first < 512 ? layer->spread - first : 512;
            const float *w = weights;
            for (int k = 0; k < FILTERS; k++)
                for (int p = 0; p < count; p++)
                    z[k * layer->spread + first + p] = layer->bias[f + k];
            for (int c = 0; c < layer->channels; c++)
                for (const int32_t *taps = layer->taps; taps < end; taps += SIZE, w += FILTERS * SIZE)
                    see_FILTERS_SIZE(maps + c * layer->extent + first, taps, w, count, PLACES);
        }
        weights += layer->channels * SIZE * SIZE * FILTERS;
        for (int k = 0; k < FILTERS; k++)
            for (int row = 0; row < layer->rows; row++, z += layer->columns)
                memmove(z, z + k * (layer->spread - layer->rows * layer->columns) + row * (layer->pitch - layer->columns),
                        (size_t)layer->columns * sizeof *z);
    }
}
