// Enough CUDA for g++: kernels become functions, blocks and threads become loops. Kernels here use no barriers.

#include <cmath>
#include <tuple>
#include <utility>

#define __global__
#define __device__ static

struct Dimensions {
    unsigned x = 1, y = 1, z = 1;
};

static thread_local Dimensions gridDim, blockDim, blockIdx, threadIdx;

static unsigned __umulhi(unsigned a, unsigned b) { return (unsigned)(((unsigned long long)a * b) >> 32); }
static int __popcll(unsigned long long a) { return __builtin_popcountll(a); }
static float __fadd_rn(float a, float b) { return a + b; }
static float __fmul_rn(float a, float b) { return a * b; }
static double __dadd_rn(double a, double b) { return a + b; }
static double __dmul_rn(double a, double b) { return a * b; }

template <typename... Arguments, std::size_t... I>
static void run_all(void (*kernel)(Arguments...), void** arguments, std::index_sequence<I...>) {
    for (blockIdx.y = 0; blockIdx.y < gridDim.y; ++blockIdx.y)
        for (blockIdx.x = 0; blockIdx.x < gridDim.x; ++blockIdx.x)
            for (threadIdx.x = 0; threadIdx.x < blockDim.x; ++threadIdx.x) kernel(*(Arguments*)arguments[I]...);
}

template <typename... Arguments>
static void run(void (*kernel)(Arguments...), unsigned columns, unsigned rows, unsigned threads, void** arguments) {
    gridDim.x = columns, gridDim.y = rows, blockDim.x = threads;
    run_all(kernel, arguments, std::index_sequence_for<Arguments...>());
}
