/* Repeat each value `factor` times along both axes. */
static void repeat_TYPE(const TYPE *restrict maps, int rows, int width, int factor, TYPE *restrict larger)
{
    for (int row = 0; row < rows * factor; row++)
        for (int x = 0; x < width * factor; x++)
            *larger++ = maps[row / factor * width + x / factor];
}
