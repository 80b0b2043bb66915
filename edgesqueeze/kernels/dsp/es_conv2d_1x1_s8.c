/* 1x1 convolution, int8, for cores with the DSP extension. Weights: see es_conv_core_dsp.h.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "es_conv_core_dsp.h"

/* Pixels whose inputs are no whole words are copied first, so that nothing is read behind the tensor. */
static void widen_copies(const int8_t *const pixels[ES_CONV_CORE_PIXELS], int32_t inputs, int32_t *widened) {
  const int32_t padded = es_conv_core_inputs(inputs);
  int8_t *copies = (int8_t *)(widened + padded / 2 * ES_CONV_CORE_PIXELS);
  for (int32_t i = 0; i < ES_CONV_CORE_PIXELS; ++i) {
    memcpy(copies + i * padded, pixels[i], (size_t)inputs);
  }
  es_conv_core_widen(copies, copies + padded, copies + 2 * padded, widened, padded / 4);
}

int32_t es_conv2d_1x1_s8_scratch_bytes(const es_conv2d *layer) {
  const int32_t inputs = layer->in_channels;
  const int32_t copies = (inputs & 3) == 0 ? 0 : ES_CONV_CORE_PIXELS * es_conv_core_inputs(inputs);
  return es_conv_core_scratch_bytes(inputs, layer->out_channels) + copies;
}

void es_conv2d_1x1_s8(const es_conv2d *layer, const int8_t *input, int8_t *output, void *scratch) {
  const int32_t inputs = layer->in_channels;
  es_channel *channels = scratch;
  int32_t *widened = es_conv_core_channels(layer, channels);
  for (int32_t left = layer->out_height * layer->out_width; left > 0; left -= ES_CONV_CORE_PIXELS) {
    const int8_t *pixels[ES_CONV_CORE_PIXELS];
    pixels[0] = input;
    pixels[1] = left > 1 ? input + inputs : input;
    pixels[2] = left > 2 ? input + 2 * inputs : input;
    if ((inputs & 3) == 0) {
      es_conv_core_widen(pixels[0], pixels[1], pixels[2], widened, inputs / 4);
    } else {
      widen_copies(pixels, inputs, widened);
    }
    es_conv_core_pixels(layer, channels, widened, inputs, output, left);
    input += ES_CONV_CORE_PIXELS * inputs;
    output += ES_CONV_CORE_PIXELS * layer->out_channels;
  }
}
