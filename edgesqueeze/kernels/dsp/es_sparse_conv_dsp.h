/* Convolutions that skip weights of zero, int8, for cores with the DSP extension: all but how weights are read.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Eight pixels at a time. A word holds an input of two of them, a + 2^23 * b, so that an instruction multiplies both
 * by a weight and adds the products to a sum of 64 bits: the lower 23 bits are the first pixel's sum, the others that
 * of the second one.
 *
 * Lower sums must lie between -2^22 and 2^22: the weights of an output channel add up to at most 32,767, whatever
 * their signs. The generator sees to that.
 *
 * A header, because the kernels that include it differ in the inner loop. They define before:
 *
 *   ES_SPARSE_READ   assembly that reads the next weight, at lr, into r12, adds its distance to r1, and moves lr on;
 *                    r2 and r3 are spare, r0 is a table of the kernel's own
 *   ES_SPARSE_BYTES  bytes of its code, as a string
 *   ES_SPARSE_SHIFT  logarithm of the bytes of a weight in the stream, as a string
 */
#ifndef ES_SPARSE_CONV_DSP_H
#define ES_SPARSE_CONV_DSP_H

#include <stddef.h>

#include "es_assembly_dsp.h"
#include "es_copy_dsp.h"
#include "es_sparse_s8.h"

enum {
  PIXELS = 8,
  QUAD = 4,                /* pixels that are widened at a time */
  INPUT_BYTES = 2 * PIXELS /* of one widened input */
};

/* What the output channels of eight pixels need. The order of the members is known to the assembly. */
typedef struct {
  const int32_t *widened;
  const uint32_t *table;
  const es_channel *channel; /* its bias is doubled */
  const es_channel *end;     /* behind the last channel */
  int8_t *output;            /* of the first pixel */
  int32_t pitch;             /* bytes from the output of a pixel to that of the next */
  const uint8_t *stream;     /* of every channel a count of weights, as uint16, then the weights */
} sparse_group;

/* Adds one weight's products to the sums of eight pixels. 24 bytes of code behind the reading.
 *
 *   r0  table           r12    weight   lr      next weight
 *   r1  next inputs     r2-r3  inputs   r4-r11  sums, lower halves first */
#define STEP                       \
  ES_SPARSE_READ                   \
  "ldrd r2, r3, [r1], #8\n"        \
  "smlal r4, r5, r2, r12\n"        \
  "smlal r6, r7, r3, r12\n"        \
  "ldrd r2, r3, [r1], #8\n"        \
  "smlal r8, r9, r2, r12\n"        \
  "smlal r10, r11, r3, r12\n"

/* Halfwords from a table of such to the code that begins with a step of eight. */
#define FROM(step) "(3f - 2b + " step " * (24 + " ES_SPARSE_BYTES ")) / 2"

/* Takes the sums of two pixels apart, doubles them and adds the doubled bias.
 *
 *   r0  bias   r1  bias of the lower sum, which began with 2^22   r2  spare */
#define PART(lower, upper)                      \
  "lsr r2, " lower ", #23\n"                    \
  "ubfx " lower ", " lower ", #0, #23\n"        \
  "add " lower ", r1, " lower ", lsl #1\n"      \
  "add " upper ", r0, " upper ", lsl #10\n"     \
  "add " upper ", " upper ", r2, lsl #1\n"

/* Scales a sum.
 *
 *   r0  multiplier   r1  addend   r2  shift   r3  spare */
#define SCALE(sum)                         \
  "add r3, r1, " sum ", asr #31\n"         \
  "smmlar " sum ", " sum ", r0, r3\n"      \
  "asr " sum ", " sum ", r2\n"             \
  "ssat " sum ", #8, " sum "\n"

/* Writes the outputs of two pixels.
 *
 *   r12  next output   lr  pitch */
#define WRITE(first, second)               \
  SCALE(first)                             \
  "strb " first ", [r12]\n"                \
  SCALE(second)                            \
  "strb " second ", [r12, lr]\n"           \
  "add r12, r12, lr, lsl #1\n"

