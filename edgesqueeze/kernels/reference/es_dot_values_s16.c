/* Sum of products of int16 values, portable.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "es_s16.h"

int64_t es_dot_values_s16(const int16_t *one, const int16_t *other, int32_t count) {
  int64_t sum = 0;
  for (; count > 0; --count) {
    sum += *one++ * *other++;
  }
  return sum;
}
