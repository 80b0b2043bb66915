/* Runs of zeros and 4-bit indices to weights, for MVE: 16 bytes at a time.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A weight's place is the sum of the runs up to it, with a place for every weight: a prefix sum, by adding what is
 * 1, 2, 4 and 8 lanes lower. 16 bytes reach 256 places at most.
 */
#include <arm_mve.h>
#include <string.h>

#include "es_pair_table.h"

enum { TOGETHER = 16 };

/* What is so many bytes lower in the vector; zeros in the lowest lanes. Up to 4 bytes in one instruction. */
static inline uint8x16_t one_lower(uint8x16_t vector) {
  uint32_t carry = 0;
  return vshlcq_u8(vector, &carry, 8);
}

static inline uint8x16_t two_lower(uint8x16_t vector) {
  uint32_t carry = 0;
  return vshlcq_u8(vector, &carry, 16);
}

static inline uint8x16_t four_lower(uint8x16_t vector) {
  uint32_t carry = 0;
  return vshlcq_u8(vector, &carry, 32);
}

const uint8_t *es_unpack_runs_s8(const uint8_t *first, const uint8_t *stream, int8_t *weights, int32_t count,
                                 void *table) {
  uint32_t bytes;
  (void)table;
  if (stream == first) {
    stream += ES_PALETTE_VALUES;
  }
  memcpy(&bytes, __builtin_assume_aligned(stream, 4), 4);
  stream += 4;
  for (int32_t i = 0; i < count; i += TOGETHER) {
    vstrbq_s8(weights + i, vdupq_n_s8(0));
  }
  for (int32_t i = 0; i < (int32_t)bytes; i += TOGETHER) {
    const mve_pred16_t valid = vctp8q(bytes - (uint32_t)i);
    const uint8x16_t byte = vldrbq_z_u8(stream + i, valid);
    const uint8x16_t value = vldrbq_gather_offset_u8(first, vandq_u8(byte, vdupq_n_u8(15)));
    uint8x16_t place = vaddq_n_u8(vshrq_n_u8(byte, 4), 1); /* of the next weight */
    place = vaddq_u8(place, one_lower(place));
    place = vaddq_u8(place, two_lower(place));
    place = vaddq_u8(place, four_lower(place));
    place = vaddq_u8(place, four_lower(four_lower(place)));
    vstrbq_scatter_offset_p_u8((uint8_t *)weights, vsubq_n_u8(place, 1), value, valid);
    const uint32_t reached = vgetq_lane_u8(place, TOGETHER - 1);
    weights += reached == 0 ? 256 : reached; /* 256 does not fit into a lane */
  }
  return stream + es_whole_words((int32_t)bytes);
}
