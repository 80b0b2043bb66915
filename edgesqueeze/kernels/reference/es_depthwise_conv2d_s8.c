/* Depthwise convolution, any kernel, int8, portable.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Weights: channel after channel, each row by row.
 */
#include "es_conv.h"
#include "es_depthwise_tiles_s8.h"
#include "es_scale_s8.h"

/* Two neighbouring pixels at a time, so that a weight is loaded once for both. The last pixel of an odd number
 * is computed twice. */
static void compute(const es_conv2d *layer, es_depthwise_strip *strip) {
  const int32_t tap_step = layer->dilation_width * ES_DEPTHWISE_TILE;
  const int32_t tap_row_step = layer->dilation_height * strip->pitch;
  const int32_t pixel_step = layer->stride_width * ES_DEPTHWISE_TILE;
  const int32_t kernel_height = layer->kernel_height, kernel_width = layer->kernel_width;
  const es_channel channel = strip->channel;
  int8_t *output = strip->output;
  for (int32_t y = 0; y < strip->rows; ++y) {
    const int8_t *window = strip->inputs + y * strip->row_step;
    for (int32_t left = strip->columns; left > 0; left -= 2) {
      const int32_t next = left > 1 ? 1 : 0;
      const int8_t *weights = strip->weights;
      const int8_t *row = window;
      int32_t first = channel.bias, second = channel.bias;
      for (int32_t i = kernel_height; i > 0; --i) {
        const int8_t *inputs = row;
        for (int32_t j = kernel_width; j > 0; --j) {
          const int32_t weight = *weights++;
          first += weight * inputs[0];
          second += weight * inputs[next * pixel_step];
          inputs += tap_step;
        }
        row += tap_row_step;
      }
      output[next * strip->out_step] = es_scale_s8(second, &channel);
      *output = es_scale_s8(first, &channel);
      output += (1 + next) * strip->out_step;
      window += 2 * pixel_step;
    }
  }
}

void es_depthwise_conv2d_s8(const es_conv2d *layer, const int8_t *input, int8_t *output, void *scratch) {
  es_depthwise_tiles_s8(layer, layer->out_width, compute, input, output, scratch);
}

int32_t es_depthwise_conv2d_s8_scratch_bytes(const es_conv2d *layer) {
  return es_depthwise_tiles_s8_bytes(layer, layer->out_width);
}
