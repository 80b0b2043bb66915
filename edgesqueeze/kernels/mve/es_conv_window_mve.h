/* The windows of a convolution, some pixels at a time, int8, for MVE.
 * SPDX-License-Identifier: Apache-2.0
 *
 * The inputs of a few output pixels are copied to scratch memory, column by column, in a column row by row.
 *
 * A header, because the kernels that include it differ in what they do with these pixels: the compiler knows it there.
 */
#ifndef ES_CONV_WINDOW_MVE_H
#define ES_CONV_WINDOW_MVE_H

#include <stddef.h>

#include "es_columns_s8.h"
#include "es_multiply_s8.h"

enum {
  ES_CONV_BATCH = 16, /* output pixels whose inputs are in scratch memory at a time, at most */
  ES_CONV_PLACES = 256 /* bytes that es_columns_scatter reaches */
};

/* How the inputs of a layer are copied. */
typedef struct {
  int32_t taps;
  int32_t batch;   /* output pixels whose inputs are in scratch memory at a time, a multiple of 4 */
  int32_t spacing; /* input columns from one column that is copied to the next */
  int32_t shift;   /* copied columns from one output pixel to the next */
  int32_t longest_run; /* output pixels of one row that share columns */
  void (*copy)(const es_columns *);
} plan;

static inline int32_t taps_of(const es_conv2d *layer) {
  return layer->kernel_height * layer->kernel_width * layer->in_channels;
}

/* Scratch memory for so many inputs of each of so many pixels; what follows stays 16-byte aligned. */
static inline int32_t inputs_bytes(int32_t batch, int32_t taps) {
  return (batch * taps + 15) & ~15;
}

static inline int32_t places_bytes(const es_conv2d *layer) {
  return layer->in_channels < 16 ? ES_CONV_PLACES : 0;
}

static plan plan_of(const es_conv2d *layer, int32_t batch) {
  plan p;
  p.taps = taps_of(layer);
  p.batch = batch;
  p.spacing = layer->dilation_width;
  p.shift = layer->kernel_width; /* nothing is shared */
  p.longest_run = 1;
  p.copy = es_columns_copy;
  if (layer->kernel_width == 1) {
    p.spacing = layer->stride_width;
    p.longest_run = p.batch;
  } else if (layer->dilation_width == 1 && layer->stride_width <= layer->kernel_width) {
    p.shift = layer->stride_width;
    p.longest_run = p.batch;
  }
  if (p.spacing == 1 && layer->in_channels < 16) {
    const int32_t columns =
        1 + (ES_CONV_PLACES - layer->in_channels) / (layer->kernel_height * layer->in_channels);
    const int32_t run =
        columns < layer->kernel_width ? 0 : (columns - layer->kernel_width) / p.shift + 1;
    if (run >= ES_MULTIPLY_PIXELS) {
      p.copy = es_columns_scatter;
      p.longest_run = run < p.longest_run ? run : p.longest_run;
    }
  }
  return p;
}

static void set_places(uint8_t *places, int32_t channels, int32_t column_bytes) {
  for (int32_t column = 0; column + channels <= ES_CONV_PLACES; column += column_bytes) {
    for (int32_t i = 0; i < channels; ++i) {
      *places++ = (uint8_t)(column + i);
    }
  }
}

/* Clips `count` positions from `first` on, `step` apart, to 0 to limit - 1. Returns how many
 * remain, and in `skipped` how many were cut off in front. */
static inline int32_t clip(int32_t first, int32_t step, int32_t count, int32_t limit,
                           int32_t *skipped) {
  const int32_t before = first < 0 ? (step - 1 - first) / step : 0;
  const int32_t last = first + (count - 1) * step;
  const int32_t behind = last >= limit ? (last - limit) / step + 1 : 0;
  *skipped = before;
  return count - before - behind;
}

/* Copies `count` columns from column `left` of the input on, of which some inputs may be outside of
 * it. `row` is the uppermost input row inside the image, `above` are the bytes of a column above
 * it. */
