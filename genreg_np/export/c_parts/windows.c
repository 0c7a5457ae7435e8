typedef struct {
    int channels, height, width; /* of the maps */
    int rows, columns;           /* of windows */
    const int32_t *down, *across; /* begin and end of each row and column of windows */
    int each;                     /* whether every window has its own multiplier */
} Windows;
