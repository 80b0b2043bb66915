/* Largest values in windows, int16, portable.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "es_window_s16.h"

/* The larger of the output and a pixel, channel by channel. */
static void take_larger(const int16_t *input, int32_t channels, int16_t *output) {
  for (; channels > 0; --channels, ++output) {
    const int16_t value = *input++;
    if (value > *output) {
      *output = value;
    }
  }
}

static void pixel(const es_pool_wide *layer, const es_window_s16 *window, const int16_t *input, int16_t *output) {
  const int32_t channels = layer->channels, pitch = layer->in_width * channels;
  input += window->top * pitch + window->left * channels;
  for (int32_t i = 0; i < channels; ++i) {
    output[i] = layer->minimum;
  }
  for (int32_t y = window->bottom - window->top; y > 0; --y, input += pitch) {
    for (int32_t x = 0; x < window->right - window->left; ++x) {
      take_larger(input + x * channels, channels, output);
    }
  }
  for (int32_t i = 0; layer->maximum < 32767 && i < channels; ++i) {
    output[i] = output[i] < layer->maximum ? output[i] : layer->maximum;
  }
}

void es_max_pool_s16(const es_pool_wide *layer, const int16_t *input, int16_t *output) {
  for (int32_t y = 0; y < layer->out_height; ++y) {
    for (int32_t x = 0; x < layer->out_width; ++x, output += layer->channels) {
      const es_window_s16 window = es_window_at(layer, y, x);
      pixel(layer, &window, input, output);
    }
  }
}
