/* The smallest program that predicts, to be linked and measured, not run: an image, memory if the model wants some. */
#include "model.h"

uint8_t image[MODEL_INPUTS];

int main(void)
{
#ifdef SCRATCH
    static model_scratch scratch;
    return model_predict(image, &scratch);
#else
    return model_predict(image);
#endif
}
