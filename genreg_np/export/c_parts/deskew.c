/* Return the level of a pixel; outside its border, an image is dark. */
static int level_at(const uint8_t *image, int height, int width, int row, int column)
{
    return row < 0 || row >= height || column < 0 || column >= width ? 0 : image[row * width + column];
}

/* Return a place in units of 1/256 pixel, rounded, plus 512 to make it positive. It is cut to -2 .. extent, beyond
 * which everything is dark. */
static int steps_to(double place, int extent)
{
    const double cut = place < -2.0 ? -2.0 : place < (double)extent ? place : (double)extent;
    const double rounded = 256.0 * cut + 0.5;
    const int steps = (int)rounded;
    return ((double)steps > rounded ? steps - 1 : steps) + 512;
}

/* Shear an image upright by slant = mu11 / mu02, moments of its brightness, cut to -1 .. 1, and move the centre of
 * brightness to the middle if `centred`. Bilinear, in steps of 1/256 pixel. Products are in separate statements, so
 * that none is fused with an addition: every language then gives the same levels. */
static void deskew(const uint8_t *restrict image, int height, int width, int centred, uint8_t *restrict upright)
{
    double mass = 0.0, x = 0.0, y = 0.0, xy = 0.0, yy = 0.0, slant = 0.0;
    for (int row = 0; row < height; row++) {
        int64_t sum = 0, moment = 0;
        for (int column = 0; column < width; column++) {
            const int level = image[row * width + column];
            sum += level;
            moment += (int64_t)level * column;
        }
        mass += (double)sum; /* whole numbers below 2**53, like all sums here: exact */
        x += (double)moment;
        y += (double)(sum * row);
        xy += (double)(moment * row);
        yy += (double)(sum * row * row);
    }
    if (mass > 0.0) {
        const double mass_yy = mass * yy, y_y = y * y, mass_xy = mass * xy, x_y = x * y;
        const double spread = mass_yy - y_y;
        if (spread > 0.0) {
            slant = (mass_xy - x_y) / spread;
            slant = slant < -1.0 ? -1.0 : slant > 1.0 ? 1.0 : slant;
        }
        x /= mass;
        y /= mass;
    }
    const double middle_x = centred ? (double)(width - 1) / 2.0 : x;
    const double middle_y = centred ? (double)(height - 1) / 2.0 : y;
    for (int row = 0; row < height; row++) {
        const double v = (double)row - middle_y;
        const double lean = slant * v;
        const int down = steps_to(y + v, height);
        const int top = down / 256 - 2, below = down % 256;
        for (int column = 0; column < width; column++) {
            const double place = x + ((double)column - middle_x);
            const int across = steps_to(place + lean, width);
            const int left = across / 256 - 2, right = across % 256;
            const int32_t upper = (int32_t)level_at(image, height, width, top, left) * (256 - right) +
                                  (int32_t)level_at(image, height, width, top, left + 1) * right;
            const int32_t lower = (int32_t)level_at(image, height, width, top + 1, left) * (256 - right) +
                                  (int32_t)level_at(image, height, width, top + 1, left + 1) * right;
            upright[row * width + column] = (uint8_t)((upper * (256 - below) + lower * below + 32768) / 65536);
        }
    }
}
