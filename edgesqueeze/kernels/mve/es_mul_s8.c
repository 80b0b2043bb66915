/* Product of two tensors of any shapes, int8, with vectors.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "es_pairs_mve.h"

static __attribute__((noinline)) void multiply_row(const void *parameters, int32_t count,
                                                   const int8_t *input1, int32_t stride1,
                                                   const int8_t *input2, int32_t stride2,
                                                   int8_t *output) {
  const es_mul layer = *(const es_mul *)parameters;
  const uint32x4_t offsets1 = es_offsets_4(stride1);
  const uint32x4_t offsets2 = es_offsets_4(stride2);
  for (; count > 0; count -= 4) {
    const mve_pred16_t valid = vctp32q((uint32_t)count);
    const int32x4_t x1 = es_load_4(input1, offsets1, layer.zero_point1, valid);
    const int32x4_t x2 = es_load_4(input2, offsets2, layer.zero_point2, valid);
    es_store_4(output, es_apply_multiplier_4(vmulq_s32(x1, x2), &layer.scale),
               layer.output_zero_point, valid);
    input1 += 4 * stride1;
    input2 += 4 * stride2;
    output += 4;
  }
}

void es_mul_s8(const es_mul *layer, const int8_t *input1, const int8_t *input2, int8_t *output) {
  es_for_all_rows(&layer->loops, layer, multiply_row, input1, input2, output);
}
