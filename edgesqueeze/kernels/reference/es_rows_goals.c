/* How far every layer of a chain has to go for some more rows of the last one.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "es_rows.h"

int32_t es_rows_goals(const es_rows_layer *layers, int32_t count, const es_rows *tensors, int32_t rows,
                      int32_t *goals) {
  const int32_t left = layers[count - 1].out_height - tensors[count].end;
  if (left == 0) {
    return 0;
  }
  goals[count - 1] = tensors[count].end + (rows < left ? rows : left);
  for (int32_t i = count - 1; i > 0; --i) {
    const es_rows_layer *const layer = &layers[i];
    const int32_t read = (goals[i] - 1) * layer->stride_height - layer->pad_top + layer->window_height;
    const int32_t goal = read < layer->in_height ? read : layer->in_height;
    goals[i - 1] = goal > tensors[i].end ? goal : tensors[i].end;
  }
  return 1;
}
