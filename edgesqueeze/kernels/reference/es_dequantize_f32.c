/* int8 to float32: scale * (value - zero point).
 * SPDX-License-Identifier: Apache-2.0
 */
#include "es_elementwise.h"

void es_dequantize_f32(const es_quantize *layer, const int8_t *input, float *values) {
  const float scale = layer->scale;
  const int32_t zero_point = layer->zero_point;
  for (int32_t i = layer->count; i > 0; --i) {
    *values++ = scale * (float)(*input++ - zero_point);
  }
}
