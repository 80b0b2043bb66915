/* Fully connected layer that skips weights of zero, int8, portable.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "es_scale_s8.h"
#include "es_sparse_s8.h"

enum { BLOCK = 8 /* channels that are unpacked together */ };

int32_t es_sparse_fully_connected_s8_scratch_bytes(const es_sparse_fully_connected *sparse) {
  (void)sparse;
  return BLOCK * (int32_t)sizeof(es_channel);
}

void es_sparse_fully_connected_s8(const es_sparse_fully_connected *sparse, const int8_t *input, int8_t *output,
                                  void *scratch) {
  es_channel *const channels = (es_channel *)scratch;
  const int8_t *const values = (const int8_t *)sparse->stream;
  const uint8_t *stream = sparse->stream + ES_SPARSE_VALUES;
  for (int32_t first = 0; first < sparse->layer.out_features; first += BLOCK) {
    const int32_t left = sparse->layer.out_features - first;
    const int32_t count = left < BLOCK ? left : BLOCK;
    es_unpack_channels(&sparse->layer.channels, first, count, channels);
    for (const es_channel *channel = channels; channel != channels + count; ++channel) {
      const int8_t *next = input;
      const uint8_t *const end = stream + 2 + (stream[0] | stream[1] << 8);
      int32_t sum = channel->bias;
      for (stream += 2; stream != end; ++stream) {
        const uint32_t byte = *stream;
        next += byte >> 4;
        sum += values[byte & 15u] * *next++;
      }
      *output++ = es_scale_s8(sum, channel);
    }
  }
}
