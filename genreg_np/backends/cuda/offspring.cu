// Genes of many genomes: drawn, or inherited and then mutated. kernels/offspring.py does the same on a CPU.
//
// All three kernels fill genes start .. start + width of the genomes named in `numbers` (one per row, blockIdx.y):
//   genes      first of row 0; rows lie `stride` floats apart
//   numbers    (rows,) the genomes' numbers in their generation

typedef long long index_t;

__device__ index_t thread_index() {
    return (index_t)blockIdx.x * blockDim.x + threadIdx.x;
}

// Generation 0: (u - 1/2) * range. One thread a gene.
extern "C" __global__ void draw_initial(float* genes, index_t stride, index_t start, index_t width, const int* numbers,
                                        seed_t seed, float range) {
    const index_t column = thread_index();
    if (column >= width) return;
    const index_t gene = start + column;
    const Block block = philox((word)(gene / 4), (word)numbers[blockIdx.y], 0, INITIAL, seed);
    genes[blockIdx.y * stride + column] = __fmul_rn(unit_float(block.words[gene % 4]) - 0.5f, range);
}

// The crossover group of a gene: itself, or the group of the last run that begins at or before it.
__device__ index_t crossover_group(index_t gene, const index_t* runs, int run_count) {
    if (run_count == 0) return gene;
    int low = 0, high = run_count;
    while (high - low > 1) {
        const int middle = (low + high) / 2;
        if (runs[2 * middle] <= gene) low = middle;
        else high = middle;
    }
    return runs[2 * low + 1];
}

// A child before mutation: each gene from the parent that its group's crossover bit names. One thread a gene.
//   survivors  (S, genome_size)      parents  (P, 2)      runs  (run_count, 2), see genes.crossover_runs
extern "C" __global__ void inherit(float* genes, index_t stride, index_t start, index_t width, const int* numbers,
                                   const float* survivors, index_t genome_size, const int* parents, int crosses,
                                   const index_t* runs, int run_count, int elites, word generation, seed_t seed) {
    const index_t column = thread_index();
    if (column >= width) return;
    const index_t gene = start + column;
    const int genome = numbers[blockIdx.y];
    int chosen = 0;
    if (crosses && genome >= elites) {
        const index_t group = crossover_group(gene, runs, run_count);
        const Block block = philox((word)(group / 128), (word)genome, generation, CROSSOVER, seed);
        chosen = (block.words[(group / 32) % 4] >> (group % 32)) & 1;
    }
    genes[blockIdx.y * stride + column] = survivors[parents[2 * genome + chosen] * genome_size + gene];
}

// Masked Gaussian noise: w + scale * z where the walk of streams.py stops. One thread a segment of the walk.
extern "C" __global__ void mutate(float* genes, index_t stride, index_t start, index_t width, const int* numbers,
                                  int first_mutable, word generation, word purpose, seed_t seed, const int* gaps,
                                  const float* normal, float scale) {
    const index_t segment = start / SEGMENT + thread_index(), stop = start + width;
    const int genome = numbers[blockIdx.y];
    if (segment * SEGMENT >= stop || genome < first_mutable) return;
    const index_t end = stop < (segment + 1) * SEGMENT ? stop : (segment + 1) * SEGMENT;
    float* row = genes + blockIdx.y * stride - start;
    index_t gene = segment * SEGMENT - 1;
    for (index_t number = segment * BLOCKS_PER_SEGMENT;; ++number) {
        const Block block = philox((word)number, (word)genome, generation, purpose, seed);
        for (int w = 0; w < 4; ++w) {
            gene += gaps[block.words[w] & 0xFFFF];
            if (gene >= end) return;
            if (gene >= start) row[gene] = __fadd_rn(row[gene], __fmul_rn(scale, normal[block.words[w] >> 16]));
        }
    }
}
