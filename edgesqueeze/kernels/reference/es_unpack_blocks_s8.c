/* Blocks of 4-bit indices to the blocks that es_conv2d_blocks_s8 reads.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "es_blocks_s8.h"
#include "es_pair_table.h"

const uint8_t *es_unpack_blocks_s8(const uint8_t *first, const uint8_t *stream, int8_t *weights, int32_t count,
                                   void *table) {
  uint32_t bytes[2]; /* of the indices, of the skips */
  (void)count;
  if (stream == first) {
    es_pair_table_dsp((const int8_t *)stream, (uint16_t *)table);
    stream += ES_PALETTE_VALUES;
  }
  memcpy(bytes, stream, sizeof bytes);
  stream += sizeof bytes;
  const int32_t end = ES_BLOCKS_HEAD + 2 * (int32_t)bytes[0];
  memcpy(weights, &end, sizeof end);
  es_unpack_indices(stream, (const uint16_t *)table, (uint16_t *)(void *)(weights + ES_BLOCKS_HEAD),
                    (int32_t)bytes[0]);
  stream += bytes[0];
  memcpy(weights + end, stream, bytes[1]);
  return stream + bytes[1];
}
