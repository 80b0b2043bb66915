/* Sums of channels over an area, portable: four channels at once, or one.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "es_pool.h"

static void sum_4(const es_area *area, int32_t sums[4]) {
  int32_t sum_0 = 0, sum_1 = 0, sum_2 = 0, sum_3 = 0;
  const int8_t *row = area->first;
  for (int32_t y = area->rows; y > 0; --y) {
    const int8_t *pixel = row;
    for (int32_t x = area->columns; x > 0; --x) {
      sum_0 += pixel[0];
      sum_1 += pixel[1];
      sum_2 += pixel[2];
      sum_3 += pixel[3];
      pixel += area->column_stride;
    }
    row += area->row_stride;
  }
  sums[0] = sum_0;
  sums[1] = sum_1;
  sums[2] = sum_2;
  sums[3] = sum_3;
}

static int32_t sum_1(const es_area *area) {
  int32_t sum = 0;
  const int8_t *row = area->first;
  for (int32_t y = area->rows; y > 0; --y) {
    const int8_t *pixel = row;
    for (int32_t x = area->columns; x > 0; --x) {
      sum += *pixel;
      pixel += area->column_stride;
    }
    row += area->row_stride;
  }
  return sum;
}

int32_t es_sum_s8(const es_area *area, int32_t channels, int32_t sums[8]) {
  if (channels >= 4) {
    sum_4(area, sums);
    return 4;
  }
  sums[0] = sum_1(area);
  return 1;
}
