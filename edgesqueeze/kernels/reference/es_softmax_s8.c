/* Softmax of rows, int8, in TensorFlow Lite's fixed-point arithmetic.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "es_softmax_row.h"

void es_softmax_s8(const es_softmax *layer, const int8_t *input, int8_t *output) {
  const int32_t depth = layer->depth;
  for (int32_t row = layer->rows; row > 0; --row) {
    int32_t largest = -128;
    for (int32_t i = 0; i < depth; ++i) {
      largest = input[i] > largest ? input[i] : largest;
    }
    const int32_t smallest = largest + layer->minimum;
    int32_t sum = 0; /* Q12.19 */
    for (int32_t i = 0; i < depth; ++i) {
      if (input[i] >= smallest) {
        sum += es_round_shift(es_exponential(layer, input[i] - largest), 12);
      }
    }
    const es_share share = es_share_of(sum);
    for (int32_t i = 0; i < depth; ++i) {
      int32_t result = -128;
      if (input[i] >= smallest && share.bits <= 31) { /* beyond, all shares round to nothing */
        const int32_t part = es_round_product(share.scale, es_exponential(layer, input[i] - largest));
        result += es_round_shift(part, share.bits);
      }
      output[i] = es_saturate_s8(result);
    }
    input += depth;
    output += depth;
  }
}
