/* Some output channels of a convolution with any scale, int8, portable.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "es_general.h"

/* Those taps of a window along one dimension that lie within the input: the first, and the one behind the
 * last. */
typedef struct {
  int32_t first, end;
} taps;

static taps taps_within(int32_t start, int32_t dilation, int32_t kernel, int32_t size) {
  taps within = {0, kernel};
  while (within.first < kernel && start + within.first * dilation < 0) {
    ++within.first;
  }
  while (within.end > within.first && start + (within.end - 1) * dilation >= size) {
    --within.end;
  }
  return within;
}

/* The sum of one output channel. The window's first tap lies `start` bytes behind `input`, before it perhaps. */
static uint32_t window(const es_conv2d_channels *layer, const int8_t *input, int32_t start,
                       const int8_t *weights, taps rows, taps columns) {
  const int32_t zero_point = layer->input_zero_point, depth = layer->filter_channels;
  const int32_t step = layer->dilation_width * layer->in_channels;
  const int32_t row_step = layer->dilation_height * layer->in_width * layer->in_channels;
  uint32_t sum = 0;
  if (columns.first >= columns.end) {
    return sum;
  }
  for (int32_t i = rows.first; i < rows.end; ++i) {
    const int8_t *pixel = input + (start + i * row_step + columns.first * step);
    const int8_t *weight = weights + (i * layer->kernel_width + columns.first) * depth;
    for (int32_t j = columns.first; j < columns.end; ++j, pixel += step) {
      for (int32_t k = 0; k < depth; ++k) {
        sum += (uint32_t)((pixel[k] - zero_point) * *weight++);
      }
    }
  }
  return sum;
}

void es_conv2d_channels_s8(const es_conv2d_channels *layer, const int8_t *input, int8_t *output) {
  const int32_t filter_size = layer->kernel_height * layer->kernel_width * layer->filter_channels;
  for (int32_t y = 0; y < layer->out_height; ++y) {
    const int32_t top = y * layer->stride_height - layer->pad_top;
    const taps rows = taps_within(top, layer->dilation_height, layer->kernel_height, layer->in_height);
    for (int32_t x = 0; x < layer->out_width; ++x, output += layer->out_channels) {
      const int32_t left = x * layer->stride_width - layer->pad_left;
      const taps columns = taps_within(left, layer->dilation_width, layer->kernel_width, layer->in_width);
      const int32_t start = (top * layer->in_width + left) * layer->in_channels;
      for (int32_t i = 0; i < layer->count; ++i) {
        const int8_t *const weights = layer->weights + i * filter_size;
        const uint32_t sum = window(layer, input, start + layer->places[2 * i + 1], weights, rows, columns);
        output[layer->places[2 * i]] = es_requantize_general_s8(sum, &layer->requantization, i);
      }
    }
  }
}
