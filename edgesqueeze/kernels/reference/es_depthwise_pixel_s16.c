/* A pixel of a depthwise convolution of int16, portable.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "es_s16.h"

enum { SOME = 8 }; /* channels at a time */

/* Adds one tap to the sums of count channels. */
static inline void add_tap(const int8_t *weights, const int16_t *values, int32_t count, int32_t sums[SOME]) {
  for (int32_t i = 0; i < count; ++i) {
    sums[i] += weights[i] * values[i];
  }
}

/* The sums of count neighbouring channels, or, of several channels of one input, of one. */
static void window(const es_conv2d_wide *layer, const int16_t *input, const es_taps_s16 *inside, const int8_t *weights,
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

void es_depthwise_pixel_s16(const es_conv2d_wide *layer, const int16_t *input, const es_taps_s16 *inside,
                            int16_t *output) {
  const int32_t times = layer->out_channels / layer->in_channels;
  for (int32_t channel = 0; channel < layer->out_channels;) {
    const int32_t rest = times > 1 ? 1 : layer->out_channels - channel;
    const int32_t count = rest < SOME ? rest : SOME;
    int32_t sums[SOME];
    window(layer, input + channel / times, inside, layer->weights + channel, count, sums);
    for (int32_t i = 0; i < count; ++i, ++channel) {
      *output++ = es_requantize_s16(sums[i], &layer->output, channel);
    }
  }
}
