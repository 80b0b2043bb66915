/* 2-D convolution with int16 activations and int8 weights for cores with the DSP extension.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Weights: see es_conv_core_s16_dsp.h; the inputs of a pixel are in the order kernel row, kernel column, channel,
 * and every kernel row is padded with a weight of zero to an even number. Groups follow one another.
 */
#include <string.h>

#include "es_assembly_dsp.h"
#include "es_conv_core_s16_dsp.h"
#include "es_s16.h"

enum { PIXELS = ES_CORE_S16_PIXELS, STEP = ES_CORE_S16_STEP };

/* The kernel rows of three pixels. The order of the members is known to the assembly. */
typedef struct {
  const int16_t *start[PIXELS];
  int32_t skip;  /* bytes from behind the words of a row to the next row */
  int32_t words; /* a row, at least 1 */
  int32_t rows;
} kernel_rows;

/* Puts the inputs of three pixels side by side.
 *
 *   r0-r2  pixels     r3   to              r10  skip          r12  pairs of words left in the row
 *   r4-r9  inputs     r11  words of a row  lr   rows left */
ES_ASSEMBLY static void join_pixels(const kernel_rows *rows ES_UNUSED, int16_t *to ES_UNUSED) {
  __asm__ volatile(
      "push {r4-r11, lr}\n"
      "mov r3, r1\n"
      "ldm r0, {r0-r2, r10, r11, lr}\n"
      "1:\n"
      "lsrs r12, r11, #1\n" /* the flags survive loads and stores */
      "bcc 2f\n"
      "ldr r4, [r0], #4\n"
      "ldr r5, [r1], #4\n"
      "ldr r6, [r2], #4\n"
      "stmia r3!, {r4-r6}\n"
      "2:\n"
      "beq 4f\n"
      "3:\n"
      "ldr r4, [r0], #4\n"
      "ldr r5, [r1], #4\n"
      "ldr r6, [r2], #4\n"
      "ldr r7, [r0], #4\n"
      "ldr r8, [r1], #4\n"
      "ldr r9, [r2], #4\n"
      "stmia r3!, {r4-r9}\n"
      "subs r12, r12, #1\n"
      "bne 3b\n"
      "4:\n"
      "add r0, r0, r10\n"
      "add r1, r1, r10\n"
      "add r2, r2, r10\n"
      "subs lr, lr, #1\n"
      "bne 1b\n"
      "pop {r4-r11, pc}\n");
}

/* What stays the same for all pixels of a layer. */
typedef struct {
  const es_conv2d_wide *layer;
  int32_t groups, channels; /* output channels of a group */
  int32_t run;              /* inputs of a kernel row */
  int32_t words;            /* of a kernel row */
  int32_t steps;            /* of 4 inputs of a window */
  int32_t in_row;           /* values of an input row */
  int32_t joined;           /* whether a kernel row is one piece of memory */
  int32_t y_end, x_end;     /* a window that starts at or behind these reaches beyond the input */
  int32_t last;             /* offset where a window may start at most for its words to end inside the input */
  es_core_channel_s16 *unpacked; /* of all groups; NULL: sums may need 64 bits */
  int16_t *inputs;          /* of three pixels */
} window_plan;

static int32_t groups_of(const es_conv2d_wide *layer) {
  return layer->in_channels / layer->filter_channels;
}

/* Channels of a group, in pairs. */
static int32_t paired(const es_conv2d_wide *layer) {
  return (layer->out_channels / groups_of(layer) + 1) & ~(int32_t)1;
}

static int32_t steps_of(const es_conv2d_wide *layer) {
  const int32_t words = (layer->kernel_width * layer->filter_channels + 1) / 2;
  return (layer->kernel_height * words + 1) / 2;
}

int32_t es_conv2d_s16_scratch_bytes(const es_conv2d_wide *layer) {
  const int32_t channels = groups_of(layer) * paired(layer);
  return channels * (int32_t)sizeof(es_core_channel_s16) + steps_of(layer) * STEP * (int32_t)sizeof(int16_t);
}

/* Channels as the core wants them. */
static void unpack_channels(const es_conv2d_wide *layer, es_core_channel_s16 *to) {
  const es_output_s16 *const output = &layer->output;
  const int32_t groups = groups_of(layer), count = layer->out_channels / groups;
  const int32_t rectified = output->minimum == 0 ? 1 << 30 : 0;
  int32_t channel = 0;
  for (int32_t group = 0; group < groups; ++group) {
    for (int32_t i = 0; i < count; ++i, ++channel, ++to) {
      const int32_t shift = output->scales[2 * channel + 1];
      to->bias = (int32_t)output->biases[channel];
      to->multiplier = output->scales[2 * channel];
      to->addend = (int32_t)1 << (shift - 1);
      to->shift = shift | rectified;
    }
    if ((count & 1) != 0) { /* any valid values */
      *to = to[-1];
      to[-1 - (count > 1)].shift |= INT32_MIN; /* of the last whole pair; if there is none, of no importance */
      ++to;
    }
    to[-1].shift |= INT32_MIN;
  }
}

