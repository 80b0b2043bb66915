/* Fully connected layer, int8, for MVE: four outputs at a time.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Weights are stored output after output, unpadded.
 */
#include <stddef.h>

#include "es_conv.h"

enum {
  TOGETHER = 4,
  UNPACKED = 16 /* channels that are unpacked at a time, a multiple of TOGETHER */
};

/* Blocks of outputs. The order of the members is known to the assembly. */
typedef struct {
  const int8_t *input;
  int32_t features;
  int32_t rows[3];    /* bytes from the first row of weights of a block to the others */
  int32_t block_step; /* bytes from the weights of a block to those of the next */
  const int8_t *weights;
  const void *channels; /* es_channel, or int32 biases where the outputs share the rest */
  int8_t *output;
  int32_t blocks;
  int32_t count;                     /* outputs of a block that are stored: 1 to 4 */
  int32_t multiplier, addend, shift; /* if shared; a negative shift */
} outputs;

/* Registers of both functions:
 *   r0 r1 r3 r5 r7  next inputs, next weights of rows 0 to 3
 *   r2 r4 r6 r8     sums of rows 0 to 3
 *   r9 r10 r11 r12  weights of the block, its channels, its outputs, the struct
 * The loop over inputs predicates its last step of 16 itself: nothing behind the input or a row is
 * read. */
#define BEGIN                                           \
  "push {r4-r11, lr}\n"                                 \
  "vpush {d8-d9}\n"                                     \
  "mov r12, r0\n"                                       \
  "ldrd r9, r10, [r12, #24]\n"                          \
  "ldr r11, [r12, #32]\n"                               \
  "1:\n"                                                \
  "ldrd r0, r2, [r12]\n"                                \
  "ldrd r3, r5, [r12, #8]\n"                            \
  "ldrd r7, r8, [r12, #16]\n"                           \
  "dlstp.8 lr, r2\n"                                    \
  "mov r1, r9\n"                                        \
  "add r3, r3, r9\n"                                    \
  "add r5, r5, r9\n"                                    \
  "add r7, r7, r9\n"                                    \
  "add r9, r9, r8\n"                                    \
  "movs r2, #0\n"                                       \
  "movs r4, #0\n"                                       \
  "movs r6, #0\n"                                       \
  "mov r8, #0\n"                                        \
  "2:\n"                                                \
  "vldrb.u8 q0, [r0], #16\n"                            \
  "vldrb.u8 q1, [r1], #16\n"                            \
  "vmladava.s8 r2, q0, q1\n"                            \
  "vldrb.u8 q2, [r3], #16\n"                            \
  "vmladava.s8 r4, q0, q2\n"                            \
  "vldrb.u8 q1, [r5], #16\n"                            \
  "vmladava.s8 r6, q0, q1\n"                            \
  "vldrb.u8 q2, [r7], #16\n"                            \
  "vmladava.s8 r8, q0, q2\n"                            \
  "letp lr, 2b\n"                                       \
  "vmov q4[2], q4[0], r2, r6\n"                         \
  "vmov q4[3], q4[1], r4, r8\n"                         \
  "ldrd r2, r0, [r12, #36]\n" /* blocks to go, count */ \
  "mov r5, r11\n"                                       \
  "vctp.32 r0\n"

/* Stores the low bytes of q1. */
#define END              \
  "vqmovnb.s32 q1, q1\n" \
  "subs r2, r2, #1\n"    \
  "vqmovnb.s16 q1, q1\n" \
  "vpst\n"               \
  "vstrbt.32 q1, [r5]\n" \
  "add r11, r11, #4\n"   \
  "str r2, [r12, #36]\n" \
  "bgt 1b\n"             \
  "vpop {d8-d9}\n"       \
  "pop {r4-r11, pc}\n"

