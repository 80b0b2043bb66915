/* Fully connected layer that skips weights of zero, int8, for cores with the DSP extension.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A byte of the stream is looked up in a table of words: the inputs to skip in the lower half, the weight in the
 * upper half.
 */
#include "es_assembly_dsp.h"
#include "es_sparse_s8.h"

enum {
  BYTES = 256,   /* different bytes of a stream */
  UNPACKED = 16, /* channels at a time */
  SUMS = UNPACKED * (int32_t)sizeof(es_channel) / (int32_t)sizeof(int32_t),
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

/* The sums of some outputs, at least one: of each a count of bytes, as uint16, then the bytes. Returns where the
 * next output begins.
 *
 *   r5  bytes left   r6  input   r7  where the next sum goes   r8  outputs left */
ES_ASSEMBLY static const uint8_t *add_products(const int8_t *input ES_UNUSED, const uint8_t *stream ES_UNUSED,
                                               const uint32_t *table ES_UNUSED, int32_t *sums ES_UNUSED,
                                               int32_t outputs ES_UNUSED) {
  __asm__ volatile(
      "push {r4-r8}\n"
      "mov r6, r0\n"
      "mov r7, r3\n"
      "ldr r8, [sp, #20]\n"
      "1:\n"
      "ldrh r5, [r1], #2\n"
      "mov r0, r6\n"
      "mov.w r4, #0\n"
      "and r3, r5, #15\n" /* steps of the first round, 16 if none */
      "cbz r5, 4f\n"
      "tbh [pc, r3, lsl #1]\n"
      "2:\n"
      ".irp left_out, 0, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1\n"
      ".hword (3f - 2b) / 2 + 10 * \\left_out\n"
      ".endr\n"
      "4:\n"
      "b.w 5f\n"
      "3:\n"
      ".rept 16\n" STEP ".endr\n"
      "subs r5, r5, #16\n"
      "bgt.w 3b\n"
      "5:\n"
      "str r4, [r7], #4\n"
      "subs r8, r8, #1\n"
      "bne.w 1b\n"
      "mov r0, r1\n"
      "pop {r4-r8}\n"
      "bx lr\n");
}

static void fill_table(const int8_t *values, uint32_t *table) {
  for (int32_t i = 0; i < VALUES; ++i) {
    const uint32_t weight = (uint32_t)values[i] << 16;
    for (uint32_t run = 0; run < BYTES / VALUES; ++run) {
      table[run * VALUES + (uint32_t)i] = weight | run;
    }
  }
}

int32_t es_sparse_fully_connected_s8_scratch_bytes(const es_sparse_fully_connected *sparse) {
  (void)sparse;
  return UNPACKED * (int32_t)sizeof(es_channel) + BYTES * (int32_t)sizeof(uint32_t);
}

/* Outputs that share all but their biases: the memory of unpacked channels holds sums of more outputs. */
static void compute_shared(const es_sparse_fully_connected *sparse, const int8_t *input, int8_t *output,
                           const uint32_t *table, int32_t *sums) {
  const int32_t *biases = (const int32_t *)sparse->layer.channels.records;
  const uint8_t *stream = sparse->stream + VALUES;
  es_channel channel;
  es_unpack_channels(&sparse->layer.channels, 0, 1, &channel);
  for (int32_t left = sparse->layer.out_features; left > 0; left -= SUMS) {
    const int32_t count = left < SUMS ? left : SUMS;
    stream = add_products(input, stream, table, sums, count);
    for (int32_t i = 0; i < count; ++i) {
      *output++ = es_requantize_s8(sums[i] + *biases++, &channel);
    }
  }
}

void es_sparse_fully_connected_s8(const es_sparse_fully_connected *sparse, const int8_t *input, int8_t *output,
                                  void *scratch) {
  const es_channels *const packed = &sparse->layer.channels;
  const int32_t outputs = sparse->layer.out_features;
  es_channel *const channels = (es_channel *)scratch;
  uint32_t *const table = (uint32_t *)(channels + UNPACKED);
  const uint8_t *stream = sparse->stream + VALUES;
  int32_t sums[UNPACKED];
  fill_table((const int8_t *)sparse->stream, table);
  if (packed->format == ES_CHANNELS_SHARED) {
    compute_shared(sparse, input, output, table, (int32_t *)scratch);
    return;
  }
  for (int32_t first = 0; first < outputs; first += UNPACKED) {
    const int32_t count = outputs - first < UNPACKED ? outputs - first : UNPACKED;
    es_unpack_channels(packed, first, count, channels);
    stream = add_products(input, stream, table, sums, count);
    for (int32_t i = 0; i < count; ++i) {
      *output++ = es_requantize_s8(sums[i] + channels[i].bias, &channels[i]);
    }
  }
}
