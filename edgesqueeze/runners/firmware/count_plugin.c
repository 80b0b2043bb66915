/* A plugin for QEMU that counts how often each block of instructions ran in every layer of a model.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Arguments marks=FILE, whose lines are "ADDRESS NUMBER" in hexadecimal, and out=FILE. A mark
 * belongs to the instruction at its address: when the instruction is about to run, its number
 * becomes the current layer. MARK_BEGIN starts an inference; MARK_END ends it. Only the first
 * inference is counted.
 *
 * The output has one line for every layer, block and successor: "LAYER FIRST LAST NEXT COUNT". A
 * block is a run of instructions, from the one at FIRST to the one at LAST, that is entered at its
 * start only; COUNT is how often it ran in that layer (-1: before the first) and the block at NEXT
 * (0: none) ran behind it.
 *
 * Memory named by constant=FROM-TO, of which there may be several, would be flash on a device.
 * Caches beside it are imitated, of code=BYTES for instructions and data=BYTES for constant data
 * (0: both share the former). A line "lines LAYER CODE DATA" says how many lines of 16 bytes were
 * not found there.
 *
 * Plugins are compiled against a header of QEMU's sources. That header is rarely installed, so the
 * few functions that are needed are declared here; they are the same from QEMU 4.2 on. API_VERSION
 * is 1 for QEMU before 9.0 and 2 from there on.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef uint64_t plugin_id;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
typedef struct qemu_info qemu_info;

void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id, void (*)(plugin_id, struct qemu_plugin_tb *));
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *,
                                            void (*)(unsigned, void *), int, void *);
void qemu_plugin_register_vcpu_mem_cb(struct qemu_plugin_insn *,
                                      void (*)(unsigned, uint32_t, uint64_t, void *), int, int,
                                      void *);
void qemu_plugin_register_atexit_cb(plugin_id, void (*)(plugin_id, void *), void *);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *, size_t);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *);

#define EXPORT __attribute__((__visibility__("default")))
enum { NO_REGISTERS = 0, READS_AND_WRITES = 3 };
enum { LINE_BYTES = 16, WAYS = 4, MAX_RANGES = 8 };
enum { MARK_BEGIN = 0x10000, MARK_END = 0x10001 };

typedef struct {
  uint32_t address;
  uint32_t number;
} mark;

typedef struct edge {
  struct edge *next;
  uint32_t layer;
  uint32_t successor; /* address */
  uint64_t count;
} edge;

typedef struct block {
  struct block *next;
  uint32_t first;
  uint32_t last;
  const mark *marks; /* those at its first instruction */
  uint32_t mark_count;
  edge *edges;
} block;

static mark *marks;
static uint32_t mark_count;
static uint32_t layer_count;
static FILE *output;

static struct {
  uint64_t from, to;
} ranges[MAX_RANGES]; /* of constant data */
static int range_count;

/* A cache of some sets of four lines. In a set, the line that was used last comes first. */
typedef struct {
  uint64_t sets;
  uint64_t (*lines)[WAYS]; /* number of the line plus one; 0 is an empty place */
} cache;

static cache code_cache, data_cache;
static uint64_t *code_misses, *data_misses; /* one a layer */

static block *blocks; /* all of them */
static uint32_t layer; /* layer_count between the inference's begin and its first layer */
static bool counting, done;
static block *previous;         /* the block that ran before this one, and */
static uint32_t previous_layer; /* the layer that it ran in */

/* Counts the previous block, which is followed by the block at an address. */
static void count_previous(uint32_t successor) {
  if (previous == NULL) {
    return;
  }
  edge *one = previous->edges;
  while (one != NULL && (one->layer != previous_layer || one->successor != successor)) {
    one = one->next;
  }
  if (one == NULL) {
    one = calloc(1, sizeof *one);
    one->layer = previous_layer;
    one->successor = successor;
    one->next = previous->edges;
    previous->edges = one;
  }
  ++one->count;
  previous = NULL;
}

static void apply(uint32_t number) {
  if (number == MARK_BEGIN) {
    counting = !done;
    layer = layer_count;
  } else if (number == MARK_END) {
    done = done || counting;
    counting = false;
  } else {
    layer = number;
  }
}

static bool is_constant(uint64_t address) {
  for (int i = 0; i < range_count; ++i) {
    if (address >= ranges[i].from && address < ranges[i].to) {
      return true;
    }
  }
  return false;
}

/* Returns 1 if the line was not in the cache, where it is now. */
static unsigned fetch(cache *from, uint64_t line) {
  uint64_t *const set = from->lines[line % from->sets];
  int place = 0;
  while (place < WAYS - 1 && set[place] != line + 1) {
    ++place;
  }
  const unsigned missed = set[place] != line + 1;
  memmove(set + 1, set, (size_t)place * sizeof *set);
  set[0] = line + 1;
  return missed;
}

static void on_block(unsigned cpu, void *data) {
  block *const now = data;
  (void)cpu;
  count_previous(now->first);
  for (uint32_t i = 0; i < now->mark_count; ++i) {
    apply(now->marks[i].number);
  }
  if (counting) {
    previous = now;
    previous_layer = layer;
    for (uint32_t line = now->first / LINE_BYTES; line <= now->last / LINE_BYTES; ++line) {
      code_misses[layer] += fetch(&code_cache, line);
    }
  }
}

