/* Parametric rectifier, int8.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "es_elementwise.h"

static __attribute__((noinline)) void rectify_row(const void *parameters, int32_t count,
                                                  const int8_t *input1, int32_t stride1,
                                                  const int8_t *input2, int32_t stride2,
                                                  int8_t *output) {
  const es_prelu layer = *(const es_prelu *)parameters;
  for (; count > 0; --count) {
    const int32_t value = *input1 - layer.zero_point1;
    const int32_t slope = *input2 - layer.zero_point2;
    const int32_t scaled = value >= 0 ? es_apply_multiplier(value, &layer.scale_positive)
                                      : es_apply_multiplier(value * slope, &layer.scale_negative);
    *output++ = es_saturate_s8(scaled + layer.output_zero_point);
    input1 += stride1;
    input2 += stride2;
  }
}

void es_prelu_s8(const es_prelu *layer, const int8_t *input1, const int8_t *input2,
                 int8_t *output) {
  es_for_all_rows(&layer->loops, layer, rectify_row, input1, input2, output);
}
