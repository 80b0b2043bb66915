/* Depthwise 3x3 convolutions for cores with the DSP extension: all but how values are split and scaled.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Weights: kernel row, kernel column, channel; the channels padded with zeros to a multiple of 4.
 *
 * Four channels at a time. Their input rows are split into planes, one a channel, of int16: two neighbouring
 * columns share a word, which SMLAD multiplies by two weights. A plane holds the three rows that an output
 * row needs, as a ring: row r, padding included, is in place r modulo 3. In memory the words of the three
 * places are next to each other, and behind them the channel's bias, so that one LDM loads all of them:
 *
 *   place 0 | place 1 | place 2 | bias     (columns 0 and 1), then the same for columns 2 and 3, ...
 *
 * Instead of moving rows in the ring, the kernel's rows are rotated. Inputs that are higher than wide are
 * worked through column by column: long rows cost less.
 *
 * A header, because the kernels that include it differ in their types. Before it they define what
 * es_depthwise_row_dsp.h asks for; the types plane_value and plane_conv, of values and of layers; and some functions:
 * split_row, padding_of (see plane_split), unpack_group (what channels are scaled with, and biases), even_weights and
 * odd_weights (as plane_channel wants them).
 */
#ifndef ES_DEPTHWISE_PLANES_DSP_H
#define ES_DEPTHWISE_PLANES_DSP_H

#include <string.h>

#include "es_depthwise_row_dsp.h"

/* What split_row does, for the last one to three channels of a pixel: nothing is read behind the tensor. */
__attribute__((noinline)) static void split_few(const plane_value *input, uint32_t *to,
                                                const plane_split *split, int32_t count) {
  const int32_t step = split->step / (int32_t)sizeof(plane_value);
  for (int32_t i = 0; i < count; ++i) {
    int16_t *plane = (int16_t *)(to + i * split->plane_bytes / 4);
    int32_t column = split->odd;
    plane[0] = (plane_value)split->padding;
    for (int32_t j = 0; j < split->columns; ++j, ++column) {
      plane[column / 2 * 2 * WORDS + (column & 1)] = input[j * step + i];
    }
    if ((column & 1) != 0) {
      plane[column / 2 * 2 * WORDS + 1] = (plane_value)split->padding;
    }
  }
}

/* The layer as it is worked through, row by row or column by column. */
typedef struct {
  int32_t in_height, in_row;              /* input rows, values from one to the next */
  int32_t out_height, out_width, out_row; /* the same for the output */
  int32_t pad_top, pad_left;
  int32_t stride_height, stride_width;
  int32_t tap_row, tap_column; /* from a weight to the one below and to its right */
  int32_t plane_words;
  int32_t paired_words;  /* of them, those where pairs of outputs start */
  int32_t inner_padding; /* whether some words of a row are nothing but padding */
  uint32_t *planes;
  plane_split split;
} plane_layer;

__attribute__((noinline)) static void pad_row(const plane_layer *plan, int32_t place) {
  const uint32_t padding = 0x00010001u * (uint16_t)(plane_value)plan->split.padding;
  uint32_t *to = plan->planes + place;
  for (int32_t i = CHANNELS * plan->plane_words; i > 0; i -= WORDS, to += WORDS) {
    *to = padding;
  }
}

/* The weights of one tap. */
static inline uint32_t load_tap(const int8_t *tap) {
  uint32_t word;
  memcpy(&word, tap, CHANNELS);
  return word;
}

/* Two neighbouring taps side by side, for every channel of a group. */
static inline void join_taps(uint32_t left, uint32_t right, plane_channel *channels, int32_t word) {
  const uint32_t low = (left & 0xFFFFu) | (right << 16);
  const uint32_t high = (left >> 16) | (right & 0xFFFF0000u);
  channels[0].weights[word] = even_weights(low);
  channels[1].weights[word] = odd_weights(low);
  channels[2].weights[word] = even_weights(high);
  channels[3].weights[word] = odd_weights(high);
}

static int by_columns(const plane_conv *layer) {
  return layer->out_height > layer->out_width && layer->stride_height == 1 && layer->stride_width == 1;
}

/* Words of a row: two columns each; an odd output column is computed with one more word. */
static int32_t column_pairs(int32_t out_width, int32_t stride) {
  return stride == 1 ? (out_width + 1) / 2 + 1 : out_width + 1;
}

/* Describes a group of channels, and fills its planes with their biases. */
static void start_group(const plane_layer *plan, const plane_conv *layer, int32_t first, int32_t count,
                        plane_channel *channels) {
  const int8_t *row = layer->weights + first;
  uint32_t *plane = plan->planes;
  es_channel unpacked[CHANNELS];
  unpack_group(layer, first, count, unpacked);
  for (int32_t ky = 0; ky < ROWS; ++ky, row += plan->tap_row) {
    const uint32_t middle = load_tap(row + plan->tap_column);
    join_taps(load_tap(row), middle, channels, 2 * ky);
    join_taps(middle, load_tap(row + 2 * plan->tap_column), channels, 2 * ky + 1);
  }
  for (int32_t i = 0; i < count; ++i, ++channels) {
    const uint32_t bias = (uint32_t)unpacked[i].bias;
    channels->multiplier = unpacked[i].multiplier;
    channels->addend = unpacked[i].addend;
    channels->shift = unpacked[i].shift;
    channels->plane = plane;
    channels->end = plane + plan->paired_words;
    channels->weights[6] = channels->weights[0]; /* rows 0 and 1 again, for the rotation */
    channels->weights[7] = channels->weights[1];
    channels->weights[8] = channels->weights[2];
    channels->weights[9] = channels->weights[3];
    for (uint32_t *end = plane + plan->plane_words; plane != end; plane += WORDS) {
      plane[ROWS] = bias;
    }
  }
}

