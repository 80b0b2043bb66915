/* 4-bit indices to weights, for MVE: 32 at a time.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <arm_mve.h>

#include "es_pair_table.h"

enum { TOGETHER = 32 };

const uint8_t *es_unpack_palette_s8(const uint8_t *first, const uint8_t *stream, int8_t *weights, int32_t count,
                                    void *table) {
  const uint8x16_t lower_half = vdupq_n_u8(15);
  (void)table;
  if (stream == first) {
    stream += ES_PALETTE_VALUES;
  }
  for (; count > 0; count -= TOGETHER) {
    const uint8x16_t both = vldrbq_u8(stream);
    vstrbq_u8((uint8_t *)weights, vldrbq_gather_offset_u8(first, vandq_u8(both, lower_half)));
    vstrbq_u8((uint8_t *)weights + 16, vldrbq_gather_offset_u8(first, vshrq_n_u8(both, 4)));
    stream += TOGETHER / 2;
    weights += TOGETHER;
  }
  return stream;
}
