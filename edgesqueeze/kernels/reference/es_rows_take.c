/* Which rows a layer of a chain is called for next.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "es_rows.h"

/* Moves the rows that the next layer still reads to the start of the memory. */
static void drop_rows(const es_rows_layer *next, const es_rows *made, es_rows *rows) {
  const int32_t read = made->end * next->stride_height - next->pad_top;
  const int32_t first = read < rows->end ? read : rows->end;
  const int32_t dropped = first - rows->first;
  if (dropped > 0) {
    (void)memmove(rows->memory, rows->memory + dropped * next->in_row,
                  (size_t)((rows->end - first) * next->in_row));
    rows->first = first;
  }
}

int32_t es_rows_take(const es_rows_layer *layers, int32_t count, es_rows *tensors, int32_t index, int32_t goal,
                     es_rows_part *part) {
  const es_rows_layer *const layer = &layers[index];
  const es_rows *const in = &tensors[index];
  es_rows *const out = &tensors[index + 1];
  const int32_t made = goal - out->end;
  const int32_t top = out->end * layer->stride_height - layer->pad_top;
  const int32_t first = top > 0 ? top : 0;
  const int32_t read = (goal - 1) * layer->stride_height - layer->pad_top + layer->window_height;
  const int32_t end = read < layer->in_height ? read : layer->in_height;
  if (made == 0) {
    return 0;
  }
  if (index + 1 < count) {
    drop_rows(layer + 1, &tensors[index + 2], out);
  }
  part->input = in->memory + (first - in->first) * layer->in_row;
  part->output = out->memory + (out->end - out->first) * layer->out_row;
  part->in_height = (int16_t)(end - first);
  part->out_height = (int16_t)made;
  part->pad_top = (int16_t)(first - top);
  out->end = goal;
  return 1;
}
