/* Depthwise convolution, any kernel, int8, for cores with the DSP extension.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Weights: kernel row, kernel column, channel; the channels padded with zeros to a multiple of 4.
 *
 * Four channels at a time, two output pixels in each turn of the inner loop. A pixel of four channels is
 * widened to two words of two int16: channels 0 and 2, 1 and 3. SMLABB and SMLATT multiply their halves.
 *
 * Widened input rows, padding included, form a ring of as many rows as a kernel covers: row r is in place
 * r modulo their number. In a row, columns that a dilated kernel reads together stand together: with a
 * dilation of 2 first all even columns, then all odd ones. So the taps of a kernel row are always next to
 * each other.
 *
 * The widened weights are a table: of every kernel row the taps, and behind them how far it is to the inputs
 * of the next row, which is written anew for every output row. Weights and biases are doubled, as SMMLAR
 * wants sums; so an odd word of the table always ends a row.
 */
#include <string.h>

#include "es_conv.h"
#include "es_depthwise_ring_dsp.h"

/* What stays the same for all groups of a layer. */
typedef struct {
  const es_conv2d *layer; /* as it is worked through */
  es_conv2d turned;       /* where that is column by column */
  int32_t in_row, in_pixel, out_row, out_pixel; /* bytes from one to the next */
  int32_t rows;                                 /* of the ring: all that a kernel covers */
  int32_t phases;                               /* of the columns: the dilation */
  int32_t phase_columns;                        /* columns of a phase */
  int32_t row_words;                            /* of the ring */
  int32_t apart; /* output pixels that read the same phase are so far apart */
  uint32_t *ring;
  uint32_t *table;
} ring_plan;

static inline int has_column(const es_conv2d *layer) {
  return layer->kernel_width == 1 && layer->kernel_height > 1;
}

/* Kernels of one column are worked through as kernels of one row: pixels share what they read. */
static void turn(const es_conv2d *layer, ring_plan *plan) {
  const int32_t channels = layer->in_channels;
  plan->layer = layer;
  plan->in_row = layer->in_width * channels;
  plan->out_row = layer->out_width * channels;
  plan->in_pixel = plan->out_pixel = channels;
  if (has_column(layer)) {
    plan->turned = *layer;
    plan->turned.in_height = layer->in_width;
    plan->turned.in_width = layer->in_height;
    plan->turned.out_height = layer->out_width;
    plan->turned.out_width = layer->out_height;
    plan->turned.kernel_height = 1;
    plan->turned.kernel_width = layer->kernel_height;
    plan->turned.stride_height = layer->stride_width;
    plan->turned.stride_width = layer->stride_height;
    plan->turned.dilation_height = 1;
    plan->turned.dilation_width = layer->dilation_height;
    plan->turned.pad_top = layer->pad_left;
    plan->turned.pad_left = layer->pad_top;
    plan->layer = &plan->turned;
    plan->in_pixel = plan->in_row;
    plan->out_pixel = plan->out_row;
    plan->in_row = plan->out_row = channels;
  }
}

/* Columns of a phase: of so many outputs a stride apart. */
static inline int32_t phase_columns(int32_t outputs, int32_t stride, int32_t kernel, int32_t dilation) {
  return ((outputs - 1) * stride + (kernel - 1) * dilation + dilation) / dilation;
}

static void make_plan(const es_conv2d *given, ring_plan *plan) {
  turn(given, plan);
  const es_conv2d *const layer = plan->layer;
  plan->rows = (layer->kernel_height - 1) * layer->dilation_height + 1;
  plan->phases = layer->dilation_width;
  plan->phase_columns = phase_columns(layer->out_width, layer->stride_width, layer->kernel_width, plan->phases);
  plan->row_words = PIXEL_WORDS * plan->phases * plan->phase_columns;
  plan->apart = 1;
  while (plan->apart * layer->stride_width % plan->phases != 0) {
    ++plan->apart;
  }
}

static inline int32_t table_words(int32_t height, int32_t width) {
  return height * (PIXEL_WORDS * width + 1);
}

