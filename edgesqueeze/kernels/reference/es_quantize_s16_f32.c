/* float32 to int16.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "es_s16.h"

void es_quantize_s16_f32(const es_quantize_wide *layer, const float *values, int16_t *output) {
  const float scale = layer->scale;
  for (int32_t i = layer->count; i > 0; --i) {
    const float steps = *values++ / scale;
    /* Below 2^23 an integer and a half is exact; beyond int16 it does not matter. */
    int32_t whole = 0;
    if (steps >= 32767.0f) {
      whole = 32767;
    } else if (steps <= -32768.0f) {
      whole = -32768;
    } else if (steps > -32769.0f) {
      whole = (int32_t)steps;
      const float rest = steps - (float)whole;
      whole += rest >= 0.5f ? 1 : (rest <= -0.5f ? -1 : 0);
    }
    *output++ = (int16_t)(whole > 32767 ? 32767 : (whole < -32768 ? -32768 : whole));
  }
}
