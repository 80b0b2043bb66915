/* int16 to another scale.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "es_s16.h"

void es_requantize_values_s16(const es_requantize_wide *layer, const int16_t *input, int16_t *output) {
  for (int32_t i = layer->count; i > 0; --i) {
    *output++ = es_limit_s16(es_lstm_scaled((uint32_t)*input++, &layer->scale), -32768, 32767);
  }
}
