/* Predict every input of inputs.bin; write logits, probabilities and class of each, or outputs, to outputs.bin. */
#include "model.h"

#include <stdio.h>

#ifdef SCRATCH
static model_scratch scratch;
#define GIVEN input, &scratch
#else
#define GIVEN input
#endif

int main(void)
{
    static INPUT input[MODEL_INPUTS];
    FILE *in = fopen("inputs.bin", "rb"), *out = fopen("outputs.bin", "wb");
    if (in == NULL || out == NULL)
        return 1;
    while (fread(input, sizeof *input, MODEL_INPUTS, in) == MODEL_INPUTS) {
#ifdef MODEL_CLASSES
        LOGIT logits[MODEL_CLASSES];
        float probabilities[MODEL_CLASSES];
        const int32_t best = (int32_t)model_predict(GIVEN);
        (void)model_logits(GIVEN, logits);
        model_probabilities(logits, probabilities);
        fwrite(logits, sizeof *logits, MODEL_CLASSES, out);
        fwrite(probabilities, sizeof *probabilities, MODEL_CLASSES, out);
        fwrite(&best, sizeof best, 1, out);
#else
        static LOGIT outputs[MODEL_OUTPUTS];
        (void)model_outputs(GIVEN, outputs);
        fwrite(outputs, sizeof *outputs, MODEL_OUTPUTS, out);
#endif
    }
    return fclose(out) == 0 ? 0 : 1;
}
