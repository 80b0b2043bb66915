/* Product of two tensors of any shapes, int16.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "es_s16.h"

static void row(const es_mul_wide *layer, const int16_t *input1, const int16_t *input2, int16_t *output) {
  const int32_t stride1 = layer->loops.stride1[3], stride2 = layer->loops.stride2[3];
  for (int32_t i = layer->loops.count[3]; i > 0; --i, input1 += stride1, input2 += stride2) {
    const int64_t value = es_lstm_scaled((uint32_t)(*input1 * *input2), &layer->scale);
    *output++ = es_limit_s16(value, layer->minimum, layer->maximum);
  }
}

void es_mul_s16(const es_mul_wide *layer, const int16_t *input1, const int16_t *input2, int16_t *output) {
  const int32_t *const count = layer->loops.count;
  const int32_t *const stride1 = layer->loops.stride1;
  const int32_t *const stride2 = layer->loops.stride2;
  for (int32_t i = 0; i < count[0]; ++i) {
    for (int32_t j = 0; j < count[1]; ++j) {
      for (int32_t k = 0; k < count[2]; ++k) {
        row(layer, input1 + i * stride1[0] + j * stride1[1] + k * stride1[2],
            input2 + i * stride2[0] + j * stride2[1] + k * stride2[2], output);
        output += count[3];
      }
    }
  }
}
