/* Softmax of rows, int8, with exponentials from a table; otherwise as es_softmax_s8.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "es_softmax_row.h"

static int32_t largest_of(const int8_t *input, int32_t count) {
  int32_t largest = -128;
  for (; count > 0; --count) {
    const int32_t value = *input++;
    largest = value > largest ? value : largest;
  }
  return largest;
}

void es_softmax_table_s8(const es_softmax_table *layer, const int8_t *input, int8_t *output) {
  const int32_t depth = layer->depth, farthest = layer->farthest;
  const int32_t *const exponentials = layer->exponentials;
  for (int32_t row = layer->rows; row > 0; --row, input += depth, output += depth) {
    const int32_t largest = largest_of(input, depth);
    int32_t sum = 0; /* Q12.19 */
    for (int32_t i = 0; i < depth; ++i) {
      const int32_t below = largest - input[i];
      sum += below <= farthest ? es_round_shift(exponentials[below], 12) : 0;
    }
    const es_share share = es_share_of(sum);
    for (int32_t i = 0; i < depth; ++i) {
      const int32_t below = largest - input[i];
      int32_t result = -128;
      if (below <= farthest && share.bits <= 31) { /* beyond, all shares round to nothing */
        result += es_round_shift(es_round_product(share.scale, exponentials[below]), share.bits);
      }
      output[i] = es_saturate_s8(result);
    }
  }
}
