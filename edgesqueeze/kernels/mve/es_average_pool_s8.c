/* Average pooling with vectors: up to eight channels of one output pixel at a time.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <arm_mve.h>

#include "es_pool.h"

/* How to divide by a number of pixels. */
typedef struct {
  int32_t count;
  uint32_t inverse; /* 2^31 / count, rounded down */
} divisor;

/* Sums divided by count, halves away from zero. The product with the inverse is the quotient or one less. */
static inline int32x4_t divide(int32x4_t sums, divisor by) {
  const uint32x4_t rounded = vreinterpretq_u32_s32(vaddq_n_s32(vabsq_s32(sums), by.count / 2));
  const uint32x4_t quotients = vmulhq_u32(vshlq_n_u32(rounded, 1), vdupq_n_u32(by.inverse));
  const uint32x4_t rests = vsubq_u32(rounded, vmulq_n_u32(quotients, (uint32_t)by.count));
  const mve_pred16_t less = vcmpcsq_n_u32(rests, (uint32_t)by.count);
  const int32x4_t means = vreinterpretq_s32_u32(vaddq_m_n_u32(quotients, quotients, 1, less));
  return vnegq_m_s32(means, means, vcmpltq_n_s32(sums, 0));
}

/* Four means within the range of the fused activation. */
static inline void write_4(const es_pool *layer, const int32_t *sums, divisor by, int8_t *output,
                           mve_pred16_t valid) {
  int32x4_t means = divide(vldrwq_s32(sums), by);
  means = vmaxq_s32(means, vdupq_n_s32(layer->minimum));
  means = vminq_s32(means, vdupq_n_s32(layer->maximum));
  vstrbq_p_s32(output, means, valid);
}

void es_average_pool_s8(const es_pool *layer, const int8_t *input, int8_t *output) {
  for (int32_t out_y = 0; out_y < layer->out_height; ++out_y) {
    for (int32_t out_x = 0; out_x < layer->out_width; ++out_x) {
      es_area window = es_window_of(layer, input, out_y, out_x);
      divisor by;
      by.count = window.rows * window.columns;
      by.inverse = (UINT32_C(1) << 31) / (uint32_t)by.count;
      for (int32_t left = layer->channels; left > 0;) {
        int32_t sums[8];
        const int32_t outputs = es_sum_s8(&window, left, sums);
        write_4(layer, sums, by, output, vctp32q((uint32_t)outputs));
        if (outputs > 4) {
          write_4(layer, sums + 4, by, output + 4, vctp32q((uint32_t)outputs - 4));
        }
        window.first += outputs;
        output += outputs;
        left -= outputs;
      }
    }
  }
}
