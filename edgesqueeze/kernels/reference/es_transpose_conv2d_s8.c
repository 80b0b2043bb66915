/* Transposed convolution: for every output the taps that meet an input pixel, four channels at a time. Sums of products
 * are the kernel set's own (es_dot_4_s8).
 * SPDX-License-Identifier: Apache-2.0
 */
#include "es_lstm.h"
#include "es_transpose_conv.h"

enum { CHANNELS = 4 };

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

/* Sums of four channels, whose weights and corrections are given, over the taps that meet an input pixel. They wrap at
 * 32 bits, as TensorFlow Lite's may. */
static void sum_up(const es_transpose_conv2d *layer, const int8_t *input, const int8_t *weights,
                   const int32_t *corrections, const taps *rows, const taps *columns, uint32_t sums[CHANNELS]) {
  const int32_t depth = layer->in_channels;
  int32_t in_y = rows->start;
  for (int32_t y = rows->first; y < layer->kernel_height && in_y >= 0; y += layer->stride_height, --in_y) {
    int32_t in_x = columns->start;
    for (int32_t x = columns->first; x < layer->kernel_width && in_x >= 0; x += layer->stride_width, --in_x) {
      const int32_t tap = CHANNELS * (y * layer->kernel_width + x);
      for (int32_t i = 0; i < CHANNELS; ++i) {
        sums[i] += (uint32_t)corrections[tap + i];
      }
      es_dot_4_s8(weights + tap * depth, input + (in_y * layer->in_width + in_x) * depth, depth, sums);
    }
  }
}

void es_transpose_conv2d_s8(const es_transpose_conv2d *layer, const int8_t *input, int8_t *output) {
  const int32_t count = layer->out_channels;
  const int32_t group = CHANNELS * layer->kernel_height * layer->kernel_width; /* corrections of four channels */
  for (int32_t out_y = 0; out_y < layer->out_height; ++out_y) {
    const taps rows = taps_of(out_y + layer->pad_top, layer->stride_height, layer->in_height);
    for (int32_t out_x = 0; out_x < layer->out_width; ++out_x) {
      const taps columns = taps_of(out_x + layer->pad_left, layer->stride_width, layer->in_width);
      const int8_t *weights = layer->weights;
      const int32_t *corrections = layer->corrections;
      for (int32_t first = 0; first < count; first += CHANNELS) {
        uint32_t sums[CHANNELS] = {0, 0, 0, 0};
        sum_up(layer, input, weights, corrections, &rows, &columns, sums);
        for (int32_t i = 0; i < CHANNELS && first + i < count; ++i) {
          *output++ = es_requantize_general_s8(sums[i], &layer->requantization, first + i);
        }
        weights += group * layer->in_channels;
        corrections += group;
      }
    }
  }
}