/* With a ring of so many rows of so many pixels. */
static inline int32_t scratch_bytes(int32_t table, int32_t rows, int32_t pixels) {
  return (int32_t)sizeof(group_channels) + 4 * (table + PIXEL_WORDS * rows * pixels);
}

int32_t es_depthwise_conv2d_s8_scratch_bytes(const es_conv2d *layer) {
  const int32_t height = layer->kernel_height, width = layer->kernel_width;
  const int32_t dilation = has_column(layer) ? layer->dilation_height : layer->dilation_width;
  if (has_column(layer)) {
    return scratch_bytes(table_words(1, height), 1,
                         dilation * phase_columns(layer->out_height, layer->stride_height, height, dilation));
  }
  return scratch_bytes(table_words(height, width), (height - 1) * layer->dilation_height + 1,
                       dilation * phase_columns(layer->out_width, layer->stride_width, width, dilation));
}

/* Keeps compilers from calling memcpy for a few bytes. */
#define KEEP_LOOP __asm__ volatile("")

/* The first `count` of four channels; nothing is read behind them. */
static inline uint32_t load_pixel(const int8_t *from, int32_t count) {
  uint32_t word = 0;
  if (count == CHANNELS) {
    memcpy(&word, from, CHANNELS);
  } else {
    for (int32_t i = 0; i < count; ++i) {
      word |= (uint32_t)(uint8_t)from[i] << (8 * i);
      KEEP_LOOP;
    }
  }
  return word;
}

static uint32_t *pad_pixels(uint32_t *to, int32_t pixels, uint32_t padding) {
  for (const uint32_t *end = to + PIXEL_WORDS * pixels; to != end; to += PIXEL_WORDS) {
    to[0] = padding;
    to[1] = padding;
    KEEP_LOOP;
  }
  return to;
}

/* Four channels of a pixel to two words of two. */
static inline void widen_four(uint32_t *to, const int8_t *from) {
  uint32_t word;
  memcpy(&word, from, sizeof word);
  to[0] = es_even_bytes(word);
  to[1] = es_odd_bytes(word);
}

static uint32_t *widen_pixels(uint32_t *to, int32_t pixels, const int8_t *from, int32_t step, int32_t count) {
  if (count < CHANNELS) {
    for (; pixels > 0; --pixels, to += PIXEL_WORDS, from += step) {
      const uint32_t word = load_pixel(from, count);
      to[0] = es_even_bytes(word);
      to[1] = es_odd_bytes(word);
    }
    return to;
  }
  for (; pixels > 1; pixels -= 2, to += 2 * PIXEL_WORDS, from += 2 * step) {
    widen_four(to, from);
    widen_four(to + PIXEL_WORDS, from + step);
  }
  if (pixels > 0) {
    widen_four(to, from);
    to += PIXEL_WORDS;
  }
  return to;
}

/* How many columns there are from `first` to before `end`, every `step`th, but at most `most`. */
static int32_t columns_before(int32_t first, int32_t end, int32_t step, int32_t most) {
  const int32_t columns = first < end ? (end - first + step - 1) / step : 0;
  return columns < most ? columns : most;
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
  input += y * plan->in_row;
  for (int32_t phase = 0; phase < plan->phases; ++phase) {
    const int32_t first = phase - layer->pad_left;
    const int32_t before = columns_before(first, 0, plan->phases, plan->phase_columns);
    const int32_t start = first + before * plan->phases;
    const int32_t inside = columns_before(start, layer->in_width, plan->phases, plan->phase_columns - before);
    to = pad_pixels(to, before, padding);
    if (inside > 0) {
      to = widen_pixels(to, inside, input + start * plan->in_pixel, plan->phases * plan->in_pixel,
                        count);
    }
    to = pad_pixels(to, plan->phase_columns - before - inside, padding);
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
    KEEP_LOOP;
  }
  for (int32_t ky = layer->kernel_height; ky > 0; --ky, ++to) {
    for (int32_t kx = layer->kernel_width; kx > 0; --kx, weights += padded) {
      const uint32_t word = load_pixel(weights, CHANNELS);
      *to++ = twice(es_even_bytes(word));
      *to++ = twice(es_odd_bytes(word));
    }
  }
}

