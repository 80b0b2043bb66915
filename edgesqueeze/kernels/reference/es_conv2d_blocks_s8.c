/* Convolution that skips blocks of zeros, 2 outputs x 4 inputs, int8, portable.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "es_blocks_s8.h"
#include "es_sparse_window_s8.h"

/* Where the inputs of a block are among those of a pixel: the first one, from one to the next, how many, and the
 * words of each. */
typedef struct {
  int32_t first, step, count;
  const uint8_t *words;
} block_inputs;

/* Blocks of four in every kernel row; the last one may have fewer. Where it would have one, those of four rows make
 * a block behind all others. */
static block_inputs find_inputs(const es_conv2d *layer, int32_t block) {
  static const uint8_t in_rows[4] = {0, 2, 1, 3};
  static const uint8_t behind[4] = {0, 1, 2, 3};
  const int32_t run = layer->kernel_width * layer->in_channels;
  const int32_t rests = run > 4 && (run & 3) == 1;
  const int32_t in_row = rests ? run / 4 : (run + 3) / 4;
  const int32_t row = block / in_row;
  block_inputs found;
  if (row < layer->kernel_height) {
    const int32_t at = 4 * (block - row * in_row);
    found = (block_inputs){row * run + at, 1, run - at, in_rows};
  } else {
    const int32_t at = 4 * (block - layer->kernel_height * in_row);
    found = (block_inputs){at * run + run - 1, run, layer->kernel_height - at, behind};
  }
  found.count = found.count < 4 ? found.count : 4;
  return found;
}

/* Adds the products of a block. */
static void add_products(const int8_t *words, const int16_t *window, block_inputs inputs, int32_t sums[2]) {
  for (int32_t i = 0; i < inputs.count; ++i) {
    const int32_t value = window[inputs.first + i * inputs.step];
    int16_t word;
    memcpy(&word, words + 2 * inputs.words[i], sizeof word);
    const int32_t odd = ((word & 0xFF) ^ 0x80) - 0x80;
    sums[0] += (word - odd) / 256 * value;
    sums[1] += odd * value;
  }
}

/* The outputs of one pixel. */
static void compute_pixel(const es_conv2d *layer, const int16_t *window, const es_channel *channels, int8_t *output) {
  const int8_t *words = es_blocks_words(layer->weights);
  const uint8_t *skips = es_blocks_skips(layer->weights);
  for (int32_t i = 0; i < layer->out_channels; i += 2) {
    int32_t sums[2] = {0, 0};
    int32_t block = 0;
    for (int32_t left = *skips++; left > 0; --left) {
      block += *skips++ / ES_BLOCKS_SKIP;
      add_products(words, window, find_inputs(layer, block++), sums);
      words += ES_BLOCKS_WORD_BYTES;
    }
    output[i] = es_requantize_s8(sums[0] + channels[i].bias, &channels[i]);
    if (i + 1 < layer->out_channels) {
      output[i + 1] = es_requantize_s8(sums[1] + channels[i + 1].bias, &channels[i + 1]);
    }
  }
}

int32_t es_conv2d_blocks_s8_scratch_bytes(const es_conv2d *layer) {
  return (int32_t)sizeof(es_channel) * layer->out_channels +
         (int32_t)sizeof(int16_t) * es_sparse_taps(layer);
}

void es_conv2d_blocks_s8(const es_conv2d *layer, const int8_t *input, int8_t *output, void *scratch) {
  const int32_t pitch = es_conv2d_pitch(layer);
  es_channel *const channels = (es_channel *)scratch;
  int16_t *const window = (int16_t *)(channels + layer->out_channels);
  es_unpack_channels(&layer->channels, 0, layer->out_channels, channels);
  for (int32_t y = 0; y < layer->out_height; ++y) {
    for (int32_t x = 0; x < layer->out_width; ++x) {
      const int32_t top = y * layer->stride_height - layer->pad_top;
      const int32_t left = x * layer->stride_width - layer->pad_left;
      es_sparse_window_s8(layer, input, top, left, window);
      compute_pixel(layer, window, channels, output);
      output += pitch;
    }
  }
}
