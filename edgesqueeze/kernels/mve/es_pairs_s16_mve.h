/* Operators on all pairs of int16 of two tensors of any shapes, with vectors: four pairs at a time.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ES_PAIRS_S16_MVE_H
#define ES_PAIRS_S16_MVE_H

#include <arm_mve.h>

#include "es_s16.h"

/* A real factor: bits to the left, Q31, and bits to the left after it, which are none or negative. */
typedef struct {
  int32_t left, multiplier;
  int32x4_t right;
} es_factor_s16;

static inline es_factor_s16 es_factor_of(int32_t left, int32_t multiplier, int32_t right) {
  const es_factor_s16 factor = {left, multiplier, vdupq_n_s32(-right)};
  return factor;
}

/* TensorFlow Lite's two rounding steps; ties of the second go away from zero. */
static inline int32x4_t es_scaled_s16(int32x4_t values, const es_factor_s16 *by) {
  const int32x4_t high = vqrdmulhq_n_s32(vshlq_r_s32(values, by->left), by->multiplier);
  const int32x4_t down = vshrq_n_s32(vandq_s32(high, by->right), 31); /* -1 of negative numbers that are shifted */
  return vrshlq_s32(vqaddq_s32(high, down), by->right);
}

/* Four results; parameters are the operator's own. */
typedef int32x4_t es_pairs_function(const void *parameters, int32x4_t one, int32x4_t other);

/* One innermost loop; a stride is 1, or 0 where a value is repeated. */
static inline __attribute__((always_inline)) void es_pairs_row_s16(const void *parameters, es_pairs_function *function,
                                                                   const es_broadcast *loops, const int16_t *input1,
                                                                   const int16_t *input2, int32_t minimum,
                                                                   int32_t maximum, int16_t *output) {
  for (int32_t left = loops->count[3]; left > 0; left -= 4, output += 4) {
    const mve_pred16_t valid = vctp32q((uint32_t)left);
    const int32x4_t one = loops->stride1[3] != 0 ? vldrhq_z_s32(input1, valid) : vdupq_n_s32(*input1);
    const int32x4_t other = loops->stride2[3] != 0 ? vldrhq_z_s32(input2, valid) : vdupq_n_s32(*input2);
    const int32x4_t values = vmaxq_s32(function(parameters, one, other), vdupq_n_s32(minimum));
    vstrhq_p_s32(output, vminq_s32(values, vdupq_n_s32(maximum)), valid);
    input1 += 4 * loops->stride1[3];
    input2 += 4 * loops->stride2[3];
  }
}

static inline __attribute__((always_inline)) void es_pairs_s16(const void *parameters, es_pairs_function *function,
                                                               const es_broadcast *loops, const int16_t *input1,
                                                               const int16_t *input2, int32_t minimum, int32_t maximum,
                                                               int16_t *output) {
  const int32_t *const count = loops->count, *const stride1 = loops->stride1, *const stride2 = loops->stride2;
  for (int32_t i = 0; i < count[0]; ++i) {
    for (int32_t j = 0; j < count[1]; ++j) {
      for (int32_t k = 0; k < count[2]; ++k, output += count[3]) {
        es_pairs_row_s16(parameters, function, loops, input1 + i * stride1[0] + j * stride1[1] + k * stride1[2],
                         input2 + i * stride2[0] + j * stride2[1] + k * stride2[2], minimum, maximum, output);
      }
    }
  }
}

#endif /* ES_PAIRS_S16_MVE_H */
