/* A bitmap of pairs and 4-bit indices to weights.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "es_pair_table.h"

const uint8_t *es_unpack_pairmap_s8(const uint8_t *first, const uint8_t *stream, int8_t *weights, int32_t count,
                  void *table) {
  if (stream == first) {
    es_pair_table((const int8_t *)stream, (uint16_t *)table);
    stream += ES_PALETTE_VALUES;
  }
  return es_unpack_pairmap(stream, (const uint16_t *)table, (uint16_t *)(void *)weights, (count + 1) / 2);
}
