/* Sum of products of int8, portable.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "es_lstm.h"

uint32_t es_dot_s8(const int8_t *one, const int8_t *other, int32_t count) {
  int32_t sum = 0;
  for (; count > 0; --count) {
    sum += *one++ * *other++;
  }
  return (uint32_t)sum;
}
