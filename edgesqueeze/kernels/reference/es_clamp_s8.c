/* Values between two limits, int8.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "es_elementwise.h"

void es_clamp_s8(const es_clamp *layer, const int8_t *input, int8_t *output) {
  const int8_t low = layer->low;
  const int8_t high = layer->high;
  for (int32_t i = layer->count; i > 0; --i) {
    const int8_t value = *input++;
    *output++ = value < low ? low : (value > high ? high : value);
  }
}
