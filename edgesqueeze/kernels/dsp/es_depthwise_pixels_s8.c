/* Depthwise convolution, int8, pixel by pixel, for cores with the DSP extension: for few outputs, or small windows, whose
 * inputs are not worth being put apart first.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Weights: groups of four channels (the last four may overlap those before); of a group two taps at a time, channels 0
 * and 1 of one and of the other, then channels 2 and 3 of both; of an odd number of taps the last one alone. So SXTB16
 * takes two taps of a channel out of a word, and SMLAD multiplies both.
 */
#include <string.h>

#include "es_assembly_dsp.h"
#include "es_conv.h"

enum { FOUR = 4, BLOCK = 64 /* channels that are unpacked at a time */ };

/* Neighbouring pixels, some groups of channels. The order is known to the assembly. */
typedef struct {
  const int32_t *taps; /* bytes from a window's start to the inputs of each tap */
  int32_t odd;         /* whether there is one more than those in pairs */
  int32_t work[2];     /* for the assembly */
  const int8_t *weights;
  const es_channel *channels; /* biases are doubled, as SMMLAR wants sums; the last one's shift has its sign bit set */
  const int8_t *input;
  int8_t *output;
  int32_t pixels;
  int32_t in_step, out_step;
  const int32_t *pairs_end;
} pixel_run;

/* The products of two taps: inputs to r4 and r5, weights to r6 and r7, sums to r0 to r3. */
#define PAIR(multiply, sum0, sum1, sum2, sum3) \
  "ldrd r4, r5, [r11], #8\n"        \
  "ldr r4, [r4, r12]\n"             \
  "ldr r5, [r5, r12]\n"             \
  "ldrd r6, r7, [r10], #8\n"        \
  "pkhbt r8, r4, r5, lsl #16\n"     \
  "pkhtb r5, r5, r4, asr #16\n"     \
  "sxtb16 r4, r8\n"                 \
  "sxtb16 r9, r6\n"                 \
  multiply " r0, r4, r9" sum0 "\n"  \
  "sxtb16 r8, r8, ror #8\n"         \
  "sxtb16 r6, r6, ror #8\n"         \
  multiply " r1, r8, r6" sum1 "\n"  \
  "sxtb16 r4, r5\n"                 \
  "sxtb16 r9, r7\n"                 \
  multiply " r2, r4, r9" sum2 "\n"  \
  "sxtb16 r5, r5, ror #8\n"         \
  "sxtb16 r7, r7, ror #8\n"         \
  multiply " r3, r5, r7" sum3 "\n"

#define OUTPUT(sum)                              \
  "ldmia r8!, {r4-r7}\n" /* bias, multiplier, addend, shift */ \
  "add " sum ", r4, " sum ", lsl #1\n"          \
  "add r6, r6, " sum ", asr #31\n"              \
  "smmlar " sum ", " sum ", r5, r6\n"           \
  "asr " sum ", " sum ", r7\n"                  \
  "ssat " sum ", #8, " sum "\n"                 \
  "strb " sum ", [r9], #1\n"

/*   r0-r3  sums          r10  weights      r12  the window's start in the input
 *   r4-r9  see above     r11  taps         lr   end of pairs of taps
 *
 * Stack: a copy of pixel_run, with the next channels and output in its work, whose input and output move on. */
ES_ASSEMBLY static void compute_pixels(const pixel_run *run ES_UNUSED) {
  __asm__ volatile(
      "push {r4-r11, lr}\n"
      "sub sp, sp, #48\n"
      "ldm r0, {r1-r12}\n"
      "stm sp, {r1-r12}\n"
      "mov lr, r12\n"

      "1:\n" /* next pixel */
      "ldrd r8, r12, [sp, #20]\n"
      "ldr r9, [sp, #28]\n"
      "ldr r10, [sp, #16]\n"
      "strd r8, r9, [sp, #8]\n"

      "2:\n" /* next four channels */
      "ldr r11, [sp]\n"
      PAIR("smuad", "", "", "", "")
      "cmp r11, lr\n"
      "beq 4f\n"
      "3:\n"
      PAIR("smlad", ", r0", ", r1", ", r2", ", r3")
      "cmp r11, lr\n"
      "bne 3b\n"
      "4:\n"
      "ldrd r4, r8, [sp, #4]\n" /* odd, channels */
      "cbz r4, 5f\n"
      "ldr r4, [r11]\n"
      "ldr r6, [r10], #4\n"
      "ldr r4, [r4, r12]\n"
      "sxtb16 r7, r6\n"
      "sxtb16 r5, r4\n"
      "smlabb r0, r5, r7, r0\n"
      "smlatt r2, r5, r7, r2\n"
      "sxtb16 r6, r6, ror #8\n"
      "sxtb16 r4, r4, ror #8\n"
      "smlabb r1, r4, r6, r1\n"
      "smlatt r3, r4, r6, r3\n"

      "5:\n"
      "ldr r9, [sp, #12]\n"
      OUTPUT("r0")
      OUTPUT("r1")
      OUTPUT("r2")
      OUTPUT("r3")
      "strd r8, r9, [sp, #8]\n"
      "add r12, r12, #4\n"
      "cmp r7, #0\n" /* the last channel's shift */
      "bge.w 2b\n"

      "ldrd r0, r1, [sp, #24]\n" /* input, output */
      "ldrd r2, r3, [sp, #32]\n" /* pixels, step of the input */
      "ldr r4, [sp, #40]\n"
      "add r0, r0, r3\n"
      "add r1, r1, r4\n"
      "strd r0, r1, [sp, #24]\n"
      "subs r2, r2, #1\n"
      "str r2, [sp, #32]\n"
      "bne.w 1b\n"
      "add sp, sp, #48\n"
      "pop {r4-r11, pc}\n");
}

