/* Codes of 1 to 12 bits to weights of two outputs a word.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "es_join_pairs_dsp.h"
#include "es_packed.h"

const uint8_t *es_unpack_huffman_pairs_s8(const uint8_t *first, const uint8_t *stream, int8_t *weights,
                                          int32_t count, void *table) {
  const uint8_t *const next = es_unpack_huffman_s8(first, stream, weights, count, table);
  es_join_pairs_dsp(weights, count);
  return next;
}
