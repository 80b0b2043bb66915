/* Depthwise 3x3 convolution, int8, for MVE.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Channel by channel, with dot products of 4x4 squares of inputs: see es_depthwise_strip_s8.h.
 * Weights are stored channel by channel, nine bytes each, row by row.
 */
#include <arm_mve.h>
#include <stddef.h>

#include "es_columns_s8.h"
#include "es_conv.h"
#include "es_depthwise_strip_s8.h"

enum {
  UNPACKED = 16, /* channels whose parameters are unpacked at a time */
  COLUMN = 4,    /* bytes of a column of a strip */
  SMALL = 640    /* up to so many inputs of a channel are copied to strips at once */
};

/* One direction of the image: along strips or across them. */
typedef struct {
  int32_t inputs, outputs, pad;
  int32_t in_step, out_step; /* bytes from one input or output to the next */
} axis;

/* Whether inputs that are `step` bytes apart can be copied by eights: their offsets have 16 bits.
 */
static int is_near(int32_t step) {
  return 7 * step < 65536;
}

/* Strips run along the longer side of the output: fewer strips, fewer steps that are not full. */
static int runs_down(const es_conv2d *layer) {
  return layer->out_height > layer->out_width && is_near(layer->in_width * layer->in_channels);
}

static axis axis_of(const es_conv2d *layer, int vertical) {
  const int32_t channels = layer->in_channels;
  const axis down = {layer->in_height, layer->out_height, layer->pad_top,
                     layer->in_width * channels, layer->out_width * channels};
  const axis right = {layer->in_width, layer->out_width, layer->pad_left, channels, channels};
  return vertical ? down : right;
}

/* Columns of a strip, those of padding and those that are read but do not count included. */
static int32_t strip_columns(int32_t outputs, int32_t stride) {
  return stride == 1 ? ((outputs + 1) & ~1) + 2 : 2 * ((outputs + 3) & ~3) + 2;
}

static void set_offsets(es_strip_offsets *offsets, int32_t lower, int32_t right) {
  for (int32_t i = 0; i < 4; ++i) {
    const int32_t offset = (i >= 2 ? lower : 0) + (i % 2 != 0 ? right : 0);
    offsets->single[i] = (uint32_t)offset;
    offsets->pair[2 * i] = (uint16_t)offset;
    offsets->pair[2 * i + 1] = (uint16_t)(offset + 2 * right);
  }
}

/* The weights of a channel for the four outputs of a square. Byte 4 * column + row of a vector
 * belongs to the input in that column and row. */
static void set_weights(es_strip_lines *line, const int8_t *weights, uint8x16_t order,
                        int single_column) {
  const mve_pred16_t window = 0x0777; /* three rows of three columns */
  const int8x16_t upper_left = vldrbq_gather_offset_z_s8(weights, order, window);
  uint32_t zero = 0;
  const int32x4_t right = vreinterpretq_s32_s8(upper_left);
  const int32x4_t upper_right = single_column ? right : vshlcq_s32(right, &zero, 32);
  vst1q_s8(line->weights[0], upper_left);
  vst1q_s32((int32_t *)(void *)line->weights[1], upper_right);
  vst1q_s32((int32_t *)(void *)line->weights[2], vshlq_n_s32(right, 8));
  vst1q_s32((int32_t *)(void *)line->weights[3], vshlq_n_s32(upper_right, 8));
}

/* The last line of an odd number: its lower outputs do not exist, the upper ones take their places.
 */
static void repeat_upper(es_strip_lines *line) {
  vst1q_s8(line->weights[2], vld1q_s8(line->weights[0]));
  vst1q_s8(line->weights[3], vld1q_s8(line->weights[1]));
}

typedef struct {
  axis along, across;
  int32_t stride;
  int32_t strip_bytes;
  const int8_t *zero_point;
  int8_t *strips;   /* one, or those of the whole channel and one more before and behind */
  uint16_t *places; /* where the inputs of a small channel go; NULL: there is only one strip */
  es_strip_offsets offsets, last_offsets;
} plan;

static int is_small(const es_conv2d *layer) {
  return layer->in_height * layer->in_width <= SMALL && is_near(layer->in_channels);
}

