/* Convolution that skips weights of zero, int8, portable.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "es_sparse_window_s8.h"

/* The outputs of one pixel. */
static void compute_pixel(const es_sparse_conv2d *sparse, const int16_t *window, const es_channel *channels,
                          int8_t *output) {
  const int8_t *const values = (const int8_t *)sparse->stream;
  const uint8_t *stream = sparse->stream + ES_SPARSE_VALUES;
  for (int32_t i = 0; i < sparse->layer.out_channels; ++i) {
    const int16_t *next = window;
    int32_t sum = channels[i].bias;
    int32_t bytes = stream[0] | stream[1] << 8;
    stream += 2;
    for (; bytes > 0; --bytes) {
      const int32_t byte = *stream++;
      next += byte >> 4;
      sum += values[byte & 15] * *next++;
    }
    output[i] = es_requantize_s8(sum, &channels[i]);
  }
}

int32_t es_sparse_conv2d_s8_scratch_bytes(const es_sparse_conv2d *sparse) {
  return (int32_t)sizeof(es_channel) * sparse->layer.out_channels +
         (int32_t)sizeof(int16_t) * es_sparse_taps(&sparse->layer);
}

void es_sparse_conv2d_s8(const es_sparse_conv2d *sparse, const int8_t *input, int8_t *output, void *scratch) {
  const es_conv2d *const layer = &sparse->layer;
  es_channel *const channels = (es_channel *)scratch;
  int16_t *const window = (int16_t *)(channels + layer->out_channels);
  es_unpack_channels(&layer->channels, 0, layer->out_channels, channels);
  for (int32_t y = 0; y < layer->out_height; ++y) {
    for (int32_t x = 0; x < layer->out_width; ++x) {
      const int32_t top = y * layer->stride_height - layer->pad_top;
      const int32_t left = x * layer->stride_width - layer->pad_left;
      es_sparse_window_s8(layer, input, top, left, window);
      compute_pixel(sparse, window, channels, output);
      output += layer->out_channels;
    }
  }
}
