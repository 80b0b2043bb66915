/* The inner part of convolutions for cores with the DSP extension: a group of 3 pixels, all channels.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stddef.h>

#include "es_assembly_dsp.h"
#include "es_conv_core_dsp.h"

enum {
  WIDENED_BYTES = 2 * ES_CONV_CORE_PIXELS, /* of one input of the pixels */
  UNROLLED = 8,                            /* steps in a round of the loop */
  TOGETHER = 8,                            /* groups of a single channel */
  STEP_CODE_BYTES = 64
};

/* Three sums, 256 * even + odd or odd ones, start or go on with inputs of the pixels a, b and c. */
#define START(weights, a, b, c)         \
  "smuad " a ", r1, " weights "\n"      \
  "smuad " b ", r2, " weights "\n"      \
  "smuad " c ", r3, " weights "\n"

#define GO_ON(weights, a, b, c)                 \
  "smlad " a ", r1, " weights ", " a "\n"       \
  "smlad " b ", r2, " weights ", " b "\n"       \
  "smlad " c ", r3, " weights ", " c "\n"

/* Three sums, with bias, to what is left to limit to int8. In r1 to r3 are multiplier, addend and shift. */
#define SCALE(a, b, c)                                                   \
  "add r4, r2, " a ", asr #31\n" /* addend, one less for negative sums */ \
  "smmlar " a ", " a ", r1, r4\n"                                       \
  "add r4, r2, " b ", asr #31\n"                                        \
  "smmlar " b ", " b ", r1, r4\n"                                       \
  "add r4, r2, " c ", asr #31\n"                                        \
  "smmlar " c ", " c ", r1, r4\n"                                       \
  SHIFT(a, b, c)

/* The same where the outputs' zero point is -128: negative sums become -128, however they are rounded. */
#define SCALE_POSITIVE(a, b, c)        \
  "smmlar " a ", " a ", r1, r2\n"      \
  "smmlar " b ", " b ", r1, r2\n"      \
  "smmlar " c ", " c ", r1, r2\n"      \
  SHIFT(a, b, c)

#define SHIFT(a, b, c)                 \
  "asr " a ", " a ", r3\n"             \
  "asr " b ", " b ", r3\n"             \
  "asr " c ", " c ", r3\n"

/* The outputs of both channels of a pixel in one halfword. */
#define JOIN(even, odd)               \
  "ssat " even ", #8, " even "\n"     \
  "ssat " odd ", #8, " odd "\n"       \
  "bfi " even ", " odd ", #8, #8\n"

/* What changes from turn to turn lies in registers of the FPU, where there is one: to fetch it takes a cycle less. */
#if defined(__ARM_FP)
#define KEEP "vmov s0, r6\n vmov s1, r7\n vmov s2, r5\n vmov s3, r4\n vmov s4, r0\n"
#define FETCH_OUTPUT "vmov r0, s0\n vmov r1, s1\n vmov r2, s2\n"
#define STORE_OUTPUT "vmov s2, r2\n vmov s3, r5\n"
#define FETCH_CHANNELS "vmov r5, s3\n"
#define FETCH_INPUTS "vmov r0, s4\n"
#else
#define KEEP "strd r6, r7, [sp]\n strd r5, r4, [sp, #8]\n"
#define FETCH_OUTPUT "ldm sp, {r0-r2}\n"
#define STORE_OUTPUT "strd r2, r5, [sp, #8]\n"
#define FETCH_CHANNELS "ldr r5, [sp, #12]\n"
#define FETCH_INPUTS "ldr r0, [sp, #16]\n"
#endif

/* From sums of which the even channel's have a bias, with its scale in r1 to r3, to the next two channels. */
#define FINISH(SCALE_SUMS)                                                       \
  SCALE_SUMS("r10", "r11", "r12")                                                \
  "ldmia r5!, {r0-r3}\n" /* odd channel */                                       \
  "add r7, r0, r7, lsl #1\n"                                                     \
  "add r8, r0, r8, lsl #1\n"                                                     \
  "add r9, r0, r9, lsl #1\n"                                                     \
  SCALE_SUMS("r7", "r8", "r9")                                                   \
  FETCH_OUTPUT                                                                   \
  JOIN("r10", "r7")                                                              \
  JOIN("r11", "r8")                                                              \
  JOIN("r12", "r9")                                                              \
  "strh r11, [r2, r0]\n"                                                         \
  "strh r12, [r2, r1]\n"                                                         \
  "strh r10, [r2], #2\n" /* last: what pixels that do not exist wrote is written over */ \
  STORE_OUTPUT                                                                   \
  "cmp r3, #0\n"                                                                 \
  "bge.w 2b\n"

