/* Transposed convolution, int8: for every output the inputs that its phase of the kernel meets, four channels at a
 * time. Sums of products are the kernel set's own (es_dot_4_s8).
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "es_lstm.h"
#include "es_phase.h"
#include "es_transpose_conv.h"

enum { CHANNELS = 4 };

int32_t es_transpose_conv2d_s8_scratch_bytes(const es_transpose_conv2d *layer) {
  const es_phase rows = es_phase_at(0, layer->stride_height, layer->kernel_height);
  const es_phase columns = es_phase_at(0, layer->stride_width, layer->kernel_width);
  return rows.count * columns.count * layer->in_channels;
}

/* The inputs that an output meets, one behind the other, the zero point where they are outside: where they lie in the
 * input, or a copy. */
static const int8_t *inputs_of(const es_transpose_conv2d *layer, const int8_t *input, const es_phase *rows,
                               const es_phase *columns, int8_t *copy) {
  const int32_t depth = layer->in_channels, width = layer->in_width;
  const int32_t before = es_outside_phase(columns), inside = es_inside_phase(columns, width);
  const size_t row_bytes = (size_t)(columns->count * depth);
  int8_t *to = copy;
  if (rows->count == 1 && inside == columns->count && rows->first >= 0 && rows->first < layer->in_height) {
    return input + (rows->first * width + columns->first) * depth;
  }
  for (int32_t i = 0; i < rows->count; ++i, to += row_bytes) {
    const int32_t y = rows->first + i;
    if (inside < columns->count || y < 0 || y >= layer->in_height) {
      memset(to, layer->input_zero_point, row_bytes);
    }
    if (inside > 0 && y >= 0 && y < layer->in_height) {
      memcpy(to + before * depth, input + (y * width + columns->first + before) * depth, (size_t)(inside * depth));
    }
  }
  return copy;
}

/* All channels of a pixel. */
static void pixel(const es_transpose_conv2d *layer, const int8_t *inputs, const es_phase *rows, const es_phase *columns,
                  int8_t *output) {
  const int32_t channels = layer->out_channels, padded = (channels + CHANNELS - 1) & ~(int32_t)(CHANNELS - 1);
  const int32_t before = rows->before * layer->kernel_width + rows->count * columns->before;
  const int32_t count = rows->count * columns->count * layer->in_channels;
  const int8_t *weights = layer->weights + before * layer->in_channels * padded;
  const int32_t *corrections = layer->corrections + (rows->phase * layer->stride_width + columns->phase) * padded;
  const es_general_output range = layer->requantization; /* outputs may not change a copy */
  for (int32_t first = 0; first < channels; first += CHANNELS, corrections += CHANNELS, weights += CHANNELS * count) {
    uint32_t sums[CHANNELS];
    memcpy(sums, corrections, sizeof sums);
    es_dot_4_s8(weights, inputs, count, sums);
    *output++ = es_requantize_general_s8(sums[0], &range, first);
    for (int32_t i = 1; i < CHANNELS && first + i < channels; ++i) {
      *output++ = es_requantize_general_s8(sums[i], &range, first + i);
    }
  }
}

void es_transpose_conv2d_s8(const es_transpose_conv2d *layer, const int8_t *input, int8_t *output, void *scratch) {
  for (int32_t y = 0; y < layer->out_height; ++y) {
    const es_phase rows = es_phase_at(y + layer->pad_top, layer->stride_height, layer->kernel_height);
    for (int32_t x = 0; x < layer->out_width; ++x, output += layer->out_channels) {
      const es_phase columns = es_phase_at(x + layer->pad_left, layer->stride_width, layer->kernel_width);
      pixel(layer, inputs_of(layer, input, &rows, &columns, scratch), &rows, &columns, output);
    }
  }
}
