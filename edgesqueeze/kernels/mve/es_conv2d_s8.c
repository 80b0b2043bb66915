/* 2-D convolution, int8, for MVE: the inputs of a few output pixels are copied to scratch memory, then four
 * pixels at a time are multiplied by all output channels.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Weights are packed as es_multiply_s8.h describes; an output channel's weights are ordered column by column,
 * in a column row by row.
 */
#include "es_columns_s8.h"
#include "es_multiply_s8.h"

enum {
  MAX_BATCH = 16,
  PLACES = 256 /* bytes that es_columns_scatter reaches */
};

/* How the inputs of a layer are copied. */
typedef struct {
  int32_t taps;
  int32_t batch;        /* output pixels whose inputs are in scratch memory at a time, a multiple of 4 */
  int32_t spacing;      /* input columns from one column that is copied to the next */
  int32_t shift;        /* copied columns from one output pixel to the next */
  int32_t longest_run;  /* output pixels of one row that share columns */
  int scatter;          /* whether rows are copied with es_columns_scatter */
} plan;

static int32_t taps_of(const es_conv2d *layer) {
  return layer->kernel_height * layer->kernel_width * layer->in_channels;
}

static int32_t batch_of(int32_t taps) { return taps <= 64 ? 16 : (taps <= 160 ? 8 : 4); }

/* Scratch memory for the inputs; what follows stays 16-byte aligned. */
static int32_t inputs_bytes(int32_t taps) { return (batch_of(taps) * taps + 15) & ~15; }

static int32_t places_bytes(const es_conv2d *layer) { return layer->in_channels < 16 ? PLACES : 0; }

static plan plan_of(const es_conv2d *layer) {
  plan p;
  p.taps = taps_of(layer);
  p.batch = batch_of(p.taps);
  p.spacing = layer->dilation_width;
  p.shift = layer->kernel_width; /* nothing is shared */
  p.longest_run = 1;
  p.scatter = 0;
  if (layer->kernel_width == 1) {
    p.spacing = layer->stride_width;
    p.longest_run = p.batch;
  } else if (layer->dilation_width == 1 && layer->stride_width <= layer->kernel_width) {
    p.shift = layer->stride_width;
    p.longest_run = p.batch;
  }
  if (p.spacing == 1 && layer->in_channels < 16) {
    const int32_t columns = 1 + (PLACES - layer->in_channels) / (layer->kernel_height * layer->in_channels);
    const int32_t run = columns < layer->kernel_width ? 0 : (columns - layer->kernel_width) / p.shift + 1;
    if (run >= ES_MULTIPLY_PIXELS) {
      p.scatter = 1;
      p.longest_run = run < p.longest_run ? run : p.longest_run;
    }
  }
  return p;
}

static void set_places(uint8_t *places, int32_t channels, int32_t column_bytes) {
  for (int32_t column = 0; column + channels <= PLACES; column += column_bytes) {
    for (int32_t i = 0; i < channels; ++i) {
      *places++ = (uint8_t)(column + i);
    }
  }
}

/* Clips `count` positions that begin at `first`, `step` apart, to 0 to limit - 1. Returns how many remain, and
 * in `skipped` how many were cut off in front. */
static int32_t clip(int32_t first, int32_t step, int32_t count, int32_t limit, int32_t *skipped) {
  const int32_t before = first < 0 ? (step - 1 - first) / step : 0;
  const int32_t last = first + (count - 1) * step;
  const int32_t behind = last >= limit ? (last - limit) / step + 1 : 0;
  *skipped = before;
  return count - before - behind;
}

/* Copies `columns` columns of inputs that begin at (top, left). */
static void copy_columns(const es_conv2d *layer, const plan *p, es_columns *copy, const int8_t *input,
                         int32_t top, int32_t left, int32_t columns, int8_t *to) {
  int32_t first_row, first_column;
  const int32_t rows = clip(top, layer->dilation_height, layer->kernel_height, layer->in_height, &first_row);
  const int32_t inside = clip(left, p->spacing, columns, layer->in_width, &first_column);
  if (rows < layer->kernel_height || inside < columns) {
    es_fill_bytes(to, layer->input_zero_point, columns * copy->column_bytes);
    if (rows <= 0 || inside <= 0) {
      return;
    }
  }
  const int32_t row = top + first_row * layer->dilation_height;
  const int32_t column = left + first_column * p->spacing;
  copy->from = input + (row * layer->in_width + column) * layer->in_channels;
  copy->to = to + first_row * layer->in_channels + first_column * copy->column_bytes;
  copy->rows = rows;
  copy->columns = inside;
  if (p->scatter) {
    es_columns_scatter(copy);
  } else {
    es_columns_copy(copy);
  }
}

void es_conv2d_s8(const es_conv2d *layer, const int8_t *input, int8_t *output, void *scratch) {
  const plan p = plan_of(layer);
  es_channel *const channels = (es_channel *)scratch;
  int8_t *const inputs = (int8_t *)&channels[layer->out_channels];
  uint8_t *const places = (uint8_t *)inputs + inputs_bytes(p.taps);
  int8_t *const staging = (int8_t *)places + places_bytes(layer);
  const int8_t *list[MAX_BATCH];
  es_multiply block;
  es_multiply_begin(&block, layer, p.taps, channels);
  es_columns copy;
  copy.row_step = layer->dilation_height * layer->in_width * layer->in_channels;
  copy.column_step = p.spacing * layer->in_channels;
  copy.channels = layer->in_channels;
  copy.column_bytes = layer->kernel_height * layer->in_channels;
  copy.places = places;
  if (p.scatter) {
    set_places(places, layer->in_channels, copy.column_bytes);
  }
  int32_t row = 0, column = 0;
  while (row < layer->out_height) {
    int32_t count = 0;
    int8_t *to = inputs;
    while (count < p.batch && row < layer->out_height) {
      int32_t run = layer->out_width - column;
      run = run < p.batch - count ? run : p.batch - count;
      run = run < p.longest_run ? run : p.longest_run;
      const int32_t columns = (run - 1) * p.shift + layer->kernel_width;
      copy_columns(layer, &p, &copy, input, row * layer->stride_height - layer->pad_top,
                   column * layer->stride_width - layer->pad_left, columns, to);
      for (int32_t i = 0; i < run; ++i) {
        list[count + i] = to - block.skip + i * p.shift * copy.column_bytes;
      }
      to += columns * copy.column_bytes;
      count += run;
      column += run;
      if (column == layer->out_width) {
        column = 0;
        ++row;
      }
    }
    es_multiply_pixels(&block, layer, list, count, output, staging);
    output += count * layer->out_channels;
  }
}

int32_t es_conv2d_s8_scratch_bytes(const es_conv2d *layer) {
  const int32_t staging = layer->out_channels % 4 == 0 ? 0 : ES_MULTIPLY_PIXELS * layer->out_channels;
  return (int32_t)sizeof(es_channel) * layer->out_channels + inputs_bytes(taps_of(layer)) +
         places_bytes(layer) + staging;
}
