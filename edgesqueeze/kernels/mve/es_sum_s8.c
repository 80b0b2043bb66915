/* Sums of channels over an area with vectors: up to eight channels at once.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <arm_mve.h>
#include <stdbool.h>

#include "es_pool.h"

/* So many int8 can be added in 16 bits. */
enum { MOST = 256 };

/* Adds the sums in 16 bits to those in 32 bits, of which the first vector has the even channels. */
static inline int32x4x2_t unload(int32x4x2_t sums, int16x8_t sum) {
  sums.val[0] = vaddq_s32(sums.val[0], vmovlbq_s16(sum));
  sums.val[1] = vaddq_s32(sums.val[1], vmovltq_s16(sum));
  return sums;
}

/* Sums of all eight channels, or of the valid ones only, which takes longer. */
static inline void sum_8(const es_area *area, bool all, mve_pred16_t valid, int32_t sums[8]) {
  const int32_t stride = area->column_stride;
  const int8_t *row = area->first;
  int32x4x2_t wide = {{vdupq_n_s32(0), vdupq_n_s32(0)}};
  int16x8_t sum = vdupq_n_s16(0);
  for (int32_t y = area->rows; y > 0; --y) {
    const int8_t *pixel = row;
    for (int32_t left = area->columns; left > 0; left -= MOST) {
      for (int32_t x = left < MOST ? left : MOST; x > 0; --x) {
        sum = vaddq_s16(sum, all ? vldrbq_s16(pixel) : vldrbq_z_s16(pixel, valid));
        pixel += stride;
      }
      if (area->rows * area->columns > MOST) {
        wide = unload(wide, sum);
        sum = vdupq_n_s16(0);
      }
    }
    row += area->row_stride;
  }
  vst2q_s32(sums, unload(wide, sum));
}

int32_t es_sum_s8(const es_area *area, int32_t channels, int32_t sums[8]) {
  if (channels >= 8) {
    sum_8(area, true, 0, sums);
    return 8;
  }
  sum_8(area, false, vctp16q((uint32_t)channels), sums);
  return channels;
}
