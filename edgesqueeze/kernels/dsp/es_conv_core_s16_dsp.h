/* The inner part of convolutions of int16 for cores with the DSP extension: 3 pixels, all channels.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Inputs of 3 pixels a, b and c lie side by side, two inputs a word: a0 a1 | b0 b1 | c0 c1 | a2 a3 | b2 b3 | ...
 *
 * Weights: pairs of output channels; of each, for every 4 inputs a word of the one and a word of the other
 * channel, with the inputs in the order 0, 2, 1, 3, so that SXTB16 widens the weights of two inputs that share a
 * word. Inputs are padded with zeros to a multiple of 4, channels to a multiple of 2.
 */
#ifndef ES_CONV_CORE_S16_DSP_H
#define ES_CONV_CORE_S16_DSP_H

#include <stdint.h>

enum {
  ES_CORE_S16_PIXELS = 3,
  ES_CORE_S16_STEP = 12, /* halfwords of 4 inputs */
  ES_CORE_S16_PART = 120 /* steps of 4 inputs whose products' sum fits into 32 bits; whole rounds of the loop */
};

/* A channel. Of the shift only the lowest byte counts; bit 30: outputs below zero become zero; bit 31, of a pair's
 * second channel: it is the last pair. The order of the members is known to the assembly. */
typedef struct {
  int32_t bias, multiplier, addend, shift;
} es_core_channel_s16;

/* What to compute. The order of the members is known to the assembly. */
typedef struct {
  const int16_t *inputs;
  const int8_t *weights;
  int32_t entry;                       /* as es_core_entry_s16 gives it */
  const es_core_channel_s16 *channels; /* NULL: the sums of one pair, without bias, to `sums` */
  int16_t *output;
  int32_t offset_b, offset_c; /* bytes from the output of pixel a to those of the pixels b and c */
  const int16_t *end;         /* of the inputs */
  int32_t *sums;              /* [2 channels][3 pixels] */
} es_core_run_s16;

/* Bytes of code by which the first round of the unrolled loop is shorter. */
int32_t es_core_entry_s16(int32_t steps);

void es_conv_core_s16_dsp(const es_core_run_s16 *run);

#endif /* ES_CONV_CORE_S16_DSP_H */
