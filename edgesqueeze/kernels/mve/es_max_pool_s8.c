/* Max pooling with vectors: up to 16 channels of one output pixel at a time.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <arm_mve.h>
#include <stdbool.h>

#include "es_pool.h"

/* The largest values of all 16 channels of an area, or of the valid ones only, which takes longer; at least
 * minimum. */
static inline int8x16_t max_area(const es_area *area, int8_t minimum, bool all, mve_pred16_t valid) {
  const int32_t stride = area->column_stride;
  int8x16_t largest = vdupq_n_s8(minimum);
  const int8_t *row = area->first;
  for (int32_t y = area->rows; y > 0; --y) {
    const int8_t *pixel = row;
    for (int32_t x = area->columns; x > 0; --x) {
      largest = vmaxq_s8(largest, all ? vldrbq_s8(pixel) : vldrbq_z_s8(pixel, valid));
      pixel += stride;
    }
    row += area->row_stride;
  }
  return largest;
}

void es_max_pool_s8(const es_pool *layer, const int8_t *input, int8_t *output) {
  for (int32_t out_y = 0; out_y < layer->out_height; ++out_y) {
    for (int32_t out_x = 0; out_x < layer->out_width; ++out_x) {
      es_area window = es_window_of(layer, input, out_y, out_x);
      const int8x16_t maxima = vdupq_n_s8(layer->maximum);
      int32_t left = layer->channels;
      for (; left >= 16; left -= 16) {
        vstrbq_s8(output, vminq_s8(max_area(&window, layer->minimum, true, 0), maxima));
        window.first += 16;
        output += 16;
      }
      if (left > 0) {
        const mve_pred16_t valid = vctp8q((uint32_t)left);
        const int8x16_t largest = max_area(&window, layer->minimum, false, valid);
        vstrbq_p_s8(output, vminq_s8(largest, maxima), valid);
        output += left;
      }
    }
  }
}
