/* An operation on all pairs of values of two tensors of any shapes, int32.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "es_s32.h"

static void operate_on_row(const es_pair_int32 *layer, es_int32_operation *operation, const int32_t *input1,
                           const int32_t *input2, int32_t *output) {
  for (int32_t i = layer->loops.count[3]; i > 0; --i) {
    int32_t value = operation(*input1, *input2);
    value = value < layer->minimum ? layer->minimum : value;
    *output++ = value > layer->maximum ? layer->maximum : value;
    input1 += layer->loops.stride1[3];
    input2 += layer->loops.stride2[3];
  }
}

void es_pair_s32(const es_pair_int32 *layer, es_int32_operation *operation, const int32_t *input1,
                 const int32_t *input2, int32_t *output) {
  const int32_t *const count = layer->loops.count;
  const int32_t *const stride1 = layer->loops.stride1;
  const int32_t *const stride2 = layer->loops.stride2;
  for (int32_t i = 0; i < count[0]; ++i) {
    for (int32_t j = 0; j < count[1]; ++j) {
      for (int32_t k = 0; k < count[2]; ++k) {
        operate_on_row(layer, operation, input1 + i * stride1[0] + j * stride1[1] + k * stride1[2],
                       input2 + i * stride2[0] + j * stride2[1] + k * stride2[2], output);
        output += count[3];
      }
    }
  }
}
