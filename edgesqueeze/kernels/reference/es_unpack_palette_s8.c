/* 4-bit indices to weights.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "es_pair_table.h"

const uint8_t *es_unpack_palette_s8(const uint8_t *first, const uint8_t *stream, int8_t *weights, int32_t count,
                  void *table) {
  const int32_t bytes = es_whole_words((count + 1) / 2);
  if (stream == first) {
    es_pair_table((const int8_t *)stream, (uint16_t *)table);
    stream += ES_PALETTE_VALUES;
  }
  es_unpack_indices(stream, (const uint16_t *)table, (uint16_t *)(void *)weights, bytes);
  return stream + bytes;
}
