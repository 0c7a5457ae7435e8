/* q = table[q + 127]; each channel's table is so far from the one before, 0 where all have the same. */
static void look_up_int8(int8_t *restrict q, int channels, int area, const int8_t *restrict table, int apart)
{
    for (int c = 0; c < channels; c++, q += area, table += apart)
        for (int i = 0; i < area; i++)
            q[i] = table[q[i] + 127];
}
