/* What the vector kernels for two inputs of different shapes share.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ES_PAIRS_MVE_H
#define ES_PAIRS_MVE_H

#include <arm_mve.h>

#include "es_elementwise.h"

/* Where the next values of an input lie: one after the other, or all in one place if the stride is
 * 0. */
static inline uint8x16_t es_offsets_16(int32_t stride) {
  return vmulq_n_u8(vidupq_n_u8(0, 1), (uint8_t)stride);
}

static inline uint32x4_t es_offsets_4(int32_t stride) {
  return vmulq_n_u32(vidupq_n_u32(0, 1), (uint32_t)stride);
}

/* Four values minus the zero point. */
static inline int32x4_t es_load_4(const int8_t *input, uint32x4_t offsets, int32_t zero_point,
                                  mve_pred16_t valid) {
  return vsubq_n_s32(vldrbq_gather_offset_z_s32(input, offsets, valid), zero_point);
}

/* es_apply_multiplier for four values. */
static inline int32x4_t es_apply_multiplier_4(int32x4_t values, const es_multiplier *by) {
  const int32x4_t high = vqrdmulhq_n_s32(vshlq_r_s32(values, by->left), by->multiplier);
  const mve_pred16_t negative = vcmpltq_n_s32(high, 0);
  const int32x4_t rounding =
      vpselq_s32(vdupq_n_s32(by->round_negative), vdupq_n_s32(by->round_positive), negative);
  return vshlq_r_s32(vaddq_s32(high, rounding), -by->right);
}

/* Adds the zero point, saturates to int8 and stores. */
static inline void es_store_4(int8_t *output, int32x4_t values, int32_t zero_point,
                              mve_pred16_t valid) {
  const int32x4_t results = vaddq_n_s32(values, zero_point);
  vstrbq_p_s32(output, vminq_s32(vmaxq_s32(results, vdupq_n_s32(-128)), vdupq_n_s32(127)), valid);
}

#endif /* ES_PAIRS_MVE_H */
