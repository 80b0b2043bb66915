/* Operators on float32, for the few values at the end of a model.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Sums, products and quotients equal TensorFlow Lite's reference kernels to the bit; exponentials, logarithms
 * and the like are those of the C library that is linked. Unless said otherwise the output may be the same
 * memory as an input with as many values, but must not overlap an input in any other way.
 */
#ifndef ES_REAL_H
#define ES_REAL_H

#include <math.h>

#include "es_elementwise.h"

/* Sum, difference, product, quotient, the larger or the smaller of two tensors of any shapes, and a fused
 * activation. */
typedef struct {
  es_broadcast loops;
  float minimum; /* range of the fused activation; where there is none all finite numbers, of the last two all */
  float maximum;
} es_real_pair;

void es_add_f32(const es_real_pair *layer, const float *input1, const float *input2, float *output);
void es_sub_f32(const es_real_pair *layer, const float *input1, const float *input2, float *output);
void es_mul_f32(const es_real_pair *layer, const float *input1, const float *input2, float *output);
void es_div_f32(const es_real_pair *layer, const float *input1, const float *input2, float *output);
void es_maximum_f32(const es_real_pair *layer, const float *input1, const float *input2, float *output);
void es_minimum_f32(const es_real_pair *layer, const float *input1, const float *input2, float *output);

/* The result of one operation on two numbers. */
typedef float es_real_operation(float one, float other);

/* What the six above share. */
void es_real_pair_f32(const es_real_pair *layer, es_real_operation *operation, const float *input1,
                      const float *input2, float *output);

/* Any function of one value. */
typedef float es_real_function(float value);

typedef struct {
  es_real_function *function;
  int32_t count;
} es_real_map;

void es_map_f32(const es_real_map *layer, const float *input, float *output);

/* 1 / (1 + e^-value). */
float es_logistic_of(float value);
/* The value, or zero where it is below. */
float es_relu_of(float value);
/* The value, or the nearest of zero and six. */
float es_relu6_of(float value);
float es_rsqrt_of(float value);
float es_square_of(float value);
float es_negative_of(float value);

/* Softmax of rows, or its logarithm. */
typedef struct {
  int32_t rows;
  int32_t depth; /* values in a row */
  float beta;    /* what inputs are multiplied by; the logarithm ignores it */
} es_softmax_real;

void es_softmax_f32(const es_softmax_real *layer, const float *input, float *output);
void es_log_softmax_f32(const es_softmax_real *layer, const float *input, float *output);

#endif /* ES_REAL_H */
