/* Places of the largest values along one dimension, float32, portable.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "es_pool.h"

void es_arg_max_f32(const es_arg_max *layer, const float *input, int32_t *values) {
  const int32_t inner = layer->inner;
  for (int32_t i = layer->outer; i > 0; --i, input += layer->count * inner) {
    for (int32_t k = 0; k < inner; ++k) {
      float best = input[k];
      int32_t place = 0;
      for (int32_t j = 1; j < layer->count; ++j) {
        const float value = input[j * inner + k];
        if (layer->flip ? value < best : value > best) {
          best = value;
          place = j;
        }
      }
      *values++ = place;
    }
  }
}
