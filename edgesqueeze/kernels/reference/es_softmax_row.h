/* What softmax and its logarithm share: TensorFlow Lite's fixed-point arithmetic. "Q5" stands for an int32 with
 * 5 integer bits.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ES_SOFTMAX_ROW_H
#define ES_SOFTMAX_ROW_H

#include "es_elementwise.h"

/* round(x * y / 2^31), ties towards plus infinity. */
static inline int32_t es_round_product(int32_t x, int32_t y) {
  return (int32_t)(((int64_t)x * y + (INT64_C(1) << 30)) >> 31);
}

/* round(x / 2^bits), ties away from zero; bits 1 to 31. */
static inline int32_t es_round_shift(int32_t x, int32_t bits) {
  const int32_t mask = (int32_t)((UINT32_C(1) << bits) - 1u);
  return (x >> bits) + ((x & mask) > (mask >> 1) + (x < 0 ? 1 : 0) ? 1 : 0);
}

/* e^x for x = step * scale <= 0, as a Q0.31 number. x is a Q5.26 number: its upper bits, in
 * quarters, select factors e^(-1/4), e^(-1/2) ... e^-16, the remainder of -1/4 to 0 goes into a
 * Taylor series around -1/8. */
static __attribute__((noinline, unused)) int32_t es_exponential(const es_softmax *layer, int32_t step) {
  static const int32_t factors[7] = {1672461947, 1302514674, 790015084, 290630308,
                                     39332535,   720401,     242};
  const int32_t quarter = (int32_t)1 << 24;
  const int32_t x = es_round_product((int32_t)((uint32_t)step << layer->left), layer->multiplier);
  if (x == 0) {
    return INT32_MAX;
  }
  const int32_t remainder = (x & (quarter - 1)) - quarter;
  const int32_t t = remainder * 32 + ((int32_t)1 << 28); /* remainder + 1/8 in Q0.31 */
  const int32_t t2 = es_round_product(t, t);
  const int32_t t3 = es_round_product(t2, t);
  const int32_t t4 = es_round_product(t2, t2);
  const int32_t tail =
      es_round_shift(es_round_product(es_round_shift(t4, 2) + t3, 715827883) + t2, 1);  /* t4/24 + t3/6 + t2/2 */
  int32_t result = 1895147668 + es_round_product(1895147668, t + tail); /* times e^(-1/8) */
  int32_t quarters = (remainder - x) >> 24;
  for (const int32_t *factor = factors; quarters != 0; ++factor, quarters >>= 1) {
    if ((quarters & 1) != 0) {
      result = es_round_product(result, *factor);
    }
  }
  return result;
}

/* 1 / (1 + x) for x from 0 to 1, both as Q0.31 numbers: three steps of Newton's method for the
 * reciprocal of d = (1 + x) / 2, as a Q2.29 number, which starts at 48/17 - 32/17 d. */
static int32_t es_reciprocal_of_one_plus(int32_t x) {
  const int32_t one = (int32_t)1 << 29;
  const int32_t denominator = (int32_t)(((int64_t)x + INT32_MAX + 1) >> 1);
  int32_t y = 1515870810 + es_round_product(denominator, -1010580540);
  for (int32_t i = 0; i < 3; ++i) {
    y += es_round_product(y, one - es_round_product(denominator, y)) * 4;
  }
  return y > (INT32_MAX >> 1) ? INT32_MAX : y * 2;
}

/* What a row's exponentials are multiplied by, and by how many bits the products are then shifted to shares of 256;
 * sum is that of the row's exponentials, in Q12.19. */
typedef struct {
  int32_t scale, bits;
} es_share;

static inline es_share es_share_of(int32_t sum) {
  /* The sum is 2^(12 - zeros) * (1 + x), because the largest value alone gives 1. */
  int32_t zeros = 0;
  while (((uint32_t)sum << zeros) < UINT32_C(0x80000000)) {
    ++zeros;
  }
  const int32_t scale =
      es_reciprocal_of_one_plus((int32_t)(((uint32_t)sum << zeros) - UINT32_C(0x80000000)));
  const es_share share = {scale, 12 - zeros + 31 - 8};
  return share;
}

#endif /* ES_SOFTMAX_ROW_H */
