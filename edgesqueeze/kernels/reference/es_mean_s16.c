/* Means over one or two dimensions, int16, portable.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "es_pool.h"

static int16_t mean_of(const es_mean *layer, const int16_t *first) {
  uint32_t sum = 0; /* wraps, as in TensorFlow Lite */
  for (int32_t y = layer->reduced[0]; y > 0; --y, first += layer->reduced_stride[0]) {
    const int16_t *value = first;
    for (int32_t x = layer->reduced[1]; x > 0; --x, value += layer->reduced_stride[1]) {
      const int32_t one = *value;
      sum += (uint32_t)one;
    }
  }
  const int32_t mean = es_scaled_sum(layer, (int32_t)sum);
  return (int16_t)(mean < -32768 ? -32768 : (mean > 32767 ? 32767 : mean));
}

void es_mean_s16(const es_mean *layer, const int16_t *input, int16_t *output) {
  for (int32_t i = 0; i < layer->kept[0]; ++i, input += layer->kept_stride[0]) {
    for (int32_t j = 0; j < layer->kept[1]; ++j) {
      *output++ = mean_of(layer, input + j * layer->kept_stride[1]);
    }
  }
}
