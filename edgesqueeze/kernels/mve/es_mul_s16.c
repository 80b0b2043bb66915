/* Product of two tensors of any shapes, int16, with vectors.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "es_pairs_s16_mve.h"

static inline int32x4_t product(const void *parameters, int32x4_t one, int32x4_t other) {
  return es_scaled_s16(vmulq_s32(one, other), parameters);
}

void es_mul_s16(const es_mul_wide *layer, const int16_t *input1, const int16_t *input2, int16_t *output) {
  const int32_t shift = layer->scale.shift;
  const es_factor_s16 scale =
      es_factor_of(shift > 0 ? shift : 0, layer->scale.multiplier, shift < 0 ? -shift : 0);
  es_pairs_s16(&scale, product, &layer->loops, input1, input2, layer->minimum, layer->maximum, output);
}
