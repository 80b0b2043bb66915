/* Fully connected layer of some rows, int16 activations and int8 weights.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "es_s16.h"

void es_fully_connected_s16(const es_fully_connected_wide *layer, const int16_t *input, int16_t *output) {
  const int32_t count = layer->in_features;
  for (int32_t row = layer->rows; row > 0; --row, input += count) {
    const int8_t *weights = layer->weights;
    int32_t channel = 0;
    for (; channel + 4 <= layer->out_features; weights += 4 * count) {
      int64_t sums[4] = {0, 0, 0, 0};
      es_dot_4_s16(weights, count, input, count, sums);
      for (int32_t i = 0; i < 4; ++i, ++channel) {
        *output++ = es_requantize_s16(sums[i], &layer->output, channel);
      }
    }
    for (; channel < layer->out_features; ++channel, weights += count) {
      *output++ = es_requantize_s16(es_dot_s16(weights, input, count), &layer->output, channel);
    }
  }
}
