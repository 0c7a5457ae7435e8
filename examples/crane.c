/* Drives a crane with the policy evolved by examples/crane.py and written as model.c by `genreg-np export`. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "model.h"

int main(int count, char **words)
{
    double place = count > 1 ? atof(words[1]) : 2.5, speed = 0, angle = 0, turning = 0, away = 0;

    for (int step = 0; step < 200; step++) {
        const float seen[MODEL_INPUTS] = {(float)place, (float)speed, (float)angle, (float)turning};
        float output[MODEL_OUTPUTS];
        if (model_outputs(seen, output) != 0)
            return 1;

        const double force = 10 * tanh(output[0]), sine = sin(angle), cosine = cos(angle);
        const double push = (force + sine * (turning * turning + 9.81 * cosine)) / (1 + sine * sine);
        speed += 0.05 * push;
        turning -= 0.05 * (push * cosine + 9.81 * sine);
        place += 0.05 * speed;
        angle += 0.05 * turning;
        away += fabs(place + sin(angle));
        if (step % 20 == 19)
            printf("%4.1f s  load %+.3f m from the mark\n", (step + 1) * 0.05, place + sin(angle));
    }
    printf("%.4f m on average\n", away / 200);
    return 0;
}
