#if defined __GNUC__ && !defined __clang__ && defined __AVX512F__
#pragma GCC target("prefer-vector-width=256") /* filters are short: longer vectors would leave most taps unvectorised */
#endif

typedef struct {
    int channels, height, width; /* of the maps */
    int filters, tall, wide;     /* and the rows and columns of their taps */
    int taps;                    /* of a filter: channel by channel, row by row, zero-padded to whole vectors */
    const int8_t *weights;
    const int32_t *bias;
    int top, left;                 /* zeros above and to the left of the maps */
    int stride;                    /* from one place to the next */
    int pool;                      /* places from one window of 2 x 2 to the next for max pooling; 0: no pooling */
    int rows, columns;             /* of the output */
    int first, across, down, area; /* index of the first output, and steps to its neighbours and the next filter's */
} Filters;

/* Copy the patch that filters see at a place, tap by tap, with 0 outside of maps. */
static void see(const int8_t *restrict maps, const Filters *layer, int y, int x, int16_t *restrict seen)
{
    const int tall = layer->tall, wide = layer->wide, height = layer->height, width = layer->width;
    const int top = y - layer->top, left = x - layer->left;
    const int within = top >= 0 && top + tall <= height && left >= 0 && left + wide <= width;
    for (int c = 0; c < layer->channels; c++, maps += height * width)
        for (int row = top; row < top + tall; row++, seen += wide)
            if (within) {
                for (int j = 0; j < wide; j++)
                    seen[j] = maps[row * width + left + j];
            } else {
                for (int j = 0; j < wide; j++) {
                    const int inside = row >= 0 && row < height && left + j >= 0 && left + j < width;
                    seen[j] = inside ? maps[row * width + left + j] : 0;
                }
            }
}

/* Compute a filter's products at four places. */
static void answers(const int16_t *restrict seen, const int8_t *restrict weights, int taps, int32_t *restrict sums)
{
    const int16_t *a = seen, *b = a + taps, *c = b + taps, *d = c + taps;
    int32_t sum_a = 0, sum_b = 0, sum_c = 0, sum_d = 0;
#if defined __GNUC__ && !defined __clang__
#pragma GCC unroll 1 /* unrolled loops of few taps are not vectorised */
#endif
    for (int k = 0; k < taps; k++) {
        const int16_t w = weights[k];
        sum_a += w * a[k];
        sum_b += w * b[k];
        sum_c += w * c[k];
        sum_d += w * d[k];
    }
    sums[0] = sum_a;
    sums[1] = sum_b;
    sums[2] = sum_c;
    sums[3] = sum_d;
}
