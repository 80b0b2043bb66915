/* Fully connected layer with any scale, int8, portable: plain loops.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "es_general.h"

void es_fully_connected_general_s8(const es_fully_connected_general *layer, const int8_t *input,
                                   int8_t *output) {
  const int8_t *weights = layer->weights;
  for (int32_t i = 0; i < layer->out_features; ++i, weights += layer->in_features) {
    uint32_t sum = 0;
    for (int32_t k = 0; k < layer->in_features; ++k) {
      sum += (uint32_t)((input[k] - layer->input_zero_point) * weights[k]);
    }
    output[i] = es_requantize_general_s8(sum, &layer->requantization, i);
  }
}
