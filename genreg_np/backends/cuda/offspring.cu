// Genes of many genomes: drawn, or inherited and then mutated. numba/kernels/offspring.py does the same on a CPU.
//
// All three kernels fill whole genomes of `size` genes, with numbers `numbers` (rows,), one per row of the grid
// (blockIdx.y). Genes are stored part by part: parts (P + 1,) hold the first gene of each and the end of the last. For
// all rows, part p is one array (rows, width), ready to be multiplied; with one part, all genomes are (rows, size).

typedef long long index_t;

__device__ index_t thread_index() {
    return (index_t)blockIdx.x * blockDim.x + threadIdx.x;
}

// The place of a gene of this row. On entry `part` is the gene's part or an earlier one; on return, the gene's.
__device__ index_t place(index_t gene, index_t rows, const index_t* parts, int* part) {
    while (gene >= parts[*part + 1]) ++*part;
    const index_t begin = parts[*part];
    return rows * begin + (index_t)blockIdx.y * (parts[*part + 1] - begin) + gene - begin;
}

// Generation 0: (u - 1/2) * width, plus `first` where that is not 0. `starts` holds the start of each parameter of the
// network and the end of the last; each has a width and a first value. One thread per four genes of a block.
extern "C" __global__ void draw_initial(float* genes, index_t size, index_t rows, const index_t* parts,
                                        const index_t* starts, const float* widths, const float* firsts,
                                        const int* numbers, seed_t seed) {
    const index_t first = 4 * thread_index(), end = first + 4 < size ? first + 4 : size;
    if (first >= size) return;
    const Block block = philox((word)(first / 4), (word)numbers[blockIdx.y], 0, INITIAL, seed);
    int part = 0, parameter = 0;
    for (index_t gene = first; gene < end; ++gene) {
        while (gene >= starts[parameter + 1]) ++parameter;
        float value = __fmul_rn(unit_float(block.words[gene % 4]) - 0.5f, widths[parameter]);
        if (firsts[parameter] != 0) value = __fadd_rn(value, firsts[parameter]);
        genes[place(gene, rows, parts, &part)] = value;
    }
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

// Children before mutation: each gene comes from the parent selected by its group's crossover bit. One thread per four
// genes, which mostly share a block of bits.
//   survivors  (S, size)      parents  (P, 2)      runs  (run_count, 2), see genes.crossover_runs
extern "C" __global__ void inherit(float* genes, index_t size, index_t rows, const index_t* parts, const int* numbers,
                                   const float* survivors, const int* parents, int crosses, const index_t* runs,
                                   int run_count, int elites, word generation, seed_t seed) {
    const index_t first = 4 * thread_index(), end = first + 4 < size ? first + 4 : size;
    if (first >= size) return;
    const int genome = numbers[blockIdx.y];
    const float* one = survivors + (index_t)parents[2 * genome] * size;
    const float* other = survivors + (index_t)parents[2 * genome + 1] * size;
    const bool crossed = crosses && genome >= elites;
    index_t drawn = -1;
    Block block = {{0, 0, 0, 0}};
    int part = 0;
    for (index_t gene = first; gene < end; ++gene) {
        word bit = 0;
        if (crossed) {
            const index_t group = crossover_group(gene, runs, run_count);
            if (group / 128 != drawn) {
                drawn = group / 128;
                block = philox((word)drawn, (word)genome, generation, CROSSOVER, seed);
            }
            bit = (block.words[(group / 32) % 4] >> (group % 32)) & 1;
        }
        genes[place(gene, rows, parts, &part)] = bit ? other[gene] : one[gene];
    }
}

// Masked Gaussian noise: w + scale * z where the walk of streams.py stops. One thread per segment of the walk; all
// look-ups of a block of words are read together, so that four genes wait for memory once.
extern "C" __global__ void mutate(float* genes, index_t size, index_t rows, const index_t* parts, const int* numbers,
                                  int first_mutable, word generation, word purpose, seed_t seed, const int* gaps,
                                  const float* normal, float scale) {
    const index_t begin = thread_index() * SEGMENT, end = begin + SEGMENT < size ? begin + SEGMENT : size;
    const int genome = numbers[blockIdx.y];
    if (begin >= size || genome < first_mutable) return;
    index_t gene = begin - 1;
    int part = 0;
    for (index_t number = thread_index() * BLOCKS_PER_SEGMENT;; ++number) {
        const Block block = philox((word)number, (word)genome, generation, purpose, seed);
        int gap[4];
        float noise[4], value[4];
        index_t where[4];
        bool inside[4];
        for (int w = 0; w < 4; ++w) {
            gap[w] = gaps[block.words[w] & 0xFFFF];
            noise[w] = normal[block.words[w] >> 16];
        }
        for (int w = 0; w < 4; ++w) {
            gene += gap[w];
            inside[w] = gene < end;
            where[w] = inside[w] ? place(gene, rows, parts, &part) : 0;
        }
        for (int w = 0; w < 4; ++w) value[w] = inside[w] ? genes[where[w]] : 0.0f;
        for (int w = 0; w < 4; ++w)
            if (inside[w]) genes[where[w]] = __fadd_rn(value[w], __fmul_rn(scale, noise[w]));
        if (!inside[3]) return;
    }
}
