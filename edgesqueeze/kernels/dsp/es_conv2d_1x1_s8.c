/* 1x1 convolution, int8, for cores with the DSP extension. Weights: see es_conv_core_dsp.h.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "es_assembly_dsp.h"
#include "es_conv_core_dsp.h"

enum { PIXELS = ES_CONV_CORE_PIXELS };

/* Widens words * 4 inputs of three pixels.
 *
 *   r0-r2  pixels      r4-r6  inputs 0 and 2     r12  words left
 *   r3     widened     r7-r9  inputs 1 and 3 */
ES_ASSEMBLY static void widen(const int8_t *a ES_UNUSED, const int8_t *b ES_UNUSED,
                              const int8_t *c ES_UNUSED, int32_t *widened ES_UNUSED,
                              int32_t words ES_UNUSED) {
  __asm__ volatile(
      "ldr r12, [sp]\n"
      "push {r4-r9}\n"
      ES_WIDEN_WORDS
      "pop {r4-r9}\n"
      "bx lr\n");
}

int32_t es_conv2d_1x1_s8_scratch_bytes(const es_conv2d *layer) {
  const int32_t inputs = layer->in_channels;
  const int32_t copies = (inputs & 3) == 0 ? 0 : PIXELS * es_conv_core_inputs(inputs);
  return es_conv_core_scratch_bytes(inputs, layer->out_channels) + copies;
}

void es_conv2d_1x1_s8(const es_conv2d *layer, const int8_t *input, int8_t *output, void *scratch) {
  const int32_t inputs = layer->in_channels;
  const int32_t padded = es_conv_core_inputs(inputs);
  es_conv_core core;
  int8_t *copies = es_conv_core_start(layer, inputs, scratch, &core);
  int32_t left = layer->out_height * layer->out_width;
  /* What follows a pixel in its last word meets weights of zero; behind the tensor nothing is read. */
  const int32_t groups = (left - (padded - 1) / inputs) / PIXELS;
  if (groups > 0 && es_conv_core_takes_groups(layer)) {
    core.input = input;
    core.in_pitch = inputs;
    es_conv_core_groups(&core, es_conv_core_next_pixels, output, groups);
    input += groups * PIXELS * inputs;
    output += groups * PIXELS * core.out_pitch;
    left -= groups * PIXELS;
  }
  for (; left > 0; left -= PIXELS) {
    /* A pixel that does not exist repeats another one. */
    const int8_t *b = left > 1 ? input + inputs : input;
    const int8_t *c = left > 2 ? b + inputs : b;
    if (padded == inputs) {
      widen(input, b, c, core.widened, core.steps);
    } else { /* no whole words: nothing is read behind the tensor */
      memcpy(copies, input, (size_t)inputs);
      memcpy(copies + padded, b, (size_t)inputs);
      memcpy(copies + 2 * padded, c, (size_t)inputs);
      widen(copies, copies + padded, copies + 2 * padded, core.widened, core.steps);
    }
    es_conv_core_pixels(&core, output, left);
    input += PIXELS * inputs;
    output += PIXELS * core.out_pitch;
  }
}
