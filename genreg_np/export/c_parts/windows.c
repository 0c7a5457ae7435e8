typedef struct {
    int channels, height, width; /* of the maps */
    int rows, columns;           /* of windows */
    const int32_t *down, *across; /* where each row and column of windows begins and ends */
    int each;                     /* whether every window has a multiplier of its own */
} Windows;
