/* Square of the difference of two tensors of any shapes, int8.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "es_elementwise.h"

static __attribute__((noinline)) void square_row(const void *parameters, int32_t count,
                                                 const int8_t *input1, int32_t stride1,
                                                 const int8_t *input2, int32_t stride2,
                                                 int8_t *output) {
  const es_squared_difference layer = *(const es_squared_difference *)parameters;
  for (; count > 0; --count) {
    const int32_t first = es_apply_multiplier(*input1 - layer.zero_point1, &layer.scale1);
    const int32_t second = es_apply_multiplier(*input2 - layer.zero_point2, &layer.scale2);
    const int32_t difference = first - second;
    const int32_t scaled = es_apply_multiplier(difference * difference, &layer.scale_output);
    *output++ = es_saturate_s8(scaled + layer.output_zero_point);
    input1 += stride1;
    input2 += stride2;
  }
}

void es_squared_difference_s8(const es_squared_difference *layer, const int8_t *input1,
                              const int8_t *input2, int8_t *output) {
  es_for_all_rows(&layer->loops, layer, square_row, input1, input2, output);
}
