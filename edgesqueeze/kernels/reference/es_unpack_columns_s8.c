/* 4-bit indices to the weights that es_conv2d_columns_s8 reads.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "es_blocks_s8.h"

enum { VALUES_AT = 16 }; /* bytes in front of the values */

const uint8_t *es_unpack_columns_s8(const uint8_t *first, const uint8_t *stream, int8_t *weights, int32_t count,
                                    void *table) {
  const uint8_t *const values = first + VALUES_AT;
  uint32_t sizes[2]; /* weights, bytes of places */
  (void)count;
  memcpy(sizes, stream, sizeof sizes);
  const int32_t end = ES_BLOCKS_HEAD + (int32_t)sizes[0];
  stream = stream == first ? values : stream + sizeof sizes;
  stream = es_unpack_palette_s8(values, stream, weights + ES_BLOCKS_HEAD, (int32_t)sizes[0], table);
  memcpy(weights, &end, sizeof end);
  memcpy(weights + end, stream, sizes[1]);
  return stream + sizes[1];
}
