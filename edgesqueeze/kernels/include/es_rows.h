/* Layers that run by turns, some rows at a time, so that of the tensors between them only a few rows are in
 * memory.
 * SPDX-License-Identifier: Apache-2.0
 *
 * No kernel knows of it: a kernel is called for some rows as if these were all, with the padding that is left
 * above and below. Rows that the next layer still reads are moved to the start of their memory, and new ones
 * follow behind them.
 */
#ifndef ES_ROWS_H
#define ES_ROWS_H

#include <stdint.h>

/* A layer of the chain. */
typedef struct {
  int16_t in_height, out_height; /* rows of its whole input and output */
  int16_t window_height;         /* input rows that an output row is made from */
  int16_t stride_height;
  int16_t pad_top;
  int32_t in_row, out_row; /* bytes of a row */
} es_rows_layer;

/* The rows of a tensor that are in memory: the first, and the one behind the last. */
typedef struct {
  int8_t *memory;
  int32_t first, end;
} es_rows;

/* What a kernel is called for. */
typedef struct {
  const int8_t *input;
  int8_t *output;
  int16_t in_height, out_height;
  int16_t pad_top;
} es_rows_part;

/* How many rows of every layer's output must have been made for `rows` more of the last one. Returns 0 if
 * there are no more. tensors[i] is the input of layer i and tensors[i + 1] its output. */
int32_t es_rows_goals(const es_rows_layer *layers, int32_t count, const es_rows *tensors, int32_t rows,
                      int32_t *goals);

/* Makes room for the rows of a layer's output up to a goal, and counts them as made: the caller makes them.
 * Returns 0 if they have been made before. */
int32_t es_rows_take(const es_rows_layer *layers, int32_t count, es_rows *tensors, int32_t index, int32_t goal,
                     es_rows_part *part);

#endif /* ES_ROWS_H */
