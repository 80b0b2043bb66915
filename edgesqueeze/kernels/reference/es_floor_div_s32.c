/* Quotient of two tensors of any shapes, rounded down, int32.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "es_s32.h"

static int32_t quotient(int32_t one, int32_t other) {
  if (other == 0) {
    return one > 0 ? INT32_MAX : (one < 0 ? INT32_MIN : 0);
  }
  if (other == -1) {
    return (int32_t)(0u - (uint32_t)one);
  }
  return one / other - (one % other != 0 && (one < 0) != (other < 0) ? 1 : 0);
}

void es_floor_div_s32(const es_pair_int32 *layer, const int32_t *input1, const int32_t *input2, int32_t *output) {
  es_pair_s32(layer, quotient, input1, input2, output);
}
