/* Weights without their blocks of zeros, as kernels read them.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ES_BLOCKS_S8_H
#define ES_BLOCKS_S8_H

#include <string.h>

#include "es_packed.h"

enum {
  ES_BLOCKS_HEAD = 4,       /* bytes in front of the words */
  ES_BLOCKS_WORD_BYTES = 8, /* of a block */
  ES_BLOCKS_SKIP = 3,       /* what a skip counts a block as */
  ES_DENSE_OUTPUTS = 4,     /* of a block of a fully connected layer */
  ES_DENSE_SEGMENT = 256,   /* inputs that a byte tells apart */
  ES_COLUMNS_OUTPUTS = 16,  /* that skip inputs together */
  ES_COLUMNS_SEGMENT = 255  /* inputs of which a byte counts all */
};

/* The words of the blocks, one block after the other. */
static inline const int8_t *es_blocks_words(const int8_t *weights) {
  return weights + ES_BLOCKS_HEAD;
}

/* Of every two outputs the number of their blocks, and their skips; of a fully connected layer the places of inputs. */
static inline const uint8_t *es_blocks_skips(const int8_t *weights) {
  int32_t bytes;
  memcpy(&bytes, weights, sizeof bytes);
  return (const uint8_t *)weights + bytes;
}

#endif /* ES_BLOCKS_S8_H */
