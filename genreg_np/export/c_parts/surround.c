typedef struct {
    int channels, height, width; /* of the maps */
    int top, left;               /* zeros above and to the left */
    int stride, kept;            /* each map is split into kept x kept maps */
    int tall, pitch;             /* rows and columns of these */
} Surroundings;

/* Copy maps, zero-padded and split: map (i, j) of kept x kept has every stride-th row from i on, and of those every
 * stride-th column from j on. The values that a tap sees at neighbouring places are then adjacent. */
static void surround(const float *restrict maps, const Surroundings *around, float *restrict apart)
{
    const int kept = around->kept, stride = around->stride, height = around->height, width = around->width;
    for (int map = 0; map < around->channels * kept * kept; map++) {
        const float *source = maps + map / (kept * kept) * height * width;
        const int down = map / kept % kept - around->top, right = map % kept - around->left;
        for (int y = 0; y < around->tall; y++, apart += around->pitch) {
            const int row = y * stride + down;
            for (int x = 0; x < around->pitch; x++) {
                const int column = x * stride + right;
                const int within = row >= 0 && row < height && column >= 0 && column < width;
                apart[x] = within ? source[row * width + column] : 0.0F;
            }
        }
    }
}
