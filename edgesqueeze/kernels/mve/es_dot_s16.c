/* Sum of products of int8 weights and int16 values with vectors: eight products an instruction.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <arm_mve.h>

#include "es_s16.h"

int64_t es_dot_s16(const int8_t *weights, const int16_t *inputs, int32_t count) {
  int64_t sum = 0;
  for (; count > 0; count -= 8) {
    const mve_pred16_t valid = vctp16q((uint32_t)count); /* zeros beyond the end */
    sum = vmlaldavaq_s16(sum, vldrbq_z_s16(weights, valid), vldrhq_z_s16(inputs, valid));
    weights += 8;
    inputs += 8;
  }
  return sum;
}
