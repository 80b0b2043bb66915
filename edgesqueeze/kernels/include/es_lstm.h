/* Recurrent layers, int8 activations and weights, int16 state.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ES_LSTM_H
#define ES_LSTM_H

#include "es_types.h"

/* Multiplication by a real number in TensorFlow Lite's two rounding steps. */
typedef struct {
  int32_t multiplier; /* Q31: 0, or 2^30 to 2^31 - 1 */
  int32_t shift;      /* -31 to 30, to the left if positive */
} es_lstm_scale;

/* A real multiple, rounded to the nearest in two steps; the left shift wraps at 32 bits, as in TensorFlow
 * Lite. */
static inline int64_t es_lstm_scaled(uint32_t value, const es_lstm_scale *by) {
  const int32_t shift = by->shift;
  const int32_t shifted = (int32_t)(value << (shift > 0 ? shift : 0));
  const int32_t high = (int32_t)(((int64_t)shifted * by->multiplier + (INT64_C(1) << 30)) >> 31);
  if (shift >= 0) {
    return high;
  }
  /* Halves away from zero: the last bit that is shifted out rounds. Nothing overflows: multipliers are below 2^31. */
  const int32_t less = high + (high >> 31);
  return (less >> -shift) + (less >> (-shift - 1) & 1);
}

static inline int32_t es_lstm_limited(int64_t value, int32_t low, int32_t high) {
  return value < low ? low : (value > high ? high : (int32_t)value);
}

/* Of one gate: how sums of products become Q3.12, which goes into its activation function. */
typedef struct {
  es_lstm_scale input;     /* with weights and inputs */
  es_lstm_scale recurrent; /* with recurrent weights and the last output */
} es_lstm_gate;

/* Gates are in the order input, forget, cell, output. */
typedef struct {
  const int8_t *weights;           /* [units][4 gates][inputs] */
  const int32_t *biases;           /* [units][4 gates]; the input's zero point is folded in */
  const int8_t *recurrent_weights; /* [units][4 gates][units] */
  const int32_t *recurrent_biases; /* [units][4 gates]; the last output's zero point is folded in */
  es_lstm_gate input_gate, forget_gate, cell_gate, output_gate;
  const uint16_t *sigmoid; /* 256 values: sigmoid(i / 24) * 2^16 */
  es_lstm_scale kept;      /* forget gate times old cell to cell */
  es_lstm_scale added;     /* input gate times cell gate to cell */
  es_lstm_scale output;    /* output gate times tanh of the cell to int8 */
  int32_t steps;
  int32_t inputs;
  int32_t units;
  int32_t tanh_multiplier; /* cell * multiplier / 2^shift is three times the cell in Q3.12 */
  int8_t tanh_shift;
  int8_t output_zero_point;
  int16_t cell_limit; /* magnitude that cells are clipped to; 0: they are not */
} es_lstm;

/* Takes steps rows of inputs values and gives as many of units values. hidden is the last output, int8, and
 * cell the cells, int16 at an even address: what the step before left goes in, what the last step leaves comes
 * out. The output overlaps nothing. */
void es_lstm_s8(const es_lstm *layer, const int8_t *input, int8_t *hidden, int8_t *cell, int8_t *output);

/* One step of a filter bank over time: every filter keeps its last results, and units add up filters. */
typedef struct {
  const int8_t *feature_weights; /* [units * rank][inputs] */
  const int32_t *feature_biases; /* [units * rank]: the input's zero point is folded in */
  const int16_t *time_weights;   /* [units * rank][memory] */
  const int32_t *biases;         /* [units] */
  es_lstm_scale feature_scale;   /* sums of products with inputs to state */
  es_lstm_scale output_scale;
  int32_t inputs, units, rank, memory;
  int8_t output_zero_point;
} es_svdf;

/* state is int16 [units * rank][memory] at an even address; the oldest results are the first. The output
 * overlaps nothing. */
void es_svdf_s8(const es_svdf *layer, const int8_t *input, int8_t *state, int8_t *output);

/* The products of four rows of count values with a vector, added to sums modulo 2^32. */
void es_dot_4_s8(const int8_t *rows, const int8_t *vector, int32_t count, uint32_t sums[4]);

#endif /* ES_LSTM_H */
