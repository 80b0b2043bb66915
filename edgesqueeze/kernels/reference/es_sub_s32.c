/* Difference of two tensors of any shapes, int32.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "es_s32.h"

static int32_t difference(int32_t one, int32_t other) { return (int32_t)((uint32_t)one - (uint32_t)other); }

void es_sub_s32(const es_pair_int32 *layer, const int32_t *input1, const int32_t *input2, int32_t *output) {
  es_pair_s32(layer, difference, input1, input2, output);
}
