/* Depthwise convolution, any kernel, int8, for cores with the DSP extension.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Weights: kernel row, kernel column, channel; the channels padded with zeros to a multiple of 4.
 *
 * Four channels at a time, two output pixels in each turn of the inner loop. A pixel of four channels is
 * widened to two words of two int16: channels 0 and 2, 1 and 3. SMLABB and SMLATT multiply their halves.
 *
 * Widened input rows, padding included, form a ring of as many rows as a kernel covers: row r is in place
 * r modulo their number. In a row, columns that a dilated kernel reads together stand together: with a dilation
 * of 2 first all even columns, then all odd ones. So the taps of a kernel row are always next to each other.
 *
 * The widened weights are a table: of every kernel row the taps, and behind them how far it is to the inputs
 * of the next row, which is written anew for every output row. Weights and biases are doubled, as SMMLAR wants
 * sums.
 */
#include <string.h>

#include "es_assembly_dsp.h"
#include "es_conv.h"

enum {
  CHANNELS = 4,
  PIXEL_WORDS = 2,
  PIXEL_BYTES = 8,
  LAST_ROW = 1 /* instead of a distance, which is a multiple of 8 */
};

/* The channels of a group. The order is known to the assembly. */
typedef struct {
  int32_t bias[CHANNELS]; /* doubled */
  struct {
    int32_t multiplier, addend, shift;
  } output[CHANNELS];
} group_channels;

/* Pairs of output pixels of one row and one group. The order is known to the assembly. */
typedef struct {
  const uint32_t *table;
  const uint32_t *inputs; /* of the first kernel row */
  int32_t advance;        /* bytes from one output pixel's inputs to the next one's */
  int32_t width;          /* taps of a kernel row */
  int8_t *output;
  int32_t step; /* from one output pixel to the next */
  const int8_t *end;
  const group_channels *channels;
} pair_run;

/* Channel a of the first pixel and b of the second to int8. */
#define FINISH_CHANNEL(a, b)             \
  "ldmia r8!, {r9-r11}\n"                \
  "add lr, r10, " a ", asr #31\n"        \
  "smmlar " a ", " a ", r9, lr\n"        \
  "add r10, r10, " b ", asr #31\n"       \
  "smmlar " b ", " b ", r9, r10\n"       \
  "ldr lr, [sp, #20]\n" /* step */       \
  "asr " a ", " a ", r11\n"              \
  "asr " b ", " b ", r11\n"              \
  "ssat " a ", #8, " a "\n"              \
  "ssat " b ", #8, " b "\n"              \
  "strb " b ", [r12, lr]\n"              \
  "strb " a ", [r12], #1\n"

/* Computes pairs of output pixels.
 *
 *   r0-r3  sums of the first pixel     r8   two inputs    r11, r12  inputs of both pixels
 *   r4-r7  sums of the second one      r9   two weights   lr        taps left in the row
 *                                      r10  table
 *
 * then r8 channels, r9-r11 multiplier, addend and shift, r12 output, lr step.
 * Stack: a copy of pair_run, whose inputs and output move on. */
ES_ASSEMBLY static void compute_pairs(const pair_run *run ES_UNUSED) {
  __asm__ volatile(
      "push {r4-r11, lr}\n"
      "sub sp, sp, #36\n"
      "ldm r0, {r0-r7}\n"
      "stm sp, {r0-r7}\n"

      "1:\n" /* next pair */
      "ldr r8, [sp, #28]\n"
      "ldm sp, {r10-r12, lr}\n"
      "add r12, r12, r11\n"
      "ldm r8, {r0-r3}\n" /* biases */
      "mov r4, r0\n"
      "mov r5, r1\n"
      "mov r6, r2\n"
      "mov r7, r3\n"

      "2:\n"
      "ldr r9, [r10], #4\n" /* channels 0 and 2 */
      "ldr r8, [r11], #4\n"
      "smlabb r0, r8, r9, r0\n"
      "smlatt r2, r8, r9, r2\n"
      "ldr r8, [r12], #4\n"
      "smlabb r4, r8, r9, r4\n"
      "smlatt r6, r8, r9, r6\n"
      "ldr r9, [r10], #4\n" /* channels 1 and 3 */
      "ldr r8, [r11], #4\n"
      "smlabb r1, r8, r9, r1\n"
      "smlatt r3, r8, r9, r3\n"
      "ldr r8, [r12], #4\n"
      "smlabb r5, r8, r9, r5\n"
      "smlatt r7, r8, r9, r7\n"
      "subs lr, lr, #1\n"
      "bne 2b\n"
      "ldr r8, [r10], #4\n" /* to the next kernel row */
      "ldr lr, [sp, #12]\n"
      "add r11, r11, r8\n"
      "add r12, r12, r8\n"
      "cmp r8, #1\n" /* LAST_ROW */
      "bne 2b\n"

      "ldr r8, [sp, #28]\n"
      "ldr r12, [sp, #16]\n"
      "add r8, r8, #16\n"
      FINISH_CHANNEL("r0", "r4")
      FINISH_CHANNEL("r1", "r5")
      FINISH_CHANNEL("r2", "r6")
      FINISH_CHANNEL("r3", "r7")
      "ldrd r0, r1, [sp, #4]\n" /* inputs, advance */
      "ldr r2, [sp, #24]\n"     /* end */
      "sub r12, r12, #4\n"
      "add r12, r12, lr, lsl #1\n"
      "add r0, r0, r1, lsl #1\n"
      "str r12, [sp, #16]\n"
      "str r0, [sp, #4]\n"
      "cmp r12, r2\n"
      "bne.w 1b\n"
      "add sp, sp, #36\n"
      "pop {r4-r11, pc}\n");
}