__attribute__((naked, noinline)) static void compute(outputs *work __attribute__((unused))) {
  __asm__ volatile(
      BEGIN
      /* q0 to q3: biases, multipliers, addends, shifts */
      "vld40.32 {q0, q1, q2, q3}, [r10]\n"
      "vld41.32 {q0, q1, q2, q3}, [r10]\n"
      "vld42.32 {q0, q1, q2, q3}, [r10]\n"
      "vld43.32 {q0, q1, q2, q3}, [r10]!\n"
      "vadd.i32 q0, q0, q4\n"
      "vneg.s32 q3, q3\n"
      "vqrdmulh.s32 q1, q0, q1\n"
      "vshr.s32 q0, q0, #31\n"
      "vadd.i32 q1, q1, q2\n"
      "vadd.i32 q1, q1, q0\n"
      "vshl.s32 q1, q1, q3\n"
      END);
}

__attribute__((naked, noinline)) static void compute_shared(outputs *work __attribute__((unused))) {
  __asm__ volatile(
      BEGIN
      "mov r7, r10\n"
      "ldrd r6, r4, [r12, #44]\n" /* multiplier, addend */
      "add r10, r10, #16\n"
      "vpst\n"
      "vldrwt.u32 q0, [r7]\n"
      "ldr r3, [r12, #52]\n" /* shift */
      "vadd.i32 q0, q0, q4\n"
      "vshr.s32 q1, q0, #31\n"
      "vadd.i32 q1, q1, r4\n"
      "vqrdmlah.s32 q1, q0, r6\n"
      "vshl.s32 q1, r3\n"
      END);
}

/* All outputs `first` to first + count - 1, whose channels are given. */
static void compute_all(outputs *work, const es_fully_connected *layer, int32_t first,
                        int32_t count, void (*function)(outputs *), const void *channels,
                        int32_t channel_bytes, int8_t *output) {
  const int32_t features = layer->in_features;
  const int32_t rest = count % TOGETHER;
  work->weights = layer->weights + first * features;
  work->channels = channels;
  work->output = output + first;
  work->blocks = count / TOGETHER;
  if (work->blocks > 0) {
    function(work);
  }
  if (rest != 0) { /* rows that do not exist repeat the first one */
    const int32_t computed = count - rest;
    work->weights += computed * features;
    work->channels = (const int8_t *)channels + computed * channel_bytes;
    work->output += computed;
    work->blocks = 1;
    work->count = rest;
    work->rows[0] = rest > 1 ? features : 0;
    work->rows[1] = rest > 2 ? 2 * features : 0;
    work->rows[2] = 0;
    function(work);
  }
}

void es_fully_connected_s8(const es_fully_connected *layer, const int8_t *input, int8_t *output,
                           void *scratch) {
  const int32_t features = layer->in_features;
  const int32_t count = layer->out_features;
  const es_channels *const packed = &layer->channels;
  es_channel *const channels = (es_channel *)scratch;
  outputs work = {input, features, {features, 2 * features, 3 * features}, 0, NULL, NULL, NULL,
                  0,     TOGETHER, 0, 0, 0};
  work.block_step = TOGETHER * features;
  if (packed->format == ES_CHANNELS_SHARED) {
    es_unpack_channels(packed, 0, 1, channels);
    work.multiplier = channels->multiplier;
    work.addend = channels->addend;
    work.shift = -channels->shift;
    compute_all(&work, layer, 0, count, compute_shared, packed->records, sizeof(int32_t), output);
    return;
  }
  for (int32_t first = 0; first < count; first += UNPACKED) {
    const int32_t some = count - first < UNPACKED ? count - first : UNPACKED;
    es_unpack_channels(packed, first, some, channels);
    compute_all(&work, layer, first, some, compute, channels, sizeof(es_channel), output);
  }
}

int32_t es_fully_connected_s8_scratch_bytes(const es_fully_connected *layer) {
  (void)layer;
  return UNPACKED * (int32_t)sizeof(es_channel);
}
