/* Depthwise 3x3 convolution, int8, for cores with the DSP extension.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Weights: kernel row, kernel column, channel; the channels padded with zeros to a multiple of 4. They and biases are
 * doubled, as SMMLAR wants sums.
 *
 * Four channels at a time. Input rows are taken in pairs, padding included, and split into words of two int16, one
 * below the other, which SMLAD multiplies by two weights. What an output needs lies in two pairs of rows: so do two
 * rows of outputs with stride 1, and one with stride 2. The pairs take turns in two places. In memory there are, for
 * every two columns, for every channel, the words of the one pair and those of the other:
 *
 *   channel 0: place 0, columns 0 and 1 | place 1, columns 0 and 1 || channel 1: ... || channel 3 ||| columns 2, 3 ...
 *
 * Of the last group's channels those count that are not in the group before. Inputs that are higher than wide are
 * worked through column by column: long rows cost less.
 */
#include <string.h>

#include "es_conv.h"
#include "es_depthwise_pairs_dsp.h"

enum { CHANNELS = 4, TAPS = 3, WORDS = 4 /* of a channel for two columns */, PAIR_BYTES = 4 * CHANNELS * WORDS };

/* How two input rows are split. The order is known to the assembly. */
typedef struct {
  int32_t steps[2];  /* bytes from a pixel to the next; 0 in a row of padding */
  int32_t columns;
  uint32_t padding; /* as many input zero points as a word holds */
  int32_t odd;      /* whether the first column of the input is the second one of its words */
} pair_split;

/* The layer as it is worked through, row by row or column by column. */
typedef struct {
  int32_t in_height, in_row;              /* input rows, bytes from one to the next */
  int32_t out_height, out_width, out_row; /* the same for the output */
  int32_t pad_top, pad_left;
  int32_t in_pixel, out_pixel; /* bytes from a pixel to the next */
  int32_t stride;
  int32_t tap_row, tap_column; /* from a weight to the one below and to its right */
  int32_t pairs;               /* of columns */
  uint32_t *planes;
  pair_split split;
} pair_layer;

/* Splits two rows of four channels.
 *
 *   r0, r1  rows    r3, r4  steps           r7, r8   left and right pixel above    r11, r12  channels 0 and 1
 *   r2      words   r5      columns left    r9, r10  those below                   r6        padding */
ES_ASSEMBLY static void split_rows(const int8_t *above ES_UNUSED, const int8_t *below ES_UNUSED,
                                   uint32_t *to ES_UNUSED, const pair_split *split ES_UNUSED) {
  __asm__ volatile(
      "push {r4-r11}\n"
      "ldm r3, {r3-r7}\n"
      "cbz r7, 1f\n" /* padding beside the first pixel */
      "mov r7, r6\n"
      "mov r9, r6\n"
      "ldr r8, [r0]\n"
      "ldr r10, [r1]\n"
      "add r0, r0, r3\n"
      "add r1, r1, r4\n"
      "subs r5, r5, #1\n"
      "b 3f\n"
      "1:\n"
      "subs r5, r5, #2\n"
      "blt 4f\n"
      "2:\n"
      "ldr r7, [r0]\n"
      "ldr r8, [r0, r3]\n"
      "ldr r9, [r1]\n"
      "ldr r10, [r1, r4]\n"
      "add r0, r0, r3, lsl #1\n"
      "add r1, r1, r4, lsl #1\n"
      "3:\n"
      "pkhbt r11, r7, r9, lsl #16\n"
      "pkhtb r9, r9, r7, asr #16\n" /* channels 2 and 3 */
      "pkhbt r12, r8, r10, lsl #16\n"
      "pkhtb r10, r10, r8, asr #16\n"
      "sxtb16 r7, r11, ror #8\n"
      "sxtb16 r8, r12, ror #8\n"
      "strd r7, r8, [r2, #16]\n"
      "sxtb16 r7, r9\n"
      "sxtb16 r8, r10\n"
      "strd r7, r8, [r2, #32]\n"
      "sxtb16 r7, r9, ror #8\n"
      "sxtb16 r8, r10, ror #8\n"
      "strd r7, r8, [r2, #48]\n"
      "sxtb16 r7, r11\n"
      "sxtb16 r8, r12\n"
      "strd r7, r8, [r2], #64\n"
      "subs r5, r5, #2\n"
      "bge 2b\n"
      "4:\n" /* padding beside the last pixel */
      "adds r5, r5, #1\n"
      "bne 5f\n"
      "ldr r7, [r0]\n"
      "ldr r9, [r1]\n"
      "mov r8, r6\n"
      "mov r10, r6\n"
      "b 3b\n"
      "5:\n"
      "pop {r4-r11}\n"
      "bx lr\n");
}

