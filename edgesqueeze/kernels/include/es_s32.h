/* Operators on int32: places of values, counts, indices.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Results are those of TensorFlow Lite's reference kernels; what overflows wraps. The output may be the same memory
 * as an input with as many values, but must not overlap an input in any other way.
 */
#ifndef ES_S32_H
#define ES_S32_H

#include "es_elementwise.h"

/* Sum, difference, product, quotient, the larger or the smaller of two tensors of any shapes, and a fused
 * activation. */
typedef struct {
  es_broadcast loops;
  int32_t minimum; /* range of the fused activation */
  int32_t maximum;
} es_pair_int32;

void es_add_s32(const es_pair_int32 *layer, const int32_t *input1, const int32_t *input2, int32_t *output);
void es_sub_s32(const es_pair_int32 *layer, const int32_t *input1, const int32_t *input2, int32_t *output);
void es_mul_s32(const es_pair_int32 *layer, const int32_t *input1, const int32_t *input2, int32_t *output);
/* Fractions are cut off, or rounded down; what is divided by zero is the largest or smallest value, zero over zero is
 * zero. */
void es_div_s32(const es_pair_int32 *layer, const int32_t *input1, const int32_t *input2, int32_t *output);
void es_floor_div_s32(const es_pair_int32 *layer, const int32_t *input1, const int32_t *input2, int32_t *output);
/* What the second leaves of the first, with its sign; zero of a division by zero. */
void es_floor_mod_s32(const es_pair_int32 *layer, const int32_t *input1, const int32_t *input2, int32_t *output);
void es_maximum_s32(const es_pair_int32 *layer, const int32_t *input1, const int32_t *input2, int32_t *output);
void es_minimum_s32(const es_pair_int32 *layer, const int32_t *input1, const int32_t *input2, int32_t *output);

/* The result of one operation on two numbers. */
typedef int32_t es_int32_operation(int32_t one, int32_t other);

/* What they share. */
void es_pair_s32(const es_pair_int32 *layer, es_int32_operation *operation, const int32_t *input1,
                 const int32_t *input2, int32_t *output);

#endif /* ES_S32_H */