/* Adds the even channel's bias to sums that are not in parts. */
#define ADD_BIAS                                                   \
  FETCH_CHANNELS                                                   \
  "ldmia r5!, {r0-r3}\n" /* even channel: bias, multiplier, addend, shift */ \
  "add r10, r0, r10, asr #7\n"                                     \
  "add r11, r0, r11, asr #7\n"                                     \
  "add r12, r0, r12, asr #7\n"

/* What is widened in turn with compute_pairs lies beside it: a small cache in front of the flash holds both. */
/* Widens the next three pixels of a core in r10, as whole words, two a turn. */
ES_ASSEMBLY void es_conv_core_next_pixels(void) {
  __asm__ volatile(
      "add r4, r10, #48\n"
      "ldm r4, {r0, r5, r6}\n" /* input, steps, bytes of a pixel */
      "add r1, r0, r6\n"
      "add r2, r1, r6\n"
      "add r6, r6, r2\n"
      "str r6, [r10, #48]\n"
      "lsrs r12, r5, #1\n"
      "bcs 2f\n"
      "1:\n"
      ES_WIDEN_WORD
      ES_WIDEN_WORD
      "subs r12, r12, #1\n"
      "bne 1b\n"
      "bx lr\n"
      "2:\n"
      ES_WIDEN_WORD
      "cmp r12, #0\n"
      "bne 1b\n"
      "bx lr\n");
}

/* Widens a group whose kernel rows are the input of a core in r10, and moves them on to the next. */
ES_ASSEMBLY void es_conv_core_next_rows(void) {
  __asm__ volatile(
      "push {r10, lr}\n"
      "ldr r11, [r10, #48]\n"
      "ldr r12, [r11, #36]\n" /* step */
      "ldm r11, {r0-r2, lr}\n"
      "add r4, r0, r12\n"
      "add r5, r1, r12\n"
      "add r6, r2, r12\n"
      "stmia r11!, {r4-r6}\n"
      "add r11, r11, #4\n"
      ES_WIDEN_ROWS
      "pop {r10, pc}\n");
}

/* Two channels by 3 pixels a turn, all 14 registers: naked, because no compiler would keep them free.
 *
 *   r0      widened inputs       r1-r3   two inputs of the pixels a, b, c
 *   lr      weights              r4, r5  weights of 4 inputs
 *   r6      where to stop        r7-r9   odd channel's sums        r10-r12  256 * even + odd sums
 *
 * Stack: 0 offset_b, 4 offset_c, 8 output, 12 channels, 16 inputs, 20 where to stop, 24 where to enter the loop, 28
 * end of the inputs, 32 the even channel's sums of the parts before, 44 the core. The first step of a turn starts the
 * sums; then it jumps into the unrolled loop so that the other steps modulo 8 come first.
 *
 * The loop stops at r6 where the outputs' zero point is -128 and there is one part; behind it in other cases, with
 * an odd r6 after a part of several.
 *
 * Sums are doubled when the bias is added, and so is the bias, as SMMLAR wants them: it multiplies, rounds, and adds
 * the addend in one instruction. A register shift uses only the lowest byte, so the mark in the last shift does no
 * harm. */
