/* Sums of four channels to int16, with vectors.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ES_REQUANTIZE_S16_MVE_H
#define ES_REQUANTIZE_S16_MVE_H

#include <arm_mve.h>

#include "es_s16.h"

/* Only for ES_WIDE_IN_WORDS. Lane i is channel `first` + i * apart; its sum has no bias yet. Biases of 64 bits and
 * pairs of multiplier and shift are 8 bytes each. */
static inline int32x4_t es_requantize_four_s16(int32x4_t sums, const es_output_s16 *output, int32_t first,
                                               int32_t apart, mve_pred16_t valid) {
  const uint32x4_t places = vmulq_n_u32(vidupq_n_u32(0, 1), 8 * (uint32_t)apart);
  const int32_t *const scales = output->scales + 2 * first;
  const int32_t *const biases = (const int32_t *)(const void *)(output->biases + first);
  const int32x4_t shifts = vldrwq_gather_offset_z_s32(scales + 1, places, valid);
  int32x4_t values = vaddq_s32(sums, vldrwq_gather_offset_z_s32(biases, places, valid));
  values = vmulhq_s32(values, vldrwq_gather_offset_z_s32(scales, places, valid));
  values = vrshlq_s32(values, vnegq_s32(shifts));
  values = vmaxq_s32(values, vdupq_n_s32(output->minimum));
  return vminq_s32(values, vdupq_n_s32(output->maximum));
}

#endif /* ES_REQUANTIZE_S16_MVE_H */
