/* Replace each channel's values v below 0 by slope * v. */
static void bend(float *restrict values, int channels, int area, const float *restrict slope)
{
    for (int c = 0; c < channels; c++, values += area)
        for (int i = 0; i < area; i++)
            values[i] = values[i] > 0.0F ? values[i] : values[i] * slope[c];
}
