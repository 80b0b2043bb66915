/* Sum or difference of two tensors of any shapes, int16, with vectors.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "es_pairs_s16_mve.h"

typedef struct {
  es_factor_s16 scale1, scale2, scale_output;
  int32_t sign2;
} sum_parameters;

static inline int32x4_t sum(const void *parameters, int32x4_t one, int32x4_t other) {
  const sum_parameters *const by = parameters;
  const int32x4_t second = vmulq_n_s32(es_scaled_s16(other, &by->scale2), by->sign2);
  return es_scaled_s16(vaddq_s32(es_scaled_s16(one, &by->scale1), second), &by->scale_output);
}

static inline es_factor_s16 factor(const es_multiplier *by) {
  return es_factor_of(by->left, by->multiplier, by->right);
}

void es_add_s16(const es_add_wide *layer, const int16_t *input1, const int16_t *input2, int16_t *output) {
  const sum_parameters parameters = {factor(&layer->scale1), factor(&layer->scale2), factor(&layer->scale_output),
                                     layer->sign2};
  es_pairs_s16(&parameters, sum, &layer->loops, input1, input2, layer->minimum, layer->maximum, output);
}
