/* Copy maps with zeros around, `top` rows above and `left` columns before, taken apart: map (i, j) of kept x kept has
 * every stride-th row from i on, and of those every stride-th column from j on. So whatever a tap of a filter sees at
 * neighbouring places lies side by side. */
static void surround(const float *restrict maps, int channels, int height, int width, int top, int left, int stride,
                     int kept, int tall, int pitch, float *restrict apart)
{
    for (int map = 0; map < channels * kept * kept; map++) {
        const float *source = maps + map / (kept * kept) * height * width;
        const int down = map / kept % kept - top, right = map % kept - left;
        for (int y = 0; y < tall; y++, apart += pitch) {
            const int row = y * stride + down;
            for (int x = 0; x < pitch; x++) {
                const int column = x * stride + right;
                const int within = row >= 0 && row < height && column >= 0 && column < width;
                apart[x] = within ? source[row * width + column] : 0.0F;
            }
        }
    }
}
