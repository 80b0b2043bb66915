/* One step of a filter bank over time, int8 with int16 state, portable. Sums of products are the kernel set's own
 * (es_dot_4_s8, es_dot_values_s16).
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "es_lstm.h"
#include "es_s16.h"

enum { FILTERS = 4 };

/* The sums of count filters' features for this step, four at most. */
static void features(const es_svdf *layer, int32_t filter, int32_t count, const int8_t *input, uint32_t sums[FILTERS]) {
  const int32_t inputs = layer->inputs;
  const int8_t *weights = layer->feature_weights + filter * inputs;
  memcpy(sums, layer->feature_biases + filter, (size_t)count * sizeof sums[0]);
  if (count == FILTERS) {
    es_dot_4_s8(weights, input, inputs, sums);
    return;
  }
  for (int32_t i = 0; i < count; ++i) {
    for (int32_t j = 0; j < inputs; ++j) {
      sums[i] += (uint32_t)(*weights++ * input[j]);
    }
  }
}

/* Forgets the oldest of some results, and takes the newest; two a time. */
static void remember(int16_t *results, int32_t memory, int16_t newest) {
  int32_t left = memory - 1;
  for (; left > 1; left -= 2, results += 2) {
    uint32_t two;
    memcpy(&two, results + 1, sizeof two);
    memcpy(results, &two, sizeof two);
  }
  if (left > 0) {
    results[0] = results[1];
  }
  results[left] = newest;
}

void es_svdf_s8(const es_svdf *layer, const int8_t *input, int8_t *state, int8_t *output) {
  const int32_t filters = layer->units * layer->rank, memory = layer->memory;
  const int16_t *times = layer->time_weights;
  int16_t *results = (int16_t *)(void *)state;
  uint32_t sums[FILTERS], sum = 0;
  int32_t left = 0; /* filters of the unit */
  for (int32_t filter = 0; filter < filters; ++filter, results += memory, times += memory) {
    if (filter % FILTERS == 0) {
      features(layer, filter, filters - filter < FILTERS ? filters - filter : FILTERS, input, sums);
    }
    if (left == 0) {
      left = layer->rank;
      sum = (uint32_t)layer->biases[filter / layer->rank];
    }
    const int64_t newest = es_lstm_scaled(sums[filter % FILTERS], &layer->feature_scale);
    remember(results, memory, (int16_t)es_lstm_limited(newest, -32768, 32767));
    sum += (uint32_t)es_dot_values_s16(times, results, memory);
    if (--left == 0) {
      const int64_t value = es_lstm_scaled(sum, &layer->output_scale) + layer->output_zero_point;
      *output++ = (int8_t)es_lstm_limited(value, -128, 127);
    }
  }
}
