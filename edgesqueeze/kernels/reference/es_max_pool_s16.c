/* Largest values in windows, int16, portable.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "es_window_s16.h"

static int32_t result_of(const es_pool_wide *layer, const es_window_s16 *window, const int16_t *input) {
  int32_t largest = -32768;
  for (int32_t y = window->top; y < window->bottom; ++y) {
    const int16_t *value = input + (y * layer->in_width + window->left) * layer->channels;
    for (int32_t x = window->left; x < window->right; ++x, value += layer->channels) {
      largest = *value > largest ? *value : largest;
    }
  }
  return largest;
}

void es_max_pool_s16(const es_pool_wide *layer, const int16_t *input, int16_t *output) {
  for (int32_t y = 0; y < layer->out_height; ++y) {
    for (int32_t x = 0; x < layer->out_width; ++x) {
      const es_window_s16 window = es_window_at(layer, y, x);
      for (int32_t channel = 0; channel < layer->channels; ++channel) {
        const int32_t value = result_of(layer, &window, input + channel);
        *output++ = es_limit_s16(value, layer->minimum, layer->maximum);
      }
    }
  }
}
