/* Products of matrices that may both be computed, float32. Products are added up in the order of TensorFlow Lite's
 * reference kernel.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "es_matmul.h"

static void multiply(const es_batch_matmul_real *layer, const float *input1, const float *input2, float *output) {
  const int32_t step1 = layer->turned1 ? layer->rows : 1, row = layer->turned1 ? 1 : layer->depth;
  const int32_t step2 = layer->turned2 ? 1 : layer->columns, column = layer->turned2 ? layer->depth : 1;
  for (int32_t i = 0; i < layer->rows; ++i) {
    for (int32_t j = 0; j < layer->columns; ++j) {
      const float *one = input1 + i * row, *other = input2 + j * column;
      float sum = 0.0f;
      for (int32_t k = layer->depth; k > 0; --k, one += step1, other += step2) {
        const float product = *one * *other;
        sum += product;
      }
      *output++ = sum;
    }
  }
}

void es_batch_matmul_f32(const es_batch_matmul_real *layer, const float *input1, const float *input2, float *output) {
  const int32_t *const stride1 = layer->stride1, *const stride2 = layer->stride2;
  for (int32_t a = 0; a < layer->count[0]; ++a) {
    for (int32_t b = 0; b < layer->count[1]; ++b) {
      for (int32_t c = 0; c < layer->count[2]; ++c, output += layer->rows * layer->columns) {
        multiply(layer, input1 + a * stride1[0] + b * stride1[1] + c * stride1[2],
                 input2 + a * stride2[0] + b * stride2[1] + c * stride2[2], output);
      }
    }
  }
}
