/* Compute sums of w q plus bias at four places at a time, and finish each of them, or the largest of a window, which is
 * still the largest when finished. `seen` has space for the patches of four places. */
static void slide_TYPE(const int8_t *restrict maps, const Filters *layer, const Finish *finish,
                       int16_t *restrict seen, TYPE *restrict q)
{
    const int taps = layer->taps, stride = layer->stride, pool = layer->pool, each = pool > 0 ? 1 : 4;
    int x = 0, y = 0;
    for (int i = 0; i < 4 * taps; i++)
        seen[i] = 0;
    for (int left = layer->rows * layer->columns; left > 0; left -= each) {
        const int count = left < each ? left : each;
        int goals[4];
        for (int n = 0; n < count; n++) {
            goals[n] = layer->first + y * layer->down + x * layer->across;
            if (pool > 0)
                for (int k = 0; k < 4; k++)
                    see(maps, layer, (y * pool + k / 2) * stride, (x * pool + k % 2) * stride, seen + k * taps);
            else
                see(maps, layer, y * stride, x * stride, seen + n * taps);
            if (++x == layer->columns) {
                x = 0;
                y++;
            }
        }
        for (int f = 0; f < layer->filters; f++) {
            int32_t sums[4];
            answers(seen, layer->weights + f * taps, taps, sums);
            if (pool > 0)
                for (int k = 1; k < 4; k++)
                    sums[0] = sums[k] > sums[0] ? sums[k] : sums[0];
            for (int n = 0; n < count; n++)
                q[goals[n] + f * layer->area] =
                    (TYPE)finished(sums[n] + layer->bias[f], finish->multiplier[f], finish);
        }
    }
}
