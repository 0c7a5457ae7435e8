/* Predict every input of inputs.bin; write logits, class and probabilities of each to outputs.bin. */
#include "model.h"

#include <stdio.h>

int main(void)
{
    static INPUT input[MODEL_INPUTS];
#ifdef SCRATCH
    static model_scratch scratch;
#endif
    FILE *in = fopen("inputs.bin", "rb"), *out = fopen("outputs.bin", "wb");
    if (in == NULL || out == NULL)
        return 1;
    while (fread(input, sizeof *input, MODEL_INPUTS, in) == MODEL_INPUTS) {
#ifdef SCRATCH
#define WITH_SCRATCH , &scratch
#else
#define WITH_SCRATCH
#endif
#ifdef MODEL_CLASSES
        LOGIT logits[MODEL_CLASSES];
        float probabilities[MODEL_CLASSES];
        const int32_t best = (int32_t)model_predict(input WITH_SCRATCH);
        (void)model_logits(input WITH_SCRATCH, logits);
        model_probabilities(logits, probabilities);
        fwrite(logits, sizeof *logits, MODEL_CLASSES, out);
        fwrite(probabilities, sizeof *probabilities, MODEL_CLASSES, out);
        fwrite(&best, sizeof best, 1, out);
#else
        LOGIT outputs[MODEL_OUTPUTS];
        (void)model_outputs(input WITH_SCRATCH, outputs);
        fwrite(outputs, sizeof *outputs, MODEL_OUTPUTS, out);
#endif
    }
    return fclose(out) == 0 ? 0 : 1;
}
