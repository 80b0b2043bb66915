/* Convolution that skips weights of zero, of any values, int8, for cores with the DSP extension.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Of every weight the stream has the zeros in front of it and itself, a byte each.
 */
#define ES_SPARSE_READ          \
  "ldrb r2, [lr], #1\n"         \
  "ldrsb r12, [lr], #1\n"       \
  "add.w r1, r1, r2, lsl #4\n"
#define ES_SPARSE_BYTES "12"
#define ES_SPARSE_SHIFT "1"

#include "es_sparse_conv_dsp.h"

int32_t es_sparse_any_conv2d_s8_scratch_bytes(const es_sparse_conv2d *sparse) {
  return es_sparse_conv_bytes(&sparse->layer);
}

void es_sparse_any_conv2d_s8(const es_sparse_conv2d *sparse, const int8_t *input, int8_t *output, void *scratch) {
  es_unpack_channels(&sparse->layer.channels, 0, sparse->layer.out_channels, (es_channel *)scratch);
  es_sparse_conv(&sparse->layer, sparse->stream, NULL, input, output, scratch);
}
