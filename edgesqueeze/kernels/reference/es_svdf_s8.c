/* One step of a filter bank over time, int8 with int16 state, portable.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "es_lstm.h"

/* The result of one filter's features for this step, as state. */
static int16_t feature(const es_svdf *layer, int32_t filter, const int8_t *input) {
  const int8_t *const weights = layer->feature_weights + filter * layer->inputs;
  uint32_t sum = (uint32_t)layer->feature_biases[filter];
  for (int32_t i = 0; i < layer->inputs; ++i) {
    sum += (uint32_t)(weights[i] * input[i]);
  }
  return (int16_t)es_lstm_limited(es_lstm_scaled(sum, &layer->feature_scale), -32768, 32767);
}

/* Forgets a filter's oldest result, and gives the sum over the others and this one. */
static uint32_t over_time(const es_svdf *layer, int32_t filter, int16_t newest, int16_t *results) {
  const int16_t *const weights = layer->time_weights + filter * layer->memory;
  uint32_t sum = 0;
  for (int32_t i = 0; i < layer->memory; ++i) {
    results[i] = i + 1 < layer->memory ? results[i + 1] : newest;
    sum += (uint32_t)(weights[i] * results[i]);
  }
  return sum;
}

void es_svdf_s8(const es_svdf *layer, const int8_t *input, int8_t *state, int8_t *output) {
  int16_t *results = (int16_t *)(void *)state;
  int32_t filter = 0;
  for (int32_t unit = 0; unit < layer->units; ++unit) {
    uint32_t sum = (uint32_t)layer->biases[unit];
    for (int32_t i = 0; i < layer->rank; ++i, ++filter, results += layer->memory) {
      sum += over_time(layer, filter, feature(layer, filter, input), results);
    }
    const int64_t value = es_lstm_scaled(sum, &layer->output_scale) + layer->output_zero_point;
    output[unit] = (int8_t)es_lstm_limited(value, -128, 127);
  }
}
