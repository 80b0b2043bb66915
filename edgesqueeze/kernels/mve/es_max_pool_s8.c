/* Max pooling with vectors: up to 16 channels of one output pixel at a time.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "es_pool.h"

/* Neighbouring outputs whose windows have one size. The order of the members is known to the
 * assembly. */
typedef struct {
  es_area area;  /* window of the first output */
  int32_t step;  /* bytes from a window to the next */
  int32_t count; /* outputs */
  int8_t *output;
  int32_t channels;
  int32_t minimum, maximum;
} outputs;

/* Registers:
 *   r1 r2 r3      window, its output, outputs to go
 *   r4 r5         first of the next channels of the window, channels to go
 *   r6 r8         rows to go, first pixel of the row
 *   lr r9         pixels of the row to go, the next one
 *   r7 r10 r11    columns, column stride, row stride
 *   q0 q2 q3      largest values, minimum, maximum */
__attribute__((naked, noinline)) static void compute(const outputs *run __attribute__((unused))) {
  __asm__ volatile(
      "push {r4-r11, lr}\n"
      "mov r12, r0\n"
      "ldrd r4, r5, [r12, #36]\n"
      "ldrd r3, r2, [r12, #24]\n"
      "vdup.8 q2, r4\n"
      "vdup.8 q3, r5\n"
      "ldr r1, [r12]\n"
      "ldr r7, [r12, #8]\n"
      "ldrd r11, r10, [r12, #12]\n"
      "1:\n" /* an output */
      "ldr r5, [r12, #32]\n"
      "mov r4, r1\n"
      "2:\n" /* 16 channels */
      "vctp.8 r5\n"
      "ldr r6, [r12, #4]\n"
      "mov r8, r4\n"
      "vmov q0, q2\n"
      "3:\n" /* a row of the window */
      "dls lr, r7\n"
      "mov r9, r8\n"
      "4:\n" /* a pixel */
      "vpst\n"
      "vldrbt.u8 q1, [r9]\n"
      "add r9, r9, r10\n"
      "vmax.s8 q0, q0, q1\n"
      "le lr, 4b\n"
      "add r8, r8, r11\n"
      "subs r6, r6, #1\n"
      "bne 3b\n"
      "vmin.s8 q0, q0, q3\n"
      "vpst\n"
      "vstrbt.8 q0, [r2]\n"
      "add r2, r2, #16\n"
      "add r4, r4, #16\n"
      "subs r5, r5, #16\n"
      "bgt 2b\n"
      "ldr r0, [r12, #20]\n"
      "add r2, r2, r5\n" /* r5 is minus what the last step was short of 16 */
      "add r1, r1, r0\n"
      "subs r3, r3, #1\n"
      "bne 1b\n"
      "pop {r4-r11, pc}\n");
}

/* How many outputs from number `first` to end - 1 have windows that are inside the image; at
 * least 1. */
static int32_t equal_windows(int32_t first, int32_t end, int32_t stride, int32_t pad,
                             int32_t window, int32_t inputs) {
  const int32_t start = first * stride - pad;
  const int32_t behind = inputs - window - start;
  if (start < 0 || behind < 0) {
    return 1;
  }
  const int32_t inside = behind / stride + 1;
  return inside < end - first ? inside : end - first;
}

void es_max_pool_s8(const es_pool *layer, const int8_t *input, int8_t *output) {
  const int32_t channels = layer->channels;
  const int downwards = layer->out_width == 1; /* then neighbours are one above the other */
  const int32_t right = layer->stride_width * channels;
  const int32_t down = layer->stride_height * layer->in_width * channels;
  outputs run;
  run.step = downwards ? down : right;
  run.channels = channels;
  run.minimum = layer->minimum;
  run.maximum = layer->maximum;
  run.output = output;
  for (int32_t out_y = 0; out_y < layer->out_height; out_y += downwards ? run.count : 1) {
    for (int32_t out_x = 0; out_x < layer->out_width; out_x += downwards ? 1 : run.count) {
      run.area = es_window_of(layer, input, out_y, out_x);
      run.count = downwards ? equal_windows(out_y, layer->out_height, layer->stride_height,
                                            layer->pad_top, layer->window_height, layer->in_height)
                            : equal_windows(out_x, layer->out_width, layer->stride_width,
                                            layer->pad_left, layer->window_width, layer->in_width);
      compute(&run);
      run.output += run.count * channels;
    }
  }
}