/* Strips of a whole channel. */
static int32_t strip_count(const axis *across, int32_t stride) {
  return stride == 1 ? (across->outputs + 1) / 2 : across->outputs;
}

/* Input row `row` (the first one of padding is 0) is one of the first two of strip row / 2, and one
 * of the last two of the strip before. Inputs are in the order of the image, in eights: their
 * places in the former, then those in the latter. Inputs that no output needs go to a strip that
 * does not count. */
static void set_places(const plan *p, int vertical) {
  const int32_t rows = vertical ? p->along.inputs : p->across.inputs;
  const int32_t columns = vertical ? p->across.inputs : p->along.inputs;
  const int32_t behind = strip_count(&p->across, p->stride) + 1;
  uint16_t *place = p->places;
  int32_t in_eight = 0;
  for (int32_t i = 0; i < rows; ++i) {
    for (int32_t j = 0; j < columns; ++j) {
      const int32_t row = (vertical ? j : i) + p->across.pad;
      const int32_t column = (vertical ? i : j) + p->along.pad;
      const int32_t strip = row / 2 + 1;
      const int32_t at = COLUMN * column + (row & 1);
      place[0] = (uint16_t)((strip < behind ? strip : behind) * p->strip_bytes + at);
      place[8] = (uint16_t)((strip <= behind ? strip - 1 : behind) * p->strip_bytes + at + 2);
      ++place;
      if (++in_eight == 8) {
        in_eight = 0;
        place += 8;
      }
    }
  }
}

/* Copies input row `row` of a channel to its place in the only strip. */
static void fill_row(const plan *p, const int8_t *input, int32_t row) {
  const int32_t in_row = row - p->across.pad;
  const int inside = in_row >= 0 && in_row < p->across.inputs;
  const int8_t *const from = inside ? input + in_row * p->across.in_step : p->zero_point;
  const int32_t step = inside ? p->along.in_step : 0;
  int8_t *const to = p->strips + COLUMN * p->along.pad + (row & 3);
  if (is_near(step)) {
    es_strip_fill(from, to, p->along.inputs, step);
    return;
  }
  for (int32_t i = 0; i < p->along.inputs; ++i) {
    to[COLUMN * i] = from[step * i];
  }
}

static void compute(const plan *p, const es_strip_lines *line) {
  if (p->stride == 1) {
    es_strip_stride1(line);
  } else {
    es_strip_stride2(line);
  }
}

/* One channel, with one strip. A line is two rows of outputs with stride 1, one row with stride 2:
 * in either case the window then moves by two rows of inputs. */
static void convolve_large(const plan *p, es_strip_lines *line, const int8_t *input) {
  const int32_t rows_a_line = p->stride == 1 ? 2 : 1;
  int32_t filled = 0;
  for (int32_t row = 0; row < p->across.outputs; row += rows_a_line) {
    int32_t needed = row * p->stride + 2 + rows_a_line;
    if (row + rows_a_line > p->across.outputs) {
      needed -= 1;
      line->offsets = &p->last_offsets;
      repeat_upper(line);
    }
    for (; filled < needed; ++filled) {
      fill_row(p, input, filled);
    }
    compute(p, line);
    line->rotated ^= 1;
    line->output += line->line_step;
  }
}

/* One channel whose inputs are all copied at once. */
static void convolve_small(const plan *p, es_strip_lines *line, const int8_t *input) {
  const int32_t channels =
      p->across.in_step < p->along.in_step ? p->across.in_step : p->along.in_step;
  es_strip_fill_all(input, p->strips, p->across.inputs * p->along.inputs, channels, p->places);
  line->lines = p->stride == 1 ? p->across.outputs / 2 : p->across.outputs;
  if (line->lines > 0) {
    compute(p, line);
  }
  if (p->stride == 1 && p->across.outputs % 2 != 0) {
    line->strip += line->lines * line->strip_step;
    line->output += line->lines * line->line_step;
    line->lines = 1;
    line->offsets = &p->last_offsets;
    repeat_upper(line);
    es_strip_stride1(line);
  }
}

