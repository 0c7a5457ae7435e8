/* Make a step with every input of inputs.bin, and one with a state that begins anew each time; write the outputs of both
 * to outputs.bin, and after them, of a model with classes, the class that a third state gives. */
#include "model.h"

#include <stdio.h>

#ifdef SCRATCH
static model_scratch scratch;
#define GIVEN input, &scratch
#else
#define GIVEN input
#endif
#ifdef MODEL_CLASSES
#define COUNT MODEL_CLASSES
#else
#define COUNT MODEL_OUTPUTS
#endif

int main(void)
{
    static INPUT input[MODEL_INPUTS];
    static float outputs[COUNT];
    static model_state state, anew;
    FILE *in = fopen("inputs.bin", "rb"), *out = fopen("outputs.bin", "wb");
    if (in == NULL || out == NULL)
        return 1;
    model_start(&state);
#ifdef MODEL_CLASSES
    static model_state third;
    model_start(&third);
#endif
    while (fread(input, sizeof *input, MODEL_INPUTS, in) == MODEL_INPUTS) {
        (void)model_step(&state, GIVEN, outputs);
        fwrite(outputs, sizeof *outputs, COUNT, out);
        model_start(&anew);
        (void)model_step(&anew, GIVEN, outputs);
        fwrite(outputs, sizeof *outputs, COUNT, out);
#ifdef MODEL_CLASSES
        const int32_t best = (int32_t)model_predict(&third, GIVEN);
        fwrite(&best, sizeof best, 1, out);
#endif
    }
    return fclose(out) == 0 ? 0 : 1;
}