/* All output channels of eight pixels. */
ES_ASSEMBLY static void compute_channels(sparse_group *group ES_UNUSED) {
  __asm__ volatile(
      "push {r0, r4-r11, lr}\n"
      "sub sp, sp, #4\n" /* where the channel's stream ends; then the group */
      "mov r3, r0\n"
      "1:\n"
      "ldr lr, [r3, #24]\n"
      "ldrh r12, [lr], #2\n"
      "ldrd r1, r0, [r3]\n"
      "add r2, lr, r12, lsl #" ES_SPARSE_SHIFT "\n"
      "str r2, [sp]\n"
      "mov r4, #0x400000\n"
      "movs r5, #0\n"
      "mov r6, r4\n"
      "movs r7, #0\n"
      "mov r8, r4\n"
      "mov r9, #0\n"
      "mov r10, r4\n"
      "mov r11, #0\n"
      "cmp r12, #0\n"
      "beq.w 4f\n"
      "rsb r12, r12, #0\n"
      "and r12, r12, #7\n" /* steps to leave out in the first round */
      "tbh [pc, r12, lsl #1]\n"
      "2:\n"
      ".hword " FROM("0") ", " FROM("1") ", " FROM("2") ", " FROM("3") "\n"
      ".hword " FROM("4") ", " FROM("5") ", " FROM("6") ", " FROM("7") "\n"
      "3:\n"
      ".rept 8\n" STEP ".endr\n"
      "ldr r2, [sp]\n"
      "cmp lr, r2\n"
      "bne.w 3b\n"
      "4:\n"
      "ldr r3, [sp, #4]\n"
      "str lr, [r3, #24]\n"
      "ldr r12, [r3, #8]\n"
      "ldr r0, [r12], #4\n"
      "sub r1, r0, #0x800000\n"
      PART("r4", "r5")
      PART("r6", "r7")
      PART("r8", "r9")
      PART("r10", "r11")
      "ldm r12!, {r0-r2}\n"
      "str r12, [r3, #8]\n"
      "ldrd r12, lr, [r3, #16]\n"
      "add r12, r12, #1\n"
      "str r12, [r3, #16]\n"
      "sub r12, r12, #1\n"
      WRITE("r4", "r5")
      WRITE("r6", "r7")
      WRITE("r8", "r9")
      WRITE("r10", "r11")
      "ldr r3, [sp, #4]\n"
      "ldrd r0, r1, [r3, #8]\n"
      "cmp r0, r1\n"
      "bne.w 1b\n"
      "add sp, sp, #8\n"
      "pop {r4-r11, pc}\n");
}

/* One input of four pixels: r8 and r9 are the words, r10 is spare. */
#define JOIN(bits)                    \
  "sxtb r8, r4, ror #" bits "\n"      \
  "sxtb r10, r5, ror #" bits "\n"     \
  "add r8, r8, r10, lsl #23\n"        \
  "sxtb r9, r6, ror #" bits "\n"      \
  "sxtb r10, r7, ror #" bits "\n"     \
  "add r9, r9, r10, lsl #23\n"        \
  "strd r8, r9, [r12], #16\n"

/* Joins `count` inputs of four pixels, at least one: two words for every input, 16 bytes apart.
 *
 *   r0-r3  pixels   r4-r7  four inputs of each   r12  words   lr  inputs left */
ES_ASSEMBLY static void join_inputs(const int8_t *const *pixels ES_UNUSED, int32_t *words ES_UNUSED,
                                    int32_t count ES_UNUSED) {
  __asm__ volatile(
      "push {r4-r10, lr}\n"
      "mov r12, r1\n"
      "mov lr, r2\n"
      "ldm r0, {r0-r3}\n"
      "subs lr, lr, #4\n"
      "blt 2f\n"
      "1:\n"
      "ldr r4, [r0], #4\n"
      "ldr r5, [r1], #4\n"
      "ldr r6, [r2], #4\n"
      "ldr r7, [r3], #4\n"
      JOIN("0")
      JOIN("8")
      JOIN("16")
      JOIN("24")
      "subs lr, lr, #4\n"
      "bge 1b\n"
      "2:\n"
      "adds lr, lr, #4\n"
      "beq 4f\n"
      "3:\n"
      "ldrsb r4, [r0], #1\n"
      "ldrsb r5, [r1], #1\n"
      "ldrsb r6, [r2], #1\n"
      "ldrsb r7, [r3], #1\n"
      JOIN("0")
      "subs lr, lr, #1\n"
      "bne 3b\n"
      "4:\n"
      "pop {r4-r10, pc}\n");
}

/* Inputs of a kernel row. */
static int32_t run_of(const es_conv2d *layer) {
  return layer->kernel_width * layer->in_channels;
}

/* A copy of them takes whole words. */
static int32_t row_bytes(const es_conv2d *layer) {
  return (run_of(layer) + 3) & ~3;
}

