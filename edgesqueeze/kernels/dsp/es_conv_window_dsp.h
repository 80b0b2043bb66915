/* The windows of a convolution, three pixels at a time, for cores with the DSP extension.
 * SPDX-License-Identifier: Apache-2.0
 *
 * The inputs of a pixel are in the order kernel row, kernel column, channel; every kernel row is padded with zero
 * weights to a multiple of 4. So rows are widened as whole words from where they are, whatever follows them. Where
 * that would waste most, with rows of 5, 9, 13, ... inputs, the last input of every row follows behind all rows
 * instead, in the order 0, 2, 1, 3 of the rows.
 *
 * A header, because the kernels that include it differ in what they do with a group: the compiler knows it there.
 */
#ifndef ES_CONV_WINDOW_DSP_H
#define ES_CONV_WINDOW_DSP_H

#include "es_assembly_dsp.h"
#include "es_conv_core_dsp.h"
#include "es_copy_dsp.h"

/* Widens a group. */
ES_ASSEMBLY static void widen_rows(const es_kernel_rows *rows ES_UNUSED,
                                   int32_t *widened ES_UNUSED) {
  __asm__ volatile(
      "push {r4-r11, lr}\n"
      "mov r3, r1\n"
      "mov r11, r0\n"
      "ldmia r11!, {r0-r2, lr}\n"
      ES_WIDEN_ROWS
      "pop {r4-r11, pc}\n");
}

static int32_t limit(int32_t value, int32_t most) {
  return value < 0 ? 0 : (value > most ? most : value);
}

/* What stays the same for all groups of a layer. */
typedef struct {
  const es_conv2d *layer;
  const int8_t *input;
  int32_t last;         /* offset where a kernel may start at most for its words to end inside the input */
  int32_t in_row;       /* bytes of an input row */
  int32_t skip;         /* from behind the words of a kernel row to the next one */
  int32_t words;        /* widened of a kernel row */
  int32_t row_bytes;    /* of a copied kernel row: whole words */
  int32_t y_end, x_end; /* a kernel that starts at or behind these reaches beyond the input */
  int8_t *copies;       /* of the inputs of a group */
} conv_plan;

/* Copies the inputs of one output pixel whose kernel starts at row y, column x of the input; padding where
 * that is outside. */
__attribute__((noinline)) static void copy_inputs(const conv_plan *plan, int32_t y, int32_t x,
                                                  int8_t *copy) {
  const es_conv2d *layer = plan->layer;
  const int32_t channels = layer->in_channels;
  /* With dilation kernel columns are copied one by one. */
  const int32_t width = layer->dilation_width == 1 ? layer->kernel_width : 1;
  fill_words(copy, layer->input_zero_point, layer->kernel_height * plan->row_bytes);
  for (int32_t kx = 0; kx < layer->kernel_width; kx += width, x += layer->dilation_width) {
    const int32_t before = limit(-x, width); /* columns of padding */
    const int32_t inside = limit(layer->in_width - x, width) - before;
    int32_t from = y * plan->in_row + (x + before) * channels;
    int8_t *to = copy + (kx + before) * channels;
    int32_t row = y;
    for (int32_t ky = layer->kernel_height; ky > 0; --ky, row += layer->dilation_height) {
      if (row >= 0 && row < layer->in_height) {
        copy_bytes(to, plan->input + from, inside * channels);
      }
      from += layer->dilation_height * plan->in_row;
      to += plan->row_bytes;
    }
  }
}

/* Finds the kernel rows of pixel i of a group in the input, or copies them where that has to be padded. */
__attribute__((noinline)) static void find_rows(const conv_plan *plan, int32_t i, int32_t y, int32_t x,
                                                es_kernel_rows *rows) {
  const es_conv2d *layer = plan->layer;
  const int32_t offset = y * plan->in_row + x * layer->in_channels;
  if (y >= 0 && x >= 0 && y < plan->y_end && x < plan->x_end && offset <= plan->last) {
    rows->start[i] = plan->input + offset;
    rows->skip[i] = plan->skip;
  } else {
    int8_t *copy = plan->copies + i * layer->kernel_height * plan->row_bytes;
    copy_inputs(plan, y, x, copy);
    rows->start[i] = copy;
    rows->skip[i] = plan->row_bytes - 4 * plan->words;
  }
}

static int32_t run_of(const es_conv2d *layer) {
  return layer->kernel_width * layer->in_channels;
}

/* Whether the last input of every kernel row follows behind the rows. */
static int has_rests(const es_conv2d *layer) {
  return (run_of(layer) & 3) == 1 && run_of(layer) > 4;
}

/* Inputs of an output pixel with their padding. */
static inline int32_t es_conv_window_inputs(const es_conv2d *layer) {
  const int32_t rows = layer->kernel_height;
  return has_rests(layer) ? rows * (run_of(layer) - 1) + es_conv_core_inputs(rows)
                          : rows * es_conv_core_inputs(run_of(layer));
}

