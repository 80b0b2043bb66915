/* The loop over an output row of depthwise 3x3 convolutions, in assembly; how planes lie: es_depthwise_planes_dsp.h.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Who includes it defines ES_ROW_VALUE_BYTES, the bytes of an output as a string, and assembly that finishes sums:
 * ES_ROW_FINISH_PAIR those in r4 and r5, one to lr, the other a step behind, and moves lr on to the next pair; with r0
 * to r3 free, of the stack's words 0 to 4 told below, and at the end the flags that tell whether r12 is at the end.
 * ES_ROW_FINISH_ONE that in r4, with the channel's multiplier, addend and shift in r0 to r2, and r3 free.
 */
#ifndef ES_DEPTHWISE_ROW_DSP_H
#define ES_DEPTHWISE_ROW_DSP_H

#include <stdint.h>

#include "es_assembly_dsp.h"

enum { CHANNELS = 4, ROWS = 3, WORDS = 4 /* for two columns */ };

/* How input rows are split. The order is known to the assembly that does. */
typedef struct {
  int32_t step; /* bytes from an input pixel to the next */
  int32_t plane_bytes;
  int32_t columns;
  uint32_t padding; /* as many input zero points as a word holds */
  int32_t odd;      /* whether the first column of the input is the second one of its word */
} plane_split;

/* What the loop over an output row needs to know of a channel. The order is known to the assembly. */
typedef struct {
  int32_t multiplier, addend, shift;
  const uint32_t *end;            /* of the column pairs where pairs of outputs start */
  const uint32_t *plane;
  uint32_t weights[2 * ROWS + 4]; /* w0 and w1, w1 and w2, of kernel rows 0 1 2 0 1 */
} plane_channel;

/* One output row of a group. The order is known to the assembly. */
typedef struct {
  int32_t step; /* bytes from an output pixel to the next */
  const plane_channel *channels;
  void *output;
  const plane_channel *end;
  int32_t rotation; /* bytes from the weights' start to those that fit the ring */
  int32_t odd;      /* whether a single output is left after all pairs */
  int32_t stride;
} plane_row;

/* One output row of all planes.
 *
 *   r0-r2  two columns of three rows     r3      bias           r4, r5  sums of two outputs
 *   r6-r11 weights                       r12     plane          lr      output
 *
 * Stack: 0 multiplier, addend, shift and end of a channel; from 16 on a copy of plane_row, whose channels and
 * output move on. */
ES_ASSEMBLY static void compute_row(const plane_row *row ES_UNUSED) {
  __asm__ volatile(
      "push {r4-r11, lr}\n"
      "sub sp, sp, #44\n"
      "ldm r0, {r1-r7}\n"
      "add r0, sp, #16\n"
      "stm r0, {r1-r7}\n"

      "1:\n" /* next channel */
      "ldrd r4, lr, [sp, #20]\n"
      "ldmia r4!, {r0-r3, r12}\n"
      "stm sp, {r0-r3}\n"
      "ldr r5, [sp, #32]\n" /* rotation */
      "add r5, r5, r4\n"
      "ldm r5, {r6-r11}\n"
      "adds r4, r4, #40\n"
      "add r5, lr, #" ES_ROW_VALUE_BYTES "\n"
      "strd r4, r5, [sp, #20]\n"
      "cmp r12, r3\n"
      "beq.w 4f\n"
      "ldr r0, [sp, #40]\n" /* stride */
      "cmp r0, #1\n"
      "bne.w 3f\n"

      "2:\n" /* stride 1: columns 0 and 1, then 2 and 3 */
      "ldmia r12!, {r0-r3}\n"
      "smlad r4, r0, r6, r3\n"
      "smlatb r5, r0, r6, r3\n"
      "smlad r4, r1, r8, r4\n"
      "smlatb r5, r1, r8, r5\n"
      "smlad r4, r2, r10, r4\n"
      "smlatb r5, r2, r10, r5\n"
      "ldm r12, {r0-r2}\n"
      "smlabt r4, r0, r7, r4\n"
      "smlad r5, r0, r7, r5\n"
      "smlabt r4, r1, r9, r4\n"
      "smlad r5, r1, r9, r5\n"
      "smlabt r4, r2, r11, r4\n"
      "smlad r5, r2, r11, r5\n"
      ES_ROW_FINISH_PAIR
      "bne 2b\n"
      "b 4f\n"

      "3:\n" /* stride 2: columns 0 and 1, 2 and 3, 4 */
      "ldmia r12!, {r0-r3}\n"
      "smlad r4, r0, r6, r3\n"
      "smlad r4, r1, r8, r4\n"
      "smlad r4, r2, r10, r4\n"
      "ldmia r12!, {r0-r3}\n"
      "smlad r5, r0, r6, r3\n"
      "smlabt r4, r0, r7, r4\n"
      "smlad r5, r1, r8, r5\n"
      "smlabt r4, r1, r9, r4\n"
      "smlad r5, r2, r10, r5\n"
      "smlabt r4, r2, r11, r4\n"
      "ldm r12, {r0-r2}\n"
      "smlabt r5, r0, r7, r5\n"
      "smlabt r5, r1, r9, r5\n"
      "smlabt r5, r2, r11, r5\n"
      ES_ROW_FINISH_PAIR
      "bne 3b\n"

      "4:\n" /* a single output */
      "ldr r0, [sp, #36]\n"
      "cbz r0, 5f\n"
      "ldmia r12!, {r0-r3}\n"
      "smlad r4, r0, r6, r3\n"
      "smlad r4, r1, r8, r4\n"
      "smlad r4, r2, r10, r4\n"
      "ldm r12, {r0-r2}\n"
      "smlabt r4, r0, r7, r4\n"
      "smlabt r4, r1, r9, r4\n"
      "smlabt r4, r2, r11, r4\n"
      "ldm sp, {r0-r2}\n"
      ES_ROW_FINISH_ONE

      "5:\n"
      "ldr r0, [sp, #20]\n"
      "ldr r1, [sp, #28]\n"
      "cmp r0, r1\n"
      "bne 1b\n"
      "add sp, sp, #44\n"
      "pop {r4-r11, pc}\n");
}

#endif /* ES_DEPTHWISE_ROW_DSP_H */
