/* The largest or the mean values of size x size windows that cover each map, evenly spread. */
static void adapt(const float *restrict maps, int channels, int height, int width, int size, int largest,
                  float *restrict pooled)
{
    for (int window = 0; window < channels * size * size; window++) {
        const float *map = maps + window / (size * size) * height * width;
        const int i = window / size % size, j = window % size;
        const int top = i * height / size, bottom = ((i + 1) * height + size - 1) / size;
        const int left = j * width / size, right = ((j + 1) * width + size - 1) / size;
        float found = largest ? map[top * width + left] : 0.0F;
        for (int y = top; y < bottom; y++)
            for (int x = left; x < right; x++) {
                const float v = map[y * width + x];
                found = !largest ? found + v : v > found ? v : found;
            }
        pooled[window] = largest ? found : found / (float)((bottom - top) * (right - left));
    }
}
