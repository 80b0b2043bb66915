/* 2-D convolution with groups and any scale, int8, portable: plain loops.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "es_general.h"

/* One output channel of the pixel whose window begins at input row `top` and column `left`. `input` begins at
 * the first input channel of the group. */
static uint32_t window(const es_conv2d_general *layer, const int8_t *input, int32_t top, int32_t left,
                       const int8_t *weights) {
  uint32_t sum = 0;
  for (int32_t i = 0; i < layer->kernel_height; ++i) {
    const int32_t row = top + i * layer->dilation_height;
    for (int32_t j = 0; j < layer->kernel_width; ++j, weights += layer->filter_channels) {
      const int32_t column = left + j * layer->dilation_width;
      if (row < 0 || row >= layer->in_height || column < 0 || column >= layer->in_width) {
        continue;
      }
      const int8_t *const pixel = input + (row * layer->in_width + column) * layer->in_channels;
      for (int32_t k = 0; k < layer->filter_channels; ++k) {
        sum += (uint32_t)((pixel[k] - layer->input_zero_point) * weights[k]);
      }
    }
  }
  return sum;
}

void es_conv2d_general_s8(const es_conv2d_general *layer, const int8_t *input, int8_t *output) {
  const int32_t filter_size = layer->kernel_height * layer->kernel_width * layer->filter_channels;
  const int32_t groups = layer->in_channels / layer->filter_channels;
  const int32_t group_size = layer->out_channels / groups;
  for (int32_t y = 0; y < layer->out_height; ++y) {
    for (int32_t x = 0; x < layer->out_width; ++x) {
      const int32_t top = y * layer->stride_height - layer->pad_top;
      const int32_t left = x * layer->stride_width - layer->pad_left;
      for (int32_t channel = 0; channel < layer->out_channels; ++channel) {
        const int32_t group = channel / group_size;
        const uint32_t sum = window(layer, input + group * layer->filter_channels, top, left,
                                    layer->weights + channel * filter_size);
        *output++ = es_requantize_general_s8(sum, &layer->requantization, channel);
      }
    }
  }
}
