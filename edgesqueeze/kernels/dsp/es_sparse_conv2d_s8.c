/* Convolution that skips weights of zero, of few values, int8, for cores with the DSP extension.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A byte of the stream is looked up in a table of words: the bytes to the next input in the lower half, its weight in
 * the upper half.
 */
#define ES_SPARSE_READ            \
  "ldrb r2, [lr], #1\n"           \
  "ldr.w r12, [r0, r2, lsl #2]\n" \
  "uxtah r1, r1, r12\n"           \
  "asr.w r12, r12, #16\n"
#define ES_SPARSE_BYTES "16"
#define ES_SPARSE_SHIFT "0"

#include "es_sparse_conv_dsp.h"

enum { BYTES = 256 /* different ones of a stream */, VALUES = ES_SPARSE_VALUES };

static void fill_table(const int8_t *values, uint32_t *table) {
  for (uint32_t run = 0; run < BYTES / VALUES; ++run) {
    for (int32_t i = 0; i < VALUES; ++i) {
      *table++ = (uint32_t)values[i] << 16 | run * INPUT_BYTES;
    }
  }
}

int32_t es_sparse_conv2d_s8_scratch_bytes(const es_sparse_conv2d *sparse) {
  return BYTES * (int32_t)sizeof(uint32_t) + es_sparse_conv_bytes(&sparse->layer);
}

void es_sparse_conv2d_s8(const es_sparse_conv2d *sparse, const int8_t *input, int8_t *output, void *scratch) {
  uint32_t *const table = (uint32_t *)scratch;
  void *const rest = table + BYTES;
  fill_table((const int8_t *)sparse->stream, table);
  es_unpack_channels(&sparse->layer.channels, 0, sparse->layer.out_channels, (es_channel *)rest);
  es_sparse_conv(&sparse->layer, sparse->stream + VALUES, table, input, output, rest);
}
