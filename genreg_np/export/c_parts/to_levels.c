/* floor(255 x + 1/2), cut to 0 .. 255. */
static void to_levels(const float *restrict x, int count, uint8_t *restrict levels)
{
    for (int i = 0; i < count; i++) {
        const float scaled = x[i] * 255.0F; /* a separate statement: rounded before the addition */
        const float level = scaled + 0.5F;
        levels[i] = level < 0.0F ? 0 : level < 255.0F ? (uint8_t)level : 255;
    }
}
