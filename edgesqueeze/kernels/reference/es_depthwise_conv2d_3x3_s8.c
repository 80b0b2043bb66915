/* Depthwise 3x3 convolution, int8, portable.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Weights: channel after channel, each row by row.
 */
#include "es_conv.h"
#include "es_depthwise_tiles_s8.h"
#include "es_scale_s8.h"

/* Pixels of an output row that are computed together, the last of a row perhaps in vain. */
enum { BLOCK = 6 };

#if defined(__ARM_ARCH_7M__)

#define MLA(sum, weight, from) "mla " sum ", lr, " weight ", " from "\n"
#define INPUT(offset) "ldrsb lr, [r0, #" offset "]\n"
#define WEIGHTS "ldrsb r10, [r1], #3\n ldrsb r11, [r1, #-2]\n ldrsb r12, [r1, #-1]\n"

/* One row of the kernel at six neighbouring pixels; a sum begins with what is in `b...`. r0: inputs, r1:
 * weights, r2: pitch, r4 to r9: sums. */
#define KERNEL_ROW(b4, b5, b6, b7, b8, b9)                                       \
  WEIGHTS                                                                        \
  INPUT("0") MLA("r4", "r10", b4)                                                \
  INPUT("4") MLA("r4", "r11", "r4") MLA("r5", "r10", b5)                         \
  INPUT("8") MLA("r4", "r12", "r4") MLA("r5", "r11", "r5") MLA("r6", "r10", b6)  \
  INPUT("12") MLA("r5", "r12", "r5") MLA("r6", "r11", "r6") MLA("r7", "r10", b7) \
  INPUT("16") MLA("r6", "r12", "r6") MLA("r7", "r11", "r7") MLA("r8", "r10", b8) \
  INPUT("20") MLA("r7", "r12", "r7") MLA("r8", "r11", "r8") MLA("r9", "r10", b9) \
  INPUT("24") MLA("r8", "r12", "r8") MLA("r9", "r11", "r9")                      \
  INPUT("28") MLA("r9", "r12", "r9")                                             \
  "add r0, r0, r2\n"

/* The same for stride 2. */
#define KERNEL_ROW_2                                                    \
  WEIGHTS                                                               \
  INPUT("0") MLA("r4", "r10", "r4") INPUT("4") MLA("r4", "r11", "r4")   \
  INPUT("8") MLA("r4", "r12", "r4") MLA("r5", "r10", "r5")              \
  INPUT("12") MLA("r5", "r11", "r5")                                    \
  INPUT("16") MLA("r5", "r12", "r5") MLA("r6", "r10", "r6")             \
  INPUT("20") MLA("r6", "r11", "r6")                                    \
  INPUT("24") MLA("r6", "r12", "r6") MLA("r7", "r10", "r7")             \
  INPUT("28") MLA("r7", "r11", "r7")                                    \
  INPUT("32") MLA("r7", "r12", "r7") MLA("r8", "r10", "r8")             \
  INPUT("36") MLA("r8", "r11", "r8")                                    \
  INPUT("40") MLA("r8", "r12", "r8") MLA("r9", "r10", "r9")             \
  INPUT("44") MLA("r9", "r11", "r9") INPUT("48") MLA("r9", "r12", "r9") \
  "add r0, r0, r2\n"

/* Requantizes a sum, writes it and goes one pixel back. r0: output, r1: bytes of a pixel, r10: multiplier, r11:
 * addend, r12: shift; r2 and r3: product. */
#define SCALE(sum)                  \
  "add r3, r11, " sum ", asr #31\n" \
  "lsl " sum ", " sum ", #1\n"      \
  "mov r2, #0x80000000\n"           \
  "smlal r2, r3, " sum ", r10\n"    \
  "asr r3, r3, r12\n"               \
  "ssat r3, #8, r3\n"               \
  "strb r3, [r0]\n"                 \
  "sub r0, r0, r1\n"

/* What compute_rows works with, at these offsets. */
typedef struct {
  es_depthwise_strip strip; /*  0: inputs, 4: weights, 8: pitch, 12: bias, 16: multiplier, 20: addend, */
                            /* 24: shift, 28: output, 32: out_step, 36: columns, 40: rows, 44: row_step, */
                            /*     here from the end of a row's last block to the next row */
  int32_t left;             /* 48: pixels of this row that are still to do */
  int32_t block_step;       /* 52: bytes from the inputs of a block to those of the next; 24: stride 1 */
} rows_state;

