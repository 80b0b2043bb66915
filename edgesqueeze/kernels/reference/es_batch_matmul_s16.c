/* Products of matrices that may both be computed, int16.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Sums of products are the kernel set's own (es_dot_values_s16), of a row of the first matrix and a column of the
 * second. They take both one value after the other, so that matrices that are stored otherwise are turned around in
 * scratch memory.
 */
#include "es_s16.h"

int32_t es_batch_matmul_s16_scratch_bytes(const es_batch_matmul_wide *layer) {
  return 2 * layer->depth * ((layer->turned2 ? 0 : layer->columns) + (layer->turned1 ? 1 : 0));
}

static void gather(const int16_t *from, int32_t stride, int32_t count, int16_t *to) {
  for (; count > 0; --count) {
    *to++ = *from;
    from += stride;
  }
}

static void multiply(const es_batch_matmul_wide *layer, const int16_t *input1, const int16_t *input2,
                     int16_t *output, int16_t *scratch) {
  const int32_t rows = layer->rows, depth = layer->depth, columns = layer->columns;
  const int16_t *sides = input2;
  if (!layer->turned2) {
    for (int32_t i = 0; i < columns; ++i) {
      gather(input2 + i, columns, depth, scratch + i * depth);
    }
    sides = scratch;
    scratch += columns * depth;
  }
  for (int32_t i = 0; i < rows; ++i) {
    const int16_t *row = input1 + i * depth;
    if (layer->turned1) {
      gather(input1 + i, rows, depth, scratch);
      row = scratch;
    }
    for (int32_t j = 0; j < columns; ++j) {
      const int64_t sum = es_dot_values_s16(row, sides + j * depth, depth);
      *output++ = es_requantize_total_s16(sum, &layer->output, 0);
    }
  }
}

void es_batch_matmul_s16(const es_batch_matmul_wide *layer, const int16_t *input1, const int16_t *input2,
                         int16_t *output, void *scratch) {
  const int32_t *const stride1 = layer->stride1;
  const int32_t *const stride2 = layer->stride2;
  for (int32_t a = 0; a < layer->count[0]; ++a) {
    for (int32_t b = 0; b < layer->count[1]; ++b) {
      for (int32_t c = 0; c < layer->count[2]; ++c) {
        multiply(layer, input1 + a * stride1[0] + b * stride1[1] + c * stride1[2],
                 input2 + a * stride2[0] + b * stride2[1] + c * stride2[2], output, scratch);
        output += layer->rows * layer->columns;
      }
    }
  }
}
