typedef struct {
    int channels, extent; /* of the maps, and numbers from one map to the next */
    int filters;          /* weights are stored in the order of use: by group, channel and row of taps */
    const float *weights, *bias;
    const int32_t *taps;      /* the offset of each tap in a map */
    int rows, columns, pitch; /* of the outputs, and numbers from one row of the maps to the next */
    int spread;               /* places from the first to the last, including those between rows */
} Convolution;
