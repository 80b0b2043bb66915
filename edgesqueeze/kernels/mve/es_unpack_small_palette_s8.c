/* 3-bit indices to weights, for MVE: 64 at a time.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <arm_mve.h>
#include <string.h>

#include "es_pair_table.h"

enum { TOGETHER = 64, VECTOR = 16, UPPER = 4 /* what the third bit of an index counts */ };

/* 16 weights from the lower two bits of their indices and from the third ones. */
static inline void unpack(const uint8_t *values, uint8x16_t lower, uint16_t upper, int8_t *weights) {
  const uint8x16_t index = vaddq_m_n_u8(lower, lower, UPPER, upper);
  vstrbq_u8((uint8_t *)weights, vldrbq_gather_offset_u8(values, index));
}

const uint8_t *es_unpack_small_palette_s8(const uint8_t *first, const uint8_t *stream, int8_t *weights, int32_t count,
                                          void *table) {
  const uint8x16_t two_bits = vdupq_n_u8(3);
  (void)table;
  if (stream == first) {
    stream += ES_SMALL_PALETTE_VALUES;
  }
  for (; count > 0; count -= TOGETHER) {
    const uint8x16_t lower = vldrbq_u8(stream);
    uint16_t upper[TOGETHER / VECTOR];
    memcpy(upper, __builtin_assume_aligned(stream + VECTOR, 4), sizeof upper);
    unpack(first, vandq_u8(lower, two_bits), upper[0], weights);
    unpack(first, vandq_u8(vshrq_n_u8(lower, 2), two_bits), upper[1], weights + VECTOR);
    if (count > 2 * VECTOR) {
      unpack(first, vandq_u8(vshrq_n_u8(lower, 4), two_bits), upper[2], weights + 2 * VECTOR);
      unpack(first, vshrq_n_u8(lower, 6), upper[3], weights + 3 * VECTOR);
    }
    stream += VECTOR + sizeof upper;
    weights += TOGETHER;
  }
  return stream;
}