/* Puts some inputs of a pixel at their places. */
static void place_inputs(int16_t *to, int32_t position, const int16_t *from, int32_t count) {
  to += position / 2 * (STEP / 2);
  if ((position & 1) != 0 && count > 0) {
    to[1] = *from++;
    to += STEP / 2;
    --count;
  }
  for (; count >= 2; count -= 2, from += 2, to += STEP / 2) {
    memcpy(to, from, 4);
  }
  if (count > 0) {
    *to = *from;
  }
}

static int32_t limit(int32_t value, int32_t most) {
  return value < 0 ? 0 : (value > most ? most : value);
}

/* Collects the inputs of one pixel whose window starts at row y, column x of the input; zeros where that is
 * outside. */
__attribute__((noinline)) static void place_pixel(const window_plan *plan, const int16_t *input, int32_t y,
                                                  int32_t x, int16_t *to) {
  const es_conv2d_wide *const layer = plan->layer;
  const int32_t depth = layer->filter_channels;
  const int32_t width = plan->joined ? layer->kernel_width : 1; /* columns that are one piece of memory */
  int16_t *row_end = to;
  for (int32_t i = 2 * plan->steps; i > 0; --i, row_end += STEP / 2) {
    row_end[0] = 0;
    row_end[1] = 0;
  }
  for (int32_t ky = 0; ky < layer->kernel_height; ++ky, y += layer->dilation_height) {
    if (y < 0 || y >= layer->in_height) {
      continue;
    }
    for (int32_t kx = 0; kx < layer->kernel_width; kx += width) {
      const int32_t column = x + kx * layer->dilation_width;
      const int32_t before = limit(-column, width);
      const int32_t inside = limit(layer->in_width - column, width) - before;
      const int32_t from = y * plan->in_row + (column + before) * layer->in_channels;
      place_inputs(to, 2 * ky * plan->words + (kx + before) * depth, input + from, inside * depth);
    }
  }
}

/* A channel or two whose sums may need 64 bits, or multipliers of 32. */
static void compute_general(const window_plan *plan, const int8_t *weights, int32_t first, int32_t count,
                            int32_t pixels, int16_t *output) {
  const es_conv2d_wide *const layer = plan->layer;
  int64_t sums[2 * PIXELS] = {0, 0, 0, 0, 0, 0};
  int32_t part[2 * PIXELS] = {0, 0, 0, 0, 0, 0};
  int32_t left = plan->steps;
  es_core_run_s16 run = {.inputs = plan->inputs, .weights = weights, .sums = part};
  while (left > 0) {
    const int32_t steps = left < ES_CORE_S16_PART ? left : ES_CORE_S16_PART;
    run.entry = es_core_entry_s16(steps);
    run.end = run.inputs + steps * STEP;
    es_conv_core_s16_dsp(&run);
    for (int32_t i = 0; i < 2 * PIXELS; ++i) {
      sums[i] += part[i];
    }
    run.weights += 8 * steps;
    run.inputs = run.end;
    left -= steps;
  }
  for (int32_t i = 0; i < pixels; ++i, output += es_conv2d_pitch_s16(layer)) {
    for (int32_t channel = 0; channel < count; ++channel) {
      output[first + channel] =
          es_requantize_s16(sums[channel * PIXELS + i], &layer->output, first + channel);
    }
  }
}

/* All channels of a group for the pixels whose inputs were put side by side; pixels that do not exist are
 * written to where a real one will be. */
static void compute_group(const window_plan *plan, int32_t group, int32_t pixels, int16_t *output) {
  const es_conv2d_wide *const layer = plan->layer;
  const int32_t count = plan->channels, pairs = (count + 1) / 2, first = group * count;
  const int32_t pitch = es_conv2d_pitch_s16(layer) * (int32_t)sizeof(int16_t);
  es_core_run_s16 run = {.inputs = plan->inputs,
                         .weights = layer->weights + group * pairs * 8 * plan->steps,
                         .entry = es_core_entry_s16(plan->steps),
                         .offset_b = pixels > 1 ? pitch : 0,
                         .offset_c = pixels > 2 ? 2 * pitch : (pixels > 1 ? pitch : 0),
                         .end = plan->inputs + plan->steps * STEP};
  if (plan->unpacked == NULL) {
    for (int32_t channel = 0; channel < count; channel += 2) {
      compute_general(plan, run.weights, first + channel, count - channel < 2 ? 1 : 2, pixels, output);
      run.weights += 8 * plan->steps;
    }
    return;
  }
  run.channels = plan->unpacked + 2 * pairs * group;
  run.output = output + first;
  if (count > 1) {
    es_conv_core_s16_dsp(&run);
  }
  if ((count & 1) != 0) { /* the channel of zeros beside the last one must not touch the next pixel */
    int16_t results[2 * PIXELS] = {0, 0, 0, 0, 0, 0};
    run.weights += (pairs - 1) * 8 * plan->steps;
    run.channels += 2 * (pairs - 1);
    run.output = results;
    run.offset_b = 2 * (int32_t)sizeof(int16_t);
    run.offset_c = 4 * (int32_t)sizeof(int16_t);
    es_conv_core_s16_dsp(&run);
    for (int32_t i = 0; i < pixels; ++i) {
      output[i * es_conv2d_pitch_s16(layer) + first + count - 1] = results[2 * i];
    }
  }
}

