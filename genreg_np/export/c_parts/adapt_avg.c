/* The mean values of SIZE x SIZE windows that cover each map, evenly spread. */
static void adapt_avg_SIZE(const float *restrict maps, int channels, int height, int width, float *restrict pooled)
{
    for (int window = 0; window < channels * SIZE * SIZE; window++) {
        const float *map = maps + window / (SIZE * SIZE) * height * width;
        const int i = window / SIZE % SIZE, j = window % SIZE;
        const int top = i * height / SIZE, bottom = ((i + 1) * height + SIZE - 1) / SIZE;
        const int left = j * width / SIZE, right = ((j + 1) * width + SIZE - 1) / SIZE;
        float sum = 0.0F;
        for (int y = top; y < bottom; y++)
            for (int x = left; x < right; x++)
                sum += map[y * width + x];
        pooled[window] = sum / (float)((bottom - top) * (right - left));
    }
}
