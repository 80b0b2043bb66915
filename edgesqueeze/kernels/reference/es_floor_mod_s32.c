/* Rest of a division rounded down, of two tensors of any shapes, int32.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "es_s32.h"

static int32_t rest(int32_t one, int32_t other) {
  if (other == 0 || other == -1) {
    return 0;
  }
  const int32_t value = one % other;
  return value != 0 && (value < 0) != (other < 0) ? value + other : value;
}

void es_floor_mod_s32(const es_pair_int32 *layer, const int32_t *input1, const int32_t *input2, int32_t *output) {
  es_pair_s32(layer, rest, input1, input2, output);
}
