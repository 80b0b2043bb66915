/* float32 to int8, with vectors where they know float32.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <arm_mve.h>

#include "es_elementwise.h"

#if (__ARM_FEATURE_MVE & 2) != 0
/* Four values to int8, as int32. The conversion rounds ties away from zero, saturates, and makes 0
 * of NaN. */
static inline int32x4_t quantize_4(const es_quantize *layer, float32x4_t values) {
  const float32x4_t steps =
      vfmaq_n_f32(vmulq_n_f32(values, layer->inverse_low), values, layer->inverse_high);
  const int32x4_t result = vqaddq_n_s32(vcvtaq_s32_f32(steps), layer->zero_point);
  return vminq_s32(vmaxq_s32(result, vdupq_n_s32(-128)), vdupq_n_s32(127));
}

void es_quantize_f32(const es_quantize *layer, const float *values, int8_t *output) {
  const es_quantize local = *layer; /* a copy that no output can overwrite */
  int32_t left = local.count;
  for (; left >= 4; left -= 4) {
    vstrbq_s32(output, quantize_4(&local, vldrwq_f32(values)));
    values += 4;
    output += 4;
  }
  const mve_pred16_t valid = vctp32q((uint32_t)left);
  vstrbq_p_s32(output, quantize_4(&local, vldrwq_z_f32(values, valid)), valid);
}
#else
void es_quantize_f32(const es_quantize *layer, const float *values, int8_t *output) {
  for (int32_t i = layer->count; i > 0; --i) {
    *output++ = es_quantize_value(layer, values++);
  }
}
#endif
