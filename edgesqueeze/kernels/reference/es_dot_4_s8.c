/* Four rows times a vector, int8, portable.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "es_lstm.h"

void es_dot_4_s8(const int8_t *rows, const int8_t *vector, int32_t count, uint32_t sums[4]) {
  int32_t sum0 = 0, sum1 = 0, sum2 = 0, sum3 = 0;
  const int8_t *const row1 = rows + count, *const row2 = row1 + count, *const row3 = row2 + count;
  for (int32_t i = 0; i < count; ++i) {
    const int32_t value = vector[i];
    sum0 += rows[i] * value;
    sum1 += row1[i] * value;
    sum2 += row2[i] * value;
    sum3 += row3[i] * value;
  }
  sums[0] += (uint32_t)sum0;
  sums[1] += (uint32_t)sum1;
  sums[2] += (uint32_t)sum2;
  sums[3] += (uint32_t)sum3;
}
