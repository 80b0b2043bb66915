/* The part of a bitmap of pairs: the pairs that are not zero, each at its place.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "es_next_bit.h"
#include "es_pair_table.h"

enum { WORD = 32 };

const uint8_t *es_unpack_pairmap(const uint8_t *stream, const uint16_t *table, uint16_t *weights, int32_t pairs) {
  const uint8_t *const map = stream;
  const int32_t map_bytes = (pairs + WORD - 1) / WORD * 4;
  const uint8_t *indices = stream + map_bytes;
  memset(weights, 0, 2 * (size_t)pairs);
  for (int32_t i = 0; i < map_bytes; i += 4, weights += WORD) {
    uint32_t bits;
    memcpy(&bits, __builtin_assume_aligned(map + i, 4), 4);
#if ES_HAS_CLZ
    while (bits != 0) {
      const int32_t place = __builtin_clz(bits);
      weights[place] = table[*indices++];
      bits &= ~(UINT32_C(0x80000000) >> place);
    }
#else
    for (uint16_t *to = weights; bits != 0; ++to, bits <<= 1) {
      if ((bits & UINT32_C(0x80000000)) != 0) {
        *to = table[*indices++];
      }
    }
#endif
  }
  return stream + es_whole_words((int32_t)(indices - stream));
}