/* The same for fewer than four channels: nothing is read behind the tensor. */
__attribute__((noinline)) static void split_few(const int8_t *above, const int8_t *below, uint32_t *to,
                                                const pair_split *split, int32_t count) {
  for (int32_t i = 0; i < count; ++i) {
    for (int32_t j = 0; j < 2; ++j) {
      const int8_t *const row = j == 0 ? above : below;
      int16_t *const words = (int16_t *)(to + WORDS * i) + j;
      int32_t column = split->odd;
      words[0] = (int8_t)split->padding;
      for (int32_t x = 0; x < split->columns; ++x, ++column) {
        words[column / 2 * (PAIR_BYTES / 2) + (column & 1) * 2] = row[x * split->steps[j] + i];
      }
      if ((column & 1) != 0) {
        words[column / 2 * (PAIR_BYTES / 2) + 2] = (int8_t)split->padding;
      }
    }
  }
}

static int by_columns(const es_conv2d *layer) {
  return layer->out_height > layer->out_width && layer->stride_height == 1;
}

/* Of columns, for whole pairs of outputs. */
static int32_t column_pairs(int32_t out_width, int32_t stride) {
  return (out_width + 1) / 2 * stride + 1;
}

/* The weights of one tap. */
static inline uint32_t load_tap(const int8_t *tap) {
  uint32_t word;
  memcpy(&word, tap, CHANNELS);
  return word;
}

/* Twice the weights of a tap and the one below, side by side, for every channel of a group. */
static inline void join_taps(uint32_t upper, uint32_t lower, pair_channel *channels, int32_t word) {
  const uint32_t low = (upper & 0xFFFFu) | (lower << 16);
  const uint32_t high = (upper >> 16) | (lower & 0xFFFF0000u);
  channels[0].weights[word] = es_twice(es_even_bytes(low));
  channels[1].weights[word] = es_twice(es_odd_bytes(low));
  channels[2].weights[word] = es_twice(es_even_bytes(high));
  channels[3].weights[word] = es_twice(es_odd_bytes(high));
}

/* Describes a group of channels: `count` from `first` on, the last of the four. */
static void start_group(const pair_layer *plan, const es_conv2d *layer, int32_t first, int32_t count,
                        pair_channel *channels) {
  const int8_t *tap = layer->weights + first;
  es_channel unpacked[CHANNELS];
  es_unpack_channels(&layer->channels, first, count, unpacked);
  for (int32_t x = 0; x < TAPS; ++x, tap += plan->tap_column) {
    const uint32_t middle = load_tap(tap + plan->tap_row);
    join_taps(load_tap(tap), middle, channels, 2 * x);
    join_taps(middle, load_tap(tap + 2 * plan->tap_row), channels, 2 * x + 1);
  }
  for (int32_t i = 0; i < count; ++i) {
    channels[i].bias = 2 * unpacked[i].bias;
    channels[i].multiplier = unpacked[i].multiplier;
    channels[i].addend = unpacked[i].addend;
    channels[i].shift = unpacked[i].shift;
  }
}

/* Splits the pair of rows from row y on, which lies `from` bytes behind the input's start, or is padding. */
static inline void split_pair(pair_layer *plan, const int8_t *input, int32_t from, int32_t y, uint32_t *to,
                              int32_t few) {
  const int8_t *const padding = (const int8_t *)&plan->split.padding;
  const int above = (uint32_t)y < (uint32_t)plan->in_height;
  const int below = (uint32_t)(y + 1) < (uint32_t)plan->in_height;
  const int8_t *const first = above ? input + from : padding;
  const int8_t *const second = below ? input + from + plan->in_row : padding;
  plan->split.steps[0] = above ? plan->in_pixel : 0;
  plan->split.steps[1] = below ? plan->in_pixel : 0;
  if (few != 0) {
    split_few(first, second, to, &plan->split, few);
  } else {
    split_rows(first, second, to, &plan->split);
  }
}

