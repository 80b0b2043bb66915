/* Codes of 1 to 12 bits to weights: up to three weights at a time.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A table says for the next 8 bits which whole codes they begin with. Longer codes are told apart by their numbers:
 * of one length they follow each other, behind all shorter ones (canonical Huffman codes).
 */
#include <string.h>

#include "es_packed.h"

enum {
  LENGTHS = 12,
  INDEX_BITS = 8,
  MOST = 3, /* weights of an entry */
  HALF = 16,
  TOGETHER = 8 /* weights that two entries may overwrite */
};

/* What the stream's head becomes. */
typedef struct {
  uint32_t entries[1 << INDEX_BITS]; /* bits 30 and 31: weights, none if the code is longer; 24 to 27: their bits; and
                                      * the weights, from the lowest bits on */
  uint32_t last[LENGTHS - INDEX_BITS]; /* of the longer codes of each length the highest, with ones behind it */
  int32_t places[LENGTHS - INDEX_BITS]; /* what is added to such a code to get its value's place in the head */
} code_table;

/* Bits that were read, the next one highest. */
typedef struct {
  const uint16_t *from;
  uint32_t bits;
  int32_t count;
} reader;

static uint32_t *repeat(uint32_t *to, uint32_t entry, int32_t count) {
  for (; count > 0; --count) {
    *to++ = entry;
  }
  return to;
}

/* Calls itself at most twice. Fills the entries for `room` bits behind `known` weights; those that no whole code follows get `entry` itself. */
__attribute__((noinline)) static uint32_t *fill(const uint8_t *head, uint32_t *to, int32_t room, uint32_t entry,
                                                 int32_t known) {
  const uint8_t *value = head + LENGTHS;
  uint32_t *const end = to + (1 << room);
  for (int32_t length = 1; length <= room; ++length) {
    const int32_t left = room - length;
    for (int32_t count = head[length - 1]; count > 0; --count, ++value) {
      const uint32_t weights = (entry & 0xFFFFFFu) | (uint32_t)*value << 8 * known;
      const uint32_t next = weights | (uint32_t)(INDEX_BITS - left) << 24 | (uint32_t)(known + 1) << 30;
      if (known + 1 < MOST && left > 0) {
        to = fill(head, to, left, next, known + 1);
      } else {
        to = repeat(to, next, 1 << left);
      }
    }
  }
  return repeat(to, entry, (int32_t)(end - to));
}

/* Returns where the first part begins. */
static const uint8_t *read_head(const uint8_t *head, code_table *table) {
  uint32_t code = 0;
  int32_t place = LENGTHS;
  fill(head, table->entries, INDEX_BITS, 0, 0);
  for (int32_t length = 1; length <= LENGTHS; ++length) {
    const int32_t count = head[length - 1];
    if (length > INDEX_BITS) {
      table->last[length - INDEX_BITS - 1] = ((code + (uint32_t)count) << (32 - length)) - 1;
      table->places[length - INDEX_BITS - 1] = place - (int32_t)code;
    }
    place += count;
    code = (code + (uint32_t)count) << 1;
  }
  return head + ((place + 3) & ~(int32_t)3);
}

/* Afterwards there are bits for a code of any length, or for two entries. */
static inline void refill(reader *reader) {
  if (reader->count < HALF) {
    reader->bits |= (uint32_t)*reader->from++ << (HALF - reader->count);
    reader->count += HALF;
  }
}

static inline void skip(reader *reader, int32_t bits) {
  reader->bits <<= bits;
  reader->count -= bits;
}

/* The weight of a code that is too long for the table. */
static inline int8_t long_code(const uint8_t *head, const code_table *table, reader *reader) {
  int32_t i = 0;
  while (reader->bits > table->last[i]) {
    ++i;
  }
  const int32_t length = INDEX_BITS + 1 + i;
  const int32_t place = table->places[i] + (int32_t)(reader->bits >> (32 - length));
  skip(reader, length);
  return (int8_t)head[place];
}

/* What is too much is overwritten. */
static inline int8_t *take(reader *reader, uint32_t entry, int8_t *weights) {
#if defined(__arm__) && !defined(__ARM_FEATURE_UNALIGNED)
  weights[0] = (int8_t)(entry & 0xFFu);
  weights[1] = (int8_t)(entry >> 8 & 0xFFu);
  weights[2] = (int8_t)(entry >> 16 & 0xFFu);
#else
  memcpy(weights, &entry, sizeof entry);
#endif
  skip(reader, (int32_t)(entry >> 24 & 15));
  return weights + (entry >> 30);
}

const uint8_t *es_unpack_huffman_s8(const uint8_t *first, const uint8_t *stream, int8_t *weights, int32_t count,
                                    void *table) {
  const code_table *const codes = (const code_table *)table;
  int8_t *const end = weights + count;
  uint32_t bytes;
  if (stream == first) {
    stream = read_head(first, (code_table *)table);
  }
  memcpy(&bytes, __builtin_assume_aligned(stream, 4), 4);
  stream += 4;
  reader reader = {(const uint16_t *)(const void *)stream, 0, 0};
  refill(&reader);
  while (end - weights >= TOGETHER) {
    refill(&reader);
    uint32_t entry = codes->entries[reader.bits >> (32 - INDEX_BITS)];
    if (entry == 0) {
      *weights++ = long_code(first, codes, &reader);
      continue;
    }
    weights = take(&reader, entry, weights);
    entry = codes->entries[reader.bits >> (32 - INDEX_BITS)];
    if (entry != 0) {
      weights = take(&reader, entry, weights);
    }
  }
  while (weights != end) {
    refill(&reader);
    uint32_t entry = codes->entries[reader.bits >> (32 - INDEX_BITS)];
    if (entry == 0) {
      *weights++ = long_code(first, codes, &reader);
      continue;
    }
    skip(&reader, (int32_t)(entry >> 24 & 15));
    for (uint32_t left = entry >> 30; left > 0 && weights != end; --left, entry >>= 8) {
      *weights++ = (int8_t)(entry & 0xFFu);
    }
  }
  return stream + bytes;
}
