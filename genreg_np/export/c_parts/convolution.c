typedef struct {
    int channels, extent; /* of the maps, and numbers from one to the next */
    int filters;          /* whose weights lie as they are read: a group, channel by channel, row by row of taps */
    const float *weights, *bias;
    const int32_t *taps;      /* how far into a map each tap sees */
    int rows, columns, pitch; /* of the answers, and numbers from a row of maps to the next */
    int spread;               /* places from the first to the last, those between rows too */
} Convolution;
