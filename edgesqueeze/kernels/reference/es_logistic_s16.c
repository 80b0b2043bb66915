/* Logistic function, int16.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "es_sigmoid_s16.h"

void es_logistic_s16(const es_sigmoid_wide *layer, const int16_t *input, int16_t *output) {
  for (int32_t i = layer->count; i > 0; --i) {
    const int32_t value = es_argument_s16(layer, *input++);
    const uint32_t magnitude = (uint32_t)(value < 0 ? -value : value);
    uint32_t result = 0x7FFFu << 10;
    if (magnitude >> 9 < 255) {
      result = es_sigmoid_at(layer->sigmoid, magnitude, 9);
    }
    result = value >= 0 ? result + (1u << 9) : (1u << 25) - result + (1u << 9) - 1u;
    *output++ = (int16_t)(result >> 10);
  }
}
