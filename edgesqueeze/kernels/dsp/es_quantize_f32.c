/* float32 to int8, with a floating-point unit where there is one.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "es_elementwise.h"

#if defined(__ARM_FEATURE_FMA)
/* Twice the steps, towards zero; saturates, and makes 0 of NaN. */
static inline int32_t convert_to_halves(float steps) {
  int32_t halves;
  __asm__("vcvt.s32.f32 %0, %0, #1" : "+t"(steps));
  memcpy(&halves, &steps, sizeof halves);
  return halves;
}

/* Limits to int16, so that the next additions do not overflow. */
static inline int32_t saturate_s16(int32_t value) {
  __asm__("ssat %0, #16, %0" : "+r"(value));
  return value;
}

static inline int8_t halve_and_saturate(int32_t value) {
  __asm__("ssat %0, #8, %0, asr #1" : "+r"(value));
  return (int8_t)value;
}

void es_quantize_f32(const es_quantize *layer, const float *values, int8_t *output) {
  const float inverse_high = layer->inverse_high;
  const float inverse_low = layer->inverse_low;
  const int32_t rounding = 2 * layer->zero_point + 1;
  for (int32_t i = layer->count; i > 0; --i) {
    const float value = *values++;
    const float steps = __builtin_fmaf(value, inverse_high, value * inverse_low);
    const int32_t halves = saturate_s16(convert_to_halves(steps));
    /* Away from zero: negative halves take no rounding. */
    *output++ = halve_and_saturate(halves + (halves >> 31) + rounding);
  }
}
#else
void es_quantize_f32(const es_quantize *layer, const float *values, int8_t *output) {
  for (int32_t i = layer->count; i > 0; --i) {
    *output++ = es_quantize_value(layer, values++);
  }
}
#endif
