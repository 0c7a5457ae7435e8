/* q = table[q + 127]; `apart` is the distance between the tables of channels, 0 if all share one. */
static void look_up_int8(int8_t *restrict q, int channels, int area, const int8_t *restrict table, int apart)
{
    for (int c = 0; c < channels; c++, q += area, table += apart)
        for (int i = 0; i < area; i++)
            q[i] = table[q[i] + 127];
}
