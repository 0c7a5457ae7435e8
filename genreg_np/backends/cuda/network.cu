// What a genome computes from its products W x, and what it earns: kernels/network.py on a GPU.

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

// values (rows, images) -> a(values + bias of the row). One thread a value.
extern "C" __global__ void activate(float* values, const float* biases, index_t rows, index_t images, int code) {
    const index_t i = thread_index();
    if (i < rows * images) values[i] = activation(values[i] + biases[i / images], code);
}

// One thread an image of a genome, which is blockIdx.y: from the output layer's products (T, K, N), which are
// overwritten, to the image's weighted score and whether it was predicted right, both (T, N).
//   numbers  (T,) the genomes' numbers      biases  (T, K)      labels, weights  (N,)
extern "C" __global__ void judge(double* scores, unsigned char* right, float* products, const float* biases, int code,
                                 const int* numbers, const int* labels, const double* weights, int classes,
                                 index_t images, int kind, double reward, double penalty, word generation,
                                 seed_t seed) {
    const index_t image = thread_index(), genome = blockIdx.y;
    if (image >= images) return;
    float* z = products + genome * classes * images + image;
    int best = 0;
    float top = 0;
    for (int k = 0; k < classes; ++k) {
        const float value = activation(z[k * images] + biases[genome * classes + k], code);
        z[k * images] = value;
        if (k == 0 || value > top) best = k, top = value;
    }
    const int label = labels[image];
    double score = 0;
    if (kind != REWARD_ARGMAX) {
        const float right_logit = z[label * images];
        float sum = 0;
        for (int k = 0; k < classes; ++k) {
            sum += expf(z[k * images] - top);
            z[k * images] = sum;  // e_0 + ... + e_k
        }
        score = (double)(right_logit - top - logf(sum));
        if (kind == REWARD_SAMPLED) {
            const Block block = philox((word)(image / 4), (word)numbers[genome], generation, PREDICTION, seed);
            const float draw = unit_float(block.words[image % 4]) * sum;
            best = 0;
            for (int k = 0; k < classes - 1; ++k) best += z[k * images] <= draw;
        }
    }
    if (kind != LOG_PROBABILITY) score = best == label ? reward : penalty;
    scores[genome * images + image] = __dmul_rn(score, weights[image]);
    right[genome * images + image] = best == label;
}

// One thread a genome: its image scores summed in the order of the images. result (2, P): fitness, accuracy.
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
