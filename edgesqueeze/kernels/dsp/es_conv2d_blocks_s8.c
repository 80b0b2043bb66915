/* Convolution that skips blocks of zeros, 2 outputs x 4 inputs, int8, for cores with the DSP extension.
 * SPDX-License-Identifier: Apache-2.0
 *
 * The steps of es_conv_core_dsp.h without those whose weights are all zero. Weights: see es_packed.h.
 */
#include "es_blocks_s8.h"
#include "es_conv_core_dsp.h"
#include "es_conv_window_dsp.h"

/* All channels of 3 pixels, two a turn, as compute_pairs of es_conv_core_dsp.c; `core` is what it is there, but
 * `pause` is where the skips of the first two channels are. Moves that and the weights on behind what it read.
 *
 *   r0      next inputs       r1-r3   two inputs of the pixels a, b, c
 *   lr      weights           r4, r5  weights of 4 inputs
 *   r6      next skip         r7-r9   odd channel's sums        r10-r12  256 * even + odd sums
 *
 * Stack: 0 inputs, 4 next skip, 8 channels, output, 16 offset_b, offset_c, 24 end of the weights of these channels,
 * 28 end of the unrolled loop, 32 core. */
ES_ASSEMBLY static void skip_pairs(es_conv_core *core ES_UNUSED) {
  __asm__ volatile(
      "push {r4-r11, lr}\n"
      "sub sp, sp, #40\n"
      "str r0, [sp, #32]\n"
      "ldm r0, {r0-r7}\n"
      "mov lr, r2\n"
      "str r0, [sp]\n"
      "strd r4, r5, [sp, #8]\n"
      "strd r6, r7, [sp, #16]\n"
      "mov r6, r1\n"
      "adr.w r4, 3f\n"
      "orr r4, r4, #1\n" /* Thumb state */
      "str r4, [sp, #28]\n"

      "1:\n" /* next two channels */
      "ldrb r1, [r6], #1\n"
      "ldr r2, [sp, #28]\n"
      "ldr r0, [sp]\n"
      "add r3, lr, r1, lsl #3\n"
      "str r3, [sp, #24]\n"
      "and r1, r1, #7\n" /* blocks in the first round, of 72 bytes of code each */
      "movs r3, #72\n"
      "mls r2, r1, r3, r2\n"
      "movs r7, #0\n"
      "mov r8, #0\n"
      "mov r9, #0\n"
      "mov r10, #0\n"
      "mov r11, #0\n"
      "mov r12, #0\n"
      "bx r2\n"
      ".balign 4\n"
      "2:\n"
      ".rept 8\n"
      "ldrb r1, [r6], #1\n"
      "ldrd r4, r5, [lr], #8\n"
      "add r0, r0, r1, lsl #3\n"
      ES_CONV_CORE_PRODUCTS
      ".endr\n"
      "3:\n"
      "ldr r1, [sp, #24]\n"
      "cmp lr, r1\n"
      "blo.w 2b\n"
      "str r6, [sp, #4]\n"
      "sub r10, r10, r7\n" /* 256 * even sum */
      "sub r11, r11, r8\n"
      "sub r12, r12, r9\n"

      "ldrd r5, r6, [sp, #8]\n" /* channels, output */
      "ldmia r5!, {r0-r3}\n"    /* even channel: bias, multiplier, addend, shift */
      "add r10, r0, r10, asr #7\n"
      "add r11, r0, r11, asr #7\n"
      "add r12, r0, r12, asr #7\n"
      ES_CONV_CORE_OUTPUTS("16")
      "strd r5, r6, [sp, #8]\n"
      "ldr r6, [sp, #4]\n"
      "cmp r10, #0\n"
      "bge.w 1b\n"
      "ldr r0, [sp, #32]\n"
      "strd r6, lr, [r0, #4]\n"
      "add sp, sp, #40\n"
      "pop {r4-r11, pc}\n");
}

/* The last channel of an odd count: the channel of zeros beside it must not touch the next pixel. */
static void skip_last(const es_conv_core *core, int32_t pixels) {
  const int32_t count = core->out_channels;
  int8_t results[2 * ES_CONV_CORE_PIXELS];
  es_conv_core last = *core;
  last.channels += count - 1;
  last.output = results;
  last.offset_b = 2;
  last.offset_c = 4;
  skip_pairs(&last);
  for (int32_t i = 0; i < ES_CONV_CORE_PIXELS && i < pixels; ++i) {
    core->output[i * core->out_pitch + count - 1] = results[2 * i];
  }
}

static void skip_pixels(es_conv_core *core, int8_t *output, int32_t left) {
  const int8_t *const weights = core->weights;
  const int8_t *const skips = core->pause;
  core->output = output;
  if (left < ES_CONV_CORE_PIXELS) { /* a pixel that does not exist is written before a real one */
    core->offset_b = left > 1 ? core->out_pitch : 0;
    core->offset_c = core->offset_b;
  }
  if (core->out_channels > 1) {
    skip_pairs(core);
  }
  if ((core->out_channels & 1) != 0) {
    skip_last(core, left);
  }
  core->weights = weights;
  core->pause = skips;
}

int32_t es_conv2d_blocks_s8_scratch_bytes(const es_conv2d *layer) {
  return es_conv_window_scratch_bytes(layer);
}

void es_conv2d_blocks_s8(const es_conv2d *layer, const int8_t *input, int8_t *output, void *scratch) {
  const int32_t inputs = es_conv_window_inputs(layer);
  es_conv_core core;
  int8_t *copies = es_conv_core_start(layer, inputs, scratch, &core);
  core.weights = es_blocks_words(layer->weights);
  core.pause = (const int8_t *)es_blocks_skips(layer->weights);
  es_conv_windows(layer, input, output, &core, copies, NULL, skip_pixels);
}