static inline uint32_t even_bytes(uint32_t word) {
  uint32_t result;
  __asm__("sxtb16 %0, %1" : "=r"(result) : "r"(word));
  return result;
}

static inline uint32_t odd_bytes(uint32_t word) {
  uint32_t result;
  __asm__("sxtb16 %0, %1, ror #8" : "=r"(result) : "r"(word));
  return result;
}

static inline uint32_t twice(uint32_t halves) {
  uint32_t result;
  __asm__("sadd16 %0, %1, %1" : "=r"(result) : "r"(halves));
  return result;
}

/* What stays the same for all groups of a layer. */
typedef struct {
  const es_conv2d *layer;
  int32_t rows;          /* of the ring: all that a kernel covers */
  int32_t phases;        /* of the columns: the dilation */
  int32_t phase_columns; /* columns of a phase */
  int32_t row_words;     /* of the ring */
  uint32_t *ring;
  uint32_t *table;
} ring_plan;

static void make_plan(const es_conv2d *layer, ring_plan *plan) {
  const int32_t covered = (layer->kernel_width - 1) * layer->dilation_width + 1;
  const int32_t columns = (layer->out_width - 1) * layer->stride_width + covered;
  plan->layer = layer;
  plan->rows = (layer->kernel_height - 1) * layer->dilation_height + 1;
  plan->phases = layer->dilation_width;
  plan->phase_columns = (columns + plan->phases - 1) / plan->phases;
  plan->row_words = PIXEL_WORDS * plan->phases * plan->phase_columns;
}

static int32_t table_words(const es_conv2d *layer) {
  return layer->kernel_height * (PIXEL_WORDS * layer->kernel_width + 1);
}

int32_t es_depthwise_conv2d_s8_scratch_bytes(const es_conv2d *layer) {
  ring_plan plan;
  make_plan(layer, &plan);
  return (int32_t)sizeof(group_channels) + 4 * (table_words(layer) + plan.rows * plan.row_words);
}

/* The first `count` of four channels; nothing is read behind them. */
static inline uint32_t load_pixel(const int8_t *from, int32_t count) {
  uint32_t word = 0;
  if (count == CHANNELS) {
    memcpy(&word, from, CHANNELS);
  } else {
    for (int32_t i = 0; i < count; ++i) {
      word |= (uint32_t)(uint8_t)from[i] << (8 * i);
    }
  }
  return word;
}

static inline uint32_t *pad_pixels(uint32_t *to, int32_t pixels, uint32_t padding) {
  for (; pixels > 0; --pixels) {
    *to++ = padding;
    *to++ = padding;
  }
  return to;
}

/* Columns of one phase from column `first` of the input on, which may be outside of it. */
static inline uint32_t *widen_phase(const ring_plan *plan, const int8_t *row, int32_t first, int32_t count,
                                    uint32_t padding, uint32_t *to) {
  const es_conv2d *layer = plan->layer;
  int32_t left = plan->phase_columns;
  int32_t column = first;
  for (; left > 0 && column < 0; --left, column += plan->phases) {
    to = pad_pixels(to, 1, padding);
  }
  for (; left > 0 && column < layer->in_width; --left, column += plan->phases) {
    const uint32_t word = load_pixel(row + column * layer->in_channels, count);
    *to++ = even_bytes(word);
    *to++ = odd_bytes(word);
  }
  return pad_pixels(to, left, padding);
}

/* Widens row y of the input, which may be outside of it, into the ring. */
static void widen_row(const ring_plan *plan, const int8_t *input, int32_t y, int32_t count) {
  const es_conv2d *layer = plan->layer;
  const uint32_t padding = 0x00010001u * (uint16_t)layer->input_zero_point;
  uint32_t *to = plan->ring + (y + layer->pad_top) % plan->rows * plan->row_words;
  if (y < 0 || y >= layer->in_height) {
    pad_pixels(to, plan->row_words / PIXEL_WORDS, padding);
    return;
  }
  const int8_t *row = input + y * layer->in_width * layer->in_channels;
  for (int32_t phase = 0; phase < plan->phases; ++phase) {
    to = widen_phase(plan, row, phase - layer->pad_left, count, padding, to);
  }
}