/* Channels of a layer that are computed together. */
typedef struct {
  const es_conv2d *layer;
  const int8_t *input; /* of the first of the channels */
  int32_t *taps;
  const int8_t *padding; /* as many inputs that are outside */
} channel_block;

/* Where the taps of a window that starts at row y, column x of the input are. */
static void place_taps(const channel_block *block, int32_t y, int32_t x, const int8_t *start) {
  const es_conv2d *const layer = block->layer;
  int32_t *to = block->taps;
  for (int32_t ky = 0; ky < layer->kernel_height; ++ky) {
    const int32_t row = y + ky * layer->dilation_height;
    for (int32_t kx = 0; kx < layer->kernel_width; ++kx) {
      const int32_t column = x + kx * layer->dilation_width;
      const int inside = row >= 0 && row < layer->in_height && column >= 0 && column < layer->in_width;
      const int8_t *const from = block->input + (row * layer->in_width + column) * layer->in_channels;
      *to++ = (int32_t)((uintptr_t)(inside ? from : block->padding) - (uintptr_t)start);
    }
  }
}

/* All pixels of `count` channels, at least four, of which some are in whole groups. */
static void compute_block(const channel_block *block, pixel_run *run, int32_t count, int8_t *output) {
  const es_conv2d *const layer = block->layer;
  const int32_t bottom = layer->in_height - (layer->kernel_height - 1) * layer->dilation_height;
  const int32_t right = layer->in_width - (layer->kernel_width - 1) * layer->dilation_width;
  const int32_t whole = count & ~(int32_t)(FOUR - 1), back = count - FOUR;
  int placed = 0; /* taps of windows that lie inside the input */
  pixel_run last;
  run->output = output;
  for (int32_t y = -layer->pad_top, rows = layer->out_height; rows > 0; --rows, y += layer->stride_height) {
    int32_t x = -layer->pad_left;
    for (int32_t left = layer->out_width; left > 0; left -= run->pixels) {
      const int inside = y >= 0 && y < bottom && x >= 0 && x < right;
      const int32_t most = inside ? (right - 1 - x) / layer->stride_width + 1 : 1;
      run->pixels = left < most ? left : most;
      run->input = block->input + (y * layer->in_width + x) * layer->in_channels;
      if (!inside || !placed) {
        place_taps(block, y, x, run->input);
        placed = inside;
      }
      compute_pixels(run);
      if (whole < count) {
        last = *run;
        last.channels += back;
        last.weights += whole * layer->kernel_height * layer->kernel_width;
        last.input += back;
        last.output += back;
        compute_pixels(&last);
      }
      run->output += run->pixels * run->out_step;
      x += run->pixels * layer->stride_width;
    }
  }
}

int32_t es_depthwise_pixels_s8_scratch_bytes(const es_conv2d *layer) {
  const int32_t channels = layer->out_channels < BLOCK ? layer->out_channels : BLOCK;
  return channels * (int32_t)sizeof(es_channel) + 4 * layer->kernel_height * layer->kernel_width + channels;
}

void es_depthwise_pixels_s8(const es_conv2d *layer, const int8_t *input, int8_t *output, void *scratch) {
  const int32_t channels = layer->out_channels, most = channels < BLOCK ? channels : BLOCK;
  const int32_t taps = layer->kernel_height * layer->kernel_width;
  es_channel *const unpacked = scratch;
  int32_t *const table = (int32_t *)(unpacked + most);
  int8_t *const padding = (int8_t *)(table + taps);
  pixel_run run = {.taps = table,
                   .pairs_end = table + (taps & ~(int32_t)1),
                   .odd = taps & 1,
                   .channels = unpacked,
                   .weights = layer->weights,
                   .in_step = layer->stride_width * channels,
                   .out_step = channels};
  memset(padding, layer->input_zero_point, (size_t)most);
  for (int32_t done = 0; done < channels; done += BLOCK, run.weights += BLOCK * taps) {
    const int32_t first = done < channels - FOUR ? done : channels - FOUR;
    const int32_t count = channels - first < BLOCK ? channels - first : BLOCK;
    const channel_block block = {layer, input + first, table, padding};
    es_unpack_channels(&layer->channels, first, count, unpacked);
    for (int32_t i = 0; i < count; ++i) {
      unpacked[i].bias *= 2;
    }
    unpacked[count - 1].shift |= INT32_MIN;
    unpacked[(count & ~(int32_t)(FOUR - 1)) - 1].shift |= INT32_MIN;
    compute_block(&block, &run, count, output + first);
  }
}
