typedef struct {
    int channels, height, width; /* of the maps */
    int filters, size, stride;
    int before;                  /* rows above and columns to the left of the output that are cut off */
    int rows, columns;           /* of the output */
    const float *weights, *bias; /* filter by filter, channel by channel, tap by tap */
} Transposed;

/* Add w v to the sum at stride times the place of v plus that of the tap; sums start from the filter's b. */
static void transpose(const float *restrict maps, const Transposed *layer, float *restrict z)
{
    const float *w = layer->weights;
    for (int f = 0; f < layer->filters; f++, z += layer->rows * layer->columns) {
        for (int place = 0; place < layer->rows * layer->columns; place++)
            z[place] = layer->bias[f];
        for (int tap = 0; tap < layer->channels * layer->size * layer->size; tap++, w++) {
            const float *map = maps + tap / (layer->size * layer->size) * layer->height * layer->width;
            const int down = tap / layer->size % layer->size - layer->before, right = tap % layer->size - layer->before;
            for (int y = 0; y < layer->height; y++) {
                const int row = y * layer->stride + down;
                if (row < 0 || row >= layer->rows)
                    continue;
                for (int x = 0; x < layer->width; x++) {
                    const int column = x * layer->stride + right;
                    if (column >= 0 && column < layer->columns)
                        z[row * layer->columns + column] += *w * map[y * layer->width + x];
                }
            }
        }
    }
}