static void copy_clipped(const es_conv2d *layer, const plan *p, es_columns *copy, const int8_t *row,
                         int32_t above, int32_t left, int32_t count, int8_t *to) {
  int32_t skipped;
  const int32_t inside = clip(left, p->spacing, count, layer->in_width, &skipped);
  es_fill_bytes(to, layer->input_zero_point, count * copy->column_bytes);
  if (copy->rows > 0 && inside > 0) {
    copy->from = row + (left + skipped * p->spacing) * copy->channels;
    copy->to = to + above + skipped * copy->column_bytes;
    copy->columns = inside;
    p->copy(copy);
  }
}

static inline int32_t smaller(int32_t a, int32_t b) {
  return a < b ? a : b;
}

/* What is done with pixels: `list` holds their addresses, less `skip` bytes each, and has room for a multiple of four. */
typedef void es_conv_pixels(void *context, const int8_t **list, int32_t count, int8_t *output);

/* Computes all pixels of a layer, `batch` at a time: a multiple of 4. `inputs` is scratch memory for their inputs, and
 * for places. */
static inline __attribute__((always_inline)) void es_conv_windows(const es_conv2d *layer, int32_t batch,
                                                                  const int8_t *input, int8_t *output,
                                                                  int8_t *inputs, int32_t skip,
                                                                  es_conv_pixels *pixels, void *context) {
  const plan p = plan_of(layer, batch);
  const int32_t in_channels = layer->in_channels;
  const int32_t column_bytes = layer->kernel_height * in_channels;
  uint8_t *const places = (uint8_t *)inputs + inputs_bytes(p.batch, p.taps);
  const int8_t *list[ES_CONV_BATCH];
  int32_t listed = 0;
  int8_t *to = inputs;
  es_columns copy = {NULL, NULL, 0, 0, 0, 0, 0, 0, places};
  copy.row_step = layer->dilation_height * layer->in_width * in_channels;
  copy.column_step = p.spacing * in_channels;
  copy.channels = in_channels;
  copy.column_bytes = column_bytes;
  if (p.copy == es_columns_scatter) {
    set_places(places, in_channels, column_bytes);
  }
  const int32_t rightmost = layer->in_width - layer->dilation_width * (layer->kernel_width - 1);
  for (int32_t y = 0; y < layer->out_height; ++y) {
    const int32_t top = y * layer->stride_height - layer->pad_top;
    int32_t above;
    copy.rows = clip(top, layer->dilation_height, layer->kernel_height, layer->in_height, &above);
    const int8_t *const row =
        input + (top + above * layer->dilation_height) * layer->in_width * in_channels;
    /* Outputs whose kernels are inside the image begin at most here. */
    const int32_t limit = copy.rows == layer->kernel_height ? rightmost : 0;
    int32_t left = -layer->pad_left;
    for (int32_t to_go = layer->out_width; to_go > 0;) {
      const int32_t run = smaller(smaller(to_go, p.longest_run), p.batch - listed);
      const int32_t next = left + run * layer->stride_width;
      const int32_t count = (run - 1) * p.shift + layer->kernel_width;
      es_multiply_list(&list[listed], to - skip, p.shift * column_bytes, run);
      if (left >= 0 && next - layer->stride_width < limit) {
        copy.from = row + left * in_channels;
        copy.to = to;
        copy.columns = count;
        p.copy(&copy);
      } else {
        copy_clipped(layer, &p, &copy, row, above * in_channels, left, count, to);
      }
      to += count * column_bytes;
      listed += run;
      to_go -= run;
      left = next;
      if (listed == p.batch) {
        pixels(context, list, listed, output);
        output += listed * es_conv2d_pitch(layer);
        listed = 0;
        to = inputs;
      }
    }
  }
  if (listed > 0) {
    pixels(context, list, listed, output);
  }
}

#endif /* ES_CONV_WINDOW_MVE_H */
