/* Smallest values along one dimension, int8, portable.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "es_pool.h"

void es_reduce_min_s8(const es_reduce *layer, const int8_t *input, int8_t *output) {
  const int32_t count = layer->count, inner = layer->inner;
  for (int32_t i = layer->outer; i > 0; --i, input += count * inner) {
    for (int32_t k = 0; k < inner; ++k) {
      const int8_t *value = input + k;
      int32_t smallest = *value;
      for (int32_t j = 1; j < count; ++j) {
        value += inner;
        smallest = *value < smallest ? *value : smallest;
      }
      *output++ = (int8_t)smallest;
    }
  }
}
