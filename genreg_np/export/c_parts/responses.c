typedef void Function(float *values, int count);

typedef struct {
    int height, width;
    const float *filters; /* count filters of size x size taps */
    int count, size;
    Function *const *functions; /* one for each filter */
    const int *grids;           /* rows and columns of cells, grid by grid */
    int grid_count;
} Responses;

/* Compute the means of f(filter . patch), with a function f for every filter, in the cells of each grid. Pixels are
 * level / 255. `answers` has space for the places of one filter. */
static void responses(const uint8_t *restrict image, const Responses *bank, float *restrict answers,
                      float *restrict means)
{
    const int size = bank->size, tall = bank->height - size + 1, wide = bank->width - size + 1;
    for (int filter = 0; filter < bank->count; filter++) {
        const float *taps = bank->filters + filter * size * size;
        for (int place = 0; place < tall * wide; place++)
            answers[place] = 0.0F;
        for (int tap = 0; tap < size * size; tap++) {
            const uint8_t *corner = image + tap / size * bank->width + tap % size;
            for (int y = 0; y < tall; y++)
                for (int x = 0; x < wide; x++)
                    answers[y * wide + x] += taps[tap] * ((float)corner[y * bank->width + x] / 255.0F);
        }
        bank->functions[filter](answers, tall * wide);
        for (int grid = 0; grid < bank->grid_count; grid++) {
            const int rows = bank->grids[2 * grid], columns = bank->grids[2 * grid + 1];
            const int high = tall / rows, broad = wide / columns;
            for (int cell = 0; cell < rows * columns; cell++) {
                const float *first = answers + cell / columns * high * wide + cell % columns * broad;
                float sum = 0.0F;
                for (int y = 0; y < high; y++)
                    for (int x = 0; x < broad; x++)
                        sum += first[y * wide + x];
                *means++ = sum / (float)(high * broad);
            }
        }
    }
}
