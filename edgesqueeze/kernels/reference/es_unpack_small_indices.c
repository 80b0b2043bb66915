/* Pairs of 3-bit indices to the two weights.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A word holds five pairs and two bits of one more; three words, which hold 32 weights, are taken together.
 */
#include <string.h>

#include "es_next_bit.h"
#include "es_pair_table.h"

enum { TOGETHER = 32, WORDS = 3, PAIRS = 5, PAIR_BITS = 6, PAIR = 63 };

#if ES_HAS_CLZ

/* The entries of a pair and of the one `bits` higher. */
static inline uint32_t two(const uint16_t *table, uint32_t word, int32_t bits) {
  return table[word & PAIR] | (uint32_t)table[word >> bits & PAIR] << 16;
}

static inline void unpack(const uint32_t words[WORDS], const uint16_t *table, uint16_t *weights) {
  uint32_t *const to = (uint32_t *)(void *)weights;
  const uint32_t a = words[0], b = words[1], c = words[2];
  const uint32_t last = a >> 30 | b >> 30 << 2 | c >> 30 << 4;
  to[0] = two(table, a, PAIR_BITS);
  to[1] = two(table, a >> 2 * PAIR_BITS, PAIR_BITS);
  to[2] = table[a >> 4 * PAIR_BITS & PAIR] | (uint32_t)table[b & PAIR] << 16;
  to[3] = two(table, b >> PAIR_BITS, PAIR_BITS);
  to[4] = two(table, b >> 3 * PAIR_BITS, PAIR_BITS);
  to[5] = two(table, c, PAIR_BITS);
  to[6] = two(table, c >> 2 * PAIR_BITS, PAIR_BITS);
  to[7] = table[c >> 4 * PAIR_BITS & PAIR] | (uint32_t)table[last] << 16;
}

#else /* cores that cannot take bits out of a word in one instruction */

/* The entry of a pair whose lowest bit is bit 1. */
static inline uint16_t entry(const uint16_t *table, uint32_t twice) {
  return *(const uint16_t *)(const void *)((const uint8_t *)table + (twice & 2 * PAIR));
}

static inline void unpack(const uint32_t words[WORDS], const uint16_t *table, uint16_t *weights) {
  uint32_t last = 0;
  for (int32_t i = 0; i < WORDS; ++i, weights += PAIRS) {
    const uint32_t word = words[i];
    weights[0] = entry(table, word << 1);
    weights[1] = entry(table, word >> 5);
    weights[2] = entry(table, word >> 11);
    weights[3] = entry(table, word >> 17);
    weights[4] = entry(table, word >> 23);
    last = last >> 2 | word >> 30 << 5;
  }
  *weights = entry(table, last);
}

#endif

const uint8_t *es_unpack_small_indices(const uint8_t *indices, const uint16_t *table, int8_t *weights,
                                       int32_t count) {
  for (; count > 0; count -= TOGETHER, indices += 4 * WORDS, weights += TOGETHER) {
    uint32_t words[WORDS];
    memcpy(words, __builtin_assume_aligned(indices, 4), sizeof words);
    unpack(words, table, (uint16_t *)(void *)weights);
  }
  return indices;
}