/* Writes into the table how far it is from row to row. Returns the ring's row of the first kernel row. */
static const uint32_t *join_rows(const ring_plan *plan, int32_t top) {
  const es_conv2d *layer = plan->layer;
  const int32_t taps = PIXEL_WORDS * layer->kernel_width;
  const uint32_t *first = plan->ring + top % plan->rows * plan->row_words;
  const uint32_t *const end = plan->ring + plan->rows * plan->row_words;
  const uint32_t *row = first;
  int32_t *distance = (int32_t *)plan->table + taps;
  for (int32_t ky = layer->kernel_height; ky > 1; --ky, distance += taps + 1) {
    int32_t words = layer->dilation_height * plan->row_words;
    if (words >= end - row) {
      words -= plan->rows * plan->row_words;
    }
    row += words;
    *distance = (words - taps) * 8 + 1; /* twice the bytes, and odd */
    KEEP_LOOP;
  }
  *distance = LAST_ROW;
  return first;
}

static void set_step(pair_run *run, int32_t step) {
  run->step = step;
  run->skip = 2 * step - CHANNELS;
}

/* Computes `left` pixels of fewer than four channels: pair by pair, because the assembly writes four. */
__attribute__((noinline)) static void compute_few(const pair_run *all, int32_t left, int32_t count) {
  int8_t pair[2 * CHANNELS];
  int8_t *output = all->output;
  const int32_t step = all->step;
  pair_run run = *all;
  run.output = pair;
  set_step(&run, CHANNELS);
  run.end = pair + sizeof pair;
  for (; left > 0; left -= 2, output += 2 * step) {
    run.advance = left > 1 ? run.advance : 0;
    compute_pairs(&run);
    run.inputs += run.advance / 2; /* two pixels in words */
    for (int32_t i = 0; i < count; ++i) {
      output[i] = pair[i];
      if (left > 1) {
        output[step + i] = pair[CHANNELS + i];
      }
      KEEP_LOOP;
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
    set_step(run, 0);
    run->end = run->output;
    compute_pairs(run);
  }
}

/* One output row. Pixels that read the same phase of the columns are computed together, or, if that are few, those that
 * read neighbouring phases. */
static void compute_row(const ring_plan *plan, const uint32_t *inputs, const group_channels *channels,
                        int8_t *output, int32_t count) {
  const es_conv2d *layer = plan->layer;
  const int32_t width = layer->out_width, pixel = PIXEL_WORDS * 4;
  const int across = layer->stride_width == 1 && plan->phases * plan->phases > width;
  const int32_t between = across ? plan->phases : 1, apart = across ? 1 : plan->apart;
  for (int32_t x = 0; x < (across ? width : plan->apart) && x < width; x += between) {
    const int32_t column = x * layer->stride_width;
    const int32_t place = column % plan->phases * plan->phase_columns + column / plan->phases;
    const int32_t pixels = (width - x + apart - 1) / apart;
    pair_run run = {.outputs = channels->output,
                    .table = plan->table,
                    .inputs = inputs + PIXEL_WORDS * place,
                    .advance = across ? plan->phase_columns * pixel
                                      : apart * layer->stride_width / plan->phases * pixel,
                    .output = output + x * plan->out_pixel};
    set_step(&run, apart * plan->out_pixel);
    if (count == CHANNELS) {
      compute_all(&run, across && pixels > between ? between : pixels);
    } else {
      compute_few(&run, across && pixels > between ? between : pixels, count);
    }
  }
}

void es_depthwise_conv2d_s8(const es_conv2d *layer, const int8_t *input, int8_t *output, void *scratch) {
  group_channels *channels = scratch;
  ring_plan plan;
  make_plan(layer, &plan);
  layer = plan.layer;
  plan.table = (uint32_t *)(channels + 1);
  plan.ring = plan.table + table_words(layer->kernel_height, layer->kernel_width);
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
      compute_row(&plan, join_rows(&plan, top), channels, output + y * plan.out_row + first, count);
    }
  }
}
