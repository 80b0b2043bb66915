/* Products of matrices that are both computed, int8.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Sums of products are the kernel set's own (es_dot_4_s8), of a row of the first matrix and four columns of the
 * second. They take both one value after the other, so that matrices that are stored otherwise are turned
 * around in scratch memory. Zero points are accounted for with the sums of rows and columns.
 */
#include "es_matmul.h"

static int32_t turned_bytes(const es_batch_matmul *layer) {
  return layer->turned2 ? 0 : (layer->columns * layer->depth + 3) / 4 * 4;
}

int32_t es_batch_matmul_s8_scratch_bytes(const es_batch_matmul *layer) {
  return 4 * layer->columns + turned_bytes(layer) + (layer->turned1 ? layer->depth : 0);
}

static void gather(const int8_t *from, int32_t stride, int32_t count, int8_t *to) {
  for (; count > 0; --count) {
    *to++ = *from;
    from += stride;
  }
}

static uint32_t sum_of(const int8_t *values, int32_t count) {
  int32_t sum = 0;
  for (; count > 0; --count) {
    sum += *values++;
  }
  return (uint32_t)sum;
}

static uint32_t dot(const int8_t *row, const int8_t *column, int32_t count, uint32_t sum) {
  for (; count > 0; --count) {
    sum += (uint32_t)(*row++ * *column++);
  }
  return sum;
}

/* A sum to int8. */
static inline int8_t scaled(uint32_t sum, const es_lstm_scale *scale, int32_t zero_point) {
  return (int8_t)es_lstm_limited(es_lstm_scaled(sum, scale) + zero_point, -128, 127);
}

/* One row of a product; starts are the sums of its columns without any product. */
static void multiply_row(const es_batch_matmul *layer, const int8_t *row, const int8_t *columns,
                         const uint32_t *starts, int8_t *output) {
  const int32_t depth = layer->depth, zero_point = layer->output_zero_point;
  const es_lstm_scale scale = layer->scale;
  const uint32_t shift =
      layer->zero_point2 != 0 ? (uint32_t)layer->zero_point2 * sum_of(row, depth) : 0;
  int32_t left = layer->columns;
  for (; left >= 4; left -= 4, starts += 4, columns += 4 * depth, output += 4) {
    uint32_t sums[4] = {starts[0] - shift, starts[1] - shift, starts[2] - shift, starts[3] - shift};
    es_dot_4_s8(columns, row, depth, sums);
    output[0] = scaled(sums[0], &scale, zero_point);
    output[1] = scaled(sums[1], &scale, zero_point);
    output[2] = scaled(sums[2], &scale, zero_point);
    output[3] = scaled(sums[3], &scale, zero_point);
  }
  for (; left > 0; --left, columns += depth) {
    *output++ = scaled(dot(row, columns, depth, *starts++ - shift), &scale, zero_point);
  }
}

static void multiply(const es_batch_matmul *layer, const int8_t *input1, const int8_t *input2,
                     int8_t *output, void *scratch) {
  const int32_t rows = layer->rows, depth = layer->depth, columns = layer->columns;
  uint32_t *const starts = scratch;
  int8_t *const turned = (int8_t *)(void *)(starts + columns);
  int8_t *const gathered = turned + turned_bytes(layer);
  const int8_t *const sides = layer->turned2 ? input2 : turned;
  for (int32_t i = 0; i < columns; ++i) {
    if (!layer->turned2) {
      gather(input2 + i, columns, depth, turned + i * depth);
    }
    const uint32_t moved = (uint32_t)(depth * layer->zero_point2) - sum_of(sides + i * depth, depth);
    starts[i] = (uint32_t)layer->zero_point1 * moved;
    if (layer->biases) {
      starts[i] += (uint32_t)layer->biases[i];
    }
  }
  for (int32_t i = 0; i < rows; ++i) {
    const int8_t *row = input1 + i * depth;
    if (layer->turned1) {
      gather(input1 + i, rows, depth, gathered);
      row = gathered;
    }
    multiply_row(layer, row, sides, starts, output + i * columns);
  }
}

void es_batch_matmul_s8(const es_batch_matmul *layer, const int8_t *input1, const int8_t *input2,
                        int8_t *output, void *scratch) {
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
