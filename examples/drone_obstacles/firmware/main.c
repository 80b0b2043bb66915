/* Obstacles below a drone: the camera fills one frame by DMA while the network looks at the other.
 * SPDX-License-Identifier: Apache-2.0
 *
 * What depends on the board are the three functions below, which the project of the board has to define. On an
 * STM32H747I-DISCO the DCMI takes the camera's pixels, and the DMA2D makes 128 x 128 pixels of red, green and
 * blue of them; 20 cm a pixel is a matter of the lens and of the height. None of this has run on a board.
 */
#include "obstacles.h"

/* Starts the camera. */
void camera_start(void);

/* Waits, asleep, for the next frame: its front is where the drone flies to. */
const uint8_t *camera_frame(void);

/* Slows down, climbs or turns, if few of the OBSTACLES_AHEAD cells ahead are free. */
void steer(const uint16_t *rows, int free_cells);

static obstacles finder;

int main(void) {
  uint16_t rows[OBSTACLES_CELLS];
  if (obstacles_init(&finder) != 0) {
    return 1;
  }
  camera_start();
  for (;;) {
    obstacles_find(&finder, camera_frame(), rows);
    steer(rows, obstacles_free(rows));
  }
}
