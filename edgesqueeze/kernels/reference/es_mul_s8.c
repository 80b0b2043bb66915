/* Product of two tensors of any shapes, int8.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "es_elementwise.h"

static __attribute__((noinline)) void multiply_row(const void *parameters, int32_t count,
                                                   const int8_t *input1, int32_t stride1,
                                                   const int8_t *input2, int32_t stride2,
                                                   int8_t *output) {
  const es_mul layer = *(const es_mul *)parameters;
  for (; count > 0; --count) {
    const int32_t product = (*input1 - layer.zero_point1) * (*input2 - layer.zero_point2);
    *output++ =
        es_saturate_s8(es_apply_multiplier(product, &layer.scale) + layer.output_zero_point);
    input1 += stride1;
    input2 += stride2;
  }
}

void es_mul_s8(const es_mul *layer, const int8_t *input1, const int8_t *input2, int8_t *output) {
  es_for_all_rows(&layer->loops, layer, multiply_row, input1, input2, output);
}
