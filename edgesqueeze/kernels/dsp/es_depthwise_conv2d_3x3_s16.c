/* Depthwise 3x3 convolution with int16 activations and int8 weights, for cores with the DSP extension; see
 * es_depthwise_planes_dsp.h.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "es_assembly_dsp.h"
#include "es_s16.h"

#define ES_ROW_VALUE_BYTES "2"

/* Sums to int16. SMMLA multiplies and adds what rounds the product's upper half. Of the shift only the lowest byte
 * counts; bit 30: outputs below zero become zero. */
#define ES_ROW_FINISH_PAIR         \
  "ldm sp, {r0-r3}\n"              \
  "smmla r4, r4, r0, r1\n"         \
  "smmla r5, r5, r0, r1\n"         \
  "ldr r0, [sp, #16]\n" /* step */ \
  "asr r4, r4, r2\n"               \
  "asr r5, r5, r2\n"               \
  "tst r2, #0x40000000\n"          \
  "itt ne\n"                       \
  "usatne r4, #15, r4\n"           \
  "usatne r5, #15, r5\n"           \
  "ssat r4, #16, r4\n"             \
  "ssat r5, #16, r5\n"             \
  "strh r4, [lr]\n"                \
  "strh r5, [lr, r0]\n"            \
  "add lr, lr, r0, lsl #1\n"       \
  "cmp r12, r3\n"

#define ES_ROW_FINISH_ONE          \
  "smmla r4, r4, r0, r1\n"         \
  "asr r4, r4, r2\n"               \
  "tst r2, #0x40000000\n"          \
  "it ne\n"                        \
  "usatne r4, #15, r4\n"           \
  "ssat r4, #16, r4\n"             \
  "strh r4, [lr]\n"

#include "es_depthwise_row_dsp.h"

typedef int16_t plane_value;
typedef es_conv2d_wide plane_conv;

/* Splits one row of four channels into the four planes, from word `to` on.
 *
 *   r0  input          r3  step          r5  columns left      r2, r9   left pixel
 *   r1  first plane    r4  plane_bytes   r6  padding           r7, r10  right pixel      r8  last plane */
ES_ASSEMBLY static void split_row(const int16_t *input ES_UNUSED, uint32_t *to ES_UNUSED,
                                  const plane_split *split ES_UNUSED) {
  __asm__ volatile(
      "push {r4-r10, lr}\n"
      "ldm r2, {r3-r7}\n"
      "add r8, r4, r4, lsl #1\n"
      "add r8, r8, r1\n"
      "cbz r7, 1f\n" /* padding beside the first pixel */
      "mov r2, r6\n"
      "mov r9, r6\n"
      "ldr r7, [r0]\n"
      "ldr r10, [r0, #4]\n"
      "add r0, r0, r3\n"
      "subs r5, r5, #1\n"
      "b 3f\n"
      "1:\n"
      "subs r5, r5, #2\n"
      "blt 4f\n"
      "2:\n"
      "ldr r2, [r0]\n"
      "ldr r9, [r0, #4]\n"
      "add r0, r0, r3\n"
      "ldr r7, [r0]\n"
      "ldr r10, [r0, #4]\n"
      "add r0, r0, r3\n"
      "3:\n"
      "pkhbt r12, r2, r7, lsl #16\n"
      "pkhtb r7, r7, r2, asr #16\n"
      "str r7, [r1, r4]\n"
      "pkhbt r7, r9, r10, lsl #16\n"
      "str r7, [r1, r4, lsl #1]\n"
      "pkhtb r10, r10, r9, asr #16\n"
      "str r10, [r8], #16\n"
      "str r12, [r1], #16\n"
      "subs r5, r5, #2\n"
      "bge 2b\n"
      "4:\n" /* padding beside the last pixel */
      "adds r5, r5, #1\n"
      "bne 5f\n"
      "ldr r2, [r0]\n"
      "ldr r9, [r0, #4]\n"
      "mov r7, r6\n"
      "mov r10, r6\n"
      "b 3b\n"
      "5:\n"
      "pop {r4-r10, pc}\n");
}

static inline uint32_t padding_of(const es_conv2d_wide *layer) {
  (void)layer;
  return 0;
}

static void unpack_group(const es_conv2d_wide *layer, int32_t first, int32_t count, es_channel to[CHANNELS]) {
  const es_output_s16 *const output = &layer->output;
  for (int32_t i = 0; i < count; ++i) {
    const int32_t shift = output->scales[2 * (first + i) + 1];
    to[i].bias = (int32_t)output->biases[first + i];
    to[i].multiplier = output->scales[2 * (first + i)];
    to[i].addend = (int32_t)1 << (shift - 1);
    to[i].shift = shift | (output->minimum == 0 ? 1 << 30 : 0);
  }
}

/* The weights of two taps of the even channels of a group, or of the odd ones. */
static inline uint32_t even_weights(uint32_t word) {
  return es_even_bytes(word);
}

static inline uint32_t odd_weights(uint32_t word) {
  return es_odd_bytes(word);
}

#include "es_depthwise_planes_dsp.h"

int32_t es_depthwise_conv2d_3x3_s16_scratch_bytes(const es_conv2d_wide *layer) {
  return es_planes_scratch_bytes(layer);
}

void es_depthwise_conv2d_3x3_s16(const es_conv2d_wide *layer, const int16_t *input, int16_t *output, void *scratch) {
  es_depthwise_planes(layer, input, output, scratch);
  es_clamp_outputs_s16(&layer->output, output, layer->out_height * layer->out_width * layer->out_channels);
}
