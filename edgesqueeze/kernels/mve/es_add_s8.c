/* Sum or difference of two tensors of one shape, int8, with vectors: sixteen values at a time.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <arm_mve.h>

#include "es_elementwise.h"

/* Four sums: the values x are 2^23 times an int8, so that doubling and taking the upper half of the
 * products leaves factor * int8 / 2^8. */
static inline int32x4_t add(const es_add *layer, int32x4_t offset, int32x4_t x1, int32x4_t x2) {
  return vqdmlahq_n_s32(vqdmlahq_n_s32(offset, x1, layer->factor1), x2, layer->factor2);
}

/* Sums of the eight values in even or odd places, with the 4 binary places that are left of the 20.
 * Widening takes every other value, and narrowing puts them back. */
static inline int16x8_t add_halves(const es_add *layer, int32x4_t offset, int16x8_t x1,
                                   int16x8_t x2) {
  const int32x4_t even = add(layer, offset, vshllbq_n_s16(x1, 15), vshllbq_n_s16(x2, 15));
  const int32x4_t odd = add(layer, offset, vshlltq_n_s16(x1, 15), vshlltq_n_s16(x2, 15));
  return vqrshrntq_n_s32(vqrshrnbq_n_s32(vreinterpretq_s16_s32(even), even, 16), odd, 16);
}

/* Sixteen sums. */
static inline int8x16_t add_16(const es_add *layer, int32x4_t offset, int8x16_t x1, int8x16_t x2) {
  const int16x8_t even = add_halves(layer, offset, vshllbq_n_s8(x1, 8), vshllbq_n_s8(x2, 8));
  const int16x8_t odd = add_halves(layer, offset, vshlltq_n_s8(x1, 8), vshlltq_n_s8(x2, 8));
  const int8x16_t sums = vqrshrnbq_n_s16(vreinterpretq_s8_s16(even), even, ES_ADD_SHIFT - 16);
  return vqrshrntq_n_s16(sums, odd, ES_ADD_SHIFT - 16);
}

void es_add_s8(const es_add *layer, const int8_t *input1, const int8_t *input2, int8_t *output) {
  const es_add local = *layer; /* a copy that no output can overwrite */
  /* Both narrowing shifts round. What they add is taken off here. */
  const int32x4_t offset = vdupq_n_s32(local.offset - (1 << (ES_ADD_SHIFT - 1)) - (1 << 15));
  int32_t left = local.count;
  for (; left >= 16; left -= 16) {
    vstrbq_s8(output, add_16(&local, offset, vldrbq_s8(input1), vldrbq_s8(input2)));
    input1 += 16;
    input2 += 16;
    output += 16;
  }
  const mve_pred16_t valid = vctp8q((uint32_t)left);
  const int8x16_t sums =
      add_16(&local, offset, vldrbq_z_s8(input1, valid), vldrbq_z_s8(input2, valid));
  vstrbq_p_s8(output, sums, valid);
}
