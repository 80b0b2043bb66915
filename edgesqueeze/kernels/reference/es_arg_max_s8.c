/* Places of the largest values along one dimension, int8, portable.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "es_pool.h"

void es_arg_max_s8(const es_arg_max *layer, const int8_t *input, int32_t *values) {
  const int32_t inner = layer->inner, flip = layer->flip;
  for (int32_t i = layer->outer; i > 0; --i, input += layer->count * inner) {
    for (int32_t k = 0; k < inner; ++k) {
      int32_t largest = input[k] ^ flip, place = 0;
      for (int32_t j = 1; j < layer->count; ++j) {
        const int32_t value = input[j * inner + k] ^ flip;
        if (value > largest) {
          largest = value;
          place = j;
        }
      }
      *values++ = place;
    }
  }
}
