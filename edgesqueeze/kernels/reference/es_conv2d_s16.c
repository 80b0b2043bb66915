/* 2-D convolution with int16 activations and int8 weights.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "es_s16.h"

/* The part of a window that lies inside the input. */
typedef struct {
  int32_t first, end; /* rows or columns of the kernel */
} taps;

static taps taps_within(int32_t start, int32_t dilation, int32_t kernel, int32_t size) {
  taps inside = {0, kernel};
  while (inside.first < kernel && start + inside.first * dilation < 0) {
    ++inside.first;
  }
  while (inside.end > inside.first && start + (inside.end - 1) * dilation >= size) {
    --inside.end;
  }
  return inside;
}

/* Adds to the sums of some neighbouring output channels, one or four, a row of a window. */
static void add_row(const es_conv2d_wide *layer, const int8_t *weights, const int16_t *row, taps columns,
                    int32_t channels, int64_t sums[4]) {
  const int32_t step = layer->dilation_width * layer->in_channels;
  const int32_t pitch = layer->kernel_height * layer->kernel_width * layer->filter_channels;
  int32_t depth = layer->filter_channels, times = columns.end - columns.first;
  weights += columns.first * depth;
  row += columns.first * step;
  if (step == depth) {
    depth *= times;
    times = 1;
  }
  for (; times > 0; --times) {
    if (channels == 4) {
      es_dot_4_s16(weights, pitch, row, depth, sums);
    } else {
      sums[0] += es_dot_s16(weights, row, depth);
    }
    weights += depth;
    row += step;
  }
}

/* Output channels from first to end, which all see the same input; input is where their window begins. */
static void group_of(const es_conv2d_wide *layer, const int16_t *input, taps rows, taps columns, int32_t first,
                     int32_t end, int16_t *output) {
  const int32_t pitch = layer->dilation_height * layer->in_width * layer->in_channels;
  const int32_t row_weights = layer->kernel_width * layer->filter_channels;
  while (first < end) {
    const int32_t channels = end - first >= 4 ? 4 : 1;
    const int8_t *const weights = layer->weights + first * layer->kernel_height * row_weights;
    int64_t sums[4] = {0, 0, 0, 0};
    for (int32_t y = rows.first; y < rows.end; ++y) {
      add_row(layer, weights + y * row_weights, input + y * pitch, columns, channels, sums);
    }
    for (int32_t i = 0; i < channels; ++i, ++first) {
      output[first] = es_requantize_s16(sums[i], &layer->output, first);
    }
  }
}

/* All output channels of one pixel. */
static void pixel(const es_conv2d_wide *layer, const int16_t *input, taps rows, taps columns, int16_t *output) {
  const int32_t groups = layer->in_channels / layer->filter_channels;
  const int32_t channels = layer->out_channels / groups;
  for (int32_t group = 0; group < groups; ++group, input += layer->filter_channels) {
    group_of(layer, input, rows, columns, group * channels, (group + 1) * channels, output);
  }
}

int32_t es_conv2d_s16_scratch_bytes(const es_conv2d_wide *layer) {
  (void)layer;
  return 0;
}

void es_conv2d_s16(const es_conv2d_wide *layer, const int16_t *input, int16_t *output, void *scratch) {
  (void)scratch;
  for (int32_t y = 0; y < layer->out_height; ++y) {
    const int32_t top = y * layer->stride_height - layer->pad_top;
    const taps rows = taps_within(top, layer->dilation_height, layer->kernel_height, layer->in_height);
    for (int32_t x = 0; x < layer->out_width; ++x) {
      const int32_t left = x * layer->stride_width - layer->pad_left;
      const taps columns = taps_within(left, layer->dilation_width, layer->kernel_width, layer->in_width);
      pixel(layer, input + (top * layer->in_width + left) * layer->in_channels, rows, columns, output);
      output += es_conv2d_pitch_s16(layer);
    }
  }
}