static int32_t strips_bytes(const es_conv2d *layer) {
  const int vertical = runs_down(layer);
  const axis along = axis_of(layer, vertical);
  const axis across = axis_of(layer, !vertical);
  const int32_t strips = is_small(layer) ? strip_count(&across, layer->stride_height) + 2 : 1;
  return strips * COLUMN * strip_columns(along.outputs, layer->stride_height);
}

static void make_plan(plan *p, const es_conv2d *layer, int8_t *strips) {
  const int vertical = runs_down(layer);
  const int32_t bytes = strips_bytes(layer);
  p->along = axis_of(layer, vertical);
  p->across = axis_of(layer, !vertical);
  p->stride = layer->stride_height;
  p->strip_bytes = COLUMN * strip_columns(p->along.outputs, p->stride);
  p->zero_point = &layer->input_zero_point;
  p->strips = strips;
  p->places = NULL;
  if (is_small(layer)) {
    p->places = (uint16_t *)(void *)(strips + bytes);
    set_places(p, vertical);
  }
  const int32_t right = p->along.outputs > 1 ? p->along.out_step : 0;
  if (p->stride == 1) {
    set_offsets(&p->offsets, p->across.out_step, right);
    set_offsets(&p->last_offsets, 0, right);
  } else {
    set_offsets(&p->offsets, 2 * right, right);
  }
  es_fill_bytes(strips, layer->input_zero_point, bytes);
}

static void set_counts(es_strip_lines *line, const plan *p) {
  const int32_t outputs = p->along.outputs;
  const int32_t squares = outputs > 1 ? outputs / 2 : 1;
  const int in_16_bits = p->across.out_step + 3 * p->along.out_step < 65536;
  line->pairs = in_16_bits ? squares / 2 : 0;
  line->singles = p->stride == 1 ? squares - 2 * line->pairs : outputs;
  line->step = (p->stride == 1 ? 2 : 4) * p->along.out_step;
  line->back = outputs > 1 && outputs % 2 != 0 ? p->along.out_step : 0;
  line->strip_step = p->strip_bytes;
  line->line_step = (p->stride == 1 ? 2 : 1) * p->across.out_step;
  line->lines = 1;
}

void es_depthwise_conv2d_3x3_s8(const es_conv2d *layer, const int8_t *input, int8_t *output,
                                void *scratch) {
  static const uint8_t by_column[16] = {0, 3, 6, 0, 1, 4, 7, 0, 2, 5, 8, 0, 0, 0, 0, 0};
  static const uint8_t by_row[16] = {0, 1, 2, 0, 3, 4, 5, 0, 6, 7, 8, 0, 0, 0, 0, 0};
  const int32_t count = layer->out_channels;
  const uint8x16_t order = vld1q_u8(runs_down(layer) ? by_row : by_column);
  es_channel *const channels = (es_channel *)scratch;
  es_strip_lines line;
  plan p;
  make_plan(&p, layer, (int8_t *)&channels[UNPACKED]);
  set_counts(&line, &p);
  for (int32_t i = 0; i < count; ++i) {
    if (i % UNPACKED == 0) {
      es_unpack_channels(&layer->channels, i, count - i < UNPACKED ? count - i : UNPACKED,
                         channels);
    }
    line.channel = channels[i % UNPACKED];
    line.channel.shift = -line.channel.shift;
    line.strip = p.strips + (p.places != NULL ? p.strip_bytes : 0);
    line.output = output + i;
    line.offsets = &p.offsets;
    line.rotated = 0;
    set_weights(&line, layer->weights + 9 * i, order, p.along.outputs == 1);
    if (p.places != NULL) {
      convolve_small(&p, &line, input + i);
    } else {
      convolve_large(&p, &line, input + i);
    }
  }
}

int32_t es_depthwise_conv2d_3x3_s8_scratch_bytes(const es_conv2d *layer) {
  const int32_t inputs = layer->in_height * layer->in_width;
  const int32_t places = is_small(layer) ? 2 * (int32_t)sizeof(uint16_t) * ((inputs + 7) & ~7) : 0;
  return UNPACKED * (int32_t)sizeof(es_channel) + strips_bytes(layer) + places;
}
