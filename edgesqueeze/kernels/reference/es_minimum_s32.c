/* The smaller of two tensors of any shapes, int32.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "es_s32.h"

static int32_t smaller(int32_t one, int32_t other) { return one < other ? one : other; }

void es_minimum_s32(const es_pair_int32 *layer, const int32_t *input1, const int32_t *input2, int32_t *output) {
  es_pair_s32(layer, smaller, input1, input2, output);
}
