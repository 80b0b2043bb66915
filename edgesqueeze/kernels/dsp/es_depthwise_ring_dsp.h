/* The loop over pairs of output pixels of depthwise convolutions of int8, in assembly; how inputs and weights lie:
 * es_depthwise_conv2d_s8.c.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ES_DEPTHWISE_RING_DSP_H
#define ES_DEPTHWISE_RING_DSP_H

#include <stdint.h>

#include "es_assembly_dsp.h"

enum {
  CHANNELS = 4,
  PIXEL_WORDS = 2,
  LAST_ROW = 3 /* ends the table: twice an impossible distance, plus 1 */
};

/* The channels of a group. The order is known to the assembly. */
typedef struct {
  int32_t bias[CHANNELS]; /* doubled */
  struct {
    int32_t multiplier, addend, shift;
  } output[CHANNELS];
} group_channels;

/* Pairs of output pixels of one row and one group. The order is known to the assembly. */
typedef struct {
  const void *outputs; /* of group_channels: its biases are before them */
  const uint32_t *table;
  const uint32_t *inputs; /* of the first kernel row */
  int32_t advance;        /* bytes from one output pixel's inputs to the next one's */
  int8_t *output;
  int32_t step; /* from one output pixel to the next */
  int32_t skip; /* from behind the first of a pair to the next pair */
  const int8_t *end;
} pair_run;

/* Twice the sums of channel a of the first pixel and b of the second to int8, in two parts; t is free. */
#define SCALE_SUMS(a, b, t)           \
  "ldmia r8!, {r9-r11}\n"             \
  "add " t ", r10, " a ", asr #31\n"  \
  "smmlar " a ", " a ", r9, " t "\n"  \
  "add " t ", r10, " b ", asr #31\n"  \
  "smmlar " b ", " b ", r9, " t "\n"

#define WRITE_OUTPUTS(a, b)           \
  "asr " a ", " a ", r11\n"           \
  "asr " b ", " b ", r11\n"           \
  "ssat " a ", #8, " a "\n"           \
  "ssat " b ", #8, " b "\n"           \
  "strb " b ", [r12, lr]\n"           \
  "strb " a ", [r12], #1\n"

/* Computes pairs of output pixels.
 *
 *   r0-r3  sums of the first pixel     r8, lr  inputs            r10       table
 *   r4-r7  sums of the second one      r9      two weights       r11, r12  inputs of both pixels
 *
 * then r8 channels, r9-r11 multiplier, addend and shift, r12 output, lr step.
 * Stack: a copy of pair_run, whose inputs and output move on. */
ES_ASSEMBLY static void compute_pairs(const pair_run *run ES_UNUSED) {
  __asm__ volatile(
      "push {r4-r11, lr}\n"
      "sub sp, sp, #32\n"
      "ldm r0, {r0-r7}\n"
      "stm sp, {r0-r7}\n"

      "1:\n" /* next pair */
      "ldm sp, {r8, r10-r12}\n"
      "add r12, r12, r11\n"
      "ldmdb r8, {r0-r3}\n" /* biases */
      "ldr r9, [r10], #4\n"
      "ldrd r8, lr, [r11], #8\n"
      "ldr r4, [r12], #4\n"
      "smlatt r6, r4, r9, r2\n"
      "smlabb r4, r4, r9, r0\n"
      "smlabb r0, r8, r9, r0\n"
      "smlatt r2, r8, r9, r2\n"
      "ldr r9, [r10], #4\n"
      "ldr r5, [r12], #4\n"
      "smlatt r7, r5, r9, r3\n"
      "smlabb r5, r5, r9, r1\n"
      "smlabb r1, lr, r9, r1\n"
      "smlatt r3, lr, r9, r3\n"
      "ldr r9, [r10], #4\n"
      "tst r9, #1\n"
      "bne 4f\n"

      "3:\n" /* next tap */
      "ldrd r8, lr, [r11], #8\n"
      "smlabb r0, r8, r9, r0\n"
      "smlatt r2, r8, r9, r2\n"
      "ldr r8, [r12], #4\n"
      "smlabb r4, r8, r9, r4\n"
      "smlatt r6, r8, r9, r6\n"
      "ldr r9, [r10], #4\n"
      "ldr r8, [r12], #4\n"
      "smlabb r1, lr, r9, r1\n"
      "smlatt r3, lr, r9, r3\n"
      "smlabb r5, r8, r9, r5\n"
      "smlatt r7, r8, r9, r7\n"
      "ldr r9, [r10], #4\n"
      "tst r9, #1\n"
      "beq 3b\n"
      "4:\n" /* next kernel row */
      "cmp r9, #3\n" /* LAST_ROW */
      "beq 5f\n"
      "add r11, r11, r9, asr #1\n"
      "add r12, r12, r9, asr #1\n"
      "ldr r9, [r10], #4\n"
      "b 3b\n"

      "5:\n"
      "ldr r8, [sp]\n"
      SCALE_SUMS("r0", "r4", "lr")
      "ldrd r12, lr, [sp, #16]\n"
      WRITE_OUTPUTS("r0", "r4")
      SCALE_SUMS("r1", "r5", "r0")
      WRITE_OUTPUTS("r1", "r5")
      SCALE_SUMS("r2", "r6", "r0")
      WRITE_OUTPUTS("r2", "r6")
      SCALE_SUMS("r3", "r7", "r0")
      WRITE_OUTPUTS("r3", "r7")
      "ldrd r0, r1, [sp, #8]\n"  /* inputs, advance */
      "ldrd r2, r3, [sp, #24]\n" /* skip, end */
      "add r0, r0, r1, lsl #1\n"
      "add r12, r12, r2\n"
      "str r0, [sp, #8]\n"
      "str r12, [sp, #16]\n"
      "cmp r12, r3\n"
      "bne.w 1b\n"
      "add sp, sp, #32\n"
      "pop {r4-r11, pc}\n");
}

static inline uint32_t twice(uint32_t halves) {
  uint32_t result;
  __asm__("sadd16 %0, %1, %1" : "=r"(result) : "r"(halves));
  return result;
}

#endif /* ES_DEPTHWISE_RING_DSP_H */
