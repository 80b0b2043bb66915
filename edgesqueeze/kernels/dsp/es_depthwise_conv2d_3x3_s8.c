/* Depthwise 3x3 convolution, int8, for cores with the DSP extension.
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
 * worked through column by column: long rows cost less. Weights and biases are doubled, as SMMLAR wants sums.
 */
#include <string.h>

#include "es_assembly_dsp.h"
#include "es_conv.h"
#include "es_depthwise_row_dsp.h"

/* How input rows are split. The order is known to the assembly. */
typedef struct {
  int32_t step; /* from an input pixel to the next */
  int32_t plane_bytes;
  int32_t columns;
  uint32_t padding; /* four input zero points */
  int32_t odd;      /* whether the first column of the input is the second one of its word */
} plane_split;

/* Splits one row of four channels into the four planes, from word `to` on.
 *
 *   r0  input          r3  step          r5  columns left      r2, r7  left and right pixel
 *   r1  first plane    r4  plane_bytes   r6  padding           r8      last plane */
ES_ASSEMBLY static void split_row(const int8_t *input ES_UNUSED, uint32_t *to ES_UNUSED,
                                  const plane_split *split ES_UNUSED) {
  __asm__ volatile(
      "push {r4-r8, lr}\n"
      "ldm r2, {r3-r7}\n"
      "add r8, r4, r4, lsl #1\n"
      "add r8, r8, r1\n"
      "cbz r7, 1f\n" /* padding beside the first pixel */
      "mov r2, r6\n"
      "ldr r7, [r0]\n"
      "add r0, r0, r3\n"
      "subs r5, r5, #1\n"
      "b 3f\n"
      "1:\n"
      "subs r5, r5, #2\n"
      "blt 4f\n"
      "2:\n"
      "ldr r2, [r0]\n"
      "ldr r7, [r0, r3]\n"
      "add r0, r0, r3, lsl #1\n"
      "3:\n"
      "pkhbt r12, r2, r7, lsl #16\n" /* channels 0 and 1 */
      "pkhtb r7, r7, r2, asr #16\n"  /* channels 2 and 3 */
      "sxtb16 r2, r12\n"
      "sxtb16 r12, r12, ror #8\n"
      "str r12, [r1, r4]\n"
      "sxtb16 r12, r7\n"
      "str r12, [r1, r4, lsl #1]\n"
      "sxtb16 r7, r7, ror #8\n"
      "str r7, [r8], #16\n"
      "str r2, [r1], #16\n"
      "subs r5, r5, #2\n"
      "bge 2b\n"
      "4:\n" /* padding beside the last pixel */
      "adds r5, r5, #1\n"
      "bne 5f\n"
      "ldr r2, [r0]\n"
      "mov r7, r6\n"
      "b 3b\n"
      "5:\n"
      "pop {r4-r8, pc}\n");
}

/* The same for the last one to three channels of a pixel: nothing is read behind the tensor. */
__attribute__((noinline)) static void split_row_bytes(const int8_t *input, uint32_t *to,
                                                      const plane_split *split, int32_t count) {
  for (int32_t i = 0; i < count; ++i) {
    int16_t *plane = (int16_t *)(to + i * split->plane_bytes / 4);
    int32_t column = split->odd;
    plane[0] = (int8_t)split->padding;
    for (int32_t j = 0; j < split->columns; ++j, ++column) {
      plane[column / 2 * 2 * WORDS + (column & 1)] = input[j * split->step + i];
    }
    if ((column & 1) != 0) {
      plane[column / 2 * 2 * WORDS + 1] = (int8_t)split->padding;
    }
  }
}

/* The layer as it is worked through, row by row or column by column. */
typedef struct {
  int32_t in_height, in_row;              /* input rows, bytes from one to the next */
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
  const uint32_t padding = 0x00010001u * (uint16_t)(int8_t)plan->split.padding;
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

/* Twice the weights of two taps of the even channels of a group, or of the odd ones. */
static inline uint32_t twice_even(uint32_t word) {
  __asm__("sxtb16 %0, %0\n sadd16 %0, %0, %0" : "+r"(word));
  return word;
}

static inline uint32_t twice_odd(uint32_t word) {
  __asm__("sxtb16 %0, %0, ror #8\n sadd16 %0, %0, %0" : "+r"(word));
  return word;
}

/* Two neighbouring taps side by side, for every channel of a group. */
static inline void join_taps(uint32_t left, uint32_t right, plane_channel *channels, int32_t word) {
  const uint32_t low = (left & 0xFFFFu) | (right << 16);
  const uint32_t high = (left >> 16) | (right & 0xFFFF0000u);
  channels[0].weights[word] = twice_even(low);
  channels[1].weights[word] = twice_odd(low);
  channels[2].weights[word] = twice_even(high);
  channels[3].weights[word] = twice_odd(high);
}

static int by_columns(const es_conv2d *layer) {
  return layer->out_height > layer->out_width && layer->stride_height == 1 && layer->stride_width == 1;
}

/* Words of a row: two columns each; an odd output column is computed with one more word. */
static int32_t column_pairs(int32_t out_width, int32_t stride) {
  return stride == 1 ? (out_width + 1) / 2 + 1 : out_width + 1;
}

/* Describes a group of channels, and fills its planes with their biases. */
static void start_group(const plane_layer *plan, const es_conv2d *layer, int32_t first, int32_t count,
                        plane_channel *channels) {
  const int8_t *row = layer->weights + first;
  uint32_t *plane = plan->planes;
  es_channel unpacked[CHANNELS];
  es_unpack_channels(&layer->channels, first, count, unpacked);
  for (int32_t ky = 0; ky < ROWS; ++ky, row += plan->tap_row) {
    const uint32_t middle = load_tap(row + plan->tap_column);
    join_taps(load_tap(row), middle, channels, 2 * ky);
    join_taps(middle, load_tap(row + 2 * plan->tap_column), channels, 2 * ky + 1);
  }
  for (int32_t i = 0; i < count; ++i, ++channels) {
    const uint32_t bias = 2u * (uint32_t)unpacked[i].bias;
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
static void run_group(const plane_layer *plan, const int8_t *input, int8_t *output, int32_t count,
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
        split_row_bytes(input, to + place, &plan->split, count);
        input += plan->in_row;
      }
      place = place == ROWS - 1 ? 0 : place + 1;
    }
    compute_row(row);
    row->output += plan->out_row;
    row->rotation -= 8 * plan->stride_height;
    if (row->rotation < 0) {
      row->rotation += 8 * ROWS;
    }
  }
}

int32_t es_depthwise_conv2d_3x3_s8_scratch_bytes(const es_conv2d *layer) {
  const int32_t width = by_columns(layer) ? layer->out_height : layer->out_width;
  return CHANNELS * ((int32_t)sizeof(plane_channel) + 4 * WORDS * column_pairs(width, layer->stride_width));
}

/* Everything but the planes' address. */
static void plan_layer(const es_conv2d *layer, plane_layer *plan) {
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
                          .split = {.step = in_row}};
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
                          .split = {.step = channels}};
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
  plan->split.padding = 0x01010101u * (uint8_t)layer->input_zero_point;
  plan->split.odd = plan->pad_left & 1;
}

void es_depthwise_conv2d_3x3_s8(const es_conv2d *layer, const int8_t *input, int8_t *output, void *scratch) {
  const int columns = by_columns(layer);
  plane_channel *channels = scratch;
  plane_layer plan;
  plane_row row;
  plan_layer(layer, &plan);
  plan.planes = (uint32_t *)(channels + CHANNELS);
  row.step = columns ? layer->out_width * layer->out_channels : layer->out_channels;
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