/* Where the kernel of the next output pixel begins in the input. */
typedef struct {
  int32_t y, x;
  int32_t x_left; /* output pixels left in the row */
} place;

static void move_on(const es_conv2d *layer, place *next) {
  next->x += layer->stride_width;
  if (--next->x_left == 0) {
    next->x_left = layer->out_width;
    next->x = -layer->pad_left;
    next->y += layer->stride_height;
  }
}

/* Copies a kernel row that begins at row y, column x of the input; padding where that is outside. */
__attribute__((noinline)) static void copy_row(const es_conv2d *layer, const int8_t *input, int32_t y, int32_t x,
                                               int8_t *copy) {
  const int32_t channels = layer->in_channels;
  fill_words(copy, layer->input_zero_point, row_bytes(layer));
  for (int32_t i = 0; i < layer->kernel_width; ++i, x += layer->dilation_width, copy += channels) {
    if (y >= 0 && y < layer->in_height && x >= 0 && x < layer->in_width) {
      copy_bytes(copy, input + (y * layer->in_width + x) * channels, channels);
    }
  }
}

/* Widens the inputs of four pixels, of which `pixels` exist; the last one is repeated. */
__attribute__((noinline)) static void widen(const es_conv2d *layer, const int8_t *input, place *next,
                                            int32_t pixels, int32_t *words, int8_t *copies) {
  const int32_t in_row = layer->in_width * layer->in_channels;
  const int32_t x_end = layer->dilation_width == 1 ? layer->in_width - layer->kernel_width + 1 : 0;
  const int8_t *rows[QUAD];
  place places[QUAD];
  for (int32_t i = 0; i < QUAD; ++i) {
    places[i] = *next;
    if (i + 1 < pixels) {
      move_on(layer, next);
    }
  }
  for (int32_t ky = 0; ky < layer->kernel_height; ++ky) {
    for (int32_t i = 0; i < QUAD; ++i) {
      const int32_t y = places[i].y + ky * layer->dilation_height;
      const int32_t x = places[i].x;
      if (y >= 0 && y < layer->in_height && x >= 0 && x < x_end) {
        rows[i] = input + y * in_row + x * layer->in_channels;
      } else {
        int8_t *const copy = copies + i * row_bytes(layer);
        copy_row(layer, input, y, x, copy);
        rows[i] = copy;
      }
    }
    join_inputs(rows, words, run_of(layer));
    words += run_of(layer) * (INPUT_BYTES / (int32_t)sizeof(int32_t));
  }
}

/* Fewer than eight pixels, channel by channel. */
static void compute_some(sparse_group *group, int32_t pixels) {
  const es_channel *const end = group->end;
  const int32_t pitch = group->pitch;
  int8_t *output = group->output;
  int8_t results[PIXELS];
  group->pitch = 1;
  while (group->channel != end) {
    group->end = group->channel + 1;
    group->output = results;
    compute_channels(group);
    for (int32_t i = 0; i < pixels; ++i) {
      output[i * pitch] = results[i];
    }
    ++output;
  }
}

/* Scratch memory without a table, in bytes. */
static inline int32_t es_sparse_conv_bytes(const es_conv2d *layer) {
  return (int32_t)sizeof(es_channel) * layer->out_channels + INPUT_BYTES * es_sparse_taps(layer) +
         QUAD * row_bytes(layer);
}

/* Computes a layer; its channels stand unpacked in front of the scratch memory. */
static inline void es_sparse_conv(const es_conv2d *layer, const uint8_t *stream, const uint32_t *table,
                                  const int8_t *input, int8_t *output, void *scratch) {
  const int32_t count = layer->out_channels;
  es_channel *const channels = (es_channel *)scratch;
  int32_t *const widened = (int32_t *)(channels + count);
  int8_t *const copies = (int8_t *)widened + INPUT_BYTES * es_sparse_taps(layer);
  place next = {-layer->pad_top, -layer->pad_left, layer->out_width};
  for (int32_t i = 0; i < count; ++i) {
    channels[i].bias *= 2;
  }
  for (int32_t left = layer->out_height * layer->out_width; left > 0; left -= PIXELS) {
    sparse_group group = {widened, table, channels, channels + count, output, count, stream};
    widen(layer, input, &next, left, widened, copies);
    widen(layer, input, &next, left - QUAD, widened + 2, copies);
    if (left < PIXELS) {
      compute_some(&group, left);
    } else {
      compute_channels(&group);
    }
    output += PIXELS * count;
  }
}

#endif /* ES_SPARSE_CONV_DSP_H */
