/* 2-D convolution, int8, for MVE.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Four pixels at a time are multiplied by all output channels. Weights are packed as es_multiply_s8.h
 * describes; an output channel's weights are ordered column by column, in a column row by row.
 */
#include "es_columns_s8.h"
#include "es_conv_window_mve.h"
#include "es_multiply_s8.h"

static inline int32_t batch_of(int32_t taps) {
  return taps <= 64 ? 16 : (taps <= 160 ? 8 : 4);
}

/* What the multiplication needs besides the pixels. */
typedef struct {
  es_multiply block;
  const es_conv2d *layer;
  int8_t *staging;
} dense_pixels;

static inline void multiply(void *context, const int8_t **list, int32_t count, int8_t *output) {
  dense_pixels *const work = (dense_pixels *)context;
  es_multiply_pixels(&work->block, work->layer, list, count, output, work->staging);
}

void es_conv2d_s8(const es_conv2d *layer, const int8_t *input, int8_t *output, void *scratch) {
  es_channel *const channels = (es_channel *)scratch;
  int8_t *const inputs = (int8_t *)&channels[layer->out_channels];
  const int32_t taps = taps_of(layer);
  const int32_t batch = batch_of(taps);
  dense_pixels work;
  work.layer = layer;
  work.staging = inputs + inputs_bytes(batch, taps) + places_bytes(layer);
  es_multiply_begin(&work.block, layer, taps, channels);
  es_conv_windows(layer, batch, input, output, inputs, work.block.skip, multiply, &work);
}

int32_t es_conv2d_s8_scratch_bytes(const es_conv2d *layer) {
  const int32_t taps = taps_of(layer);
  const int32_t staging =
      layer->out_channels % 4 == 0 ? 0 : ES_MULTIPLY_PIXELS * layer->out_channels;
  return (int32_t)sizeof(es_channel) * layer->out_channels + inputs_bytes(batch_of(taps), taps) +
         places_bytes(layer) + staging;
}
