/* What one AArch64 instruction word is: its class, and the bytes that it moves to and from memory.
 *
 * Source: Arm Architecture Reference Manual for A-profile (DDI 0487), C4.1 "A64 instruction set encoding". Bits are numbered as there.
 */
#ifndef MEXPORT_A64_H
#define MEXPORT_A64_H

#include <stdbool.h>
#include <stdint.h>

/* Every instruction is in one of these five. */
enum a64_class { A64_LDST, A64_BRANCH, A64_SIMD, A64_ALU, A64_OTHER };

struct a64_access {
    unsigned loaded; /* bytes read */
    unsigned stored; /* bytes written; an atomic does both */
    bool vector;     /* to or from a SIMD/FP register */
};

static inline unsigned a64_bits(uint32_t word, int high, int low) { return (word >> low) & ((1u << (high - low + 1)) - 1); }

static inline enum a64_class a64_class_of(uint32_t word) {
    unsigned op0 = a64_bits(word, 28, 25);
    if ((op0 & 0x5) == 0x4) return A64_LDST;
    if ((op0 & 0xe) == 0xa) return a64_bits(word, 31, 25) == 0x6a ? A64_OTHER : A64_BRANCH; /* 1101010: exceptions, barriers, hints, mrs */
    if ((op0 & 0x7) == 0x7) return A64_SIMD;
    if ((op0 & 0xe) == 0x8 || (op0 & 0x7) == 0x5) return A64_ALU;
    return A64_OTHER; /* SVE, SME, unallocated */
}

/* Multiply or multiply-add on SIMD/FP registers, dot products and matrix products too; scalar or vector. */
static inline bool a64_multiplies(uint32_t word) {
    unsigned top = a64_bits(word, 28, 24), low = a64_bits(word, 11, 10);
    bool u = a64_bits(word, 29, 29), bit21 = a64_bits(word, 21, 21);
    if (a64_class_of(word) != A64_SIMD) return false;
    if (a64_bits(word, 31, 24) == 0x1f) return true; /* FMADD and kin */
    if (a64_bits(word, 31, 24) == 0x1e) return bit21 && low == 2 && (a64_bits(word, 15, 12) & 7) == 0; /* FMUL, FNMUL */
    if ((top & 0xf) == 0xf) return !(low & 1) && a64_bits(word, 31, 31) == 0; /* by element: all of them multiply */
    if ((top & 0xf) != 0xe || a64_bits(word, 31, 31)) return false;
    if (bit21 && low == 0) { /* three different */
        unsigned op = a64_bits(word, 15, 12);
        return op >= 8 && op <= 14;
    }
    if (!(low & 1)) return false;
    if (bit21) { /* three same */
        unsigned op = a64_bits(word, 15, 11);
        return op == 0x12 || op == 0x13 || op == 0x16 || op == 0x19 || op == 0x1b || (op == 0x1d && !u);
    }
    if (a64_bits(word, 15, 15)) return a64_bits(word, 14, 11) != 0xc && a64_bits(word, 14, 11) != 0xe; /* extra, but not FCADD */
    return a64_bits(word, 22, 22) && a64_bits(word, 15, 14) == 0 && (a64_bits(word, 13, 11) == 1 || a64_bits(word, 13, 11) == 3); /* fp16 */
}

static inline struct a64_access a64_moved(unsigned bytes, bool load, bool vector) {
    struct a64_access access = {load ? bytes : 0, load ? 0 : bytes, vector};
    return access;
}

static inline struct a64_access a64_structures(uint32_t word) { /* LD1..LD4, ST1..ST4 */
    bool load = a64_bits(word, 22, 22);
    if (!a64_bits(word, 24, 24)) {
        static const unsigned char registers[16] = {[0] = 4, [2] = 4, [4] = 3, [6] = 3, [7] = 1, [8] = 2, [10] = 2};
        return a64_moved(registers[a64_bits(word, 15, 12)] * (a64_bits(word, 30, 30) ? 16 : 8), load, true);
    }
    unsigned elements = (a64_bits(word, 13, 13) << 1 | a64_bits(word, 21, 21)) + 1, scale = a64_bits(word, 15, 14), size = a64_bits(word, 11, 10);
    if (scale == 3) scale = size; /* one element to all lanes */
    else if (scale == 2 && (size & 1)) scale = 3;
    return a64_moved(elements << scale, load, true);
}

static inline struct a64_access a64_exclusive(uint32_t word) {
    unsigned size = a64_bits(word, 31, 30), bytes = 1u << size;
    bool ordered = a64_bits(word, 23, 23), two = a64_bits(word, 21, 21);
    if (two && (ordered || size < 2)) { /* CAS, CASP */
        struct a64_access both = {bytes, bytes, false};
        if (!ordered) both.loaded = both.stored = 8u << (size & 1);
        return both;
    }
    return a64_moved(two ? 2 * bytes : bytes, a64_bits(word, 22, 22), false);
}

static inline struct a64_access a64_single(uint32_t word) { /* one register: any addressing; atomics */
    unsigned size = a64_bits(word, 31, 30), opc = a64_bits(word, 23, 22), bytes = 1u << size;
    if (a64_bits(word, 26, 26)) return a64_moved(opc & 2 ? 16 : bytes, opc & 1, true);
    if (!a64_bits(word, 24, 24) && a64_bits(word, 21, 21)) {
        if (a64_bits(word, 10, 10)) return a64_moved(8, true, false); /* LDRAA */
        if (!a64_bits(word, 11, 11)) {                                /* LDADD, SWP, ...; LDAPR only loads */
            struct a64_access both = {bytes, a64_bits(word, 15, 12) == 12 ? 0 : bytes, false};
            return both;
        }
    }
    if (size == 3 && opc == 2) return a64_moved(0, true, false); /* PRFM */
    return a64_moved(bytes, opc != 0, false);
}

/* Bytes moved by an instruction of class A64_LDST; prefetches and tag instructions move none. */
static inline struct a64_access a64_access_of(uint32_t word) {
    unsigned opc = a64_bits(word, 31, 30);
    bool vector = a64_bits(word, 26, 26), load = a64_bits(word, 22, 22);
    switch (a64_bits(word, 29, 28)) {
    case 0:
        return vector ? a64_structures(word) : a64_exclusive(word);
    case 1:
        if (a64_bits(word, 24, 24)) return a64_moved(a64_bits(word, 21, 21) ? 0 : 1u << opc, a64_bits(word, 23, 22) != 0, false); /* LDAPUR, STLUR; tags */
        if (vector) return a64_moved(4u << opc, true, true);
        return a64_moved(opc == 3 ? 0 : opc == 1 ? 8 : 4, true, false); /* literal; PRFM */
    case 2:
        return a64_moved(vector ? 8u << opc : opc == 2 ? 16 : 8, load, vector); /* pairs */
    default:
        return a64_single(word);
    }
}

#endif
