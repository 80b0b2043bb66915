/* Pointwise convolution, int8, for MVE: four pixels at a time by all output channels.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Weights are packed as es_multiply_s8.h describes.
 */
#include "es_columns_s8.h"
#include "es_multiply_s8.h"

enum { MAX_BATCH = 16 };

/* Pixels whose inputs are copied at a time where outputs overwrite inputs. */
static int32_t batch_of(int32_t in_channels) {
  return in_channels <= 32 ? MAX_BATCH : (in_channels <= 64 ? 8 : ES_MULTIPLY_PIXELS);
}

/* Scratch memory for the copies; what follows stays 16-byte aligned. */
static int32_t copy_bytes(int32_t in_channels) {
  return (batch_of(in_channels) * in_channels + 15) & ~15;
}

void es_conv2d_1x1_s8(const es_conv2d *layer, const int8_t *input, int8_t *output, void *scratch) {
  const int32_t in_channels = layer->in_channels;
  const int32_t out_channels = layer->out_channels;
  const int32_t pitch = es_conv2d_pitch(layer);
  const int32_t pixels = layer->out_height * layer->out_width;
  es_channel *const channels = (es_channel *)scratch;
  int8_t *const copy = (int8_t *)&channels[out_channels];
  int8_t *const staging = copy + copy_bytes(in_channels);
  /* Outputs are stored while other channels still need the inputs: those must then be a copy. */
  const int separate = (uintptr_t)(output + pixels * pitch) <= (uintptr_t)input ||
                       (uintptr_t)(input + pixels * in_channels) <= (uintptr_t)output;
  const int32_t batch = separate ? MAX_BATCH : batch_of(in_channels);
  const int8_t *list[MAX_BATCH];
  es_multiply block;
  es_multiply_begin(&block, layer, in_channels, channels);
  for (int32_t left = pixels; left > 0; left -= batch) {
    const int32_t count = left < batch ? left : batch;
    const int8_t *from = input;
    if (!separate) {
      es_copy_bytes(copy, input, count * in_channels);
      from = copy;
    }
    es_multiply_list(list, from - block.skip, in_channels, count);
    es_multiply_pixels(&block, layer, list, count, output, staging);
    input += count * in_channels;
    output += count * pitch;
  }
}

int32_t es_conv2d_1x1_s8_scratch_bytes(const es_conv2d *layer) {
  const int32_t staging =
      layer->out_channels % 4 == 0 ? 0 : ES_MULTIPLY_PIXELS * layer->out_channels;
  return (int32_t)sizeof(es_channel) * layer->out_channels + copy_bytes(layer->in_channels) +
         staging;
}
