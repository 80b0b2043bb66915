/* Convolution that skips weights of zero, of few values, int8, portable.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "es_sparse_conv_s8.h"
#include "es_sparse_window_s8.h"

static const uint8_t *add_channel(const uint8_t *stream, const int8_t *values, const int16_t *window, int32_t *sum) {
  int32_t bytes = stream[0] | stream[1] << 8;
  stream += 2;
  for (; bytes > 0; --bytes) {
    const int32_t byte = *stream++;
    window += byte >> 4;
    *sum += values[byte & 15] * *window++;
  }
  return stream;
}

int32_t es_sparse_conv2d_s8_scratch_bytes(const es_sparse_conv2d *sparse) {
  return es_sparse_conv_bytes(&sparse->layer);
}

void es_sparse_conv2d_s8(const es_sparse_conv2d *sparse, const int8_t *input, int8_t *output, void *scratch) {
  es_unpack_channels(&sparse->layer.channels, 0, sparse->layer.out_channels, (es_channel *)scratch);
  es_sparse_conv(&sparse->layer, sparse->stream + ES_SPARSE_VALUES, (const int8_t *)sparse->stream, input, output,
                 scratch, add_channel);
}
