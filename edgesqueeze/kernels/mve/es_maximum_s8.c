/* The larger of two tensors of any shapes, int8, with vectors.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "es_pairs_mve.h"

static __attribute__((noinline)) void maximum_row(const void *parameters, int32_t count,
                                                  const int8_t *input1, int32_t stride1,
                                                  const int8_t *input2, int32_t stride2,
                                                  int8_t *output) {
  (void)parameters;
  const uint8x16_t offsets1 = es_offsets_16(stride1);
  const uint8x16_t offsets2 = es_offsets_16(stride2);
  for (; count > 0; count -= 16) {
    const mve_pred16_t valid = vctp8q((uint32_t)count);
    const int8x16_t x1 = vldrbq_gather_offset_z_s8(input1, offsets1, valid);
    const int8x16_t x2 = vldrbq_gather_offset_z_s8(input2, offsets2, valid);
    vstrbq_p_s8(output, vmaxq_s8(x1, x2), valid);
    input1 += 16 * stride1;
    input2 += 16 * stride2;
    output += 16;
  }
}

void es_maximum_s8(const es_broadcast *loops, const int8_t *input1, const int8_t *input2,
                   int8_t *output) {
  es_for_all_rows(loops, loops, maximum_row, input1, input2, output);
}
