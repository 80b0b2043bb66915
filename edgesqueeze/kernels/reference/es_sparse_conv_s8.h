/* Convolutions that skip weights of zero, portable: all but how the weights of an output channel are read.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ES_SPARSE_CONV_S8_H
#define ES_SPARSE_CONV_S8_H

#include "es_sparse_window_s8.h"

/* Adds an output channel's products to a sum, and returns where the next channel's weights begin. */
typedef const uint8_t *es_sparse_sum(const uint8_t *stream, const int8_t *values, const int16_t *window, int32_t *sum);

static inline int32_t es_sparse_conv_bytes(const es_conv2d *layer) {
  return (int32_t)sizeof(es_channel) * layer->out_channels + (int32_t)sizeof(int16_t) * es_sparse_taps(layer);
}

/* Computes a layer; its channels stand unpacked in front of the scratch memory. */
static inline void es_sparse_conv(const es_conv2d *layer, const uint8_t *stream, const int8_t *values,
                                  const int8_t *input, int8_t *output, void *scratch, es_sparse_sum *add) {
  const es_channel *const channels = (const es_channel *)scratch;
  int16_t *const window = (int16_t *)((es_channel *)scratch + layer->out_channels);
  for (int32_t y = 0; y < layer->out_height; ++y) {
    for (int32_t x = 0; x < layer->out_width; ++x) {
      const uint8_t *next = stream;
      es_sparse_window_s8(layer, input, y * layer->stride_height - layer->pad_top,
                          x * layer->stride_width - layer->pad_left, window);
      for (int32_t i = 0; i < layer->out_channels; ++i) {
        int32_t sum = channels[i].bias;
        next = add(next, values, window, &sum);
        *output++ = es_requantize_s8(sum, &channels[i]);
      }
    }
  }
}

#endif /* ES_SPARSE_CONV_S8_H */
