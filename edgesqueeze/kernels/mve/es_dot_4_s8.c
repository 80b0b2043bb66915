/* Four rows times a vector, int8, with vectors: sixteen products an instruction.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <arm_mve.h>

#include "es_lstm.h"

void es_dot_4_s8(const int8_t *rows, const int8_t *vector, int32_t count, uint32_t sums[4]) {
  int32_t sum0 = (int32_t)sums[0], sum1 = (int32_t)sums[1];
  int32_t sum2 = (int32_t)sums[2], sum3 = (int32_t)sums[3];
  const int8_t *row2 = rows + 2 * count;
  for (int32_t left = count; left > 0; left -= 16) {
    const mve_pred16_t valid = vctp8q((uint32_t)left);
    const int8x16_t values = vldrbq_z_s8(vector, valid); /* zeros beyond the end */
    sum0 = vmladavaq_s8(sum0, vldrbq_z_s8(rows, valid), values);
    sum1 = vmladavaq_s8(sum1, vldrbq_z_s8(rows + count, valid), values);
    sum2 = vmladavaq_s8(sum2, vldrbq_z_s8(row2, valid), values);
    sum3 = vmladavaq_s8(sum3, vldrbq_z_s8(row2 + count, valid), values);
    vector += 16;
    rows += 16;
    row2 += 16;
  }
  sums[0] = (uint32_t)sum0;
  sums[1] = (uint32_t)sum1;
  sums[2] = (uint32_t)sum2;
  sums[3] = (uint32_t)sum3;
}
