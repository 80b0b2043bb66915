/* Elementwise operators and conversions at a model's borders, int8.
 * SPDX-License-Identifier: Apache-2.0
 *
 * All kernels agree with TensorFlow Lite's reference kernels to the bit. Unless said otherwise the
 * output may be the same memory as an input with as many values, but must not overlap an input in
 * any other way.
 */
#ifndef ES_ELEMENTWISE_H
#define ES_ELEMENTWISE_H

#include <string.h>

#include "es_types.h"

/* Sum of two tensors of one shape:
 *
 *   sum = offset + floor(factor1 * input1 / 2^8) + floor(factor2 * input2 / 2^8)
 *   output = saturate(sum >> 20)
 *
 * Zero points are part of the offset, a difference has a negative factor2. The generator has
 * compared this with TensorFlow Lite's longer computation for all 65536 pairs of inputs. */
typedef struct {
  int32_t factor1;
  int32_t factor2;
  int32_t offset;
  int32_t count;
} es_add;

enum { ES_ADD_SHIFT = 20 };

void es_add_s8(const es_add *layer, const int8_t *input1, const int8_t *input2, int8_t *output);

/* Multiplication by a real number in TensorFlow Lite's two rounding steps. */
typedef struct {
  int32_t multiplier;     /* Q31: 0, or 2^30 to 2^31 - 1 */
  int32_t round_positive; /* what is added before the right shift: half of 2^right, */
  int32_t round_negative; /*   one less for negative numbers, so that ties go away from zero */
  int8_t left;            /* bits by which the number is shifted before the multiplication */
  int8_t right;           /* and after it */
} es_multiplier;

/* The magnitude of value * 2^left is below 2^30. */
static inline int32_t es_apply_multiplier(int32_t value, const es_multiplier *by) {
  int32_t high; /* round(value * 2^left * multiplier / 2^31), ties towards plus infinity */
#if defined(__ARM_FEATURE_DSP)
  const int32_t doubled = value * ((int32_t)2 << by->left);
  __asm__("smmulr %0, %1, %2" : "=r"(high) : "r"(doubled), "r"(by->multiplier));
#else
  const int64_t product = (int64_t)(value * ((int32_t)1 << by->left)) * by->multiplier;
  high = (int32_t)((product + (INT64_C(1) << 30)) >> 31);
#endif
  return (high + (high < 0 ? by->round_negative : by->round_positive)) >> by->right;
}

/* How two inputs of different shapes are walked through: four nested loops, the outermost first. A
 * stride of 0 repeats the input along that loop. */
typedef struct {
  int32_t count[4];
  int32_t stride1[4];
  int32_t stride2[4];
} es_broadcast;

/* The innermost loop of an operator; layer is its own struct. */
typedef void es_row_function(const void *layer, int32_t count, const int8_t *input1,
                             int32_t stride1, const int8_t *input2, int32_t stride2,
                             int8_t *output);

/* Calls a function for every innermost loop. */
static inline void es_for_all_rows(const es_broadcast *loops, const void *layer,
                                   es_row_function *function, const int8_t *input1,
                                   const int8_t *input2, int8_t *output) {
  const int32_t *const stride1 = loops->stride1;
  const int32_t *const stride2 = loops->stride2;
  for (int32_t i = 0; i < loops->count[0]; ++i) {
    for (int32_t j = 0; j < loops->count[1]; ++j) {
      for (int32_t k = 0; k < loops->count[2]; ++k) {
        function(layer, loops->count[3], input1 + i * stride1[0] + j * stride1[1] + k * stride1[2],
                 stride1[3], input2 + i * stride2[0] + j * stride2[1] + k * stride2[2], stride2[3],
                 output);
        output += loops->count[3];
      }
    }
  }
}

/* Sum or difference of two tensors of any shapes, with TensorFlow Lite's own steps. */
typedef struct {
  es_broadcast loops;
  es_multiplier scale1;
  es_multiplier scale2;
  es_multiplier scale_output;
  int16_t zero_point1;
  int16_t zero_point2;
  int16_t output_zero_point;
  int16_t sign2; /* 1 for a sum, -1 for a difference */
} es_add_broadcast;

void es_add_broadcast_s8(const es_add_broadcast *layer, const int8_t *input1, const int8_t *input2,
                         int8_t *output);

/* Product of two tensors of any shapes. */
typedef struct {
  es_broadcast loops;
  es_multiplier scale;
  int16_t zero_point1;
  int16_t zero_point2;
  int16_t output_zero_point;
} es_mul;

void es_mul_s8(const es_mul *layer, const int8_t *input1, const int8_t *input2, int8_t *output);

/* Quotient of two tensors of any shapes. */
typedef struct {
  es_broadcast loops;
  int32_t multiplier; /* Q31: 2^30 to 2^31 - 1 */
  int8_t shift;       /* 7 to 22: with it no quotient is shifted by less than 1 or more than 31 bits */
  int16_t zero_point1;
  int16_t zero_point2;
  int16_t output_zero_point;
} es_div;

void es_div_s8(const es_div *layer, const int8_t *input1, const int8_t *input2, int8_t *output);

/* Square of the difference of two tensors of any shapes, with TensorFlow Lite's own steps. */
typedef struct {
  es_broadcast loops;
  es_multiplier scale1;
  es_multiplier scale2;
  es_multiplier scale_output;
  int16_t zero_point1;
  int16_t zero_point2;
  int16_t output_zero_point;
} es_squared_difference;

