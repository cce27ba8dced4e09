/* mxcount: exact instruction counts of a program under qemu's user emulation, between marks that the program sets.
 *
 * A mark is the system call 0x6d78 (no Linux has it: it answers ENOSYS and does nothing), first argument 1 begin or 2 end, second the
 * layer's number, or -1 for a whole inference. Regions nest. Each end writes one JSON line to the file `out=PATH`; so does the program's end.
 *
 * Counting is exact for a program of one thread: each translated block adds its instructions when it starts, and a system call ends a
 * block. Instructions of 64-bit ARM are told apart by class; of others only the total is counted.
 *
 * With `cache=SIZE:WAYS:SIZE:WAYS` every access to memory also runs through two levels of a least-recently-used cache of 64-byte lines,
 * the second filled by the misses of the first.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "a64.h"
#include "qemu_plugin_api.h"

PLUGIN_EXPORT int qemu_plugin_version = 1;

enum { MARK = 0x6d78, BEGIN = 1, END = 2, DEEPEST = 64, LINE_BITS = 6 };

/* The first five after TOTAL follow a64_class; those after OTHER are shares of them. */
enum counter { TOTAL, LDST, BRANCH, SIMD, ALU, OTHER, LOADS, STORES, VECTOR_LOADS, VECTOR_STORES, MULTIPLIES, LOADED, STORED, L1_MISSES, L2_MISSES, COUNTERS };

static const char *const NAMES[COUNTERS] = {
    "total", "load_store", "branch", "simd_fp", "alu", "other", "loads", "stores", "vector_loads", "vector_stores", "multiplies",
    "bytes_loaded", "bytes_stored", "l1_misses", "l2_misses",
};

struct cache {
    unsigned sets, ways;
    uint64_t *lines; /* sets rows of ways, the newest first; 0 is empty */
};

static uint64_t counts[COUNTERS], begun[DEEPEST][COUNTERS];
static int64_t layers[DEEPEST];
static unsigned depth, lost, threads;
static bool a64, cached;
static struct cache l1, l2;
static FILE *out;

static void count_word(uint32_t word, uint64_t *sums) {
    enum a64_class kind = a64_class_of(word);
    sums[LDST + kind]++;
    sums[MULTIPLIES] += kind == A64_SIMD && a64_multiplies(word);
    if (kind != A64_LDST) return;
    struct a64_access access = a64_access_of(word);
    sums[LOADS] += access.loaded > 0;
    sums[STORES] += access.stored > 0;
    sums[VECTOR_LOADS] += access.vector && access.loaded > 0;
    sums[VECTOR_STORES] += access.vector && access.stored > 0;
    sums[LOADED] += access.loaded;
    sums[STORED] += access.stored;
}

/* Whether a line was there; it is the newest of its set afterwards. */
static bool touch(struct cache *cache, uint64_t line) {
    uint64_t *row = cache->lines + (line % cache->sets) * cache->ways;
    unsigned way = 0;
    if (row[0] == line) return true; /* most are */
    while (way < cache->ways && row[way] != line) way++;
    bool hit = way < cache->ways;
    memmove(row + 1, row, (hit ? way : cache->ways - 1) * sizeof *row);
    row[0] = line;
    return hit;
}

static void on_memory(unsigned int cpu, qemu_plugin_meminfo_t info, uint64_t address, void *unused) {
    (void)cpu, (void)unused;
    uint64_t last = (address + (1u << qemu_plugin_mem_size_shift(info)) - 1) >> LINE_BITS;
    for (uint64_t line = address >> LINE_BITS; line <= last; line++) {
        if (touch(&l1, line)) continue;
        counts[L1_MISSES]++;
        counts[L2_MISSES] += !touch(&l2, line);
    }
}

