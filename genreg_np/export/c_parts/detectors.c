typedef struct {
    int channels, height, width; /* of the input: images of `depth` channels each; every filter sees every image */
    int depth;
    const int8_t *filters; /* count filters of depth x size x size taps */
    int count, size;
    int margin;         /* dark pixels around each image */
    int window, stride; /* side of a pool, and distance to the next, in pixels */
    int is_signed;      /* r and -r are rectified and pooled separately; else |r| */
    const int32_t *least; /* the smallest sum of a pool for each level from 1 on */
} Detectors;

static uint8_t level_of(int32_t sum, const int32_t *least)
{
    int level = 0; /* the number of entries of `least` up to the sum, found by bisection */
    for (int step = 128; step > 0; step /= 2)
        level += sum >= least[level + step - 1] ? step : 0;
    return (uint8_t)level;
}

/* response(y, x) = sum of filter(d, i, j) * image(d, y + i - margin, x + j - margin): whole numbers that fit 16 bits.
 * This adds the part of one channel. */
static void respond(const uint8_t *restrict image, const Detectors *bank, const int8_t *restrict filter, int tall,
                    int wide, int16_t *restrict response)
{
    for (int tap = 0; tap < bank->size * bank->size; tap++) {
        const int weight = filter[tap];
        const int down = tap / bank->size - bank->margin, right = tap % bank->size - bank->margin;
        const int top = down < 0 ? -down : 0, bottom = bank->height - down < tall ? bank->height - down : tall;
        const int from = right < 0 ? -right : 0, to = bank->width - right < wide ? bank->width - right : wide;
        for (int y = top; y < bottom; y++)
            for (int x = from; x < to; x++)
                response[y * wide + x] =
                    (int16_t)(response[y * wide + x] + weight * image[(y + down) * bank->width + x + right]);
    }
}

/* level = gain times the square root of the sum over a window of max(r, 0), rounded down, at most 255, and the same for
 * max(-r, 0) if signed; looked up to avoid the root. Levels are ordered by image, filter and sign. `response` has space
 * for the places of one filter. */
static void detectors(const uint8_t *images, const Detectors *bank, int16_t *response, uint8_t *levels)
{
    const int tall = bank->height + 2 * bank->margin - bank->size + 1;
    const int wide = bank->width + 2 * bank->margin - bank->size + 1;
    const int rows = (tall - bank->window) / bank->stride + 1, columns = (wide - bank->window) / bank->stride + 1;
    const int pools = rows * columns, pixels = bank->height * bank->width, area = bank->size * bank->size;
    for (int map = 0; map < bank->channels / bank->depth * bank->count; map++) {
        const uint8_t *image = images + map / bank->count * bank->depth * pixels;
        const int8_t *filter = bank->filters + map % bank->count * bank->depth * area;
        for (int i = 0; i < tall * wide; i++)
            response[i] = 0;
        for (int d = 0; d < bank->depth; d++)
            respond(image + d * pixels, bank, filter + d * area, tall, wide, response);
        for (int pool = 0; pool < pools; pool++) {
            const int16_t *corner = response + (pool / columns * wide + pool % columns) * bank->stride;
            int32_t above = 0, sum = 0; /* sums of r > 0, and of all r */
            for (int y = 0; y < bank->window; y++)
                for (int x = 0; x < bank->window; x++) {
                    const int16_t r = corner[y * wide + x];
                    above += r > 0 ? r : 0;
                    sum += r;
                }
            if (bank->is_signed) {
                levels[pool] = level_of(above, bank->least);
                levels[pool + pools] = level_of(above - sum, bank->least);
            } else {
                levels[pool] = level_of(above + above - sum, bank->least);
            }
        }
        levels += bank->is_signed ? 2 * pools : pools;
    }
}
