/* Sum up windows; `finished` includes the division. */
static void mean_TYPE(const int8_t *restrict maps, const Windows *layer, const Finish *finish, TYPE *restrict q)
{
    for (int c = 0; c < layer->channels; c++, maps += layer->height * layer->width)
        for (int window = 0; window < layer->rows * layer->columns; window++) {
            const int32_t *down = layer->down + 2 * (window / layer->columns);
            const int32_t *across = layer->across + 2 * (window % layer->columns);
            int32_t sum = 0;
            for (int y = down[0]; y < down[1]; y++)
                for (int x = across[0]; x < across[1]; x++)
                    sum += maps[y * layer->width + x];
            *q++ = (TYPE)finished(sum, finish->multiplier[layer->each ? window : 0], finish);
        }
}