static void make_plan(const es_conv2d_wide *layer, void *scratch, window_plan *plan) {
  const int32_t channels = groups_of(layer) * paired(layer);
  es_core_channel_s16 *const unpacked = scratch;
  plan->layer = layer;
  plan->groups = groups_of(layer);
  plan->channels = layer->out_channels / plan->groups;
  plan->run = layer->kernel_width * layer->filter_channels;
  plan->words = (plan->run + 1) / 2;
  plan->steps = steps_of(layer);
  plan->in_row = layer->in_width * layer->in_channels;
  plan->joined = layer->kernel_width == 1 || (plan->groups == 1 && layer->dilation_width == 1);
  plan->y_end = layer->in_height - (layer->kernel_height - 1) * layer->dilation_height;
  plan->x_end = plan->joined ? layer->in_width - layer->kernel_width + 1 : 0;
  plan->last = plan->y_end * plan->in_row - 2 * plan->words;
  plan->inputs = (int16_t *)(unpacked + channels);
  plan->unpacked = NULL;
  if (layer->output.wide == ES_WIDE_IN_WORDS) {
    plan->unpacked = unpacked;
    unpack_channels(layer, unpacked);
  }
}

/* Puts the inputs of three pixels side by side whose windows start at these rows and columns of the input. */
static void collect(const window_plan *plan, const int16_t *input, const int32_t rows[PIXELS],
                    const int32_t columns[PIXELS]) {
  const es_conv2d_wide *const layer = plan->layer;
  kernel_rows joined;
  int32_t inside = 0;
  for (int32_t i = 0; i < PIXELS; ++i) {
    const int32_t y = rows[i], x = columns[i];
    const int32_t offset = y * plan->in_row + x * layer->in_channels;
    inside += y >= 0 && x >= 0 && y < plan->y_end && x < plan->x_end && offset <= plan->last;
    joined.start[i] = input + offset;
  }
  if (inside == PIXELS) {
    joined.skip = 2 * (layer->dilation_height * plan->in_row - 2 * plan->words);
    joined.words = plan->words;
    joined.rows = layer->kernel_height;
    join_pixels(&joined, plan->inputs);
  } else {
    for (int32_t i = 0; i < PIXELS; ++i) {
      place_pixel(plan, input, rows[i], columns[i], plan->inputs + 2 * i);
    }
  }
}

void es_conv2d_s16(const es_conv2d_wide *layer, const int16_t *input, int16_t *output, void *scratch) {
  int32_t y = -layer->pad_top, x = -layer->pad_left;
  int32_t x_left = layer->out_width; /* output pixels left in the row */
  int16_t *const start = output;
  const int32_t pitch = es_conv2d_pitch_s16(layer);
  window_plan plan;
  make_plan(layer, scratch, &plan);
  for (int32_t left = layer->out_height * layer->out_width; left > 0; left -= PIXELS) {
    int32_t rows[PIXELS], columns[PIXELS];
    for (int32_t i = 0; i < PIXELS; ++i) {
      rows[i] = y;
      columns[i] = x;
      if (i + 1 >= left) {
        continue; /* a pixel that does not exist repeats the last one */
      }
      x += layer->stride_width;
      if (--x_left == 0) {
        x_left = layer->out_width;
        x = -layer->pad_left;
        y += layer->stride_height;
      }
    }
    for (int32_t group = 0; group < plan.groups; ++group) {
      collect(&plan, input + group * layer->filter_channels, rows, columns);
      compute_group(&plan, group, left < PIXELS ? left : PIXELS, output);
    }
    output += PIXELS * pitch;
  }
  if (plan.unpacked != NULL) {
    const int32_t last = layer->out_height * layer->out_width - 1;
    es_clamp_outputs_s16(&layer->output, start, last * pitch + layer->out_channels); /* with what lies in gaps */
  }
}
