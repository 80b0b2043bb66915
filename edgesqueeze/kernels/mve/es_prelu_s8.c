/* Parametric rectifier, int8, with vectors.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "es_pairs_mve.h"

static __attribute__((noinline)) void rectify_row(const void *parameters, int32_t count,
                                                  const int8_t *input1, int32_t stride1,
                                                  const int8_t *input2, int32_t stride2,
                                                  int8_t *output) {
  const es_prelu layer = *(const es_prelu *)parameters;
  const uint32x4_t offsets1 = es_offsets_4(stride1);
  const uint32x4_t offsets2 = es_offsets_4(stride2);
  for (; count > 0; count -= 4) {
    const mve_pred16_t valid = vctp32q((uint32_t)count);
    const int32x4_t x1 = es_load_4(input1, offsets1, layer.zero_point1, valid);
    const int32x4_t x2 = es_load_4(input2, offsets2, layer.zero_point2, valid);
    const int32x4_t above = es_apply_multiplier_4(x1, &layer.scale_positive);
    const int32x4_t below = es_apply_multiplier_4(vmulq_s32(x1, x2), &layer.scale_negative);
    es_store_4(output, vpselq_s32(above, below, vcmpgeq_n_s32(x1, 0)), layer.output_zero_point,
               valid);
    input1 += 4 * stride1;
    input2 += 4 * stride2;
    output += 4;
  }
}

void es_prelu_s8(const es_prelu *layer, const int8_t *input1, const int8_t *input2,
                 int8_t *output) {
  es_for_all_rows(&layer->loops, layer, rectify_row, input1, input2, output);
}
