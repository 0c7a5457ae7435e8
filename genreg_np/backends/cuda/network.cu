// A genome's activations from its products W x, and its scores: numba/kernels/network.py on a GPU.

__device__ float activation(float z, int code) {
    switch (code) {
        case TANH: return tanhf(z);
        case RELU: return z > 0 || z != z ? z : 0.0f;
        case LEAKY_RELU: return z > 0 ? z : z * 0.01f;
        case SIGMOID: return 0.5f * (tanhf(0.5f * z) + 1.0f);
        case STEP: return z > 0 ? 1.0f : 0.0f;
        case SIGN: return z > 0 ? 1.0f : -1.0f;
        default: return z;
    }
}

// sums (rows, images) -> a(sums + bias of the row), possibly in place. One thread per value.
extern "C" __global__ void activate(float* values, const float* sums, const float* biases, index_t rows,
                                    index_t images, int code) {
    const index_t i = thread_index();
    if (i < rows * images) values[i] = activation(sums[i] + biases[i / images], code);
}

struct Verdict {
    double score;
    bool right;
};

// The score of logits z[0], z[stride], ... for a label; z is overwritten if the score needs exponentials.
// `draw` is the word that draws the class of REWARD_SAMPLED.
__device__ Verdict verdict(float* z, index_t stride, int classes, int label, int kind, double reward, double penalty,
                           word draw) {
    int best = 0;
    for (int k = 1; k < classes; ++k)
        if (z[k * stride] > z[best * stride]) best = k;
    const float top = z[best * stride], own = z[label * stride] - top;
    if (kind == REWARD_ARGMAX) return Verdict{best == label ? reward : penalty, best == label};
    if (kind == MARGIN) {
        float other = -3.402823466e38f, sum = 0;  // below any; a sum with NaN in it is NaN, a maximum is not
        for (int k = 0; k < classes; ++k) {
            sum += z[k * stride];
            if (k != label) other = fmaxf(other, z[k * stride] - top);
        }
        return Verdict{sum != sum ? sum : fminf(own - other, 1.0f), best == label};
    }
    float sum = 0;
    for (int k = 0; k < classes; ++k) {
        sum += expf(z[k * stride] - top);
        z[k * stride] = sum;  // e_0 + ... + e_k
    }
    if (kind == LOG_PROBABILITY) return Verdict{own - logf(sum), best == label};
    const float drawn = unit_float(draw) * sum;
    int sampled = 0;
    for (int k = 0; k < classes - 1; ++k) sampled += z[k * stride] <= drawn;
    return Verdict{sampled == label ? reward : penalty, sampled == label};
}

// From logits (T, K, N), which are overwritten, to weighted scores and right predictions, both (T, N). One thread per
// image of a genome; the genome is blockIdx.y.
//   numbers  (T,) the genomes' numbers      labels, weights  (N,)
extern "C" __global__ void judge(double* scores, unsigned char* right, float* logits, const int* numbers,
                                 const int* labels, const double* weights, int classes, index_t images, int kind,
                                 double reward, double penalty, word generation, seed_t seed) {
    const index_t image = thread_index(), genome = blockIdx.y;
    if (image >= images) return;
    word draw = 0;
    if (kind == REWARD_SAMPLED)
        draw = philox((word)(image / 4), (word)numbers[genome], generation, PREDICTION, seed).words[image % 4];
    const Verdict found = verdict(logits + genome * classes * images + image, images, classes, labels[image], kind,
                                  reward, penalty, draw);
    scores[genome * images + image] = __dmul_rn(found.score, weights[image]);
    right[genome * images + image] = found.right;
}

// One thread per genome: its image scores summed in the order of the images. result (2, P): fitness, accuracy.
extern "C" __global__ void total(double* result, index_t population, index_t first, const double* scores,
                                 const unsigned char* right, index_t rows, index_t images) {
    const index_t row = thread_index();
    if (row >= rows) return;
    double fitness = 0;
    index_t hits = 0;
    for (index_t image = 0; image < images; ++image) {
        fitness = __dadd_rn(fitness, scores[row * images + image]);
        hits += right[row * images + image];
    }
    result[first + row] = fitness;
    result[population + first + row] = (double)hits / (double)images;
}

// The score of outputs z[0], z[stride], ... for an image's target numbers; *square is their mean squared error.
__device__ double error_score(const float* z, index_t stride, int outputs, const float* targets, int kind,
                              double* square) {
    float score = 0, squares = 0;
    for (int k = 0; k < outputs; ++k) {
        const float error = z[k * stride] - targets[k], size = fabsf(error), own = error * error;
        squares += own;
        if (kind == SQUARED) score -= own;
        else if (kind == ABSOLUTE) score -= size;
        else score -= size <= 1 ? 0.5f * own : size - 0.5f;
    }
    *square = (double)(squares / (float)outputs);
    return (double)(score / (float)outputs);
}

// From outputs (T, K, N) to weighted scores and squared errors, both (T, N). One thread per image of a genome; the
// genome is blockIdx.y.
//   targets  (N, K)      weights  (N,)
extern "C" __global__ void judge_errors(double* scores, double* squares, const float* values, const float* targets,
                                        const double* weights, int outputs, index_t images, int kind) {
    const index_t image = thread_index(), genome = blockIdx.y;
    if (image >= images) return;
    double square;
    const double score = error_score(values + genome * outputs * images + image, images, outputs,
                                     targets + image * outputs, kind, &square);
    scores[genome * images + image] = __dmul_rn(score, weights[image]);
    squares[genome * images + image] = square;
}

// One thread per genome: its scores and squared errors summed in the order of the images. result (2, P): fitness, mean
// squared error.
extern "C" __global__ void total_errors(double* result, index_t population, index_t first, const double* scores,
                                        const double* squares, index_t rows, index_t images) {
    const index_t row = thread_index();
    if (row >= rows) return;
    double fitness = 0, square = 0;
    for (index_t image = 0; image < images; ++image) {
        fitness = __dadd_rn(fitness, scores[row * images + image]);
        square = __dadd_rn(square, squares[row * images + image]);
    }
    result[first + row] = fitness;
    result[population + first + row] = square / (double)images;
}
