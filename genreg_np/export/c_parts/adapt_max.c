/* The largest values of SIZE x SIZE windows that cover each map, evenly spread. */
static void adapt_max_TYPE_SIZE(const TYPE *restrict maps, int channels, int height, int width, TYPE *restrict pooled)
{
    for (int window = 0; window < channels * SIZE * SIZE; window++) {
        const TYPE *map = maps + window / (SIZE * SIZE) * height * width;
        const int i = window / SIZE % SIZE, j = window % SIZE;
        const int top = i * height / SIZE, bottom = ((i + 1) * height + SIZE - 1) / SIZE;
        const int left = j * width / SIZE, right = ((j + 1) * width + SIZE - 1) / SIZE;
        TYPE largest = map[top * width + left];
        for (int y = top; y < bottom; y++)
            for (int x = left; x < right; x++) {
                const TYPE v = map[y * width + x];
                largest = v > largest ? v : largest;
            }
        pooled[window] = largest;
    }
}
