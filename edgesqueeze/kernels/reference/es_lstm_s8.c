/* Long short-term memory, int8 activations and weights, int16 cells, portable.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "es_lstm.h"

static int32_t scaled_16(uint32_t value, const es_lstm_scale *by) {
  return es_lstm_limited(es_lstm_scaled(value, by), -32768, 32767);
}

/* What goes into a gate's activation function, in Q3.12. */
static int32_t gate(const es_lstm_gate *scale, uint32_t sum, uint32_t recurrent_sum) {
  const int32_t both = scaled_16(sum, &scale->input) + scaled_16(recurrent_sum, &scale->recurrent);
  return es_lstm_limited(both, -32768, 32767);
}

/* The table between its entries: value is 24 * 2^bits times the argument, and the result has as many bits
 * more than the table's 16. */
static uint32_t interpolated(const uint16_t *sigmoid, uint32_t value, uint32_t bits) {
  const uint32_t place = value >> bits;
  const uint32_t low = sigmoid[place], high = sigmoid[place + 1];
  return (low << bits) + (value & ((1u << bits) - 1u)) * (high - low);
}

/* Q3.12 to Q0.15. */
static int32_t sigmoid(const es_lstm *layer, int32_t x) {
  const int32_t value = 3 * x;
  const uint32_t magnitude = (uint32_t)(value < 0 ? -value : value);
  uint32_t result = 0x7FFFu << 10;
  if (magnitude >> 9 < 255) {
    result = interpolated(layer->sigmoid, magnitude, 9);
  }
  result = value >= 0 ? result + (1u << 9) : (1u << 25) - result + (1u << 9) - 1u;
  return (int32_t)(result >> 10);
}

/* Three times the argument in Q3.12 to Q0.15. */
static int32_t tanh_of(const es_lstm *layer, int32_t value) {
  const uint32_t magnitude = (uint32_t)(value < 0 ? -value : value);
  int32_t result = 0xFFFF << 8;
  if (magnitude >> 8 < 255) {
    result = (int32_t)interpolated(layer->sigmoid, magnitude, 8);
  }
  result -= 1 << 23;
  return ((value >= 0 ? result : -result - 1) + (1 << 7)) >> 8;
}

/* Forgets a part of a cell and adds what is new. */
static int32_t next_cell(const es_lstm *layer, int32_t cell, const uint32_t sums[4],
                         const uint32_t recurrent_sums[4]) {
  const int32_t take = sigmoid(layer, gate(&layer->input_gate, sums[0], recurrent_sums[0]));
  const int32_t forget = sigmoid(layer, gate(&layer->forget_gate, sums[1], recurrent_sums[1]));
  const int32_t fresh = tanh_of(layer, 3 * gate(&layer->cell_gate, sums[2], recurrent_sums[2]));
  const int32_t kept = scaled_16((uint32_t)(forget * cell), &layer->kept);
  const int32_t added = scaled_16((uint32_t)(take * fresh), &layer->added);
  const int32_t limit = layer->cell_limit > 0 ? layer->cell_limit : 32767;
  return es_lstm_limited(kept + added, layer->cell_limit > 0 ? -limit : -32768, limit);
}

/* One unit's step: its cell changes, and its output is returned. */
static int8_t unit_step(const es_lstm *layer, int32_t unit, const int8_t *input, const int8_t *hidden,
                        int8_t *cell) {
  uint32_t sums[4], recurrent_sums[4];
  int16_t value;
  memcpy(sums, layer->biases + 4 * unit, sizeof sums);
  memcpy(recurrent_sums, layer->recurrent_biases + 4 * unit, sizeof recurrent_sums);
  es_dot_4_s8(layer->weights + 4 * unit * layer->inputs, input, layer->inputs, sums);
  es_dot_4_s8(layer->recurrent_weights + 4 * unit * layer->units, hidden, layer->units, recurrent_sums);
  memcpy(&value, cell, sizeof value);
  value = (int16_t)next_cell(layer, value, sums, recurrent_sums);
  memcpy(cell, &value, sizeof value);
  const int32_t three = value * layer->tanh_multiplier;
  const int32_t round = (1 << layer->tanh_shift) >> 1;
  const int32_t shown = tanh_of(layer, (three + round) >> layer->tanh_shift);
  const int32_t open = sigmoid(layer, gate(&layer->output_gate, sums[3], recurrent_sums[3]));
  const int64_t result = es_lstm_scaled((uint32_t)(open * shown), &layer->output) + layer->output_zero_point;
  return (int8_t)es_lstm_limited(result, -128, 127);
}

void es_lstm_s8(const es_lstm *layer, const int8_t *input, int8_t *hidden, int8_t *cell, int8_t *output) {
  const int8_t *last = hidden;
  for (int32_t step = 0; step < layer->steps; ++step, input += layer->inputs) {
    for (int32_t unit = 0; unit < layer->units; ++unit) {
      output[unit] = unit_step(layer, unit, input, last, cell + 2 * unit);
    }
    last = output;
    output += layer->units;
  }
  memcpy(hidden, last, (size_t)layer->units);
}
