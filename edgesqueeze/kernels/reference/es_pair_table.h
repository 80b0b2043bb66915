/* Two weights at a time: a table that has both weights of every two indices of 4 bits, or of 3.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ES_PAIR_TABLE_H
#define ES_PAIR_TABLE_H

#include "es_packed.h"

enum { ES_PALETTE_VALUES = 16, ES_SMALL_PALETTE_VALUES = 8 };

/* Fills a table of 256 entries: the weight of the lower half of the index in the lower byte, that of the upper
 * half in the upper one. */
void es_pair_table(const int8_t *values, uint16_t *table);

/* The same with entries of 256 * (weight of the upper half) + (weight of the lower half). */
void es_pair_table_dsp(const int8_t *values, uint16_t *table);

/* Entries of a table for the bytes of a part, whose length is a multiple of 4. */
void es_unpack_indices(const uint8_t *indices, const uint16_t *table, uint16_t *weights, int32_t bytes);

/* The weights of a part of 3-bit indices, of whole blocks of 32; `weights` are 4-byte aligned. Returns where the stream
 * goes on. */
const uint8_t *es_unpack_small_indices(const uint8_t *indices, const uint16_t *table, int8_t *weights, int32_t count);

/* The part of a pairmap of `pairs` entries. Returns where the stream goes on. */
const uint8_t *es_unpack_pairmap(const uint8_t *stream, const uint16_t *table, uint16_t *weights, int32_t pairs);

/* The next multiple of 4. */
static inline int32_t es_whole_words(int32_t bytes) {
  return (bytes + 3) & ~(int32_t)3;
}

#endif /* ES_PAIR_TABLE_H */
