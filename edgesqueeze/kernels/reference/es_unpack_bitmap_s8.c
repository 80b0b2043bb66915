/* A bitmap and the nonzero weights to weights.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "es_next_bit.h"
#include "es_pair_table.h"

enum { WORD = 32 };

const uint8_t *es_unpack_bitmap_s8(const uint8_t *first, const uint8_t *stream, int8_t *weights, int32_t count,
                                   void *table) {
  const uint8_t *const map = stream;
  const int32_t map_bytes = (count + WORD - 1) / WORD * 4;
  const uint8_t *values = stream + map_bytes;
  (void)first;
  (void)table;
  memset(weights, 0, (size_t)count);
  for (int32_t i = 0; i < map_bytes; i += 4, weights += WORD) {
    uint32_t bits;
    memcpy(&bits, __builtin_assume_aligned(map + i, 4), 4);
#if ES_HAS_CLZ
    while (bits != 0) {
      const int32_t place = __builtin_clz(bits);
      weights[place] = (int8_t)*values++;
      bits &= ~(UINT32_C(0x80000000) >> place);
    }
#else
    for (int8_t *to = weights; bits != 0; ++to, bits <<= 1) {
      if ((bits & UINT32_C(0x80000000)) != 0) {
        *to = (int8_t)*values++;
      }
    }
#endif
  }
  return stream + es_whole_words((int32_t)(values - stream));
}