/* Computes the last `count` channels of a group. `few`: how many there are, if they are less than four. */
static void run_group(pair_layer *plan, const int8_t *input, int8_t *output, int32_t count, int32_t few,
                      pair_rows *rows) {
  const pair_channel *const channels = rows->end - count;
  const int32_t lane = few != 0 ? 0 : CHANNELS - count;
  const int32_t together = 3 - plan->stride; /* output rows of a turn */
  uint32_t *const to = plan->planes + plan->pad_left / 2 * CHANNELS * WORDS;
  int32_t y = -plan->pad_top;
  int32_t from = y * plan->in_row; /* of row y */
  int32_t place = 0;
  split_pair(plan, input, from, y, to, few);
  for (int32_t left = plan->out_height; left > 0; left -= together) {
    const uint32_t *const planes = plan->planes + lane * WORDS;
    y += 2;
    from += 2 * plan->in_row;
    split_pair(plan, input, from, y, to + 2 - place, few);
    rows->channel = channels;
    rows->output = output;
    rows->upper = planes + place;
    rows->lower = planes + 2 - place;
    rows->row = left < together ? 0 : (together - 1) * plan->out_row;
    compute_rows(rows);
    output += together * plan->out_row;
    place = 2 - place;
  }
}

int32_t es_depthwise_conv2d_3x3_s8_scratch_bytes(const es_conv2d *layer) {
  const int32_t width = by_columns(layer) ? layer->out_height : layer->out_width;
  return CHANNELS * (int32_t)sizeof(pair_channel) + PAIR_BYTES * column_pairs(width, layer->stride_width);
}

/* Everything but the planes' address. */
static void plan_layer(const es_conv2d *layer, pair_layer *plan) {
  const int32_t channels = layer->in_channels;
  const int32_t padded = (channels + CHANNELS - 1) & ~(int32_t)(CHANNELS - 1);
  const int columns = by_columns(layer);
  const int32_t in_width = columns ? layer->in_height : layer->in_width;
  int32_t used;
  *plan = (pair_layer){.in_height = layer->in_height,
                       .in_row = layer->in_width * channels,
                       .out_height = layer->out_height,
                       .out_width = layer->out_width,
                       .out_row = layer->out_width * channels,
                       .pad_top = layer->pad_top,
                       .pad_left = layer->pad_left,
                       .in_pixel = channels,
                       .out_pixel = channels,
                       .tap_row = TAPS * padded,
                       .tap_column = padded,
                       .stride = layer->stride_width};
  if (columns) {
    plan->in_height = layer->in_width;
    plan->out_height = layer->out_width;
    plan->out_width = layer->out_height;
    plan->pad_top = layer->pad_left;
    plan->pad_left = layer->pad_top;
    plan->in_pixel = plan->in_row;
    plan->out_pixel = plan->out_row;
    plan->in_row = plan->out_row = channels;
    plan->tap_row = padded;
    plan->tap_column = TAPS * padded;
  }
  plan->pairs = column_pairs(plan->out_width, plan->stride);
  used = 2 * plan->pairs - plan->pad_left; /* the last columns may not be used */
  plan->split.columns = in_width < used ? in_width : used;
  plan->split.padding = 0x01010101u * (uint8_t)layer->input_zero_point;
  plan->split.odd = plan->pad_left & 1;
}

/* Fills all columns with padding, where some are nothing else. */
static void pad_columns(const pair_layer *plan, int16_t padding) {
  const int32_t columns = (plan->pad_left + plan->split.columns + 1) / 2;
  int16_t *to = (int16_t *)plan->planes;
  if (plan->pad_left > 1 || columns < plan->pairs) {
    for (int32_t i = plan->pairs * (PAIR_BYTES / 2); i > 0; --i) {
      *to++ = padding;
    }
  }
}

void es_depthwise_conv2d_3x3_s8(const es_conv2d *layer, const int8_t *input, int8_t *output, void *scratch) {
  const int32_t few = layer->out_channels < CHANNELS ? layer->out_channels : 0;
  pair_channel *channels = scratch;
  pair_layer plan;
  pair_rows rows;
  plan_layer(layer, &plan);
  plan.planes = (uint32_t *)(channels + CHANNELS);
  pad_columns(&plan, layer->input_zero_point);
  rows.kind = 2 * (plan.stride - 1) + (layer->channels.output_zero_point != -128);
  /* A row of a single output has no odd one: two lie at its place. */
  rows.pixel = plan.out_width > 1 ? plan.out_pixel : 0;
  rows.bytes = (plan.out_width > 1 ? plan.out_width / 2 : 1) * plan.stride * PAIR_BYTES;
  rows.odd = plan.out_width > 1 ? (plan.out_width & 1) * plan.stride * PAIR_BYTES : 0;
  for (int32_t first = 0; first < layer->out_channels; first += CHANNELS) {
    const int32_t left = layer->out_channels - first;
    const int32_t count = left < CHANNELS ? left : CHANNELS;
    start_group(&plan, layer, first, count, channels);
    rows.end = channels + count;
    run_group(&plan, input + first - (few != 0 ? 0 : CHANNELS - count), output + first, count, few, &rows);
  }
}