/* Widens the weights of a group, and unpacks its channels. */
static void start_group(const ring_plan *plan, int32_t first, int32_t count, group_channels *channels) {
  const es_conv2d *layer = plan->layer;
  const int32_t padded = (layer->out_channels + CHANNELS - 1) & ~(int32_t)(CHANNELS - 1);
  const int8_t *weights = layer->weights + first;
  uint32_t *to = plan->table;
  es_channel unpacked[CHANNELS];
  es_unpack_channels(&layer->channels, first, count, unpacked);
  for (int32_t i = 0; i < count; ++i) {
    channels->bias[i] = 2 * unpacked[i].bias;
    channels->output[i].multiplier = unpacked[i].multiplier;
    channels->output[i].addend = unpacked[i].addend;
    channels->output[i].shift = unpacked[i].shift;
  }
  for (int32_t ky = layer->kernel_height; ky > 0; --ky, ++to) {
    for (int32_t kx = layer->kernel_width; kx > 0; --kx, weights += padded) {
      const uint32_t word = load_pixel(weights, CHANNELS);
      *to++ = twice(even_bytes(word));
      *to++ = twice(odd_bytes(word));
    }
  }
}

/* Writes into the table how far it is from row to row. Returns the ring's row of the first kernel row. */
static const uint32_t *join_rows(const ring_plan *plan, int32_t top) {
  const es_conv2d *layer = plan->layer;
  const int32_t taps = PIXEL_WORDS * layer->kernel_width;
  uint32_t *distance = plan->table + taps;
  const int32_t first = top % plan->rows;
  int32_t place = first;
  for (int32_t ky = layer->kernel_height; ky > 1; --ky, distance += taps + 1) {
    int32_t next = place + layer->dilation_height;
    next = next >= plan->rows ? next - plan->rows : next;
    *distance = (uint32_t)((next - place) * plan->row_words - taps) * 4u;
    place = next;
  }
  *distance = LAST_ROW;
  return plan->ring + first * plan->row_words;
}

/* Computes `left` pixels of fewer than four channels: pair by pair, because the assembly writes four. */
static void compute_few(pair_run run, int32_t left, int32_t count) {
  int8_t pair[2 * CHANNELS];
  int8_t *output = run.output;
  const int32_t step = run.step;
  run.output = pair;
  run.step = CHANNELS;
  run.end = pair + sizeof pair;
  for (; left > 0; left -= 2, output += 2 * step, run.inputs += 2 * run.advance / 4) {
    run.advance = left > 1 ? run.advance : 0;
    compute_pairs(&run);
    for (int32_t i = 0; i < count; ++i) {
      output[i] = pair[i];
      if (left > 1) {
        output[step + i] = pair[CHANNELS + i];
      }
    }
  }
}

/* Computes `left` pixels of four channels. A single pixel at the end is computed twice. */
static void compute_all(pair_run *run, int32_t left) {
  if (left > 1) {
    run->end = run->output + (left & ~(int32_t)1) * run->step;
    compute_pairs(run);
  }
  if ((left & 1) != 0) {
    run->inputs += (left - 1) * run->advance / 4;
    run->output += (left - 1) * run->step;
    run->advance = 0;
    run->step = 0;
    run->end = run->output;
    compute_pairs(run);
  }
}

/* One output row. Pixels that read the same phase of the columns are computed together: every `together`th. */
static void compute_row(const ring_plan *plan, const uint32_t *inputs, const group_channels *channels,
                        int8_t *output, int32_t count) {
  const es_conv2d *layer = plan->layer;
  int32_t together = 1;
  while (together * layer->stride_width % plan->phases != 0) {
    ++together;
  }
  for (int32_t x = 0; x < together && x < layer->out_width; ++x) {
    const int32_t column = x * layer->stride_width;
    const int32_t place = column % plan->phases * plan->phase_columns + column / plan->phases;
    const int32_t pixels = (layer->out_width - x + together - 1) / together;
    pair_run run = {.table = plan->table,
                    .inputs = inputs + PIXEL_WORDS * place,
                    .advance = together * layer->stride_width / plan->phases * PIXEL_BYTES,
                    .width = layer->kernel_width,
                    .output = output + x * layer->out_channels,
                    .step = together * layer->out_channels,
                    .channels = channels};
    if (count == CHANNELS) {
      compute_all(&run, pixels);
    } else {
      compute_few(run, pixels, count);
    }
  }
}

void es_depthwise_conv2d_s8(const es_conv2d *layer, const int8_t *input, int8_t *output, void *scratch) {
  group_channels *channels = scratch;
  const int32_t out_row = layer->out_width * layer->out_channels;
  ring_plan plan;
  make_plan(layer, &plan);
  plan.table = (uint32_t *)(channels + 1);
  plan.ring = plan.table + table_words(layer);
  for (int32_t first = 0; first < layer->out_channels; first += CHANNELS) {
    const int32_t left = layer->out_channels - first;
    const int32_t count = left < CHANNELS ? left : CHANNELS;
    int32_t next = 0; /* row that is widened next, from the padding's top on */
    start_group(&plan, first, count, channels);
    for (int32_t y = 0; y < layer->out_height; ++y) {
      const int32_t top = y * layer->stride_height;
      next = next < top ? top : next;
      for (; next < top + plan.rows; ++next) {
        widen_row(&plan, input + first, next - layer->pad_top, count);
      }
      compute_row(&plan, join_rows(&plan, top), channels, output + y * out_row + first, count);
    }
  }
}
