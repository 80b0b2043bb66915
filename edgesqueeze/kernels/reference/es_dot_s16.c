/* Sum of products of int8 weights and int16 values, portable.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "es_s16.h"

enum { CHUNK = 256 }; /* products whose sum fits into 32 bits */

int64_t es_dot_s16(const int8_t *weights, const int16_t *inputs, int32_t count) {
  int64_t total = 0;
  while (count > 0) {
    const int32_t some = count < CHUNK ? count : CHUNK;
    int32_t sum = 0;
    for (int32_t i = 0; i < some; ++i) {
      sum += weights[i] * inputs[i];
    }
    total += sum;
    weights += some;
    inputs += some;
    count -= some;
  }
  return total;
}