void es_squared_difference_s8(const es_squared_difference *layer, const int8_t *input1,
                              const int8_t *input2, int8_t *output);

/* The smaller or the larger of two tensors of any shapes. */
void es_minimum_s8(const es_broadcast *loops, const int8_t *input1, const int8_t *input2,
                   int8_t *output);
void es_maximum_s8(const es_broadcast *loops, const int8_t *input1, const int8_t *input2,
                   int8_t *output);

/* Parametric rectifier: input1 where it is positive, else input1 times input2 (the slopes). */
typedef struct {
  es_broadcast loops;
  es_multiplier scale_positive;
  es_multiplier scale_negative;
  int16_t zero_point1;
  int16_t zero_point2;
  int16_t output_zero_point;
} es_prelu;

void es_prelu_s8(const es_prelu *layer, const int8_t *input1, const int8_t *input2, int8_t *output);

/* Any function of one value, by table. Values are bytes, int8 or uint8; the table is indexed with
 * them as uint8. */
typedef struct {
  const int8_t *table; /* 256 entries */
  int32_t count;
} es_lookup;

void es_lookup_s8(const es_lookup *layer, const void *input, void *output);

/* Values between two limits: what activation functions do after kernels that only saturate. */
typedef struct {
  int32_t count;
  int8_t low;
  int8_t high;
} es_clamp;

void es_clamp_s8(const es_clamp *layer, const int8_t *input, int8_t *output);

/* Softmax of rows. */
typedef struct {
  int32_t rows;
  int32_t depth;      /* values in a row */
  int32_t multiplier; /* Q31; with left: one step of the input as a Q5.26 number */
  int16_t minimum;    /* inputs that are farther below the row's largest give the smallest output */
  int8_t left;
} es_softmax;

void es_softmax_s8(const es_softmax *layer, const int8_t *input, int8_t *output);

/* The same where many values are worth a table. */
typedef struct {
  const int32_t *exponentials; /* e^-x in Q0.31, step by step of the input from 0 to farthest */
  int32_t rows;
  int32_t depth;
  int32_t farthest; /* below the row's largest; beyond is the smallest output */
} es_softmax_table;

void es_softmax_table_s8(const es_softmax_table *layer, const int8_t *input, int8_t *output);

/* Logarithms of a softmax of rows, in steps of 1/16 from -16 to 0. */
typedef struct {
  es_softmax softmax;
  int32_t inverse;    /* Q31; with inverse_right: a Q5.26 number as steps of the input */
  int8_t inverse_right;
} es_log_softmax;

void es_log_softmax_s8(const es_log_softmax *layer, const int8_t *input, int8_t *output);

/* uint8 to int8 or back, where both have one scale and zero points that differ by 128. */
typedef struct {
  int32_t count;
} es_flip_sign;

void es_flip_sign_s8(const es_flip_sign *layer, const void *input, void *output);

/* float32 to int8 and back: round(value / scale) + zero point, where the quotient is a float32 and
 * ties go away from zero; NaN becomes the zero point. Input and output do not overlap. No kernel
 * divides:
 *
 * - Floating-point units with fused multiply-add compute fma(value, inverse_high, value *
 *   inverse_low). The generator has checked that this is on the same side of every boundary between
 *   two int8 as the quotient.
 * - Others use integers. The reciprocal has enough bits to round every quotient as float32 does. */
typedef struct {
  float scale;
  float inverse_high; /* 1 / scale in two parts, both positive */
  float inverse_low;
  uint32_t reciprocal_high; /* 2^86 / mantissa of the scale (24 bits), upper and lower half */
  uint32_t reciprocal_low;
  int32_t count;
  int16_t exponent; /* of the scale, as it is stored */
  int16_t zero_point;
} es_quantize;

void es_quantize_f32(const es_quantize *layer, const float *values, int8_t *output);
void es_dequantize_f32(const es_quantize *layer, const int8_t *input, float *values);

/* One value to int8, with integers. */
static inline int8_t es_quantize_value(const es_quantize *layer, const float *value) {
  uint32_t bits;
  memcpy(&bits, value, sizeof bits);
  const int32_t exponent = (int32_t)((bits >> 23) & 0xFFu);
  const uint32_t mantissa = (bits & 0x7FFFFFu) | 0x800000u;
  /* 2^53 to 2^55, to be scaled by a power of two. */
  uint64_t quotient = (uint64_t)mantissa * layer->reciprocal_high;
  quotient += ((uint64_t)mantissa * layer->reciprocal_low) >> 32;
  /* Round to the 24 bits of a float32: add half a unit, below that nothing counts any more. */
  quotient += UINT32_C(0x20000000) << (uint32_t)(quotient >> 54);
  const int32_t shift = layer->exponent + 21 - exponent;
  uint32_t halves = (uint32_t)(quotient >> 32) >> (shift & 31); /* in units of scale / 2 */
  if (shift < 12) {                                             /* NaN, or far beyond int8 */
    halves = (bits << 1) > UINT32_C(0xFF000000) ? 0u : 1024u;
  } else if (shift > 31) {
    halves = 0u;
  }
  const int32_t steps = (int32_t)((halves + 1u) >> 1);
  return es_saturate_s8(layer->zero_point + ((bits >> 31) != 0u ? -steps : steps));
}

#endif /* ES_ELEMENTWISE_H */
