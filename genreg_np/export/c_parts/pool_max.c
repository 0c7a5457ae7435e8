/* The largest values of windows of SIZE x SIZE, STRIDE apart. */
static void pool_max_TYPE_SIZE_STRIDE(const TYPE *restrict maps, int channels, int height, int width,
                                      TYPE *restrict pooled)
{
    const int rows = (height - SIZE) / STRIDE + 1, columns = (width - SIZE) / STRIDE + 1;
    for (int row = 0; row < channels * rows; row++, pooled += columns) {
        const TYPE *corner = maps + (row / rows * height + row % rows * STRIDE) * width;
        for (int x = 0; x < columns; x++) {
            TYPE largest = corner[x * STRIDE];
            for (int i = 0; i < SIZE; i++)
                for (int j = 0; j < SIZE; j++) {
                    const TYPE v = corner[i * width + x * STRIDE + j];
                    largest = v > largest ? v : largest;
                }
            pooled[x] = largest;
        }
    }
}
