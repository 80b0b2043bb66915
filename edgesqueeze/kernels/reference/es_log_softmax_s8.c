/* Logarithms of a softmax of rows, int8, in TensorFlow Lite's fixed-point arithmetic.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "es_softmax_row.h"

enum { LOG_2 = 1488522236, SQRT_HALF = 1518500250, FOURTH_ROOT_HALF = 1805811301 }; /* in Q0 */

static int32_t leading_zeros(int32_t value) {
  int32_t zeros = 0;
  while (((uint32_t)value << zeros) < UINT32_C(0x80000000)) {
    ++zeros;
  }
  return zeros;
}

static int32_t shifted_saturating(int32_t value, int32_t left) {
  const int64_t shifted = (int64_t)((uint64_t)value << left);
  return shifted > INT32_MAX ? INT32_MAX : (int32_t)shifted;
}

/* ln(r) + ln(2) / 4 in Q6, as a quotient of polynomials in the distance of r from 2^(-1/4); r in Q0 is
 * between 1/2 and 1. */
static int32_t log_near(int32_t r) {
  const int32_t half_sum = (int32_t)(((int64_t)r + FOURTH_ROOT_HALF + 1) >> 1);
  const int32_t q = 2 * (r - FOURTH_ROOT_HALF);
  const int32_t square = es_round_product(q, q);
  const int32_t above =
      es_round_product(q, r) + es_round_product(es_round_product(q, square), 117049297);
  const int32_t inner = 1057819769 + q + es_round_product(127690142, square);
  const int32_t below = es_round_product(half_sum, inner) + es_round_product(638450708, q);
  return es_round_product(es_round_shift(above, 6), es_reciprocal_of_one_plus(below));
}

/* ln(x) in Q5 for x >= 1 in Q12: x is 2^power times a number r near 2^(-1/4). Of two such forms, with powers a
 * half apart, the one with the smaller r is taken. */
static int32_t logarithm(int32_t x) {
  const int32_t one = (int32_t)1 << 25; /* in Q6, as the powers */
  const int32_t zeros = leading_zeros(x);
  const int32_t turned = es_round_product(x, SQRT_HALF);
  const int32_t room = leading_zeros(turned) - 1;
  const int32_t r1 = shifted_saturating(es_round_product(x << (zeros - 1), SQRT_HALF), 1);
  const int32_t r2 = shifted_saturating(x, room);
  const int32_t power1 = (12 - zeros) * one + one / 4;
  const int32_t power2 = (12 - room) * one - one / 4;
  const int32_t power = power1 > power2 ? power1 : power2;
  return 2 * (es_round_product(power, LOG_2) + log_near(r1 < r2 ? r1 : r2));
}

static int32_t scaled(const es_softmax *layer, int32_t step) {
  return es_round_product((int32_t)((uint32_t)step << layer->left), layer->multiplier);
}

/* ln of the sum of the row's exponentials, in Q5. */
static int32_t log_of_sum(const es_softmax *layer, const int8_t *input, int32_t largest) {
  int32_t sum = 0; /* Q12 */
  for (int32_t i = 0; i < layer->depth; ++i) {
    const int32_t step = input[i] - largest;
    if (step >= layer->minimum) {
      sum += es_round_shift(es_exponential(layer, step), 12);
    }
  }
  return logarithm(sum);
}

/* The step below the largest from which on the difference does not fit. */
static int32_t end_of(const es_log_softmax *layer, int32_t log_sum) {
  const int32_t last = layer->softmax.minimum - 1;
  int32_t end = es_round_product(log_sum + INT32_MIN, layer->inverse);
  if (layer->inverse_right > 0) {
    end = es_round_shift(end, layer->inverse_right);
  }
  return end < last ? last : end;
}

void es_log_softmax_s8(const es_log_softmax *layer, const int8_t *input, int8_t *output) {
  const int32_t depth = layer->softmax.depth;
  for (int32_t row = layer->softmax.rows; row > 0; --row, input += depth, output += depth) {
    int32_t largest = -128;
    for (int32_t i = 0; i < depth; ++i) {
      largest = input[i] > largest ? input[i] : largest;
    }
    const int32_t log_sum = log_of_sum(&layer->softmax, input, largest);
    const int32_t end = end_of(layer, log_sum);
    for (int32_t i = 0; i < depth; ++i) {
      const int32_t step = input[i] - largest;
      int32_t result = -128;
      if (step > end) {
        result = es_round_shift(scaled(&layer->softmax, step) - log_sum, 22) + 127;
      }
      output[i] = es_saturate_s8(result);
    }
  }
}
