/* Long short-term memory, int8 activations and weights, int16 cells.
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

/* The products of four rows of count values with a vector, added to sums modulo 2^32. */
void es_dot_4_s8(const int8_t *rows, const int8_t *vector, int32_t count, uint32_t sums[4]);

#endif /* ES_LSTM_H */
