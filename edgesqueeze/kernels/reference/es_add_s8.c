/* Sum or difference of two tensors of one shape, int8.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "es_elementwise.h"

/* sum / 2^20, saturated. */
static inline int8_t shift_and_saturate(int32_t sum) {
#if defined(__ARM_FEATURE_SAT)
  int32_t result;
  __asm__("ssat %0, #8, %1, asr %2" : "=r"(result) : "r"(sum), "I"(ES_ADD_SHIFT));
  return (int8_t)result;
#else
  return es_saturate_s8(sum >> ES_ADD_SHIFT);
#endif
}

/* A factor is taken apart into high * 2^8 + low, so that 32 bits are enough for the products:
 * floor(factor * x / 2^8) = high * x + floor(low * x / 2^8). */
void es_add_s8(const es_add *layer, const int8_t *input1, const int8_t *input2, int8_t *output) {
  const int32_t high1 = layer->factor1 >> 8;
  const int32_t low1 = layer->factor1 & 0xFF;
  const int32_t high2 = layer->factor2 >> 8;
  const int32_t low2 = layer->factor2 & 0xFF;
  const int32_t offset = layer->offset;
  for (int32_t i = layer->count; i > 0; --i) {
    const int32_t x1 = *input1++;
    const int32_t x2 = *input2++;
    int32_t sum = offset + high1 * x1;
    sum += high2 * x2;
    sum += (low1 * x1) >> 8;
    sum += (low2 * x2) >> 8;
    *output++ = shift_and_saturate(sum);
  }
}
