/* Products of matrices that may both be computed, int8 and float32.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ES_MATMUL_H
#define ES_MATMUL_H

#include "es_lstm.h"

/* Every product is one of a matrix of rows x depth and one of depth x columns. Three nested loops visit the
 * matrices, the outermost first; a stride of 0 repeats one. */
typedef struct {
  const int32_t *biases; /* one a column; NULL: none */
  int32_t count[3];
  int32_t stride1[3];
  int32_t stride2[3];
  int32_t rows, depth, columns;
  es_lstm_scale scale; /* sums of products to the output */
  int16_t zero_point1;
  int16_t zero_point2;
  int16_t output_zero_point;
  int8_t turned1; /* 1: the first input's matrices are stored as depth x rows */
  int8_t turned2; /* 1: the second input's matrices are stored as columns x depth */
} es_batch_matmul;

/* The output overlaps nothing. */
void es_batch_matmul_s8(const es_batch_matmul *layer, const int8_t *input1, const int8_t *input2,
                        int8_t *output, void *scratch);
int32_t es_batch_matmul_s8_scratch_bytes(const es_batch_matmul *layer);

/* The same of float32. */
typedef struct {
  int32_t count[3];
  int32_t stride1[3];
  int32_t stride2[3];
  int32_t rows, depth, columns;
  int8_t turned1;
  int8_t turned2;
} es_batch_matmul_real;

/* The output overlaps nothing. */
void es_batch_matmul_f32(const es_batch_matmul_real *layer, const float *input1, const float *input2, float *output);

#endif /* ES_MATMUL_H */
