/* Depthwise convolution with int16 activations and int8 weights, many pixels at a time, for cores with the DSP
 * extension.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Four output channels at a time, of all pixels: their weights are widened once. The longer side of the kernel is the
 * inner loop. Where channels are no multiple of four, the last four overlap those before; of three channels the one in
 * the middle is computed twice.
 */
#include <string.h>

#include "es_assembly_dsp.h"
#include "es_s16.h"

enum { LANES = 4, UNROLLED = 4 };

/* The ways to add a tap; each has a block of code. */
enum {
  EVEN,     /* four channels, inputs at even places: of weights channels 0 and 2, then 1 and 3 */
  ODD,      /* the same with inputs at any places */
  PAIR,     /* two channels: of weights one word */
  TRIPLE,   /* three channels, as channels 0, 1, 1 and 2 */
  REPEATED, /* four channels of two neighbouring inputs: of weights four words, each with a half that is zero */
  WAYS
};

/* Words of weights, bytes of code of a tap, and bytes of code before the way's block. */
static const struct {
  uint8_t words, tap_code;
  int16_t block;
} ways[WAYS] = {{2, 28, 512}, {2, 32, 0}, {1, 20, 140}, {2, 32, 232}, {4, 32, 372}};

/* Neighbouring pixels of a row whose windows lie inside the input in the same way. Taps stand in rows: those of the
 * inner loop. The order of the members is known to the assembly. */
typedef struct {
  const int16_t *input; /* the first tap's of the first pixel */
  int16_t *output;
  const uint32_t *weights; /* of that tap */
  int32_t biases[LANES];
  int32_t step;                   /* bytes from the inputs of a tap to those of the next one in its row */
  int32_t rounds;                 /* of the unrolled loop over a row */
  int32_t rows;                   /* of taps */
  int32_t entry;                  /* bytes of code from the first block to where a row begins */
  int32_t row_skip, weight_skip;  /* bytes from behind a row to the next one */
  int32_t pixel_skip, next_pixel; /* bytes from behind the last tap to the next pixel; from output to output */
  const int16_t *end;             /* of the outputs */
  int32_t relu;                   /* whether outputs below zero become zero */
  int32_t upper;                  /* bytes from the first two outputs to the others, which are written first */
  struct {
    int32_t multiplier, addend, shift;
  } scales[LANES];
} pixel_run;

/* Four taps and the end of the loop over them: one way's block, label first. */
#define BLOCK(label, tap)         \
  label ":\n"                     \
  ".rept 4\n" /* UNROLLED */      \
  tap                             \
  ".endr\n"                       \
  "subs.w r11, r11, #1\n"         \
  "bne.w " label "b\n"

#define ADD_FOUR                \
  "add.w r0, r0, r10\n"         \
  "ldrd r4, r5, [r1], #8\n"     \
  "smlabb r6, r2, r4, r6\n"     \
  "smlatb r7, r2, r5, r7\n"     \
  "smlabt r8, r3, r4, r8\n"     \
  "smlatt r9, r3, r5, r9\n"

/* Two sums to int16: SMMLA multiplies and adds what rounds the product's upper half. */
#define SCALE_TWO(one, other)                           \
  "ldmia r12!, {r1-r5, r10}\n"                          \
  "smmla " one ", " one ", r1, r2\n"                    \
  "smmla " other ", " other ", r4, r5\n"                \
  "asr " one ", " one ", r3\n"                          \
  "asr " other ", " other ", r10\n"                     \
  "ssat " one ", #16, " one "\n"                        \
  "ssat " other ", #16, " other "\n"                    \
  "pkhbt " one ", " one ", " other ", lsl #16\n"

/*   r0      inputs     r2, r3  inputs of a tap    r6-r9  sums    r11  rounds left    lr  output
 *   r1      weights    r4, r5  weights of it      r10    step    r12  rows left
 *
 * Stack: a copy of the run from its weights on. One LDM starts a pixel: it sets the sums to the biases and jumps into
 * a way's unrolled loop. */
