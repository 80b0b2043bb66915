/* Depthwise 3x3 convolution, int8, for cores with the DSP extension; see es_depthwise_planes_dsp.h.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Weights and biases are doubled, as SMMLAR wants sums.
 */
#include "es_assembly_dsp.h"
#include "es_conv.h"

#define ES_ROW_VALUE_BYTES "1"

/* Twice the sums r4 and r5 of two outputs to int8; the loop's end is tested on the way, flags survive. */
#define ES_ROW_FINISH_PAIR              \
  "ldm sp, {r0-r3}\n"              \
  "cmp r12, r3\n"                  \
  "add r3, r1, r4, asr #31\n"      \
  "smmlar r4, r4, r0, r3\n"        \
  "add r3, r1, r5, asr #31\n"      \
  "smmlar r5, r5, r0, r3\n"        \
  "ldr r0, [sp, #16]\n" /* step */ \
  "asr r4, r4, r2\n"               \
  "asr r5, r5, r2\n"               \
  "ssat r4, #8, r4\n"              \
  "ssat r5, #8, r5\n"              \
  "strb r4, [lr]\n"                \
  "strb r5, [lr, r0]\n"            \
  "add lr, lr, r0, lsl #1\n"

#define ES_ROW_FINISH_ONE          \
  "add r3, r1, r4, asr #31\n"      \
  "smmlar r4, r4, r0, r3\n"        \
  "asr r4, r4, r2\n"               \
  "ssat r4, #8, r4\n"              \
  "strb r4, [lr]\n"

#include "es_depthwise_row_dsp.h"

typedef int8_t plane_value;
typedef es_conv2d plane_conv;

/* Splits one row of four channels into the four planes, from word `to` on.
 *
 *   r0  input          r3  step          r5  columns left      r2, r7  left and right pixel
 *   r1  first plane    r4  plane_bytes   r6  padding           r8      last plane */
ES_ASSEMBLY static void split_row(const int8_t *input ES_UNUSED, uint32_t *to ES_UNUSED,
                                  const plane_split *split ES_UNUSED) {
  __asm__ volatile(
      "push {r4-r8, lr}\n"
      "ldm r2, {r3-r7}\n"
      "add r8, r4, r4, lsl #1\n"
      "add r8, r8, r1\n"
      "cbz r7, 1f\n" /* padding beside the first pixel */
      "mov r2, r6\n"
      "ldr r7, [r0]\n"
      "add r0, r0, r3\n"
      "subs r5, r5, #1\n"
      "b 3f\n"
      "1:\n"
      "subs r5, r5, #2\n"
      "blt 4f\n"
      "2:\n"
      "ldr r2, [r0]\n"
      "ldr r7, [r0, r3]\n"
      "add r0, r0, r3, lsl #1\n"
      "3:\n"
      "pkhbt r12, r2, r7, lsl #16\n" /* channels 0 and 1 */
      "pkhtb r7, r7, r2, asr #16\n"  /* channels 2 and 3 */
      "sxtb16 r2, r12\n"
      "sxtb16 r12, r12, ror #8\n"
      "str r12, [r1, r4]\n"
      "sxtb16 r12, r7\n"
      "str r12, [r1, r4, lsl #1]\n"
      "sxtb16 r7, r7, ror #8\n"
      "str r7, [r8], #16\n"
      "str r2, [r1], #16\n"
      "subs r5, r5, #2\n"
      "bge 2b\n"
      "4:\n" /* padding beside the last pixel */
      "adds r5, r5, #1\n"
      "bne 5f\n"
      "ldr r2, [r0]\n"
      "mov r7, r6\n"
      "b 3b\n"
      "5:\n"
      "pop {r4-r8, pc}\n");
}

static inline uint32_t padding_of(const es_conv2d *layer) {
  return 0x01010101u * (uint8_t)layer->input_zero_point;
}

static void unpack_group(const es_conv2d *layer, int32_t first, int32_t count, es_channel to[CHANNELS]) {
  es_unpack_channels(&layer->channels, first, count, to);
  for (int32_t i = 0; i < count; ++i) {
    to[i].bias *= 2;
  }
}

/* Twice the weights of two taps of the even channels of a group, or of the odd ones. */
static inline uint32_t even_weights(uint32_t word) {
  __asm__("sxtb16 %0, %0\n sadd16 %0, %0, %0" : "+r"(word));
  return word;
}

static inline uint32_t odd_weights(uint32_t word) {
  __asm__("sxtb16 %0, %0, ror #8\n sadd16 %0, %0, %0" : "+r"(word));
  return word;
}

#include "es_depthwise_planes_dsp.h"

int32_t es_depthwise_conv2d_3x3_s8_scratch_bytes(const es_conv2d *layer) {
  return es_planes_scratch_bytes(layer);
}

void es_depthwise_conv2d_3x3_s8(const es_conv2d *layer, const int8_t *input, int8_t *output, void *scratch) {
  es_depthwise_planes(layer, input, output, scratch);
}
