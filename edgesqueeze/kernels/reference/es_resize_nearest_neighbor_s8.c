/* Resizing to the nearest neighbour; the generator says which it is.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "es_resize.h"
#include "es_shape.h"

void es_resize_nearest_neighbor_s8(const es_resize_nearest_neighbor *layer, const int8_t *input,
                                   int8_t *output) {
  const int32_t channels = layer->channels;
  for (int32_t y = 0; y < layer->out_height; ++y) {
    const int8_t *const row = input + layer->rows[y] * layer->in_width * channels;
    for (int32_t x = 0; x < layer->out_width; ++x) {
      es_move_s8(output, row + layer->columns[x] * channels, channels);
      output += channels;
    }
  }
}
