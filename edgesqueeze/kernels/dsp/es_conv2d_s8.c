/* 2-D convolution, int8, for cores with the DSP extension.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Weights: see es_conv_core_dsp.h. The inputs of a pixel are in the order kernel row, kernel column, channel.
 * Where the inputs of a kernel row are no whole words, the last one to three of every row follow behind all
 * others: so most inputs are widened as words from where they are.
 */
#include <string.h>

#include "es_conv_core_dsp.h"

enum { PIXELS = ES_CONV_CORE_PIXELS };

/* The kernel rows of three pixels. The order of the members is known to the assembly. */
typedef struct {
  const int8_t *start[PIXELS];
  int32_t rows;
  int32_t skip[PIXELS]; /* from behind the words of a row to the next row */
  int32_t words;        /* a row */
} kernel_rows;

/* Widens three pixels' words row by row; returns the end of what it has written.
 *
 *   r0-r2  pixels                    r3   widened         r12  words left in the row
 *   r4-r6  inputs 0 and 2            lr   rows left       r11  skips
 *   r7-r9  inputs 1 and 3 */
__attribute__((naked, noinline)) static int32_t *widen_rows(const kernel_rows *rows __attribute__((unused)),
                                                            int32_t *widened __attribute__((unused))) {
  __asm__ volatile(
      "push {r4-r11, lr}\n"
      "mov r3, r1\n"
      "mov r11, r0\n"
      "ldmia r11!, {r0-r2, lr}\n"
      "ldr r12, [r11, #12]\n"
      "1:\n"
      "ldr r4, [r0], #4\n"
      "ldr r5, [r1], #4\n"
      "ldr r6, [r2], #4\n"
      "sxtb16 r7, r4, ror #8\n"
      "sxtb16 r8, r5, ror #8\n"
      "sxtb16 r9, r6, ror #8\n"
      "sxtb16 r4, r4\n"
      "sxtb16 r5, r5\n"
      "sxtb16 r6, r6\n"
      "stmia r3!, {r4-r9}\n"
      "subs r12, r12, #1\n"
      "bne 1b\n"
      "ldm r11, {r4-r6, r12}\n"
      "add r0, r0, r4\n"
      "add r1, r1, r5\n"
      "add r2, r2, r6\n"
      "subs lr, lr, #1\n"
      "bne 1b\n"
      "mov r0, r3\n"
      "pop {r4-r11, pc}\n");
}

static inline int8_t *copy_bytes(int8_t *to, const int8_t *from, int32_t count) {
  for (; count >= 4; count -= 4, to += 4, from += 4) {
    memcpy(to, from, 4);
  }
  for (; count > 0; --count) {
    *to++ = *from++;
  }
  return to;
}

static inline int8_t *fill_bytes(int8_t *to, int8_t value, int32_t count) {
  const uint32_t word = 0x01010101u * (uint8_t)value;
  for (; count >= 4; count -= 4, to += 4) {
    memcpy(to, &word, 4);
  }
  for (; count > 0; --count) {
    *to++ = value;
  }
  return to;
}

static int32_t limit(int32_t value, int32_t most) {
  return value < 0 ? 0 : (value > most ? most : value);
}

/* Copies the inputs of one output pixel whose kernel starts at row y, column x of the input; padding where
 * that is outside. */
static void copy_inputs(const es_conv2d *layer, const int8_t *input, int32_t y, int32_t x, int8_t *to) {
  const int32_t channels = layer->in_channels;
  const int32_t width = layer->kernel_width;
  const int8_t zero = layer->input_zero_point;
  const int32_t before = limit(-x, width); /* columns of padding */
  const int32_t inside = limit(layer->in_width - x, width) - before;
  for (int32_t ky = 0; ky < layer->kernel_height; ++ky, y += layer->dilation_height) {
    const int8_t *row = input + y * layer->in_width * channels;
    if (y < 0 || y >= layer->in_height) {
      to = fill_bytes(to, zero, width * channels);
    } else if (layer->dilation_width == 1) {
      to = fill_bytes(to, zero, before * channels);
      to = copy_bytes(to, row + (x + before) * channels, inside * channels);
      to = fill_bytes(to, zero, (width - before - inside) * channels);
    } else {
      int32_t column = x;
      for (int32_t kx = 0; kx < width; ++kx, column += layer->dilation_width) {
        to = column < 0 || column >= layer->in_width ? fill_bytes(to, zero, channels)
                                                     : copy_bytes(to, row + column * channels, channels);
      }
    }
  }
}

/* What stays the same for all groups of a layer. */
typedef struct {
  const es_conv2d *layer;
  const int8_t *input;
  int32_t in_row;         /* bytes of an input row */
  int32_t run;            /* inputs of a kernel row */
  int32_t skip;           /* from behind the words of a kernel row to the next one */
  int32_t copied_bytes;   /* of a pixel */
  int32_t rest_bytes;     /* of a pixel: last inputs of all rows that are no whole word */
  int32_t y_end, x_end;   /* a kernel that starts at or behind these reaches beyond the input */
  int8_t *copies, *rests; /* of a group */
} conv_plan;

