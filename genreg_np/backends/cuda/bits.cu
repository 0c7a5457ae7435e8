// Philox4x32-10 (Salmon et al., 2011): streams.philox, one block of four words per call.
//
// source.py passes the constants in capitals from streams.py, base.py and infer.py, so that each is defined once.

typedef unsigned int word;
typedef unsigned long long seed_t;

struct Block {
    word words[4];
};

__device__ Block philox(word block, word genome, word generation, word purpose, seed_t seed) {
    word c0 = block, c1 = genome, c2 = generation, c3 = purpose;
    word k0 = (word)seed, k1 = (word)(seed >> 32);
    for (int round = 0; round < ROUNDS; ++round) {
        const word low_0 = MULTIPLIER_0 * c0, high_0 = __umulhi(MULTIPLIER_0, c0);
        const word low_1 = MULTIPLIER_1 * c2, high_1 = __umulhi(MULTIPLIER_1, c2);
        c0 = high_1 ^ c1 ^ k0;
        c1 = low_1;
        c2 = high_0 ^ c3 ^ k1;
        c3 = low_0;
        k0 += WEYL_0;
        k1 += WEYL_1;
    }
    return Block{{c0, c1, c2, c3}};
}

// A word's upper 24 bits as a float in [0, 1), exactly.
__device__ float unit_float(word bits) {
    return (float)(bits >> 8) * 5.9604644775390625e-8f;
}
