/* float32 to int8.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "es_elementwise.h"

void es_quantize_f32(const es_quantize *layer, const float *values, int8_t *output) {
  for (int32_t i = layer->count; i > 0; --i) {
    *output++ = es_quantize_value(layer, values++);
  }
}
