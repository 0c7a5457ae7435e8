/* Add what the SIZE taps of a row of FILTERS filters see at so many places side by side. */
static void see_FILTERS_SIZE(const float *restrict maps, const int32_t *restrict taps, const float *restrict w, int count,
                             SUMS)
{
    TAPS
    for (int p = 0; p < count; p++) {
        const float SEEN;
        ADDED
    }
}

/* z = b + sum of w v, for FILTERS filters at a time. Rows of maps run on into the next, so that places between rows are
 * computed too: z has room for them, and is closed up after each group. */
static void convolve_FILTERS_SIZE(const float *restrict maps, const Convolution *layer, float *restrict z)
{
    const int32_t *const end = layer->taps + SIZE * SIZE;
    const float *weights = layer->weights;
    for (int f = 0; f < layer->filters; f += FILTERS) {
        for (int first = 0; first < layer->spread; first += 512) { /* so many at a time that they stay in the cache */
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
