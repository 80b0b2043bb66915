/* The inputs of an output pixel, as kernels want them that skip weights of zero.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "es_sparse_window_s8.h"

static int16_t *widen(int16_t *to, const int8_t *from, int32_t count) {
  for (; count > 0; --count) {
    *to++ = *from++;
  }
  return to;
}

static int16_t *fill(int16_t *to, int8_t value, int32_t count) {
  for (; count > 0; --count) {
    *to++ = value;
  }
  return to;
}

static int32_t clamp(int32_t value, int32_t low, int32_t high) {
  return value < low ? low : (value > high ? high : value);
}

/* The columns of one kernel row that lies in the input. */
static int16_t *columns(const es_conv2d *layer, const int8_t *row, int32_t left, int16_t *to) {
  const int32_t channels = layer->in_channels;
  if (layer->dilation_width != 1) {
    for (int32_t i = 0; i < layer->kernel_width; ++i, left += layer->dilation_width) {
      to = left < 0 || left >= layer->in_width ? fill(to, layer->input_zero_point, channels)
                                               : widen(to, row + left * channels, channels);
    }
    return to;
  }
  const int32_t begin = clamp(-left, 0, layer->kernel_width);
  const int32_t end = clamp(layer->in_width - left, begin, layer->kernel_width);
  to = fill(to, layer->input_zero_point, begin * channels);
  if (end > begin) {
    to = widen(to, row + (left + begin) * channels, (end - begin) * channels);
  }
  return fill(to, layer->input_zero_point, (layer->kernel_width - end) * channels);
}

void es_sparse_window_s8(const es_conv2d *layer, const int8_t *input, int32_t top, int32_t left, int16_t *to) {
  const int32_t row_bytes = layer->in_width * layer->in_channels;
  for (int32_t i = 0; i < layer->kernel_height; ++i, top += layer->dilation_height) {
    if (top < 0 || top >= layer->in_height) {
      to = fill(to, layer->input_zero_point, layer->kernel_width * layer->in_channels);
    } else {
      to = columns(layer, input + top * row_bytes, left, to);
    }
  }
}
