/* Resizing of images, int8.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Output pixels are written in raster order, each after all inputs of it have been read, so that an output may
 * overlap its input as the generator's memory plan says.
 */
#ifndef ES_RESIZE_H
#define ES_RESIZE_H

#include "es_types.h"

typedef struct {
  const int16_t *rows;    /* for every output row the input row that it repeats */
  const int16_t *columns; /* the same for columns */
  int16_t in_width, channels;
  int16_t out_height, out_width;
} es_resize_nearest_neighbor;

/* Every output pixel is a copy of an input pixel. */
void es_resize_nearest_neighbor_s8(const es_resize_nearest_neighbor *layer, const int8_t *input,
                                   int8_t *output);

/* Output pixel i lies at i * scale + offset of the input, in 1/1024 pixels. */
typedef struct {
  int16_t in_height, in_width, channels;
  int16_t out_height, out_width;
  int32_t scale_y, offset_y;
  int32_t scale_x, offset_x;
} es_resize_bilinear;

/* Every output pixel is interpolated between four input pixels, in the integer arithmetic of TensorFlow Lite. */
void es_resize_bilinear_s8(const es_resize_bilinear *layer, const int8_t *input, int8_t *output);

#endif /* ES_RESIZE_H */