/* Finds the kernel rows of pixel i of a group in the input, or copies them where padding is needed. */
static void find_rows(const conv_plan *plan, int32_t i, int32_t y, int32_t x, kernel_rows *rows) {
  if (y >= 0 && x >= 0 && y < plan->y_end && x < plan->x_end) {
    rows->start[i] = plan->input + y * plan->in_row + x * plan->layer->in_channels;
    rows->skip[i] = plan->skip;
  } else {
    int8_t *copy = plan->copies + i * plan->copied_bytes;
    copy_inputs(plan->layer, plan->input, y, x, copy);
    rows->start[i] = copy;
    rows->skip[i] = plan->run - 4 * rows->words;
  }
}

/* The inputs behind the last whole word of every row. */
static void widen_rests(const conv_plan *plan, const kernel_rows *rows, int32_t *widened) {
  const int32_t whole = 4 * rows->words;
  const int32_t rest = plan->run - whole;
  kernel_rows rests;
  for (int32_t i = 0; i < PIXELS; ++i) {
    const int8_t *from = rows->start[i] + whole;
    int8_t *to = plan->rests + i * plan->rest_bytes;
    rests.start[i] = to;
    for (int32_t ky = rows->rows; ky > 0; --ky, from += rows->skip[i] + whole) {
      *to++ = from[0];
      if (rest > 1) {
        *to++ = from[1];
      }
      if (rest > 2) {
        *to++ = from[2];
      }
    }
  }
  rests.rows = 1;
  rests.words = plan->rest_bytes / 4;
  widen_rows(&rests, widened);
}

static int32_t input_count(const es_conv2d *layer) {
  return layer->kernel_height * layer->kernel_width * layer->in_channels;
}

static int32_t rest_bytes(const es_conv2d *layer) {
  return es_conv_core_inputs(layer->kernel_height * ((layer->kernel_width * layer->in_channels) & 3));
}

int32_t es_conv2d_s8_scratch_bytes(const es_conv2d *layer) {
  const int32_t inputs = input_count(layer);
  return es_conv_core_scratch_bytes(inputs, layer->out_channels) +
         PIXELS * (es_conv_core_inputs(inputs) + rest_bytes(layer));
}

static void make_plan(const es_conv2d *layer, const int8_t *input, int8_t *copies, conv_plan *plan) {
  plan->layer = layer;
  plan->input = input;
  plan->in_row = layer->in_width * layer->in_channels;
  plan->run = layer->kernel_width * layer->in_channels;
  plan->skip = layer->dilation_height * plan->in_row - (plan->run & ~(int32_t)3);
  plan->copied_bytes = es_conv_core_inputs(input_count(layer));
  plan->rest_bytes = rest_bytes(layer);
  plan->y_end = layer->in_height - (layer->kernel_height - 1) * layer->dilation_height;
  plan->x_end = layer->dilation_width == 1 ? layer->in_width - layer->kernel_width + 1 : 0;
  plan->copies = copies;
  plan->rests = copies + PIXELS * plan->copied_bytes;
}

void es_conv2d_s8(const es_conv2d *layer, const int8_t *input, int8_t *output, void *scratch) {
  const int32_t inputs = input_count(layer);
  const int32_t step = layer->stride_width * layer->in_channels;
  es_channel *channels = scratch;
  int32_t *widened = es_conv_core_channels(layer, channels);
  int32_t y = -layer->pad_top;
  int32_t x = -layer->pad_left;
  int32_t x_left = layer->out_width; /* output pixels left in the row */
  kernel_rows rows;
  conv_plan plan;
  make_plan(layer, input, (int8_t *)(widened + es_conv_core_inputs(inputs) / 2 * PIXELS), &plan);
  rows.rows = layer->kernel_height;
  rows.words = plan.run / 4;
  for (int32_t left = layer->out_height * layer->out_width; left > 0; left -= PIXELS) {
    int32_t *to = widened;
    if (x_left > PIXELS && y >= 0 && y < plan.y_end && x >= 0 && x + 2 * layer->stride_width < plan.x_end) {
      const int8_t *start = input + y * plan.in_row + x * layer->in_channels;
      rows.start[0] = start;
      rows.start[1] = start + step;
      rows.start[2] = start + 2 * step;
      rows.skip[0] = rows.skip[1] = rows.skip[2] = plan.skip;
      x += PIXELS * layer->stride_width;
      x_left -= PIXELS;
    } else {
      for (int32_t i = 0; i < PIXELS; ++i) {
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
    }
    if (rows.words > 0) {
      to = widen_rows(&rows, to);
    }
    if (plan.rest_bytes > 0) {
      widen_rests(&plan, &rows, to);
    }
    es_conv_core_pixels(layer, channels, widened, inputs, output, left);
    output += PIXELS * layer->out_channels;
  }
}
