/* The part of a pooling window that lies inside the input.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ES_WINDOW_S16_H
#define ES_WINDOW_S16_H

#include "es_s16.h"

typedef struct {
  int32_t top, bottom, left, right; /* rows and columns of the input; bottom and right are the first beyond */
} es_window_s16;

static inline es_window_s16 es_window_at(const es_pool_wide *layer, int32_t out_y, int32_t out_x) {
  const int32_t top = out_y * layer->stride_height - layer->pad_top;
  const int32_t left = out_x * layer->stride_width - layer->pad_left;
  const int32_t bottom = top + layer->window_height, right = left + layer->window_width;
  const es_window_s16 window = {top > 0 ? top : 0, bottom < layer->in_height ? bottom : layer->in_height,
                                left > 0 ? left : 0, right < layer->in_width ? right : layer->in_width};
  return window;
}

#endif /* ES_WINDOW_S16_H */
