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

/* Eight channels of one pixel, or fewer, of 2^shift pixels, 128 at most: their sums fit into 16 bits. */
static inline void mean_8(const es_pool *layer, const es_area *window, int32_t shift, int8_t *output,
                          mve_pred16_t valid) {
  int16x8_t sums = vdupq_n_s16(0);
  const int8_t *row = window->first;
  for (int32_t y = window->rows; y > 0; --y, row += window->row_stride) {
    const int8_t *pixel = row;
    for (int32_t x = window->columns; x > 0; --x, pixel += window->column_stride) {
      sums = vaddq_s16(sums, vldrbq_z_s16(pixel, valid));
    }
  }
  /* The shift rounds halves up; away from zero, where there is something to round. */
  const int16x8_t down = shift > 0 ? vshrq_n_s16(sums, 15) : vdupq_n_s16(0);
  int16x8_t means = vrshlq_n_s16(vaddq_s16(sums, down), -shift);
  means = vmaxq_s16(means, vdupq_n_s16(layer->minimum));
  means = vminq_s16(means, vdupq_n_s16(layer->maximum));
  vstrbq_p_s16(output, means, valid);
}

/* The exponent of a power of two up to 128; -1 for all other numbers. */
static int32_t exponent_of(int32_t count) {
  int32_t shift = 0;
  if (count > 128 || (count & (count - 1)) != 0) {
    return -1;
  }
  while (1 << shift < count) {
    ++shift;
  }
  return shift;
}

void es_average_pool_s8(const es_pool *layer, const int8_t *input, int8_t *output) {
  for (int32_t out_y = 0; out_y < layer->out_height; ++out_y) {
    for (int32_t out_x = 0; out_x < layer->out_width; ++out_x) {
      es_area window = es_window_of(layer, input, out_y, out_x);
      const int32_t shift = exponent_of(window.rows * window.columns);
      if (shift >= 0) {
        for (int32_t left = layer->channels; left > 0; left -= 8, window.first += 8) {
          mean_8(layer, &window, shift, output + (layer->channels - left), vctp16q((uint32_t)left));
        }
        output += layer->channels;
        continue;
      }
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