ES_ASSEMBLY static void compute_pairs(es_conv_core *core ES_UNUSED) {
  __asm__ volatile(
      "push {r4-r11, lr}\n"
      "sub sp, sp, #48\n"
      "str r0, [sp, #44]\n"
      "ldr r9, [r0, #36]\n" /* widen */
      "ldm r0, {r0-r8}\n"
      "mov lr, r2\n"
      "adr.w r10, 3f\n"
      "add r3, r3, r10\n"
      "strd r0, r1, [sp, #16]\n"
      "strd r3, r8, [sp, #24]\n"
      KEEP
      "movs r4, #0\n"
      "strd r4, r4, [sp, #32]\n"
      "str r4, [sp, #40]\n"
      "mov r6, r1\n"
      "cmp r9, #0\n"
      "beq 2f\n"

      "0:\n" /* next group */
      "ldr r10, [sp, #44]\n"
      "ldr r3, [sp, #16]\n"
      "blx r9\n"
      "ldr r10, [sp, #44]\n"
      "ldr r6, [sp, #20]\n"
      "ldr lr, [r10, #8]\n" /* weights */

      "2:\n" /* next two channels */
      FETCH_INPUTS
      "ldrd r4, r5, [lr], #8\n"
      "ldmia r0!, {r1, r2, r3}\n"
      START("r4", "r10", "r11", "r12")
      "sxtb16 r4, r4\n"
      START("r4", "r7", "r8", "r9")
      "ldmia r0!, {r1, r2, r3}\n"
      GO_ON("r5", "r10", "r11", "r12")
      "sxtb16 r5, r5\n"
      GO_ON("r5", "r7", "r8", "r9")
      "ldr pc, [sp, #24]\n"
      ".balign 4\n"
      "3:\n"
      ".rept 8\n" /* UNROLLED */
      "ldrd r4, r5, [lr], #8\n"
      ES_CONV_CORE_PRODUCTS
      ".endr\n"
      "cmp r0, r6\n"
      "blo.w 3b\n"
      "sub r10, r10, r7\n" /* 256 * even sum */
      "sub r11, r11, r8\n"
      "sub r12, r12, r9\n"
      "bhi 6f\n"
      ADD_BIAS
      FINISH(SCALE_POSITIVE)

      "4:\n" /* all channels are done */
      "ldr r0, [sp, #44]\n"
      "ldrd r1, r3, [r0, #40]\n" /* groups, bytes from the outputs of one to those of the next */
      "subs r1, r1, #1\n"
      "beq 5f\n"
      "str r1, [r0, #40]\n"
      "ldrd r5, r2, [r0, #16]\n" /* channels, output */
      "ldr r9, [r0, #36]\n"      /* widen */
      "add r2, r2, r3\n"
      "str r2, [r0, #20]\n"
      STORE_OUTPUT
      "b 0b\n"
      "5:\n"
      "add sp, sp, #48\n"
      "pop {r4-r11, pc}\n"

      "6:\n"
      "tst r6, #1\n"
      "bne 7f\n"
      ADD_BIAS
      "9:\n"
      FINISH(SCALE)
      "b.w 4b\n"

      "7:\n" /* a part of the sums: the even channel's to the others in memory */
      "add r5, sp, #28\n"
      "ldm r5!, {r1-r4}\n" /* end of the inputs, sums */
      "add r10, r2, r10, asr #8\n"
      "add r11, r3, r11, asr #8\n"
      "add r12, r4, r12, asr #8\n"
      "movs r2, #0\n"
      "cmp r0, r1\n"
      "beq 8f\n"
      "strd r10, r11, [sp, #32]\n"
      "str r12, [sp, #40]\n"
      "mov r10, r7\n" /* the odd channel's go on */
      "mov r11, r8\n"
      "mov r12, r9\n"
      "add r6, r6, #3072\n" /* ES_CONV_CORE_PART * WIDENED_BYTES */
      "b.w 3b\n"
      "8:\n" /* the last part */
      "strd r2, r2, [sp, #32]\n"
      "str r2, [sp, #40]\n"
      "ldr r6, [sp, #20]\n"
      FETCH_CHANNELS
      "ldmia r5!, {r0-r3}\n"
      "add r10, r0, r10, lsl #1\n"
      "add r11, r0, r11, lsl #1\n"
      "add r12, r0, r12, lsl #1\n"
      "b.w 9b\n");
}

int32_t es_conv_core_scratch_bytes(int32_t inputs, int32_t out_channels) {
  const int32_t channels = (out_channels + 1) & ~(int32_t)1;
  return channels * (int32_t)sizeof(es_channel) + es_conv_core_inputs(inputs) * WIDENED_BYTES;
}

