/* Leaky rectifier, int16.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "es_s16.h"

void es_leaky_relu_s16(const es_leaky_relu_wide *layer, const int16_t *input, int16_t *output) {
  for (int32_t i = layer->count; i > 0; --i) {
    const int32_t value = *input++;
    const es_lstm_scale *const scale = value >= 0 ? &layer->positive : &layer->negative;
    *output++ = es_limit_s16(es_lstm_scaled((uint32_t)value, scale), -32768, 32767);
  }
}
