/* See obstacles.h.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "obstacles.h"

#include "obstacles_bound.h"

int obstacles_init(obstacles *o) { return canopy_init(&o->model, o->arena, sizeof o->arena); }

void obstacles_find(obstacles *o, const uint8_t *frame, uint16_t *rows) {
  int8_t *input = canopy_input(&o->model);
  for (int32_t i = 0; i < OBSTACLES_FRAME * OBSTACLES_FRAME * 3; ++i) {
    input[i] = (int8_t)((int32_t)frame[i] - 128); /* as the network takes pixels */
  }
  canopy_invoke(&o->model);
  const int8_t *scores = canopy_output(&o->model);
  for (int r = 0; r < OBSTACLES_CELLS; ++r) {
    uint32_t row = 0;
    for (int c = 0; c < OBSTACLES_CELLS; ++c) {
      row |= (uint32_t)(scores[r * OBSTACLES_CELLS + c] >= OBSTACLES_LEAST_SCORE) << c;
    }
    rows[r] = (uint16_t)row;
  }
}

int obstacles_free(const uint16_t *rows) {
  const uint32_t corridor = ((1u << OBSTACLES_CORRIDOR) - 1u) << ((OBSTACLES_CELLS - OBSTACLES_CORRIDOR) / 2);
  int count = 0;
  while (count < OBSTACLES_AHEAD && (rows[OBSTACLES_AHEAD - 1 - count] & corridor) == 0) {
    ++count;
  }
  return count;
}
