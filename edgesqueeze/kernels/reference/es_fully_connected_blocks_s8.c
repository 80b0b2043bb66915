/* Fully connected layer that skips blocks of zeros, 4 outputs x 1 input, int8, portable.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "es_blocks_s8.h"

/* Adds the products of two inputs with the weights of two outputs each, whose words they share. */
static void add_products(const int8_t *words, int32_t a, int32_t b, int32_t sums[2]) {
  int16_t pair[2];
  memcpy(pair, words, sizeof pair);
  for (int32_t i = 0; i < 2; ++i) {
    const int32_t value = i == 0 ? a : b;
    const int32_t odd = ((pair[i] & 0xFF) ^ 0x80) - 0x80;
    sums[0] += (pair[i] - odd) / 256 * value;
    sums[1] += odd * value;
  }
}

int32_t es_fully_connected_blocks_s8_scratch_bytes(const es_fully_connected *layer) {
  (void)layer;
  return 0;
}

void es_fully_connected_blocks_s8(const es_fully_connected *layer, const int8_t *input, int8_t *output,
                                  void *scratch) {
  const int32_t outputs = layer->out_features;
  const int8_t *words = es_blocks_words(layer->weights);
  const uint8_t *places = es_blocks_skips(layer->weights);
  (void)scratch;
  for (int32_t first = 0; first < outputs; first += ES_DENSE_OUTPUTS) {
    int32_t sums[ES_DENSE_OUTPUTS] = {0, 0, 0, 0};
    for (int32_t start = 0; start < layer->in_features; start += ES_DENSE_SEGMENT) {
      for (int32_t left = *places++; left > 0; --left, places += 2, words += ES_BLOCKS_WORD_BYTES) {
        const int32_t a = input[start + places[0]];
        const int32_t b = input[start + places[1]];
        add_products(words, a, b, sums);
        add_products(words + 4, a, b, sums + 2);
      }
    }
    for (int32_t i = 0; i < ES_DENSE_OUTPUTS && first + i < outputs; ++i) {
      es_channel channel;
      es_unpack_channels(&layer->channels, first + i, 1, &channel);
      *output++ = es_requantize_s8(sums[i] + channel.bias, &channel);
    }
  }
}
