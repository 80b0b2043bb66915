/* Softmax of rows, float32.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "es_real.h"

void es_softmax_f32(const es_softmax_real *layer, const float *input, float *output) {
  const int32_t depth = layer->depth;
  for (int32_t row = layer->rows; row > 0; --row, input += depth, output += depth) {
    float largest = input[0], sum = 0.0f;
    for (int32_t i = 1; i < depth; ++i) {
      largest = input[i] > largest ? input[i] : largest;
    }
    for (int32_t i = 0; i < depth; ++i) {
      const float share = expf((input[i] - largest) * layer->beta);
      output[i] = share;
      sum += share;
    }
    for (int32_t i = 0; i < depth; ++i) {
      output[i] = output[i] / sum;
    }
  }
}
