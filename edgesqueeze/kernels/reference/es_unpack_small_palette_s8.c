/* 3-bit indices to weights.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "es_pair_table.h"

/* Entries of the weight of the upper index in the upper byte. */
static void fill(const int8_t *values, uint16_t *table) {
  for (int32_t upper = 0; upper < ES_SMALL_PALETTE_VALUES; ++upper) {
    for (int32_t lower = 0; lower < ES_SMALL_PALETTE_VALUES; ++lower) {
      *table++ = (uint16_t)((uint32_t)(uint8_t)values[upper] << 8 | (uint8_t)values[lower]);
    }
  }
}

const uint8_t *es_unpack_small_palette_s8(const uint8_t *first, const uint8_t *stream, int8_t *weights, int32_t count,
                                          void *table) {
  if (stream == first) {
    fill((const int8_t *)stream, (uint16_t *)table);
    stream += ES_SMALL_PALETTE_VALUES;
  }
  return es_unpack_small_indices(stream, (const uint16_t *)table, weights, count);
}
