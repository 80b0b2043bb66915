/* The loops over two output rows, or one with stride 2, of the depthwise 3x3 convolution of int8, in assembly; how
 * inputs lie: es_depthwise_conv2d_3x3_s8.c.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ES_DEPTHWISE_PAIRS_DSP_H
#define ES_DEPTHWISE_PAIRS_DSP_H

#include <stdint.h>

#include "es_assembly_dsp.h"
#include "es_kept_dsp.h"

/* What the loops need to know of a channel. The order is known to the assembly. */
typedef struct {
  int32_t bias, multiplier, addend, shift;
  uint32_t weights[6]; /* of each kernel column: rows 0 and 1, rows 1 and 2 */
} pair_channel;

/* The output rows of a group of channels. The order is known to the assembly. */
typedef struct {
  const pair_channel *channel; /* the first four move on from channel to channel */
  int8_t *output;
  const uint32_t *upper, *lower; /* the channel's first columns of both pairs of rows */
  const pair_channel *end;
  int32_t kind;  /* 0 stride 1, 2 stride 2; one more where the zero point is not -128 */
  int32_t row;   /* bytes from an output to the one below; 0: there is none */
  int32_t pixel; /* bytes from an output to the one beside */
  int32_t bytes; /* of the columns where pairs of outputs start; more than 0 */
  int32_t odd;   /* bytes of the columns where a single last output starts; 0: there is none */
} pair_rows;

/* Sums to what is left to limit to int8. In r0 is the multiplier. */
#define ES_PAIRS_SCALE(sum) \
  ES_KEPT("r1", 2) \
  "add r1, r1, " sum ", asr #31\n" /* addend, one less for negative sums */ \
  "smmlar " sum ", " sum ", r0, r1\n"

/* The same where negative sums become -128, however they are rounded. In r1 is the addend. */
#define ES_PAIRS_SCALE_POSITIVE(sum) "smmlar " sum ", " sum ", r0, r1\n"

/* The sums of two outputs in each of two rows: r2 and r3 one below the other, r4 and r5 beside them. */
#define ES_PAIRS_FOUR \
  ES_KEPT("r5", 0) \
  "ldrd r0, r1, [r12]\n" \
  "smlad r2, r0, r6, r5\n" \
  "smlatb r3, r0, r6, r5\n" \
  "smlad r4, r1, r6, r5\n" \
  "smlatb r5, r1, r6, r5\n" \
  "smlad r2, r1, r8, r2\n" \
  "smlatb r3, r1, r8, r3\n" \
  "ldrd r0, r1, [lr]\n" \
  "smlabt r2, r0, r7, r2\n" \
  "smlad r3, r0, r7, r3\n" \
  "smlabt r4, r1, r7, r4\n" \
  "smlad r5, r1, r7, r5\n" \
  "smlabt r2, r1, r9, r2\n" \
  "smlad r3, r1, r9, r3\n" \
  "ldrd r0, r1, [r12, #64]!\n" \
  "smlad r2, r0, r10, r2\n" \
  "smlatb r3, r0, r10, r3\n" \
  "smlad r4, r0, r8, r4\n" \
  "smlatb r5, r0, r8, r5\n" \
  "smlad r4, r1, r10, r4\n" \
  "smlatb r5, r1, r10, r5\n" \
  "ldrd r0, r1, [lr, #64]!\n" \
  "smlabt r2, r0, r11, r2\n" \
  "smlad r3, r0, r11, r3\n" \
  "smlabt r4, r0, r9, r4\n" \
  "smlad r5, r0, r9, r5\n" \
  "smlabt r4, r1, r11, r4\n" \
  "smlad r5, r1, r11, r5\n"

/* From these to outputs. What does not exist is written before what does. */
#define ES_PAIRS_FINISH_FOUR(SCALE) \
  ES_KEPT("r0", 1) \
  ES_KEPT("r1", 2) \
  SCALE("r2") \
  SCALE("r3") \
  SCALE("r4") \
  SCALE("r5") \
  ES_KEPT("r0", 3) \
  "asr r2, r2, r0\n" \
  "asr r3, r3, r0\n" \
  "asr r4, r4, r0\n" \
  "asr r5, r5, r0\n" \
  "ssat r2, #8, r2\n" \
  "ssat r3, #8, r3\n" \
  "ssat r4, #8, r4\n" \
  "ssat r5, #8, r5\n" \
  ES_KEPT("r0", 4) \
  ES_KEPT("r1", 7) \
  "strb r5, [r0, r1]\n" \
  ES_KEPT("r5", 5) \
  "strb r3, [r0, r5]\n" \
  ES_KEPT("r5", 6) \
  "strb r4, [r0, r5]\n" \
  "strb r2, [r0]\n" \
  "add r0, r0, r5, lsl #1\n" \
  ES_KEEP(4, "r0") \
  ES_KEPT("r0", 8) \
  "cmp r12, r0\n"

/* The first columns of an output of stride 2, to r4. */
#define ES_PAIRS_START \
  ES_KEPT("r5", 0) \
  "ldrd r0, r1, [r12]\n" \
  "smlad r4, r0, r6, r5\n" \
  "smlad r4, r1, r8, r4\n" \
  "ldrd r0, r1, [lr]\n" \
  "smlabt r4, r0, r7, r4\n" \
  "smlabt r4, r1, r9, r4\n"

