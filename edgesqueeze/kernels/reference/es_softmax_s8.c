/* Softmax of rows, int8, in TensorFlow Lite's fixed-point arithmetic.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "es_elementwise.h"

/* round(x * y / 2^31), ties towards plus infinity. */
static inline int32_t multiply(int32_t x, int32_t y) {
  return (int32_t)(((int64_t)x * y + (INT64_C(1) << 30)) >> 31);
}

/* round(x / 2^bits), ties away from zero; bits 1 to 31. */
static inline int32_t divide(int32_t x, int32_t bits) {
  const int32_t mask = (int32_t)((UINT32_C(1) << bits) - 1u);
  return (x >> bits) + ((x & mask) > (mask >> 1) + (x < 0 ? 1 : 0) ? 1 : 0);
}

/* e^x for x = step * scale <= 0, as a Q0.31 number. x is a Q5.26 number: its upper bits, in
 * quarters, select factors e^(-1/4), e^(-1/2) ... e^-16, the remainder of -1/4 to 0 goes into a
 * Taylor series around -1/8. */
static __attribute__((noinline)) int32_t exponential(const es_softmax *layer, int32_t step) {
  static const int32_t factors[7] = {1672461947, 1302514674, 790015084, 290630308,
                                     39332535,   720401,     242};
  const int32_t quarter = (int32_t)1 << 24;
  const int32_t x = multiply((int32_t)((uint32_t)step << layer->left), layer->multiplier);
  if (x == 0) {
    return INT32_MAX;
  }
  const int32_t remainder = (x & (quarter - 1)) - quarter;
  const int32_t t = remainder * 32 + ((int32_t)1 << 28); /* remainder + 1/8 in Q0.31 */
  const int32_t t2 = multiply(t, t);
  const int32_t t3 = multiply(t2, t);
  const int32_t t4 = multiply(t2, t2);
  const int32_t tail =
      divide(multiply(divide(t4, 2) + t3, 715827883) + t2, 1);  /* t4/24 + t3/6 + t2/2 */
  int32_t result = 1895147668 + multiply(1895147668, t + tail); /* times e^(-1/8) */
  int32_t quarters = (remainder - x) >> 24;
  for (const int32_t *factor = factors; quarters != 0; ++factor, quarters >>= 1) {
    if ((quarters & 1) != 0) {
      result = multiply(result, *factor);
    }
  }
  return result;
}

/* 1 / (1 + x) for x from 0 to 1, both as Q0.31 numbers: three steps of Newton's method for the
 * reciprocal of d = (1 + x) / 2, as a Q2.29 number, which starts at 48/17 - 32/17 d. */
static int32_t reciprocal_of_one_plus(int32_t x) {
  const int32_t one = (int32_t)1 << 29;
  const int32_t denominator = (int32_t)(((int64_t)x + INT32_MAX + 1) >> 1);
  int32_t y = 1515870810 + multiply(denominator, -1010580540);
  for (int32_t i = 0; i < 3; ++i) {
    y += multiply(y, one - multiply(denominator, y)) * 4;
  }
  return y > (INT32_MAX >> 1) ? INT32_MAX : y * 2;
}

void es_softmax_s8(const es_softmax *layer, const int8_t *input, int8_t *output) {
  const int32_t depth = layer->depth;
  for (int32_t row = layer->rows; row > 0; --row) {
    int32_t largest = -128;
    for (int32_t i = 0; i < depth; ++i) {
      largest = input[i] > largest ? input[i] : largest;
    }
    const int32_t smallest = largest + layer->minimum;
    int32_t sum = 0; /* Q12.19 */
    for (int32_t i = 0; i < depth; ++i) {
      if (input[i] >= smallest) {
        sum += divide(exponential(layer, input[i] - largest), 12);
      }
    }
    /* The sum is 2^(12 - zeros) * (1 + x), because the largest value alone gives 1. */
    int32_t zeros = 0;
    while (((uint32_t)sum << zeros) < UINT32_C(0x80000000)) {
      ++zeros;
    }
    const int32_t scale =
        reciprocal_of_one_plus((int32_t)(((uint32_t)sum << zeros) - UINT32_C(0x80000000)));
    const int32_t bits = 12 - zeros + 31 - 8;
    for (int32_t i = 0; i < depth; ++i) {
      int32_t result = -128;
      if (input[i] >= smallest && bits <= 31) { /* beyond, all shares round to nothing */
        result += divide(multiply(scale, exponential(layer, input[i] - largest)), bits);
      }
      output[i] = es_saturate_s8(result);
    }
    input += depth;
    output += depth;
  }
}
