/* Return the mean of `rows` x `columns` levels from a pixel on, mapped to 0 .. 1. */
static float mean_of(const uint8_t *first, int width, int rows, int columns)
{
    int32_t sum = 0;
    for (int y = 0; y < rows; y++)
        for (int x = 0; x < columns; x++)
            sum += first[y * width + x];
    return (float)sum / (255.0F * (float)(rows * columns));
}

/* Return the eighth of a turn of a gradient's direction, from -pi (left) through -pi / 2 (up in the image) to pi; a
 * boundary belongs to the upper eighth. A zero gradient counts as pointing right. */
static int direction_of(int across, int down)
{
    if (down < 0)
        return across < 0 ? (down > across ? 0 : 1) : (-down > across ? 2 : 3);
    if (across > 0)
        return down < across ? 4 : 5;
    return across == 0 && down == 0 ? 4 : down > -across ? 6 : 7;
}

/* Compute histograms of gradient directions in parts x parts cells, weighted by magnitude and divided by their sum. */
static void directions(const uint8_t *levels, int height, int width, int parts, float *histograms)
{
    const int high = height / parts, broad = width / parts, count = 8 * parts * parts;
    const float share = 1.0F / (float)(high * broad);
    float sum = 1e-6F;
    for (int i = 0; i < count; i++)
        histograms[i] = 0.0F;
    for (int y = 0; y < high * parts; y++)
        for (int x = 0; x < broad * parts; x++) {
            const uint8_t *pixel = levels + y * width + x;
            const int across = x > 0 && x < width - 1 ? pixel[1] - pixel[-1] : 0;
            const int down = y > 0 && y < height - 1 ? pixel[width] - pixel[-width] : 0;
            const float steepness = share * sqrtf((float)(across * across + down * down)) / 510.0F;
            histograms[8 * (y / high * parts + x / broad) + direction_of(across, down)] += steepness;
            sum += steepness;
        }
    for (int i = 0; i < count; i++)
        histograms[i] /= sum;
}

/* Compute means of 4 x 4 and 7 x 7 cells, of pairs of rows and columns; and gradient directions in the same cells. */
static void statistics(const uint8_t *levels, int height, int width, float *found)
{
    for (int parts = 4; parts <= 7; parts += 3) {
        const int high = height / parts, broad = width / parts;
        for (int cell = 0; cell < parts * parts; cell++)
            *found++ = mean_of(levels + cell / parts * high * width + cell % parts * broad, width, high, broad);
    }
    for (int pair = 0; pair < height / 2; pair++)
        *found++ = mean_of(levels + 2 * pair * width, width, 2, width);
    for (int pair = 0; pair < width / 2; pair++)
        *found++ = mean_of(levels + 2 * pair, width, height, 2);
    directions(levels, height, width, 4, found);
    directions(levels, height, width, 7, found + 8 * 4 * 4);
}
