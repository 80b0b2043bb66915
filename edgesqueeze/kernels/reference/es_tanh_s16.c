/* Hyperbolic tangent, int16: 2 * sigmoid(2x) - 1.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "es_sigmoid_s16.h"

void es_tanh_s16(const es_sigmoid_wide *layer, const int16_t *input, int16_t *output) {
  for (int32_t i = layer->count; i > 0; --i) {
    const int32_t value = es_argument_s16(layer, *input++);
    const uint32_t magnitude = (uint32_t)(value < 0 ? -value : value);
    int32_t result = 0xFFFF << 8;
    if (magnitude >> 8 < 255) {
      result = (int32_t)es_sigmoid_at(layer->sigmoid, magnitude, 8);
    }
    result -= 1 << 23;
    *output++ = (int16_t)(((value >= 0 ? result : -result - 1) + (1 << 7)) >> 8);
  }
}
