/* Replace each channel's values v by scale * v + shift. */
static void scale_shift(float *restrict values, int channels, int area, const float *restrict scale,
                        const float *restrict shift)
{
    for (int c = 0; c < channels; c++, values += area)
        for (int i = 0; i < area; i++)
            values[i] = values[i] * scale[c] + shift[c];
}
