/* Transposed convolution, portable: for every output the taps that meet an input pixel.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "es_transpose_conv.h"

/* Taps of a kernel row or column that reach an output: tap first meets input start, tap first + stride meets
 * start - 1, and so on. */
typedef struct {
  int32_t first, start;
} taps;

static taps taps_of(int32_t place, int32_t stride, int32_t size) {
  taps found;
  found.first = place % stride;
  found.start = place / stride;
  if (found.start > size - 1) {
    found.first += (found.start - (size - 1)) * stride;
    found.start = size - 1;
  }
  return found;
}

/* Sums wrap at 32 bits, as TensorFlow Lite's may; unsigned, so that this is defined. */
static uint32_t dot(const int8_t *inputs, const int8_t *weights, int32_t count, int32_t zero_point) {
  uint32_t sum = 0;
  for (int32_t i = 0; i < count; ++i) {
    sum += (uint32_t)((inputs[i] - zero_point) * weights[i]);
  }
  return sum;
}

void es_transpose_conv2d_s8(const es_transpose_conv2d *layer, const int8_t *input, int8_t *output) {
  const int32_t depth = layer->in_channels;
  const int32_t height = layer->kernel_height;
  const int32_t width = layer->kernel_width;
  for (int32_t out_y = 0; out_y < layer->out_height; ++out_y) {
    const taps rows = taps_of(out_y + layer->pad_top, layer->stride_height, layer->in_height);
    for (int32_t out_x = 0; out_x < layer->out_width; ++out_x) {
      const taps columns = taps_of(out_x + layer->pad_left, layer->stride_width, layer->in_width);
      const int8_t *weights = layer->weights;
      for (int32_t channel = 0; channel < layer->out_channels; ++channel) {
        uint32_t sum = 0;
        int32_t in_y = rows.start;
        for (int32_t y = rows.first; y < height && in_y >= 0; y += layer->stride_height, --in_y) {
          int32_t in_x = columns.start;
          for (int32_t x = columns.first; x < width && in_x >= 0; x += layer->stride_width, --in_x) {
            sum += dot(input + (in_y * layer->in_width + in_x) * depth,
                       weights + (y * width + x) * depth, depth, layer->input_zero_point);
          }
        }
        weights += height * width * depth;
        *output++ = es_requantize_general_s8(sum, &layer->requantization, channel);
      }
    }
  }
}
