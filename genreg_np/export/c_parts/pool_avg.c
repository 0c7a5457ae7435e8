/* The mean values of windows of SIZE x SIZE, STRIDE apart. */
static void pool_avg_SIZE_STRIDE(const float *restrict maps, int channels, int height, int width, float *restrict pooled)
{
    const int rows = (height - SIZE) / STRIDE + 1, columns = (width - SIZE) / STRIDE + 1;
    for (int row = 0; row < channels * rows; row++, pooled += columns) {
        const float *corner = maps + (row / rows * height + row % rows * STRIDE) * width;
        for (int x = 0; x < columns; x++) {
            float sum = 0.0F;
            for (int i = 0; i < SIZE; i++)
                for (int j = 0; j < SIZE; j++)
                    sum += corner[i * width + x * STRIDE + j];
            pooled[x] = sum / (float)(SIZE * SIZE);
        }
    }
}
