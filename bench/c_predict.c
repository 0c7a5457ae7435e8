/* Time a model's prediction, one image after another: prints each image's nanoseconds, the least of several passes.
 *
 *     c_predict IMAGES.bin PASSES        raw bytes, image after image
 *     c_predict IMAGES.bin 0             prints each image's class instead
 *
 * Compiled with model.h of a `genreg-np export --to c --name model` for images of bytes. */
#define _POSIX_C_SOURCE 199309L
#include "model.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#ifdef SCRATCH
static model_scratch scratch;
#define GIVEN(image) image, &scratch
#else
#define GIVEN(image) image
#endif

static volatile int seen; /* so that no call is left out */

static long long now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (long long)time.tv_sec * 1000000000 + time.tv_nsec;
}

int main(int argc, char **argv)
{
    FILE *file = argc == 3 ? fopen(argv[1], "rb") : NULL;
    const int passes = argc == 3 ? atoi(argv[2]) : 0;
    size_t size = 0, room = 1 << 16, count;
    uint8_t *images = malloc(room);
    long long *best;

    if (file == NULL || images == NULL)
        return 1;
    while ((count = fread(images + size, 1, room - size, file)) > 0)
        if ((size += count) == room && (images = realloc(images, room *= 2)) == NULL)
            return 1;
    count = size / MODEL_INPUTS;
    best = malloc(count * sizeof *best);
    if (best == NULL)
        return 1;
    for (int pass = 0; pass < passes; pass++)
        for (size_t k = 0; k < count; k++) {
            const long long start = now();
            seen += model_predict(GIVEN(images + k * MODEL_INPUTS));
            const long long taken = now() - start;
            if (pass == 0 || taken < best[k])
                best[k] = taken;
        }
    for (size_t k = 0; k < count; k++)
        printf("%lld\n", passes ? best[k] : (long long)model_predict(GIVEN(images + k * MODEL_INPUTS)));
    return 0;
}