ES_ASSEMBLY static void compute(const pixel_run *run ES_UNUSED) {
  __asm__ volatile(
      "push {r4-r11, lr}\n"
      "sub sp, sp, #112\n"
      "ldmia r0!, {r1, lr}\n"
      "mov r2, sp\n"
      "ldmia r0!, {r3-r9}\n"
      "stmia r2!, {r3-r9}\n"
      "ldmia r0!, {r3-r9}\n"
      "stmia r2!, {r3-r9}\n"
      "ldmia r0!, {r3-r9}\n"
      "stmia r2!, {r3-r9}\n"
      "ldm r0, {r3-r9}\n"
      "stm r2, {r3-r9}\n"
      "mov r0, r1\n"
      "ldr r3, [sp, #32]\n"
      "adr.w r4, 2f\n"
      "add r3, r3, r4\n"
      "str r3, [sp, #32]\n"

      "1:\n" /* next pixel */
      "ldm sp, {r1, r6-r12, pc}\n"
      ".balign 4\n"
      BLOCK("2", "ldr.w r2, [r0]\n"
                 "ldr.w r3, [r0, #4]\n" ADD_FOUR)
      "b.w 7f\n"
      BLOCK("3", "ldr.w r2, [r0]\n"
                 "add.w r0, r0, r10\n"
                 "ldr.w r4, [r1], #4\n"
                 "smlabb r6, r2, r4, r6\n"
                 "smlatt r7, r2, r4, r7\n")
      "b.w 7f\n"
      BLOCK("4", "ldr.w r2, [r0]\n"
                 "ldr.w r3, [r0, #2]\n" ADD_FOUR)
      "b.w 7f\n"
      BLOCK("5", "ldr.w r2, [r0]\n"
                 "add.w r0, r0, r10\n"
                 "ldrd r3, r4, [r1], #8\n"
                 "smlad r6, r2, r3, r6\n"
                 "smlad r7, r2, r4, r7\n"
                 "ldrd r3, r4, [r1], #8\n"
                 "smlad r8, r2, r3, r8\n"
                 "smlad r9, r2, r4, r9\n")
      "b.w 7f\n"
      BLOCK("6", "ldrd r2, r3, [r0]\n" ADD_FOUR)

      "7:\n"
      "subs r12, r12, #1\n"
      "beq 8f\n"
      "ldrd r2, r3, [sp, #36]\n"
      "add r0, r0, r2\n"
      "add r1, r1, r3\n"
      "ldr r11, [sp, #24]\n"
      "ldr pc, [sp, #32]\n"

      "8:\n"
      "add r12, sp, #64\n"
      SCALE_TWO("r6", "r7")
      SCALE_TWO("r8", "r9")
      "add r12, sp, #44\n"
      "ldm r12, {r1-r5}\n" /* pixel_skip, next_pixel, end, relu, upper */
      "cbz r4, 9f\n"
      "usat16 r6, #15, r6\n"
      "usat16 r8, #15, r8\n"
      "9:\n"
      "str r8, [lr, r5]\n"
      "str r6, [lr]\n"
      "add r0, r0, r1\n"
      "add lr, lr, r2\n"
      "cmp lr, r3\n"
      "bne.w 1b\n"
      "add sp, sp, #112\n"
      "pop {r4-r11, pc}\n");
}

/* One side of the kernel. */
typedef struct {
  int32_t taps;
  int32_t step; /* bytes from a tap's inputs to the next one's */
} kernel_side;

typedef struct {
  const es_conv2d_wide *layer;
  uint32_t *weights; /* of some channels; behind them a tap of zeros */
  kernel_side inner, outer;
  const int16_t *input;
  int32_t turned;     /* whether the inner side is that of kernel rows */
  int32_t next_input; /* bytes from a window to the next one's */
  int32_t way, words, tap_code, block; /* as in `ways` */
} conv_plan;

/* How taps are added. Of neighbouring outputs only the four of a multiplier of 2 or more see two inputs at most. */
static int32_t way_of(const es_conv2d_wide *layer) {
  const int32_t channels = layer->in_channels;
  if (channels < layer->out_channels) {
    return REPEATED;
  }
  if (channels < LANES) {
    return channels < 3 ? PAIR : TRIPLE;
  }
  return (channels & 1) != 0 ? ODD : EVEN;
}

int32_t es_depthwise_taps_s16_scratch_bytes(const es_conv2d_wide *layer) {
  const int32_t taps = layer->kernel_height * layer->kernel_width;
  return 4 * ways[way_of(layer)].words * (taps + 1);
}

