// Node perturbation (base.Backend.perturb; numpy_.estimate is the specification): mirrored pairs of mutants per image.
//
// Pairs are scored `count` at a time, from `first` on: their outputs are in columns (sign, pair, image), all mutants
// with a plus sign first. Shapes: U units of all layers, O units of one, N images, K pairs, L layers.

// inputs (N, I): rows of the features, each rolled by its shift. One thread per value.
extern "C" __global__ void gather(float* inputs, const float* features, const int* rows, const int* shifts,
                                  index_t images, index_t width) {
    const index_t i = thread_index();
    if (i >= images * width) return;
    const index_t image = i / width, place = i % width - shifts[image];
    inputs[i] = features[rows[image] * width + (place < 0 ? place + width : place)];
}

// signs (U, N): r = +-1 from the image's own bits. One thread per sign.
extern "C" __global__ void draw_signs(float* signs, index_t units, index_t images, word generation, seed_t seed) {
    const index_t i = thread_index();
    if (i >= units * images) return;
    const index_t unit = i / images, image = i % images;
    const Block block = philox((word)(unit / 128), (word)image, generation, SIGNS, seed);
    signs[i] = (block.words[(unit / 32) % 4] >> (unit % 32)) & 1 ? -1.0f : 1.0f;
}

// H[pair, unit mod order] of Sylvester's Hadamard matrix.
__device__ float hadamard(index_t pair, index_t unit, index_t order) {
    return __popcll((seed_t)(pair & (unit % order))) & 1 ? -1.0f : 1.0f;
}

// mutants (O, 2 count N): a(z + sigma e), then a(z - sigma e), from pre-activations, signs (O, N). One thread each.
extern "C" __global__ void mutate_units(float* mutants, const float* sums, const float* signs, index_t units,
                                        index_t images, index_t first, index_t count, index_t order, float sigma,
                                        int code) {
    const index_t i = thread_index(), columns = 2 * count * images;
    if (i >= units * columns) return;
    const index_t unit = i / columns, column = i % columns, here = unit * images + column % images;
    const float step = sigma * signs[here] * hadamard(first + column / images % count, unit, order);
    mutants[i] = activation(column < count * images ? sums[here] + step : sums[here] - step, code);
}

// scores (2 count N) of the mutants' logits (K, 2 count N), which are overwritten. One thread per mutant.
extern "C" __global__ void judge_pairs(float* scores, float* logits, const int* labels, int classes, index_t images,
                                       index_t first, index_t count, index_t pairs, int kind, double reward,
                                       double penalty, word generation, seed_t seed) {
    const index_t column = thread_index(), columns = 2 * count * images;
    if (column >= columns) return;
    const index_t image = column % images, pair = first + column / images % count;
    word draw = 0;
    if (kind == REWARD_SAMPLED)
        draw = philox((word)(image / 4), 0, generation, PREDICTION, seed).words[image % 4] +
               (word)(((seed_t)pair << 32) / (seed_t)pairs);
    scores[column] = (float)verdict(logits + column, columns, classes, labels[image], kind, reward, penalty, draw).score;
}

// The same from errors of the mutants' outputs (K, 2 count N) for numbers (N, K). One thread per mutant.
extern "C" __global__ void judge_error_pairs(float* scores, const float* values, const float* targets, int outputs,
                                             index_t images, index_t count, int kind) {
    const index_t column = thread_index(), columns = 2 * count * images;
    if (column >= columns) return;
    double square;
    scores[column] = (float)error_score(values + column, columns, outputs, targets + column % images * outputs, kind,
                                        &square);
}

// advantages (L K, N), rows `row` .. `row` + count: d = (F(+) - F(-)) / (2 sigma). One thread per pair and image.
extern "C" __global__ void compare_pairs(float* advantages, const float* scores, index_t row, index_t count,
                                         index_t images, float sigma) {
    const index_t i = thread_index();
    if (i < count * images) advantages[row * images + i] = (scores[i] - scores[count * images + i]) / (2 * sigma);
}

// Divide an image's advantages (rows, N) by their root mean square if `relative`; weight them. One thread per image.
extern "C" __global__ void weigh(float* advantages, const double* weights, index_t rows, index_t images, int relative) {
    const index_t image = thread_index();
    if (image >= images) return;
    float squares = 0;
    for (index_t row = 0; row < rows; ++row)
        squares += advantages[row * images + image] * advantages[row * images + image];
    const float scale = relative ? fmaxf(sqrtf(squares / (float)rows), TINY) : 1.0f;
    for (index_t row = 0; row < rows; ++row)
        advantages[row * images + image] = advantages[row * images + image] / scale * (float)weights[image];
}

// credits (O, N): c = mean over pairs of d e / N, or 0 if a unit's two mutants are equal. One thread per unit and
// image. `advantages` are the layer's (K, N).
extern "C" __global__ void credit_units(float* credits, const float* advantages, const float* sums, const float* signs,
                                        index_t units, index_t images, index_t pairs, index_t order, float sigma,
                                        int code) {
    const index_t i = thread_index();
    if (i >= units * images) return;
    const index_t unit = i / images, image = i % images;
    const float step = sigma * signs[i];
    float credit = 0;
    if (activation(sums[i] + step, code) != activation(sums[i] - step, code))
        for (index_t pair = 0; pair < pairs; ++pair)
            credit += advantages[pair * images + image] * hadamard(pair, unit, order);
    credits[i] = credit * signs[i] / (float)(pairs * images);
}