int8_t *es_conv_core_start(const es_conv2d *layer, int32_t inputs, void *scratch, es_conv_core *core) {
  const int32_t count = layer->out_channels;
  const int32_t even = (count + 1) & ~(int32_t)1;
  const int32_t padded = es_conv_core_inputs(inputs);
  es_channel *channels = scratch;
  es_unpack_channels(&layer->channels, 0, count, channels);
  channels[even - 1] = channels[count - 1]; /* where the count is odd: any valid values */
  for (int32_t i = 0; i < even; ++i) {
    channels[i].bias *= 2;
  }
  channels[even - 1].shift |= INT32_MIN;
  if (even != count && count > 1) {
    channels[even - 3].shift |= INT32_MIN;
  }
  core->widened = (int32_t *)(channels + even);
  core->steps = padded / 4;
  core->widen = NULL;
  core->groups = 1;
  core->end = (int8_t *)core->widened + padded * WIDENED_BYTES;
  core->pause = core->end;
  if (padded > ES_CONV_CORE_PART) { /* the first part takes what is left after full ones */
    core->pause -= (padded - 1) / ES_CONV_CORE_PART * ES_CONV_CORE_PART * WIDENED_BYTES + 1;
  } else if (layer->channels.output_zero_point != -128) {
    core->pause -= 2;
  }
  core->weights = layer->weights;
  core->entry = (core->steps > 1 ? (1 - core->steps) & (UNROLLED - 1) : UNROLLED) * STEP_CODE_BYTES + 1; /* Thumb */
  core->channels = channels;
  core->out_pitch = es_conv2d_pitch(layer);
  core->offset_b = core->out_pitch;
  core->offset_c = 2 * core->out_pitch;
  core->out_channels = count;
  return (int8_t *)scratch + es_conv_core_scratch_bytes(inputs, count);
}

/* The last channel of an odd count: the channel of zeros beside it must not touch the next pixel. */
static void compute_last(es_conv_core *core, int8_t *output, int32_t pixels) {
  const int32_t last = core->out_channels - 1;
  const int32_t offset_b = core->offset_b, offset_c = core->offset_c;
  int8_t results[2 * ES_CONV_CORE_PIXELS];
  core->weights += last * 4 * core->steps;
  core->channels += last;
  core->output = results;
  core->offset_b = 2;
  core->offset_c = 4;
  compute_pairs(core);
  core->weights -= last * 4 * core->steps;
  core->channels -= last;
  core->offset_b = offset_b;
  core->offset_c = offset_c;
  for (int32_t i = 0; i < ES_CONV_CORE_PIXELS && i < pixels; ++i) {
    output[i * core->out_pitch + last] = results[2 * i];
  }
}

/* Groups of a single channel: the channel of zeros beside it must not touch the next pixel. */
static void compute_single(es_conv_core *core, int8_t *output, int32_t groups) {
  int8_t results[2 * ES_CONV_CORE_PIXELS * TOGETHER];
  core->offset_b = 2;
  core->offset_c = 4;
  core->out_group = 2 * ES_CONV_CORE_PIXELS;
  for (; groups > 0; groups -= TOGETHER) {
    const int32_t count = groups < TOGETHER ? groups : TOGETHER;
    core->groups = count;
    core->output = results;
    compute_pairs(core);
    for (int32_t i = 0; i < ES_CONV_CORE_PIXELS * count; ++i, output += core->out_pitch) {
      *output = results[2 * i];
    }
  }
  core->offset_b = core->out_pitch;
  core->offset_c = 2 * core->out_pitch;
}

void es_conv_core_groups(es_conv_core *core, void (*widen)(void), int8_t *output, int32_t groups) {
  core->widen = widen;
  if (core->out_channels == 1) {
    compute_single(core, output, groups);
  } else {
    core->groups = groups;
    core->out_group = ES_CONV_CORE_PIXELS * core->out_pitch;
    core->output = output;
    compute_pairs(core);
  }
  core->widen = NULL;
  core->groups = 1;
}

void es_conv_core_pixels(es_conv_core *core, int8_t *output, int32_t left) {
  core->output = output;
  if (left < ES_CONV_CORE_PIXELS) { /* a pixel that does not exist is written before a real one */
    core->offset_b = left > 1 ? core->out_pitch : 0;
    core->offset_c = core->offset_b;
  }
  if (core->out_channels > 1) {
    compute_pairs(core);
  }
  if ((core->out_channels & 1) != 0) {
    compute_last(core, output, left);
  }
}
