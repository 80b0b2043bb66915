/* Sum or difference of two tensors of any shapes, int16, for cores with the DSP extension.
 * SPDX-License-Identifier: Apache-2.0
 *
 * TensorFlow Lite scales both inputs to twice the larger scale of them, and by 2^15. The input that has the larger one
 * is so multiplied by 2^14 exactly; only the other one is rounded.
 */
#include "es_pairs_s16_dsp.h"

typedef struct {
  int32_t exact;             /* what SMULWB and SMULWT multiply the input of the larger scale by: 2^30 or -2^30 */
  int32_t multiplier, shift; /* of the other input */
  int32_t sign;              /* of it: 1 or -1 */
  int32_t out_multiplier, out_shift;
  es_range_s16 range;
} sum_parameters;

enum { EXACT = 1 << 30 };

/* Of a product the upper half, rounded. */
static inline int32_t rounded_high(int32_t one, int32_t other) {
  int32_t high;
  __asm__("smmulr %0, %1, %2" : "=r"(high) : "r"(one), "r"(other));
  return high;
}

/* input1 is the one that has the larger scale. */
static __attribute__((noinline)) void sums(const void *parameters, const int16_t *input1, int32_t step1,
                                           const int16_t *input2, int32_t step2, int32_t twos, int16_t *output) {
  const sum_parameters by = *(const sum_parameters *)parameters;
  for (; twos > 0; --twos, input1 += step1, input2 += step2, output += 2) {
    const uint32_t one = es_load_two(input1), other = es_load_two(input2);
    int32_t low, high;
    __asm__("smulwb %0, %1, %2" : "=r"(low) : "r"(by.exact), "r"(one));
    __asm__("smulwt %0, %1, %2" : "=r"(high) : "r"(by.exact), "r"(one));
    low += by.sign * es_shifted_s16(rounded_high((int32_t)(other << 16), by.multiplier), by.shift);
    high += by.sign * es_shifted_s16(rounded_high((int32_t)(other >> 16 << 16), by.multiplier), by.shift);
    low = es_shifted_s16(rounded_high(2 * low, by.out_multiplier), by.out_shift);
    high = es_shifted_s16(rounded_high(2 * high, by.out_multiplier), by.out_shift);
    es_store_two(es_two_of(low, high, &by.range), output);
  }
}

/* The same, with TensorFlow Lite's own steps, for outputs that are not shifted; inputs are as the layer has them. */
static __attribute__((noinline)) void any_sums(const void *parameters, const int16_t *input1, int32_t step1,
                                               const int16_t *input2, int32_t step2, int32_t twos, int16_t *output) {
  const es_add_wide *const layer = parameters;
  for (; twos > 0; --twos, input1 += step1, input2 += step2, output += 2) {
    for (int32_t i = 0; i < 2; ++i) {
      const int32_t other = layer->sign2 * es_apply_multiplier(input2[i], &layer->scale2);
      const int32_t sum = es_apply_multiplier(input1[i], &layer->scale1) + other;
      output[i] = es_limit_s16(es_apply_multiplier(sum, &layer->scale_output), layer->minimum, layer->maximum);
    }
  }
}

void es_add_s16(const es_add_wide *layer, const int16_t *input1, const int16_t *input2, int16_t *output) {
  const es_multiplier *const by1 = &layer->scale1, *const result = &layer->scale_output;
  const int turned = by1->right != 0 || by1->multiplier != EXACT; /* whether input2 has the larger scale */
  const es_multiplier *const other = turned ? by1 : &layer->scale2;
  const int any = result->right == 0 || result->left > 0;
  sum_parameters parameters = {turned ? layer->sign2 * EXACT : EXACT, other->multiplier, other->right,
                               turned ? 1 : layer->sign2, result->multiplier, result->right,
                               es_range_of(layer->minimum, layer->maximum)};
  es_broadcast loops = layer->loops;
  if (other->right == 0) { /* of one scale: 2^15 times the input, negative, and half of it */
    parameters.multiplier = other->multiplier != 0 ? INT32_MIN : 0;
    parameters.shift = 1;
    parameters.sign = -parameters.sign;
  }
  if (turned && !any) {
    const int16_t *const first = input1;
    input1 = input2;
    input2 = first;
    memcpy(loops.stride1, layer->loops.stride2, sizeof loops.stride1);
    memcpy(loops.stride2, layer->loops.stride1, sizeof loops.stride2);
  }
  es_twos(any ? (const void *)layer : &parameters, any ? any_sums : sums, &loops, input1, input2, output);
}
