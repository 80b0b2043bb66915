/* From a frame of a camera that looks straight down to obstacles: asks the network, and looks ahead.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OBSTACLES_H
#define OBSTACLES_H

#include <stdint.h>

#include "canopy.h"

enum {
  OBSTACLES_FRAME = 128, /* pixels across a frame, of 20 cm each: 25.6 m */
  OBSTACLES_CELLS = 16,  /* cells across it, of 1.6 m each */
  OBSTACLES_AHEAD = 8,   /* cells from the drone, which is above the middle, to the front of the frame */
  OBSTACLES_CORRIDOR = 4 /* cells across the way that has to be free: 6.4 m */
};

typedef struct {
  canopy_model model;
  uint8_t arena[CANOPY_ARENA_BYTES] CANOPY_ARENA_ALIGNED;
} obstacles;

/* Returns 0, or what canopy_init() refuses. */
int obstacles_init(obstacles *o);

/* Finds obstacles in a frame: rows from front to back of pixels of red, green and blue. Bit c of rows[r] is set
 * where there is one in column c, from left to right, of row r of the cells. */
void obstacles_find(obstacles *o, const uint8_t *frame, uint16_t *rows);

/* How many cells of the corridor in front of the drone are free, one behind the other: 0 to OBSTACLES_AHEAD. */
int obstacles_free(const uint16_t *rows);

#endif /* OBSTACLES_H */
