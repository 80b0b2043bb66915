/* Sum of products of int8 with vectors: sixteen products an instruction.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <arm_mve.h>

#include "es_lstm.h"

uint32_t es_dot_s8(const int8_t *one, const int8_t *other, int32_t count) {
  int32_t sum = 0;
  for (; count > 0; count -= 16) {
    const mve_pred16_t valid = vctp8q((uint32_t)count);
    sum = vmladavaq_s8(sum, vldrbq_z_s8(one, valid), vldrbq_z_s8(other, valid));
    one += 16;
    other += 16;
  }
  return (uint32_t)sum;
}
