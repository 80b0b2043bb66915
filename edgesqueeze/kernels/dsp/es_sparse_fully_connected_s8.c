/* Fully connected layer that skips weights of zero, int8, for cores with the DSP extension.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A byte of the stream is looked up in a table of words: the inputs to skip in the lower half, the weight in the
 * upper half.
 */
#include "es_assembly_dsp.h"
#include "es_sparse_window_s8.h"

enum {
  BYTES = 256,   /* different bytes of a stream */
  UNPACKED = 16, /* channels at a time */
  VALUES = ES_SPARSE_VALUES
};

/* Adds one weight's product. 20 bytes of code.
 *
 *   r0  next input    r1  next byte    r2  table    r3  entry    r4  sum */
#define STEP                    \
  "ldrb r3, [r1], #1\n"         \
  "ldr r3, [r2, r3, lsl #2]\n"  \
  "uxtah r0, r0, r3\n"          \
  "ldrsb r12, [r0], #1\n"       \
  "smlabt r4, r12, r3, r4\n"

/* The sum of one output: a count of bytes, as uint16, then the bytes. Moves the stream on behind them. */
ES_ASSEMBLY static int32_t add_products(const int8_t *input ES_UNUSED, const uint8_t **stream ES_UNUSED,
                                        const uint32_t *table ES_UNUSED) {
  __asm__ volatile(
      "push {r1, r4, r5}\n"
      "ldr r1, [r1]\n"
      "ldrh r5, [r1], #2\n"
      "movs r4, #0\n"
      "cmp r5, #0\n"
      "beq.w 2f\n"
      "rsb r12, r5, #0\n"
      "and r12, r12, #7\n" /* steps to leave out in the first round */
      "add r12, r12, r12, lsl #2\n"
      "adr.w r3, 1f\n"
      "add r3, r3, r12, lsl #2\n"
      "orr r3, r3, #1\n" /* Thumb state */
      "add r5, r5, #7\n"
      "lsr r5, r5, #3\n" /* rounds of 8 */
      "bx r3\n"
      ".balign 4\n"
      "1:\n"
      ".rept 8\n" STEP ".endr\n"
      "subs r5, r5, #1\n"
      "bne.w 1b\n"
      "2:\n"
      "ldr r2, [sp]\n"
      "str r1, [r2]\n"
      "mov r0, r4\n"
      "pop {r1, r4, r5}\n"
      "bx lr\n");
}

static void fill_table(const int8_t *values, uint32_t *table) {
  for (uint32_t run = 0; run < BYTES / VALUES; ++run) {
    for (int32_t i = 0; i < VALUES; ++i) {
      *table++ = (uint32_t)values[i] << 16 | run;
    }
  }
}

int32_t es_sparse_fully_connected_s8_scratch_bytes(const es_sparse_fully_connected *sparse) {
  (void)sparse;
  return UNPACKED * (int32_t)sizeof(es_channel) + BYTES * (int32_t)sizeof(uint32_t);
}

void es_sparse_fully_connected_s8(const es_sparse_fully_connected *sparse, const int8_t *input, int8_t *output,
                                  void *scratch) {
  const int32_t outputs = sparse->layer.out_features;
  es_channel *const channels = (es_channel *)scratch;
  uint32_t *const table = (uint32_t *)(channels + UNPACKED);
  const uint8_t *stream = sparse->stream + VALUES;
  fill_table((const int8_t *)sparse->stream, table);
  for (int32_t first = 0; first < outputs; first += UNPACKED) {
    const int32_t count = outputs - first < UNPACKED ? outputs - first : UNPACKED;
    es_unpack_channels(&sparse->layer.channels, first, count, channels);
    for (int32_t i = 0; i < count; ++i) {
      const int32_t sum = add_products(input, &stream, table);
      *output++ = es_requantize_s8(sum + channels[i].bias, &channels[i]);
    }
  }
}