static void make_plan(const es_conv2d_wide *layer, const int16_t *input, uint32_t *weights, conv_plan *plan) {
  const int32_t pixel = 2 * layer->in_channels;
  const kernel_side columns = {layer->kernel_width, layer->dilation_width * pixel};
  const kernel_side rows = {layer->kernel_height, layer->dilation_height * layer->in_width * pixel};
  plan->layer = layer;
  plan->weights = weights;
  plan->turned = rows.taps > columns.taps;
  plan->inner = plan->turned ? rows : columns;
  plan->outer = plan->turned ? columns : rows;
  plan->way = way_of(layer);
  plan->words = ways[plan->way].words;
  plan->tap_code = ways[plan->way].tap_code;
  plan->block = ways[plan->way].block + 1; /* Thumb state */
  plan->input = input;
  plan->next_input = layer->stride_width * pixel;
}

/* The weights of a tap of the channels from `from` on; of four with a multiplier, bit i of `second` tells that channel
 * i sees the second input. */
static inline uint32_t *widen(const int8_t *from, int32_t way, int32_t second, uint32_t *to) {
  if (way == PAIR) {
    *to++ = (uint16_t)from[0] | (uint32_t)from[1] << 16;
  } else if (way == REPEATED) {
    for (int32_t i = 0; i < LANES; ++i) {
      *to++ = (second >> i & 1) != 0 ? (uint32_t)from[i] << 16 : (uint16_t)from[i];
    }
  } else {
    uint32_t four = (uint8_t)from[0] | (uint32_t)(uint8_t)from[1] << 8;
    if (way == TRIPLE) {
      four |= four >> 8 << 16 | (uint32_t)(uint8_t)from[2] << 24;
    } else {
      memcpy(&four, from, sizeof four);
    }
    *to++ = es_even_bytes(four);
    *to++ = es_odd_bytes(four);
  }
  return to;
}

static __attribute__((noinline)) void widen_all(const conv_plan *plan, int32_t channel, int32_t second) {
  const int32_t width = plan->layer->kernel_width, channels = plan->layer->out_channels, way = plan->way;
  const int32_t next = channels * (plan->turned ? width : 1), next_row = channels * (plan->turned ? 1 : width);
  const int8_t *row = plan->layer->weights + channel;
  uint32_t *to = plan->weights;
  for (int32_t i = plan->outer.taps; i > 0; --i, row += next_row) {
    const int8_t *from = row;
    for (int32_t j = plan->inner.taps; j > 0; --j, from += next) {
      to = widen(from, way, second, to);
    }
  }
  for (int32_t i = plan->words; i > 0; --i) {
    *to++ = 0;
  }
}

/* Some channels from one on; returns the first input channel that they see. */
static int32_t prepare(const conv_plan *plan, int32_t channel, pixel_run *run) {
  const es_conv2d_wide *const layer = plan->layer;
  const es_output_s16 *const output = &layer->output;
  const int32_t times = layer->out_channels / layer->in_channels;
  const int32_t first = channel / times, most = layer->in_channels - 2;
  const int32_t seen = first < most || plan->way != REPEATED ? first : most;
  int32_t second = 0;
  for (int32_t i = 0; i < (plan->way == PAIR ? 2 : LANES); ++i) {
    const int32_t place = channel + (plan->way == TRIPLE && i > 1 ? i - 1 : i);
    const int32_t *const scale = output->scales + 2 * place;
    run->biases[i] = (int32_t)output->biases[place];
    run->scales[i].multiplier = scale[0];
    run->scales[i].addend = (int32_t)1 << (scale[1] - 1);
    run->scales[i].shift = scale[1];
    second |= (place / times - seen) << i;
  }
  widen_all(plan, channel, second);
  return seen;
}

/* Taps of a side of the kernel that lie inside the input. */
typedef struct {
  int32_t first, count;
} inside_taps;

static inline inside_taps taps_inside(int32_t start, int32_t size, int32_t dilation, int32_t kernel) {
  inside_taps found = {0, kernel};
  if (start >= 0 && start + (kernel - 1) * dilation < size) {
    return found;
  }
  found.first = es_taps_before(0, start, dilation, kernel);
  found.count = es_taps_before(size, start, dilation, kernel) - found.first;
  return found;
}

