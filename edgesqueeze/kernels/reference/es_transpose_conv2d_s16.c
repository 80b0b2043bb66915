/* Transposed convolution with int16 activations and int8 weights.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "es_s16.h"

/* The row or column of the input that a tap spreads to the output; -1 if none does. */
static int32_t source_of(int32_t place, int32_t tap, int32_t stride, int32_t size) {
  const int32_t distance = place - tap;
  if (distance < 0 || distance % stride != 0 || distance / stride >= size) {
    return -1;
  }
  return distance / stride;
}

/* One output channel of one pixel; y and x count from where the first input's window begins. */
static int64_t spread(const es_conv2d_wide *layer, const int16_t *input, int32_t y, int32_t x,
                      const int8_t *weights) {
  int64_t sum = 0;
  for (int32_t i = 0; i < layer->kernel_height; ++i) {
    const int32_t row = source_of(y, i, layer->stride_height, layer->in_height);
    for (int32_t j = 0; j < layer->kernel_width; ++j, weights += layer->in_channels) {
      const int32_t column = source_of(x, j, layer->stride_width, layer->in_width);
      if (row >= 0 && column >= 0) {
        const int32_t place = (row * layer->in_width + column) * layer->in_channels;
        sum += es_dot_s16(weights, input + place, layer->in_channels);
      }
    }
  }
  return sum;
}

void es_transpose_conv2d_s16(const es_conv2d_wide *layer, const int16_t *input, int16_t *output) {
  const int32_t taps = layer->kernel_height * layer->kernel_width * layer->in_channels;
  for (int32_t y = 0; y < layer->out_height; ++y) {
    for (int32_t x = 0; x < layer->out_width; ++x) {
      for (int32_t channel = 0; channel < layer->out_channels; ++channel) {
        const int64_t sum = spread(layer, input, y + layer->pad_top, x + layer->pad_left,
                                   layer->weights + channel * taps);
        *output++ = es_requantize_s16(sum, &layer->output, channel);
      }
    }
  }
}