/* Splits input rows as output rows need them, and computes the output rows. */
static void run_group(const plane_layer *plan, const plane_value *input, plane_value *output, int32_t count,
                      plane_row *row) {
  uint32_t *to = plan->planes + plan->pad_left / 2 * WORDS;
  int32_t y = -plan->pad_top; /* next row of the input */
  int32_t place = 0;          /* of that row in the ring */
  int32_t needed = ROWS - plan->pad_top;
  row->output = output;
  row->rotation = 0;
  for (int32_t left = plan->out_height; left > 0; --left, needed += plan->stride_height) {
    for (; y < needed; ++y) {
      if (y < 0 || y >= plan->in_height) {
        pad_row(plan, place);
      } else if (count == CHANNELS) {
        split_row(input, to + place, &plan->split);
        input += plan->in_row;
      } else {
        split_few(input, to + place, &plan->split, count);
        input += plan->in_row;
      }
      place = place == ROWS - 1 ? 0 : place + 1;
    }
    compute_row(row);
    output += plan->out_row;
    row->output = output;
    row->rotation -= 8 * plan->stride_height;
    if (row->rotation < 0) {
      row->rotation += 8 * ROWS;
    }
  }
}

/* Scratch memory in bytes. */
static inline int32_t es_planes_scratch_bytes(const plane_conv *layer) {
  const int32_t width = by_columns(layer) ? layer->out_height : layer->out_width;
  return CHANNELS * ((int32_t)sizeof(plane_channel) + 4 * WORDS * column_pairs(width, layer->stride_width));
}

/* Everything but the planes' address. */
static void plan_layer(const plane_conv *layer, plane_layer *plan) {
  const int32_t channels = layer->in_channels;
  const int32_t padded = (channels + CHANNELS - 1) & ~(int32_t)(CHANNELS - 1);
  const int32_t in_row = layer->in_width * channels;
  const int32_t out_row = layer->out_width * channels;
  const int columns = by_columns(layer);
  int32_t in_width, used;
  if (columns) {
    *plan = (plane_layer){.in_height = layer->in_width,
                          .in_row = channels,
                          .out_height = layer->out_width,
                          .out_width = layer->out_height,
                          .out_row = channels,
                          .pad_top = layer->pad_left,
                          .pad_left = layer->pad_top,
                          .tap_row = padded,
                          .tap_column = ROWS * padded,
                          .split = {.step = in_row * (int32_t)sizeof(plane_value)}};
  } else {
    *plan = (plane_layer){.in_height = layer->in_height,
                          .in_row = in_row,
                          .out_height = layer->out_height,
                          .out_width = layer->out_width,
                          .out_row = out_row,
                          .pad_top = layer->pad_top,
                          .pad_left = layer->pad_left,
                          .tap_row = ROWS * padded,
                          .tap_column = padded,
                          .split = {.step = channels * (int32_t)sizeof(plane_value)}};
  }
  in_width = columns ? layer->in_height : layer->in_width;
  plan->stride_height = layer->stride_height;
  plan->stride_width = layer->stride_width;
  plan->plane_words = WORDS * column_pairs(plan->out_width, plan->stride_width);
  plan->paired_words = plan->out_width / 2 * plan->stride_width * WORDS;
  used = plan->plane_words / WORDS * 2 - plan->pad_left; /* the last columns may not be used */
  used = in_width < used ? in_width : used;
  plan->inner_padding = plan->pad_left > 1 || (plan->pad_left + used + 1) / 2 * WORDS < plan->plane_words;
  plan->split.columns = used;
  plan->split.plane_bytes = plan->plane_words * 4;
  plan->split.padding = padding_of(layer);
  plan->split.odd = plan->pad_left & 1;
}

static inline void es_depthwise_planes(const plane_conv *layer, const plane_value *input, plane_value *output,
                                       void *scratch) {
  const int columns = by_columns(layer);
  plane_channel *channels = scratch;
  plane_layer plan;
  plane_row row;
  plan_layer(layer, &plan);
  plan.planes = (uint32_t *)(channels + CHANNELS);
  row.step = (columns ? layer->out_width : 1) * layer->out_channels * (int32_t)sizeof(plane_value);
  row.channels = channels;
  row.odd = plan.out_width & 1;
  row.stride = plan.stride_width;
  for (int32_t place = 0; plan.inner_padding && place < ROWS; ++place) {
    pad_row(&plan, place);
  }
  for (int32_t first = 0; first < layer->out_channels; first += CHANNELS) {
    const int32_t left = layer->out_channels - first;
    const int32_t count = left < CHANNELS ? left : CHANNELS;
    row.end = channels + count;
    start_group(&plan, layer, first, count, channels);
    run_group(&plan, input + first, output + first, count, &row);
  }
}

#endif /* ES_DEPTHWISE_PLANES_DSP_H */