/* Scratch memory of a layer whose inputs are widened so, in bytes. */
static inline int32_t es_conv_window_scratch_bytes(const es_conv2d *layer) {
  return es_conv_core_scratch_bytes(es_conv_window_inputs(layer), layer->out_channels) +
         ES_CONV_CORE_PIXELS * layer->kernel_height * es_conv_core_inputs(run_of(layer));
}

static void make_plan(const es_conv2d *layer, const int8_t *input, int8_t *copies, conv_plan *plan) {
  const int32_t below = (layer->kernel_height - 1) * layer->dilation_height;
  plan->layer = layer;
  plan->input = input;
  plan->in_row = layer->in_width * layer->in_channels;
  plan->row_bytes = es_conv_core_inputs(run_of(layer));
  plan->words = has_rests(layer) ? run_of(layer) / 4 : plan->row_bytes / 4;
  plan->skip = layer->dilation_height * plan->in_row - 4 * plan->words;
  plan->y_end = layer->in_height - below;
  plan->last = plan->y_end * plan->in_row - (has_rests(layer) ? run_of(layer) : plan->row_bytes);
  plan->x_end = layer->dilation_width == 1 ? layer->in_width - layer->kernel_width + 1 : 0;
  plan->copies = copies;
}

static int32_t least(int32_t one, int32_t other) {
  return one < other ? one : other;
}

/* How many whole groups from row y, column x of the input on lie inside of it, and in the same output row with a pixel
 * behind them. */
static int32_t groups_inside(const conv_plan *plan, int32_t y, int32_t x, int32_t x_left) {
  const es_conv2d *layer = plan->layer;
  const int32_t stride = layer->stride_width, step = stride * layer->in_channels;
  const int32_t columns = plan->x_end - 1 - x - 2 * stride;
  const int32_t bytes = plan->last - y * plan->in_row - x * layer->in_channels - 2 * step;
  if (y < 0 || y >= plan->y_end || x < 0 || x_left <= ES_CONV_CORE_PIXELS || columns < 0 || bytes < 0) {
    return 0;
  }
  return least((x_left - 1) / ES_CONV_CORE_PIXELS,
               1 + least(columns / (ES_CONV_CORE_PIXELS * stride), bytes / (ES_CONV_CORE_PIXELS * step)));
}

/* Computes all pixels of a layer: `pixels` is called for every group of widened inputs. With `widen`, which is
 * assembly that widens the kernel rows at the core's input and moves them on to the next group, the core computes
 * groups inside of the input by itself. */
static inline __attribute__((always_inline)) void es_conv_windows(
    const es_conv2d *layer, const int8_t *input, int8_t *output, es_conv_core *core, int8_t *copies,
    void (*widen)(void), void (*pixels)(es_conv_core *core, int8_t *output, int32_t left)) {
  const int32_t step = layer->stride_width * layer->in_channels;
  const int32_t out_step = ES_CONV_CORE_PIXELS * core->out_pitch;
  int32_t y = -layer->pad_top;
  int32_t x = -layer->pad_left;
  int32_t x_left = layer->out_width; /* output pixels left in the row */
  int32_t left = layer->out_height * layer->out_width;
  es_kernel_rows rows;
  conv_plan plan;
  make_plan(layer, input, copies, &plan);
  rows.rows = layer->kernel_height;
  rows.words = plan.words;
  rows.step = ES_CONV_CORE_PIXELS * step;
  rows.rests = has_rests(layer) ? (int16_t *)(core->widened + 6 * rows.rows * rows.words) : NULL;
  while (left > 0) {
    const int32_t groups = groups_inside(&plan, y, x, x_left);
    if (groups > 0) {
      const int8_t *start = input + y * plan.in_row + x * layer->in_channels;
      for (int32_t i = 0; i < ES_CONV_CORE_PIXELS; ++i, start += step) {
        rows.start[i] = start;
        rows.skip[i] = plan.skip;
      }
      x += groups * ES_CONV_CORE_PIXELS * layer->stride_width;
      x_left -= groups * ES_CONV_CORE_PIXELS;
      left -= groups * ES_CONV_CORE_PIXELS;
      if (widen != NULL) {
        core->input = &rows;
        es_conv_core_groups(core, widen, output, groups);
        output += groups * out_step;
      } else {
        for (int8_t *const end = output + groups * out_step; output != end; output += out_step) {
          widen_rows(&rows, core->widened);
          pixels(core, output, ES_CONV_CORE_PIXELS);
          for (int32_t i = 0; i < ES_CONV_CORE_PIXELS; ++i) {
            rows.start[i] += rows.step;
          }
        }
      }
    }
    /* There is another pixel: a row's last one is never among the groups. */
    for (int32_t i = 0; i < ES_CONV_CORE_PIXELS; ++i) {
      find_rows(&plan, i, y, x, &rows);
      if (i + 1 < left) { /* a pixel that does not exist repeats the last one */
        x += layer->stride_width;
        if (--x_left == 0) {
          x_left = layer->out_width;
          x = -layer->pad_left;
          y += layer->stride_height;
        }
      }
    }
    widen_rows(&rows, core->widened);
    pixels(core, output, left);
    output += out_step;
    left -= ES_CONV_CORE_PIXELS;
  }
}

#endif /* ES_CONV_WINDOW_DSP_H */
