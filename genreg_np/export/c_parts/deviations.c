/* Write the levels, followed by the distance of each from its middle. */
static void deviations(const uint8_t *levels, const uint8_t *middle, int width, uint8_t *both)
{
    for (int i = 0; i < width; i++) {
        both[i] = levels[i];
        both[width + i] = (uint8_t)(levels[i] > middle[i] ? levels[i] - middle[i] : middle[i] - levels[i]);
    }
}
