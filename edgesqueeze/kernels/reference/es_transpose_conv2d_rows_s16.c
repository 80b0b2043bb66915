/* Transposed convolution with int16 activations and int8 weights, as convolutions of rows by the kernel set's own kernel.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "es_s16.h"

int32_t es_transpose_conv2d_rows_s16_scratch_bytes(const es_transpose_rows_wide *layer) {
  int32_t most = 0;
  for (int32_t i = layer->stride_height * layer->parts_a_row - 1; i >= 0; --i) {
    const int32_t bytes = es_conv2d_s16_scratch_bytes(&layer->parts[i]);
    most = bytes > most ? bytes : most;
  }
  return most;
}

void es_transpose_conv2d_rows_s16(const es_transpose_rows_wide *layer, const int16_t *input, int16_t *output,
                                  void *scratch) {
  for (int32_t y = 0; y < layer->out_height; ++y, output += layer->out_row) {
    const es_conv2d_wide *const parts = layer->parts + y % layer->stride_height * layer->parts_a_row;
    for (int32_t i = 0; i < layer->parts_a_row; ++i) {
      es_conv2d_wide row = parts[i];
      row.pad_top = (int16_t)(row.pad_top - y / layer->stride_height); /* negative: so many rows are above */
      es_conv2d_s16(&row, input, output + i * layer->out_channels, scratch);
    }
  }
}
