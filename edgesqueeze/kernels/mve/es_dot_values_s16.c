/* Sum of products of int16 values with vectors: eight products an instruction.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <arm_mve.h>

#include "es_s16.h"

int64_t es_dot_values_s16(const int16_t *one, const int16_t *other, int32_t count) {
  int64_t sum = 0;
  for (; count > 0; count -= 8) {
    const mve_pred16_t valid = vctp16q((uint32_t)count); /* zeros beyond the end */
    sum = vmlaldavaq_s16(sum, vldrhq_z_s16(one, valid), vldrhq_z_s16(other, valid));
    one += 8;
    other += 8;
  }
  return sum;
}
