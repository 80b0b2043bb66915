/* Transposed convolution with int16 activations and int8 weights: for every output the inputs that its phase of the
 * kernel meets, four channels at a time. Sums of products are the kernel set's own (es_dot_4_s16).
 * SPDX-License-Identifier: Apache-2.0
 */
#include "es_phase.h"
#include "es_s16.h"

enum { CHANNELS = 4 };

int32_t es_transpose_conv2d_s16_scratch_bytes(const es_conv2d_wide *layer) {
  const es_phase rows = es_phase_at(0, layer->stride_height, layer->kernel_height);
  const es_phase columns = es_phase_at(0, layer->stride_width, layer->kernel_width);
  return 2 * rows.count * columns.count * layer->in_channels;
}

/* The inputs that an output meets, one behind the other, zero where they are outside: where they lie in the input, or a
 * copy. */
static const int16_t *inputs_of(const es_conv2d_wide *layer, const int16_t *input, const es_phase *rows,
                                const es_phase *columns, int16_t *copy) {
  const int32_t depth = layer->in_channels, width = layer->in_width, row = columns->count * depth;
  const int32_t before = es_outside_phase(columns), inside = es_inside_phase(columns, width);
  int16_t *to = copy;
  if (rows->count == 1 && inside == columns->count && rows->first >= 0 && rows->first < layer->in_height) {
    return input + (rows->first * width + columns->first) * depth;
  }
  for (int32_t i = 0; i < rows->count; ++i, to += row) {
    const int32_t y = rows->first + i;
    if (inside < columns->count || y < 0 || y >= layer->in_height) {
      memset(to, 0, 2 * (size_t)row);
    }
    if (inside > 0 && y >= 0 && y < layer->in_height) {
      const int16_t *const from = input + (y * width + columns->first + before) * depth;
      memcpy(to + before * depth, from, 2 * (size_t)(inside * depth));
    }
  }
  return copy;
}

/* All channels of a pixel. */
static void pixel(const es_conv2d_wide *layer, const int16_t *inputs, const es_phase *rows, const es_phase *columns,
                  int16_t *output) {
  const int32_t channels = layer->out_channels, padded = (channels + CHANNELS - 1) & ~(int32_t)(CHANNELS - 1);
  const int32_t before = rows->before * layer->kernel_width + rows->count * columns->before;
  const int32_t count = rows->count * columns->count * layer->in_channels;
  const int8_t *weights = layer->weights + before * layer->in_channels * padded;
  const es_output_s16 range = layer->output; /* outputs may not change a copy */
  for (int32_t first = 0; first < channels; first += CHANNELS, weights += CHANNELS * count) {
    const int32_t some = channels - first < CHANNELS ? channels - first : CHANNELS;
    int64_t sums[CHANNELS] = {0, 0, 0, 0};
    es_dot_4_s16(weights, count, inputs, count, sums);
    for (int32_t i = 0; i < some; ++i) {
      if (range.wide == ES_WIDE_IN_WORDS) {
        *output++ = es_requantize_word_s16((int32_t)(sums[i] + range.biases[first + i]), &range, first + i);
      } else {
        *output++ = es_requantize_s16(sums[i], &range, first + i);
      }
    }
  }
}

void es_transpose_conv2d_s16(const es_conv2d_wide *layer, const int16_t *input, int16_t *output, void *scratch) {
  for (int32_t y = 0; y < layer->out_height; ++y) {
    const es_phase rows = es_phase_at(y + layer->pad_top, layer->stride_height, layer->kernel_height);
    for (int32_t x = 0; x < layer->out_width; ++x, output += layer->out_channels) {
      const es_phase columns = es_phase_at(x + layer->pad_left, layer->stride_width, layer->kernel_width);
      pixel(layer, inputs_of(layer, input, &rows, &columns, scratch), &rows, &columns, output);
    }
  }
}