/* The sums of two outputs of stride 2, r2 and r3, of which the first is begun in r4; then the one behind them is. */
#define ES_PAIRS_TWO \
  "ldrd r0, r1, [r12, #64]!\n" \
  "smlad r2, r0, r10, r4\n" \
  "smlad r3, r0, r6, r5\n" \
  "smlad r3, r1, r8, r3\n" \
  "ldrd r0, r1, [lr, #64]!\n" \
  "smlabt r2, r0, r11, r2\n" \
  "smlabt r3, r0, r7, r3\n" \
  "smlabt r3, r1, r9, r3\n" \
  "ldrd r0, r1, [r12, #64]!\n" \
  "smlad r3, r0, r10, r3\n" \
  "smlad r4, r0, r6, r5\n" \
  "smlad r4, r1, r8, r4\n" \
  "ldrd r0, r1, [lr, #64]!\n" \
  "smlabt r3, r0, r11, r3\n" \
  "smlabt r4, r0, r7, r4\n" \
  "smlabt r4, r1, r9, r4\n"

#define ES_PAIRS_FINISH_TWO(SCALE) \
  ES_KEPT("r0", 1) \
  ES_KEPT("r1", 2) \
  SCALE("r2") \
  SCALE("r3") \
  ES_KEPT("r0", 3) \
  "asr r2, r2, r0\n" \
  "asr r3, r3, r0\n" \
  "ssat r2, #8, r2\n" \
  "ssat r3, #8, r3\n" \
  ES_KEPT("r0", 4) \
  ES_KEPT("r1", 6) \
  "strb r3, [r0, r1]\n" \
  "strb r2, [r0]\n" \
  "add r0, r0, r1, lsl #1\n" \
  ES_KEEP(4, "r0") \
  ES_KEPT("r0", 8) \
  "cmp r12, r0\n"

/* What is kept of a channel whose record is at r1, which moves on. */
#if defined(__ARM_FP)
#define ES_PAIRS_CHANNEL "vldmia r1!, {s0-s3}\n"
#else
#define ES_PAIRS_CHANNEL "ldmia r1!, {r3-r6}\n stm sp, {r3-r6}\n"
#endif

/* The output rows of a group.
 *
 *   r0, r1  two columns of two rows    r2-r5   sums    r6-r11  weights
 *   r12     upper pair of rows         lr      lower pair
 *
 * Kept: 0 bias, multiplier, addend and shift, 4 output, 5 row, 6 pixel, 7 both, 8 where to stop, 9 bytes. Behind
 * that in the stack the rows, then bytes of columns that a single last output needs, below 0 while it is computed. */
ES_ASSEMBLY static void compute_rows(pair_rows *rows ES_UNUSED) {
  __asm__ volatile(
      ".macro es_four\n" ES_PAIRS_FOUR ".endm\n"
      ".macro es_two\n" ES_PAIRS_TWO ".endm\n"
      "push {r4-r11, lr}\n"
      "sub sp, sp, #48\n"
      "ldrd r4, r5, [r0, #24]\n" /* row, pixel */
      "ldrd r6, r7, [r0, #32]\n" /* bytes, odd */
      "strd r0, r7, [sp, #40]\n"
      "add r7, r4, r5\n"
      ES_KEEP(5, "r4")
      ES_KEEP(6, "r5")
      ES_KEEP(7, "r7")
      ES_KEEP(9, "r6")

      "2:\n" /* next channel */
      "ldm r0, {r1, r2, r12, lr}\n"
      ES_KEPT("r3", 9)
      "add r3, r3, r12\n"
      ES_KEEP(8, "r3")
      ES_KEEP(4, "r2")
      ES_PAIRS_CHANNEL
      "ldmia r1!, {r6-r11}\n"
      "add r2, r2, #1\n"
      "add r3, r12, #16\n"
      "add r4, lr, #16\n"
      "stm r0, {r1-r4}\n"

      "3:\n"
      "ldr r0, [r0, #20]\n" /* kind */
      "cmp r0, #1\n"
      "beq.w 5f\n"
      "bhi.w 6f\n"
      "4:\n"
      "es_four\n"
      ES_PAIRS_FINISH_FOUR(ES_PAIRS_SCALE_POSITIVE)
      "bne.w 4b\n"

      "8:\n"
      "ldrd r0, r1, [sp, #40]\n"
      "cbnz r1, 9f\n"
      "10:\n"
      "ldr r1, [r0]\n"
      "ldr r2, [r0, #16]\n"
      "cmp r1, r2\n"
      "bne.w 2b\n"
      "add sp, sp, #48\n"
      "pop {r4-r11, pc}\n"

      "9:\n"
      "rsb r2, r1, #0\n"
      "str r2, [sp, #44]\n"
      ES_KEPT("r3", 5)
      "cmp r1, #0\n"
      "itte gt\n" /* a last output, and one in its place that does not exist; then as before */
      "movgt r2, #0\n"
      "addgt r1, r1, r12\n"
      "ldrle r2, [r0, #28]\n" /* pixel */
      "add r3, r3, r2\n"
      ES_KEEP(6, "r2")
      ES_KEEP(7, "r3")
      "ble.w 10b\n"
      ES_KEEP(8, "r1")
      "b.w 3b\n"

      "5:\n"
      "es_four\n"
      ES_PAIRS_FINISH_FOUR(ES_PAIRS_SCALE)
      "bne.w 5b\n"
      "b.w 8b\n"
      "6:\n"
      "cmp r0, #2\n"
      ES_PAIRS_START
      "bne.w 7f\n"
      "6:\n"
      "es_two\n"
      ES_PAIRS_FINISH_TWO(ES_PAIRS_SCALE_POSITIVE)
      "bne.w 6b\n"
      "b.w 8b\n"
      "7:\n"
      "es_two\n"
      ES_PAIRS_FINISH_TWO(ES_PAIRS_SCALE)
      "bne.w 7b\n"
      "b.w 8b\n"
      ".purgem es_four\n"
      ".purgem es_two\n");
}

#endif /* ES_DEPTHWISE_PAIRS_DSP_H */