/* Output rows, six pixels at a time. r4 to r9: their sums. On the stack: `state`. */
static void compute_rows(rows_state *state) {
  register rows_state *r0 __asm__("r0") = state;
  __asm__ volatile(
      "push {r0, r4-r11, lr}\n"
      "mov lr, r0\n"
      "1:\n"
      "ldr r12, [lr, #52]\n"
      "ldm lr, {r0-r3}\n" /* inputs, weights, pitch, bias */
      "cmp r12, #24\n"
      "bne 2f\n"
      KERNEL_ROW("r3", "r3", "r3", "r3", "r3", "r3")
      ".rept 2\n" KERNEL_ROW("r4", "r5", "r6", "r7", "r8", "r9") ".endr\n"
      "b 4f\n"
      "2:\n"
      "mov r4, r3\n"
      "mov r5, r3\n"
      "mov r6, r3\n"
      "mov r7, r3\n"
      "mov r8, r3\n"
      "mov r9, r3\n"
      "mov r3, #3\n" /* rows of the kernel that are left */
      "3:\n"
      KERNEL_ROW_2
      "subs r3, r3, #1\n"
      "bne 3b\n"
      "4:\n"
      "ldr lr, [sp]\n"
      "ldrd r10, r11, [lr, #16]\n"
      "ldr r12, [lr, #24]\n"
      "ldrd r0, r1, [lr, #28]\n"
      "ldr r3, [lr, #48]\n"
      "sub r2, r3, #6\n"
      "str r2, [lr, #48]\n"
      "cmp r3, #6\n"
      "it gt\n"
      "movgt r3, #6\n" /* pixels of this block that are in the row */
      "sub r3, r3, #1\n"
      "mla r0, r3, r1, r0\n" /* the last of them */
      "add r2, r0, r1\n"
      "str r2, [lr, #28]\n"
      "tbb [pc, r3]\n" /* to the last; from there back to the first */
      "5:\n"
      ".byte (11f - 5b) / 2\n"
      ".byte (10f - 5b) / 2\n"
      ".byte (9f - 5b) / 2\n"
      ".byte (8f - 5b) / 2\n"
      ".byte (7f - 5b) / 2\n"
      ".byte (6f - 5b) / 2\n"
      "6:\n" SCALE("r9")
      "7:\n" SCALE("r8")
      "8:\n" SCALE("r7")
      "9:\n" SCALE("r6")
      "10:\n" SCALE("r5")
      "11:\n" SCALE("r4")
      "ldrd r2, r3, [lr, #48]\n" /* left, block_step */
      "ldr r0, [lr]\n"
      "cmp r2, #0\n"
      "add r0, r0, r3\n"
      "str r0, [lr]\n"
      "bgt 1b\n"
      "ldrd r2, r3, [lr, #40]\n" /* rows, row_step */
      "ldr r1, [lr, #36]\n"
      "add r0, r0, r3\n"
      "subs r2, r2, #1\n"
      "str r0, [lr]\n"
      "str r2, [lr, #40]\n"
      "str r1, [lr, #48]\n"
      "bne 1b\n"
      "pop {r0, r4-r11, lr}\n"
      : "+r"(r0)
      :
      : "r1", "r2", "r3", "r12", "cc", "memory");
}

static void compute(const es_conv2d *layer, es_depthwise_strip *strip) {
  const int32_t block_step = BLOCK * ES_DEPTHWISE_TILE * layer->stride_width;
  rows_state state = {*strip, strip->columns, block_step};
  state.strip.row_step -= (strip->columns + BLOCK - 1) / BLOCK * block_step;
  compute_rows(&state);
}

#else

static inline int32_t add_row(int32_t sum, const int8_t *inputs, const int8_t *weights) {
  sum += weights[0] * inputs[0];
  sum += weights[1] * inputs[ES_DEPTHWISE_TILE];
  return sum + weights[2] * inputs[2 * ES_DEPTHWISE_TILE];
}

static void compute(const es_conv2d *layer, es_depthwise_strip *strip) {
  const int32_t pixel_step = layer->stride_width * ES_DEPTHWISE_TILE;
  const int8_t *const weights = strip->weights;
  const es_channel channel = strip->channel;
  int8_t *output = strip->output;
  for (int32_t y = 0; y < strip->rows; ++y) {
    const int8_t *inputs = strip->inputs + y * strip->row_step;
    for (int32_t x = 0; x < strip->columns; ++x) {
      int32_t sum = add_row(channel.bias, inputs, weights);
      sum = add_row(sum, inputs + strip->pitch, weights + 3);
      sum = add_row(sum, inputs + 2 * strip->pitch, weights + 6);
      *output = es_scale_s8(sum, &channel);
      output += strip->out_step;
      inputs += pixel_step;
    }
  }
}

#endif

static int32_t whole_blocks(const es_conv2d *layer) {
  return (layer->out_width + BLOCK - 1) / BLOCK * BLOCK;
}

void es_depthwise_conv2d_3x3_s8(const es_conv2d *layer, const int8_t *input, int8_t *output, void *scratch) {
  es_depthwise_tiles_s8(layer, whole_blocks(layer), compute, input, output, scratch);
}

int32_t es_depthwise_conv2d_3x3_s8_scratch_bytes(const es_conv2d *layer) {
  return es_depthwise_tiles_s8_bytes(layer, whole_blocks(layer));
}
