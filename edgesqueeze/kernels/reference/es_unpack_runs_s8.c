/* Runs of zeros and 4-bit indices to weights.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "es_pair_table.h"

const uint8_t *es_unpack_runs_s8(const uint8_t *first, const uint8_t *stream, int8_t *weights, int32_t count,
                                 void *table) {
  const int8_t *const values = (const int8_t *)first;
  uint32_t bytes;
  (void)table;
  if (stream == first) {
    stream += ES_PALETTE_VALUES;
  }
  memcpy(&bytes, __builtin_assume_aligned(stream, 4), 4);
  stream += 4;
  memset(weights, 0, (size_t)count);
  const uint8_t *const end = stream + bytes;
  while (stream != end) {
    const uint32_t byte = *stream++;
    weights += byte >> 4;
    *weights++ = values[byte & 15u];
  }
  return stream + (-bytes & 3u);
}
