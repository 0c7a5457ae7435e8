typedef struct {
    int channels, height, width; /* of the images: every filter sees every one */
    const int8_t *filters;       /* count filters of size x size taps */
    int count, size;
    int margin;         /* dark pixels put around each image */
    int window, stride; /* pixels of a pool each way, and from one pool to the next */
    int is_signed;      /* r and -r rectified and pooled apart; else |r| */
    float gain;         /* of the square root of a pool's sum */
} Detectors;

static uint8_t level_of(int32_t sum, float gain)
{
    const float level = gain * sqrtf((float)sum); /* sums stay below 2**24: exact */
    return level < 255.0F ? (uint8_t)level : 255;
}

/* response(y, x) = sum of filter(i, j) * image(y + i - margin, x + j - margin): whole numbers that 16 bits hold. */
static void respond(const uint8_t *restrict image, const Detectors *bank, const int8_t *restrict filter, int tall,
                    int wide, int16_t *restrict response)
{
    for (int i = 0; i < tall * wide; i++)
        response[i] = 0;
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

/* level = min(255, floor(gain * sqrt(sum over a window of max(r, 0)))), and the same of max(-r, 0) if signed. They lie
 * image by image, filter by filter, sign by sign. `response` has room for the places of one filter. */
static void detectors(const uint8_t *images, const Detectors *bank, int16_t *response, uint8_t *levels)
{
    const int tall = bank->height + 2 * bank->margin - bank->size + 1;
    const int wide = bank->width + 2 * bank->margin - bank->size + 1;
    const int rows = (tall - bank->window) / bank->stride + 1, columns = (wide - bank->window) / bank->stride + 1;
    const int pools = rows * columns;
    for (int map = 0; map < bank->channels * bank->count; map++) {
        const uint8_t *image = images + map / bank->count * bank->height * bank->width;
        respond(image, bank, bank->filters + map % bank->count * bank->size * bank->size, tall, wide, response);
        for (int pool = 0; pool < pools; pool++) {
            const int16_t *corner = response + (pool / columns * wide + pool % columns) * bank->stride;
            int32_t above = 0, below = 0;
            for (int y = 0; y < bank->window; y++)
                for (int x = 0; x < bank->window; x++) {
                    const int16_t r = corner[y * wide + x];
                    above += r > 0 ? r : 0;
                    below += r < 0 ? -r : 0;
                }
            if (bank->is_signed) {
                levels[pool] = level_of(above, bank->gain);
                levels[pool + pools] = level_of(below, bank->gain);
            } else {
                levels[pool] = level_of(above + below, bank->gain);
            }
        }
        levels += bank->is_signed ? 2 * pools : pools;
    }
}
