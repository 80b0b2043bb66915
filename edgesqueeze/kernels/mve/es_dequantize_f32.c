/* int8 to float32: scale * (value - zero point), with vectors where they know float32.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <arm_mve.h>

#include "es_elementwise.h"

#if (__ARM_FEATURE_MVE & 2) != 0
void es_dequantize_f32(const es_quantize *layer, const int8_t *input, float *values) {
  for (int32_t left = layer->count; left > 0; left -= 4) {
    const mve_pred16_t valid = vctp32q((uint32_t)left);
    const int32x4_t steps = vsubq_n_s32(vldrbq_z_s32(input, valid), layer->zero_point);
    vstrwq_p_f32(values, vmulq_n_f32(vcvtq_f32_s32(steps), layer->scale), valid);
    input += 4;
    values += 4;
  }
}
#else
void es_dequantize_f32(const es_quantize *layer, const int8_t *input, float *values) {
  for (int32_t i = layer->count; i > 0; --i) {
    *values++ = layer->scale * (float)(*input++ - layer->zero_point);
  }
}
#endif