static void on_translation(qemu_plugin_id_t id, struct qemu_plugin_tb *block) {
    (void)id;
    uint64_t sums[COUNTERS] = {0};
    size_t length = qemu_plugin_tb_n_insns(block);
    sums[TOTAL] = length;
    for (size_t i = 0; i < length; i++) {
        struct qemu_plugin_insn *instruction = qemu_plugin_tb_get_insn(block, i);
        uint32_t word;
        if (cached) qemu_plugin_register_vcpu_mem_cb(instruction, on_memory, QEMU_PLUGIN_CB_NO_REGS, QEMU_PLUGIN_MEM_RW, NULL);
        if (!a64) continue;
        memcpy(&word, qemu_plugin_insn_data(instruction), sizeof word);
        count_word(word, sums);
    }
    for (int i = 0; i < COUNTERS; i++)
        if (sums[i]) qemu_plugin_register_vcpu_tb_exec_inline(block, QEMU_PLUGIN_INLINE_ADD_U64, &counts[i], sums[i]);
}

static void tell(const char *what, int64_t layer, const uint64_t *since) {
    fprintf(out, "{\"what\": \"%s\", \"layer\": %" PRId64 ", \"depth\": %u, \"threads\": %u, \"lost\": %u", what, layer, depth, threads, lost);
    for (int i = 0; i < COUNTERS; i++) {
        if ((!a64 && i > TOTAL && i < L1_MISSES) || (!cached && i >= L1_MISSES)) continue;
        fprintf(out, ", \"%s\": %" PRIu64, NAMES[i], counts[i] - (since ? since[i] : 0));
    }
    fputs("}\n", out);
    fflush(out);
}

static void on_syscall(qemu_plugin_id_t id, unsigned int cpu, int64_t number, uint64_t what, uint64_t layer, uint64_t a3, uint64_t a4,
                       uint64_t a5, uint64_t a6, uint64_t a7, uint64_t a8) {
    (void)id, (void)cpu, (void)a3, (void)a4, (void)a5, (void)a6, (void)a7, (void)a8;
    if (number != MARK) return;
    if (what == BEGIN && depth < DEEPEST) {
        layers[depth] = (int32_t)layer;
        memcpy(begun[depth++], counts, sizeof counts);
    } else if (what == END && depth > 0 && layers[depth - 1] == (int32_t)layer) {
        depth--;
        tell("region", layers[depth], begun[depth]);
    } else {
        lost++; /* an end without its begin, or too deep */
    }
}

static void on_thread(qemu_plugin_id_t id, unsigned int cpu) {
    (void)id, (void)cpu;
    threads++;
}

static void on_exit_of_program(qemu_plugin_id_t id, void *unused) {
    (void)id, (void)unused;
    tell("process", -1, NULL);
}

/* "SIZE:WAYS:SIZE:WAYS" in bytes. */
static bool make_caches(const char *text) {
    struct cache *all[2] = {&l1, &l2};
    unsigned sizes[2];
    if (sscanf(text, "%u:%u:%u:%u", &sizes[0], &l1.ways, &sizes[1], &l2.ways) != 4) return false;
    for (int i = 0; i < 2; i++) {
        if (!all[i]->ways || !(all[i]->sets = (sizes[i] >> LINE_BITS) / all[i]->ways)) return false;
        all[i]->lines = calloc((size_t)all[i]->sets * all[i]->ways, sizeof *all[i]->lines);
        if (!all[i]->lines) return false;
    }
    return true;
}

PLUGIN_EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc, char **argv) {
    for (int i = 0; i < argc; i++) {
        if (!strncmp(argv[i], "out=", 4)) out = fopen(argv[i] + 4, "a");
        else if (!strncmp(argv[i], "cache=", 6)) cached = make_caches(argv[i] + 6);
        if (!strncmp(argv[i], "cache=", 6) && !cached) return fprintf(stderr, "mxcount: cache=SIZE:WAYS:SIZE:WAYS is wrong\n"), 1;
    }
    if (!out) return fprintf(stderr, "mxcount: out=PATH is missing or cannot be written\n"), 1;
    a64 = !strcmp(info->target_name, "aarch64");
    qemu_plugin_register_vcpu_init_cb(id, on_thread);
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_translation);
    qemu_plugin_register_vcpu_syscall_cb(id, on_syscall);
    qemu_plugin_register_atexit_cb(id, on_exit_of_program, NULL);
    return 0;
}