static void on_access(unsigned cpu, uint32_t info, uint64_t address, void *data) {
  (void)cpu;
  (void)info;
  (void)data;
  if (counting && is_constant(address)) {
    data_misses[layer] += fetch(&data_cache, address / LINE_BYTES);
  }
}

static const mark *first_mark(uint32_t address, uint32_t *count) {
  uint32_t first = 0;
  while (first < mark_count && marks[first].address != address) {
    ++first;
  }
  *count = 0;
  while (first + *count < mark_count && marks[first + *count].address == address) {
    ++*count;
  }
  return &marks[first];
}

static block *new_block(struct qemu_plugin_insn *instruction) {
  block *const made = calloc(1, sizeof *made);
  made->first = (uint32_t)qemu_plugin_insn_vaddr(instruction);
  made->marks = first_mark(made->first, &made->mark_count);
  made->next = blocks;
  blocks = made;
  qemu_plugin_register_vcpu_insn_exec_cb(instruction, on_block, NO_REGISTERS, made);
  return made;
}

/* QEMU translates a block of instructions; it is cut where marks are. */
static void on_translation(plugin_id id, struct qemu_plugin_tb *translated) {
  const size_t count = qemu_plugin_tb_n_insns(translated);
  block *current = NULL;
  (void)id;
  for (size_t i = 0; i < count; ++i) {
    struct qemu_plugin_insn *const instruction = qemu_plugin_tb_get_insn(translated, i);
    const uint32_t address = (uint32_t)qemu_plugin_insn_vaddr(instruction);
    uint32_t here;
    (void)first_mark(address, &here);
    if (current == NULL || here != 0) {
      current = new_block(instruction);
    }
    current->last = address;
    /* QEMU 7.2 confuses reads with writes, so ask for both: constant data are never written. */
    qemu_plugin_register_vcpu_mem_cb(instruction, on_access, NO_REGISTERS, READS_AND_WRITES, NULL);
  }
}

/* What the output calls a layer. */
static int printed(uint32_t number) {
  return number == layer_count ? -1 : (int)number;
}

static void write_counts(plugin_id id, void *data) {
  (void)id;
  (void)data;
  if (output == NULL) {
    return;
  }
  count_previous(0);
  for (const block *one = blocks; one != NULL; one = one->next) {
    for (const edge *to = one->edges; to != NULL; to = to->next) {
      fprintf(output, "%d %" PRIx32 " %" PRIx32 " %" PRIx32 " %" PRIu64 "\n", printed(to->layer),
              one->first, one->last, to->successor, to->count);
    }
  }
  for (uint32_t i = 0; i <= layer_count; ++i) {
    fprintf(output, "lines %d %" PRIu64 " %" PRIu64 "\n", printed(i), code_misses[i],
            data_misses[i]);
  }
  fclose(output);
  output = NULL;
}

static int read_marks(const char *name) {
  FILE *const file = fopen(name, "r");
  mark one;
  if (file == NULL) {
    return -1;
  }
  while (fscanf(file, "%" SCNx32 " %" SCNx32, &one.address, &one.number) == 2) {
    marks = realloc(marks, (mark_count + 1) * sizeof *marks);
    marks[mark_count++] = one;
    if (one.number < MARK_BEGIN && one.number >= layer_count) {
      layer_count = one.number + 1;
    }
  }
  fclose(file);
  return 0;
}

static cache new_cache(const char *bytes) {
  cache made;
  made.sets = strtoul(bytes, NULL, 0) / (LINE_BYTES * WAYS);
  made.lines = calloc(made.sets, sizeof *made.lines);
  return made;
}

EXPORT int qemu_plugin_version = API_VERSION;

EXPORT int qemu_plugin_install(plugin_id id, const qemu_info *info, int argc, char **argv);
EXPORT int qemu_plugin_install(plugin_id id, const qemu_info *info, int argc, char **argv) {
  int status = 0;
  (void)info;
  for (int i = 0; i < argc; ++i) {
    if (strncmp(argv[i], "marks=", 6) == 0) {
      status = read_marks(argv[i] + 6);
    } else if (strncmp(argv[i], "out=", 4) == 0) {
      output = fopen(argv[i] + 4, "w");
    } else if (strncmp(argv[i], "constant=", 9) == 0 && range_count < MAX_RANGES) {
      char *end = NULL;
      ranges[range_count].from = strtoul(argv[i] + 9, &end, 0);
      ranges[range_count++].to = strtoul(end + 1, NULL, 0);
    } else if (strncmp(argv[i], "code=", 5) == 0) {
      code_cache = new_cache(argv[i] + 5);
    } else if (strncmp(argv[i], "data=", 5) == 0) {
      data_cache = new_cache(argv[i] + 5);
    }
  }
  if (status != 0 || output == NULL || code_cache.sets == 0) {
    fprintf(stderr, "count_plugin: bad arguments, or its files cannot be opened\n");
    return -1;
  }
  if (data_cache.sets == 0) {
    data_cache = code_cache;
  }
  code_misses = calloc(layer_count + 1, sizeof *code_misses);
  data_misses = calloc(layer_count + 1, sizeof *data_misses);
  qemu_plugin_register_vcpu_tb_trans_cb(id, on_translation);
  qemu_plugin_register_atexit_cb(id, write_counts, NULL);
  return 0;
}
