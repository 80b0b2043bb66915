/* Four sums of products of int8 weights and the same int16 values, portable.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "es_s16.h"

enum { CHUNK = 256 }; /* products whose sum fits into 32 bits */

void es_dot_4_s16(const int8_t *weights, int32_t pitch, const int16_t *inputs, int32_t count, int64_t sums[4]) {
  while (count > 0) {
    const int32_t some = count < CHUNK ? count : CHUNK;
    const int8_t *const other = weights + 2 * pitch;
    int32_t sum0 = 0, sum1 = 0, sum2 = 0, sum3 = 0;
    for (int32_t i = 0; i < some; ++i) {
      const int32_t value = inputs[i];
      sum0 += weights[i] * value;
      sum1 += weights[pitch + i] * value;
      sum2 += other[i] * value;
      sum3 += other[pitch + i] * value;
    }
    sums[0] += sum0;
    sums[1] += sum1;
    sums[2] += sum2;
    sums[3] += sum3;
    weights += some;
    inputs += some;
    count -= some;
  }
}
