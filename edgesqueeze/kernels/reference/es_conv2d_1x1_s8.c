/* 1x1 convolution, int8, portable.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "es_conv.h"
#include "es_conv2d_pair_s8.h"

void es_conv2d_1x1_s8(const es_conv2d *layer, const int8_t *input, int8_t *output, void *scratch) {
  const int32_t taps = layer->in_channels;
  const int32_t out_channels = layer->out_channels;
  const int32_t pitch = es_conv2d_pitch(layer);
  es_channel *const channels = (es_channel *)scratch;
  int8_t *const copy = (int8_t *)&channels[out_channels];
  es_conv2d_pair pair = {layer->weights, copy, taps, channels, output, output, out_channels};
  es_unpack_channels(&layer->channels, 0, out_channels, channels);
  for (int32_t left = layer->out_height * layer->out_width; left > 0; left -= 2) {
    es_conv2d_spread_s8(input, taps, copy);
    pair.first = output;
    pair.second = output;
    if (left > 1) {
      es_conv2d_spread_s8(input + taps, taps, copy + 4);
      pair.second = output + pitch;
    }
    es_conv2d_pair_s8(&pair);
    input += 2 * taps;
    output += 2 * pitch;
  }
}

int32_t es_conv2d_1x1_s8_scratch_bytes(const es_conv2d *layer) {
  return (int32_t)sizeof(es_channel) * layer->out_channels + es_conv2d_pair_bytes(layer->in_channels, 2);
}
