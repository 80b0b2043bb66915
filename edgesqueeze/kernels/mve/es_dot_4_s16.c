/* Four sums of products of int8 weights and the same int16 values with vectors.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <arm_mve.h>

#include "es_s16.h"

void es_dot_4_s16(const int8_t *weights, int32_t pitch, const int16_t *inputs, int32_t count, int64_t sums[4]) {
  const int8_t *other = weights + 2 * pitch;
  int64_t sum0 = sums[0], sum1 = sums[1], sum2 = sums[2], sum3 = sums[3];
  for (; count > 0; count -= 8) {
    const mve_pred16_t valid = vctp16q((uint32_t)count);
    const int16x8_t values = vldrhq_z_s16(inputs, valid); /* zeros beyond the end */
    sum0 = vmlaldavaq_s16(sum0, vldrbq_z_s16(weights, valid), values);
    sum1 = vmlaldavaq_s16(sum1, vldrbq_z_s16(weights + pitch, valid), values);
    sum2 = vmlaldavaq_s16(sum2, vldrbq_z_s16(other, valid), values);
    sum3 = vmlaldavaq_s16(sum3, vldrbq_z_s16(other + pitch, valid), values);
    weights += 8;
    other += 8;
    inputs += 8;
  }
  sums[0] = sum0;
  sums[1] = sum1;
  sums[2] = sum2;
  sums[3] = sum3;
}
