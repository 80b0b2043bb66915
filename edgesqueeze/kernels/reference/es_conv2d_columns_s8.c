/* Convolution that skips inputs that no output of a group of 16 needs, int8, portable.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "es_blocks_s8.h"
#include "es_sparse_window_s8.h"

enum { STEP = 16 };

/* The place of an input in the order column, row, channel as one in the order row, column, channel. */
static int32_t by_rows(const es_conv2d *layer, int32_t place) {
  const int32_t channels = layer->in_channels;
  const int32_t column = place / (layer->kernel_height * channels);
  const int32_t row = place / channels - column * layer->kernel_height;
  return (row * layer->kernel_width + column) * channels + place % channels;
}

/* Weight `k` of one of two outputs that share `count` weights each: the first 1 to 16 of either, then 16 of either in
 * turn. */
static int32_t weight_of(const int8_t *pair, int32_t count, int32_t odd, int32_t k) {
  const int32_t tail = (count - 1) % STEP + 1;
  if (k < tail) {
    return pair[odd * tail + k];
  }
  k -= tail;
  return pair[2 * tail + k / STEP * 2 * STEP + odd * STEP + k % STEP];
}

/* The inputs that a group of outputs needs. Returns where the next group's places are. */
static const uint8_t *gather_group(const es_conv2d *layer, const int16_t *window, const uint8_t *places,
                                   int16_t *gathered, int32_t *count) {
  const int32_t taps = es_sparse_taps(layer);
  *count = 0;
  for (int32_t base = 0; base < taps; base += ES_COLUMNS_SEGMENT) {
    for (int32_t left = *places++; left > 0; --left) {
      gathered[(*count)++] = window[by_rows(layer, base + *places++)];
    }
  }
  return places;
}

/* The outputs of one pixel. */
static void compute_pixel(const es_conv2d *layer, const int16_t *window, int16_t *gathered, const es_channel *channels,
                          int8_t *output) {
  const int8_t *weights = es_blocks_words(layer->weights);
  const uint8_t *places = es_blocks_skips(layer->weights);
  for (int32_t first = 0; first < layer->out_channels; first += ES_COLUMNS_OUTPUTS) {
    const int32_t left = layer->out_channels - first;
    const int32_t outputs = left < ES_COLUMNS_OUTPUTS ? left : ES_COLUMNS_OUTPUTS;
    int32_t count;
    places = gather_group(layer, window, places, gathered, &count);
    for (int32_t i = 0; i < outputs; ++i) {
      int32_t sum = channels[first + i].bias;
      for (int32_t k = 0; k < count; ++k) {
        sum += weight_of(weights + (i & ~1) * count, count, i & 1, k) * gathered[k];
      }
      output[first + i] = es_requantize_s8(sum, &channels[first + i]);
    }
    weights += outputs * count;
  }
}

int32_t es_conv2d_columns_s8_scratch_bytes(const es_conv2d *layer) {
  return (int32_t)sizeof(es_channel) * layer->out_channels +
         2 * (int32_t)sizeof(int16_t) * es_sparse_taps(layer);
}

void es_conv2d_columns_s8(const es_conv2d *layer, const int8_t *input, int8_t *output, void *scratch) {
  const int32_t pitch = es_conv2d_pitch(layer);
  es_channel *const channels = (es_channel *)scratch;
  int16_t *const window = (int16_t *)(channels + layer->out_channels);
  es_unpack_channels(&layer->channels, 0, layer->out_channels, channels);
  for (int32_t y = 0; y < layer->out_height; ++y) {
    for (int32_t x = 0; x < layer->out_width; ++x) {
      const int32_t top = y * layer->stride_height - layer->pad_top;
      const int32_t left = x * layer->stride_width - layer->pad_left;
      es_sparse_window_s8(layer, input, top, left, window);
      compute_pixel(layer, window, window + es_sparse_taps(layer), channels, output);
      output += pitch;
    }
  }
}