/* The last column at which a window sees the same columns of its kernel as one that starts here. */
static inline int32_t last_column(const es_conv2d_wide *layer, const inside_taps *columns) {
  const int32_t dilation = layer->dilation_width, end = columns->first + columns->count;
  const int32_t right = layer->in_width - (end - 1) * dilation - 1;
  const int32_t left = (1 - columns->first) * dilation - 1;
  return columns->first > 0 && left < right ? left : right;
}

/* Outputs of pixels whose windows see these taps of the input, the first of which is at `input`. */
static inline void compute_pixels(const conv_plan *plan, const int16_t *input, const inside_taps *inner,
                                  const inside_taps *outer, int32_t pixels, pixel_run *run) {
  const int32_t row_bytes = inner->count * plan->inner.step, skipped = -inner->count & (UNROLLED - 1);
  run->input = input;
  run->weights = plan->weights + plan->words * (outer->first * plan->inner.taps + inner->first);
  run->rounds = (inner->count + UNROLLED - 1) / UNROLLED;
  run->rows = outer->count;
  run->entry = plan->block + skipped * plan->tap_code;
  run->row_skip = plan->outer.step - row_bytes;
  run->weight_skip = 4 * plan->words * (plan->inner.taps - inner->count);
  run->pixel_skip = plan->next_input - (outer->count - 1) * plan->outer.step - row_bytes;
  run->end = run->output + pixels * plan->layer->out_channels;
  compute(run);
  run->output += pixels * plan->layer->out_channels;
}

/* A row of outputs of some channels. */
static __attribute__((noinline)) void compute_row(const conv_plan *plan, const int16_t *input, int32_t y,
                                                  pixel_run *run) {
  const es_conv2d_wide *const layer = plan->layer;
  const int32_t row = y * layer->stride_height - layer->pad_top, stride = layer->stride_width;
  const int32_t kernel = layer->kernel_width, dilation = layer->dilation_width;
  const inside_taps rows = taps_inside(row, layer->in_height, layer->dilation_height, layer->kernel_height);
  int32_t column = -layer->pad_left, pixels = 0;
  input += (row + rows.first * layer->dilation_height) * layer->in_width * layer->in_channels;
  for (int32_t left = layer->out_width; left > 0; left -= pixels, column += pixels * stride) {
    const inside_taps columns = taps_inside(column, layer->in_width, dilation, kernel);
    const int16_t *const from = input + (column + columns.first * dilation) * layer->in_channels;
    pixels = 1;
    if (columns.count > 0) {
      const int32_t steps = last_column(layer, &columns) - column;
      pixels += stride == 1 ? steps : steps / stride;
      pixels = pixels < left ? pixels : left;
    }
    if (columns.count == 0 || rows.count == 0) {
      const inside_taps zeros = {plan->inner.taps * plan->outer.taps, 1}, one = {0, 1};
      compute_pixels(plan, plan->input, &zeros, &one, pixels, run);
    } else if (plan->turned) {
      compute_pixels(plan, from, &rows, &columns, pixels, run);
    } else {
      compute_pixels(plan, from, &columns, &rows, pixels, run);
    }
  }
}

void es_depthwise_taps_s16(const es_conv2d_wide *layer, const int16_t *input, int16_t *output, void *scratch) {
  const int32_t channels = layer->out_channels;
  conv_plan plan;
  pixel_run run = {.relu = layer->output.minimum == 0, .next_pixel = 2 * channels};
  make_plan(layer, input, scratch, &plan);
  run.step = plan.inner.step;
  run.upper = plan.way == PAIR ? 0 : plan.way == TRIPLE ? 2 : 4;
  for (int32_t done = 0; done < channels; done += LANES) {
    const int32_t last = channels < LANES ? 0 : channels - LANES, first = done < last ? done : last;
    const int16_t *const from = input + prepare(&plan, first, &run);
    for (int32_t y = 0; y < layer->out_height; ++y) {
      run.output = output + y * layer->out_width * channels + first;
      compute_row(&plan, from, y, &run);
    }
  }
  es_clamp_outputs_s16(&layer->output, output, layer->out_height * layer->out_width * channels);
}
