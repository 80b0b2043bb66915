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
    /* The sum is 2^(12 - zeros) * (1 + x), because the largest value alone gives 1. */
    int32_t zeros = 0;
    while (((uint32_t)sum << zeros) < UINT32_C(0x80000000)) {
      ++zeros;
    }
    const int32_t scale =
        es_reciprocal_of_one_plus((int32_t)(((uint32_t)sum << zeros) - UINT32_C(0x80000000)));
    const int32_t bits = 12 - zeros + 31 - 8;
    for (int32_t i = 0; i < depth; ++i) {
      int32_t result = -128;
      if (input[i] >= smallest && bits <= 31) { /* beyond, all shares round to nothing */
        result += es_round_shift(es_round_product(scale, es_exponential(layer, input[i] - largest)), bits);
      }
      output[i] = es_saturate_s8(result);
    }
    input += depth;
    output += depth;
  }
}
