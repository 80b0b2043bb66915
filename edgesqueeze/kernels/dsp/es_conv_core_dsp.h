/* The inner part of convolutions for cores with the DSP extension: a group of 3 pixels, all channels.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Input. The inputs of the 3 pixels are widened to int16 once per group and used for all output channels.
 * Four inputs x0 to x3 of the pixels a, b and c become 6 words of two int16 each:
 *
 *   a0 a2 | b0 b2 | c0 c2 | a1 a3 | b1 b3 | c1 c3
 *
 * Weights. Two output channels, even (u) and odd (w), share words of two int16 in the same order of inputs:
 *
 *   256 u0 + w0, 256 u2 + w2 | 256 u1 + w1, 256 u3 + w3
 *
 * SMLAD with such a word accumulates 256 * even + odd. SXTB16 leaves the w alone, which gives the odd sum
 * by itself; the difference of both is 256 times the even sum. So weights take one byte each in flash, and
 * one instruction widens four of them. No weight may be -128, which the packing checks, and the even sum,
 * without bias, has to fit into 24 bits: after every ES_CONV_CORE_PART inputs it is taken out and added up
 * elsewhere. The number of inputs is padded with zero weights to a multiple of 4, an odd channel count with a
 * channel of zeros.
 */
#ifndef ES_CONV_CORE_DSP_H
#define ES_CONV_CORE_DSP_H

#include "es_conv.h"

enum {
  ES_CONV_CORE_PIXELS = 3,
  /* The sum of so many products of int8 always fits into 24 bits, as no weight is -128. A multiple of the 32
   * inputs of a round of the unrolled loop. */
  ES_CONV_CORE_PART = 512
};

/* Inputs of a pixel with the padding that the weights have. */
static inline int32_t es_conv_core_inputs(int32_t inputs) {
  return (inputs + 3) & ~(int32_t)3;
}

/* What a group needs. The order of the first members is known to the assembly. */
typedef struct {
  int32_t *widened;
  const int8_t *pause; /* where the loop stops first: at the end, or one or two bytes before one */
  const int8_t *weights;
  int32_t entry; /* bytes of code by which the first round of the loop over the steps behind the first is shorter */
  const es_channel *channels; /* two a turn; the sign bit of a second one's shift ends the loop */
  int8_t *output;
  int32_t offset_b, offset_c; /* from the output of pixel a to those of the pixels b and c */
  const int8_t *end;          /* of `widened` */
  void (*widen)(void);        /* what widens a group first; NULL: it is widened */
  int32_t groups;             /* left, one if it is widened */
  int32_t out_group;          /* from the outputs of a group to those of the next */
  const void *input;          /* for `widen` */
  int32_t steps;              /* of 4 inputs */
  int32_t in_pitch;           /* from a pixel of `input` to the next, in bytes */
  int32_t out_channels;
  int32_t out_pitch; /* from the outputs of a pixel to those of the next */
} es_conv_core;

/* Bytes of the unpacked channels and of the widened group. */
int32_t es_conv_core_scratch_bytes(int32_t inputs, int32_t out_channels);

/* Unpacks the layer's channels into scratch memory. Returns the end of what the core uses of it. */
int8_t *es_conv_core_start(const es_conv2d *layer, int32_t inputs, void *scratch, es_conv_core *core);

/* The kernel rows of three pixels. The order of the members is known to the assembly. */
typedef struct {
  const int8_t *start[ES_CONV_CORE_PIXELS];
  int32_t rows;
  int16_t *rests;       /* where the last inputs of the rows go; NULL: whole words only */
  int32_t skip[ES_CONV_CORE_PIXELS]; /* from behind the words of a row to the next row */
  int32_t words;        /* a row, at least 1 */
  int32_t step;         /* from a group to the next */
} es_kernel_rows;

/* What widens the next group: of whole pixels, and of the kernel rows that `input` points to. */
void es_conv_core_next_pixels(void);
void es_conv_core_next_rows(void);

