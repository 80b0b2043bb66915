/* Depthwise convolution with int16 activations and int8 weights, for cores with the DSP extension: sums beyond 32 bits
 * and the few pixels of small outputs go pixel by pixel.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "es_s16.h"

enum { MOST_SLOW_PIXELS = 9 };

static int takes(const es_conv2d_wide *layer) {
  return layer->output.wide == ES_WIDE_IN_WORDS && layer->in_channels > 1 &&
         layer->out_height * layer->out_width > MOST_SLOW_PIXELS;
}

int32_t es_depthwise_conv2d_s16_scratch_bytes(const es_conv2d_wide *layer) {
  return takes(layer) ? es_depthwise_taps_s16_scratch_bytes(layer) : 0;
}

void es_depthwise_conv2d_s16(const es_conv2d_wide *layer, const int16_t *input, int16_t *output, void *scratch) {
  if (takes(layer)) {
    es_depthwise_taps_s16(layer, input, output, scratch);
  } else {
    es_depthwise_pixels_s16(layer, input, output);
  }
}
