/* Depthwise convolution with int16 activations and int8 weights.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "es_s16.h"

enum { SOME = 8 }; /* channels at a time */

/* The part of a window that lies inside the input. */
typedef struct {
  int32_t top, bottom, left, right; /* rows and columns of the kernel; bottom and right are the first beyond */
} part;

/* How many taps lie before the input, or before its end. */
static int32_t taps_before(int32_t end, int32_t start, int32_t dilation, int32_t kernel) {
  const int32_t taps = end <= start ? 0 : (end - start + dilation - 1) / dilation;
  return taps < kernel ? taps : kernel;
}

/* Adds one tap to the sums of count channels. */
static inline void add_tap(const int8_t *weights, const int16_t *values, int32_t count, int32_t sums[SOME]) {
  for (int32_t i = 0; i < count; ++i) {
    sums[i] += weights[i] * values[i];
  }
}

/* The sums of count neighbouring channels, or, of several channels of one input, of one. */
static void window(const es_conv2d_wide *layer, const int16_t *input, const part *inside, const int8_t *weights,
                   int32_t count, int32_t sums[SOME]) {
  const int32_t step = layer->dilation_width * layer->in_channels;
  const int32_t pitch = layer->dilation_height * layer->in_width * layer->in_channels;
  for (int32_t i = 0; i < SOME; ++i) {
    sums[i] = 0;
  }
  for (int32_t y = inside->top; y < inside->bottom; ++y) {
    const int8_t *tap = weights + (y * layer->kernel_width + inside->left) * layer->out_channels;
    const int16_t *values = input + y * pitch + inside->left * step;
    for (int32_t x = inside->left; x < inside->right; ++x, values += step, tap += layer->out_channels) {
      if (count == SOME) {
        add_tap(tap, values, SOME, sums);
      } else {
        add_tap(tap, values, count, sums);
      }
    }
  }
}

void es_depthwise_conv2d_s16(const es_conv2d_wide *layer, const int16_t *input, int16_t *output) {
  const int32_t times = layer->out_channels / layer->in_channels;
  for (int32_t y = 0; y < layer->out_height; ++y) {
    const int32_t top = y * layer->stride_height - layer->pad_top;
    part inside;
    inside.top = taps_before(0, top, layer->dilation_height, layer->kernel_height);
    inside.bottom = taps_before(layer->in_height, top, layer->dilation_height, layer->kernel_height);
    for (int32_t x = 0; x < layer->out_width; ++x) {
      const int32_t left = x * layer->stride_width - layer->pad_left;
      const int16_t *const first = input + (top * layer->in_width + left) * layer->in_channels;
      inside.left = taps_before(0, left, layer->dilation_width, layer->kernel_width);
      inside.right = taps_before(layer->in_width, left, layer->dilation_width, layer->kernel_width);
      for (int32_t channel = 0; channel < layer->out_channels;) {
        const int32_t rest = times > 1 ? 1 : layer->out_channels - channel;
        const int32_t count = rest < SOME ? rest : SOME;
        int32_t sums[SOME];
        window(layer, first + channel / times, &inside, layer->weights + channel, count, sums);
        for (int32_t i = 0; i < count; ++i, ++channel) {
          *output++ = es_requantize_s16(sums[i], &layer->output, channel);
        }
      }
    }
  }
}
