/* Fully connected layer that skips weights of zero, int8, portable.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "es_sparse_window_s8.h"

int32_t es_sparse_fully_connected_s8_scratch_bytes(const es_sparse_fully_connected *sparse) {
  (void)sparse;
  return (int32_t)sizeof(es_channel);
}

void es_sparse_fully_connected_s8(const es_sparse_fully_connected *sparse, const int8_t *input, int8_t *output,
                                  void *scratch) {
  es_channel *const channel = (es_channel *)scratch;
  const int8_t *const values = (const int8_t *)sparse->stream;
  const uint8_t *stream = sparse->stream + ES_SPARSE_VALUES;
  for (int32_t i = 0; i < sparse->layer.out_features; ++i) {
    const int8_t *next = input;
    int32_t bytes = stream[0] | stream[1] << 8;
    int32_t sum = 0;
    stream += 2;
    for (; bytes > 0; --bytes) {
      const int32_t byte = *stream++;
      next += byte >> 4;
      sum += values[byte & 15] * *next++;
    }
    es_unpack_channels(&sparse->layer.channels, i, 1, channel);
    output[i] = es_requantize_s8(sum + channel->bias, channel);
  }
}
