/* int16 to another scale, inside of a range.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "es_s16.h"

void es_requantize_values_s16(const es_requantize_wide *layer, const int16_t *input, int16_t *output) {
  const int32_t minimum = layer->minimum, maximum = layer->maximum;
  for (int32_t i = layer->count; i > 0; --i) {
    *output++ = es_limit_s16(es_lstm_scaled((uint32_t)*input++, &layer->scale), minimum, maximum);
  }
}
