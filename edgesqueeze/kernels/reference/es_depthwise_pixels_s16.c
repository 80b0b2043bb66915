/* A depthwise convolution of int16, pixel by pixel: es_depthwise_pixel_s16 computes each, and is each set's own.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "es_s16.h"

void es_depthwise_pixels_s16(const es_conv2d_wide *layer, const int16_t *input, int16_t *output) {
  for (int32_t y = 0; y < layer->out_height; ++y) {
    const int32_t top = y * layer->stride_height - layer->pad_top;
    es_taps_s16 inside;
    inside.top = es_taps_before(0, top, layer->dilation_height, layer->kernel_height);
    inside.bottom = es_taps_before(layer->in_height, top, layer->dilation_height, layer->kernel_height);
    for (int32_t x = 0; x < layer->out_width; ++x, output += layer->out_channels) {
      const int32_t left = x * layer->stride_width - layer->pad_left;
      inside.left = es_taps_before(0, left, layer->dilation_width, layer->kernel_width);
      inside.right = es_taps_before(layer->in_width, left, layer->dilation_width, layer->kernel_width);
      es_depthwise_pixel_s16(layer, input + (top * layer->in_width + left) * layer->in_channels, &inside, output);
    }
  }
}