/* Whether es_conv_core_groups takes a layer. */
static inline int es_conv_core_takes_groups(const es_conv2d *layer) {
  return (layer->out_channels & 1) == 0 || layer->out_channels == 1;
}

/* Computes all output channels of at least one group. `widen` is one of
 * the above: assembly that widens to r3, and finds the core in r10; no register but the stack pointer survives. */
void es_conv_core_groups(es_conv_core *core, void (*widen)(void), int8_t *output, int32_t groups);

/* Computes all output channels of a widened group. Fewer than 3 pixels left: the others are not written. */
void es_conv_core_pixels(es_conv_core *core, int8_t *output, int32_t left);

/* Assembly of a turn, which computes two channels of the pixels a, b and c:
 *
 *   r0  next inputs    r4, r5  weights of 4 inputs    r7-r9  odd channel's sums    r10-r12  256 * even + odd sums
 *
 * The products of 4 inputs. Takes r1 to r3, and leaves the odd channel's weights in r4 and r5. */
#define ES_CONV_CORE_PRODUCTS \
  "ldmia r0!, {r1, r2, r3}\n" \
  "smlad r10, r1, r4, r10\n" \
  "smlad r11, r2, r4, r11\n" \
  "smlad r12, r3, r4, r12\n" \
  "sxtb16 r4, r4\n" \
  "smlad r7, r1, r4, r7\n" \
  "smlad r8, r2, r4, r8\n" \
  "smlad r9, r3, r4, r9\n" \
  "ldmia r0!, {r1, r2, r3}\n" \
  "smlad r10, r1, r5, r10\n" \
  "smlad r11, r2, r5, r11\n" \
  "smlad r12, r3, r5, r12\n" \
  "sxtb16 r5, r5\n" \
  "smlad r7, r1, r5, r7\n" \
  "smlad r8, r2, r5, r8\n" \
  "smlad r9, r3, r5, r9\n"

/* The outputs of both channels: requantized, limited and written to r6 and at the offsets that lie in the stack.
 * In r0 to r3 is the even channel, whose bias is in its sums, and r5 points to the odd one. Leaves in r10 the odd
 * channel's shift. */
#define ES_CONV_CORE_OUTPUTS(offsets) \
  "add r4, r2, r10, asr #31\n" /* addend, one less for negative sums */ \
  "smmlar r10, r10, r1, r4\n" \
  "add r4, r2, r11, asr #31\n" \
  "smmlar r11, r11, r1, r4\n" \
  "add r4, r2, r12, asr #31\n" \
  "smmlar r12, r12, r1, r4\n" \
  "ldrd r0, r1, [sp, #" offsets "]\n" \
  "asr r10, r10, r3\n" \
  "asr r11, r11, r3\n" \
  "asr r12, r12, r3\n" \
  "ssat r10, #8, r10\n" \
  "ssat r11, #8, r11\n" \
  "ssat r12, #8, r12\n" \
  "strb r12, [r6, r1]\n" \
  "strb r11, [r6, r0]\n" \
  "strb r10, [r6], #1\n" \
  "ldmia r5!, {r2, r3, r4, r10}\n" /* odd channel: bias, multiplier, addend, shift */ \
  "add r7, r2, r7, lsl #1\n" \
  "add r8, r2, r8, lsl #1\n" \
  "add r9, r2, r9, lsl #1\n" \
  "add r11, r4, r7, asr #31\n" \
  "smmlar r7, r7, r3, r11\n" \
  "add r11, r4, r8, asr #31\n" \
  "smmlar r8, r8, r3, r11\n" \
  "add r11, r4, r9, asr #31\n" \
  "smmlar r9, r9, r3, r11\n" \
  "asr r7, r7, r10\n" \
  "asr r8, r8, r10\n" \
  "asr r9, r9, r10\n" \
  "ssat r7, #8, r7\n" \
  "ssat r8, #8, r8\n" \
  "ssat r9, #8, r9\n" \
  "strb r9, [r6, r1]\n" \
  "strb r8, [r6, r0]\n" \
  "strb r7, [r6], #1\n"

#endif /* ES_CONV_CORE_DSP_H */
