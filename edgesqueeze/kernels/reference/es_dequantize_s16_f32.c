/* int16 to float32.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "es_s16.h"

void es_dequantize_s16_f32(const es_quantize_wide *layer, const int16_t *input, float *values) {
  for (int32_t i = layer->count; i > 0; --i) {
    *values++ = layer->scale * (float)*input++;
  }
}
