/* Max pooling, portable: one channel of one output pixel at a time.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "es_pool.h"

static int32_t max_area(const es_area *area, int32_t largest) {
  const int8_t *row = area->first;
  for (int32_t y = area->rows; y > 0; --y) {
    const int8_t *pixel = row;
    for (int32_t x = area->columns; x > 0; --x) {
      largest = *pixel > largest ? *pixel : largest;
      pixel += area->column_stride;
    }
    row += area->row_stride;
  }
  return largest;
}

void es_max_pool_s8(const es_pool *layer, const int8_t *input, int8_t *output) {
  for (int32_t out_y = 0; out_y < layer->out_height; ++out_y) {
    for (int32_t out_x = 0; out_x < layer->out_width; ++out_x) {
      es_area window = es_window_of(layer, input, out_y, out_x);
      for (int32_t left = layer->channels; left > 0; --left) {
        const int32_t largest = max_area(&window, layer->minimum);
        *output++ = (int8_t)(largest < layer->maximum ? largest : layer->maximum);
        ++window.first;
      }
    }
  }
}
