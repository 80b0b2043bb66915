/* Product of two tensors of any shapes, int16, for cores with the DSP extension.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "es_pairs_s16_dsp.h"

typedef struct {
  int32_t multiplier; /* negative: twice a product of two int16 may be 2^31, of which only the negative is an int32 */
  int32_t shift;
  es_range_s16 range;
} product_parameters;

static inline int32_t scaled(int32_t product, const product_parameters *by) {
  const int32_t value = (int32_t)(0u - 2u * (uint32_t)product);
  int32_t high;
  __asm__("smmulr %0, %1, %2" : "=r"(high) : "r"(value), "r"(by->multiplier));
  return es_shifted_s16(high, by->shift);
}

static __attribute__((noinline)) void products(const void *parameters, const int16_t *input1, int32_t step1,
                                               const int16_t *input2, int32_t step2, int32_t twos, int16_t *output) {
  const product_parameters by = *(const product_parameters *)parameters;
  for (; twos > 0; --twos, input1 += step1, input2 += step2, output += 2) {
    const uint32_t one = es_load_two(input1), other = es_load_two(input2);
    int32_t low, high;
    __asm__("smulbb %0, %1, %2" : "=r"(low) : "r"(one), "r"(other));
    __asm__("smultt %0, %1, %2" : "=r"(high) : "r"(one), "r"(other));
    es_store_two(es_two_of(scaled(low, &by), scaled(high, &by), &by.range), output);
  }
}

/* The same for scales that are not shifted, or to the left, which wraps, as in TensorFlow Lite. */
static __attribute__((noinline)) void any_products(const void *parameters, const int16_t *input1, int32_t step1,
                                                   const int16_t *input2, int32_t step2, int32_t twos,
                                                   int16_t *output) {
  const es_mul_wide *const layer = parameters;
  for (; twos > 0; --twos, input1 += step1, input2 += step2, output += 2) {
    for (int32_t i = 0; i < 2; ++i) {
      const int64_t value = es_lstm_scaled((uint32_t)(input1[i] * input2[i]), &layer->scale);
      output[i] = es_limit_s16(value, layer->minimum, layer->maximum);
    }
  }
}

void es_mul_s16(const es_mul_wide *layer, const int16_t *input1, const int16_t *input2, int16_t *output) {
  const product_parameters parameters = {-layer->scale.multiplier, -layer->scale.shift,
                                         es_range_of(layer->minimum, layer->maximum)};
  const int any = layer->scale.shift > -1;
  es_twos(any ? (const void *)layer : &parameters, any ? any_products : products, &layer->loops, input1, input2,
          output);
}
