/* Fully connected layer that skips blocks of zeros, 4 outputs x 1 input, int8, portable.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "es_blocks_s8.h"

int32_t es_fully_connected_columns_s8_scratch_bytes(const es_fully_connected *layer) {
  (void)layer;
  return 0;
}

void es_fully_connected_columns_s8(const es_fully_connected *layer, const int8_t *input, int8_t *output,
                                   void *scratch) {
  const int32_t outputs = layer->out_features;
  const int8_t *weights = es_blocks_words(layer->weights);
  const uint8_t *places = es_blocks_skips(layer->weights);
  (void)scratch;
  for (int32_t first = 0; first < outputs; first += ES_DENSE_OUTPUTS) {
    int32_t sums[ES_DENSE_OUTPUTS] = {0, 0, 0, 0};
    for (int32_t base = 0; base < layer->in_features; base += ES_COLUMNS_SEGMENT) {
      const int32_t count = *places++;
      for (int32_t i = 0; i < ES_DENSE_OUTPUTS; ++i) {
        for (int32_t k = 0; k < count; ++k) {
          sums[i] += *weights++ * input[base + places[k]];
        }
      }
      places += count;
    }
    for (int32_t i = 0; i < ES_DENSE_OUTPUTS && first + i < outputs; ++i) {
      es_channel channel;
      es_unpack_channels(&layer->channels, first + i, 1, &channel);
      *output++ = es_requantize_s8(sums[i] + channel.bias, &channel);
    }
  }
}
