/* What the portable depthwise convolutions share.
 * SPDX-License-Identifier: Apache-2.0
 *
 * They compute up to four channels (a tile) at a time, in strips of a few output rows, from a copy of the input
 * rows that the strip needs. In the copy a pixel takes four bytes, and the pixels of padding are there too.
 * Rows that the next strip needs again are moved to its beginning, so an input row is read before an output
 * row takes its place: output and input may be the same memory.
 */
#ifndef ES_DEPTHWISE_TILES_S8_H
#define ES_DEPTHWISE_TILES_S8_H

#include "es_conv.h"

enum {
  ES_DEPTHWISE_TILE = 4,
  ES_DEPTHWISE_COPY_BYTES = 1024 /* of a strip's copy, unless a single output row needs more */
};

/* One channel of a strip. Kernels may change it. */
typedef struct {
  const int8_t *inputs;  /* of the first output pixel */
  const int8_t *weights; /* row by row */
  int32_t pitch;         /* bytes from one copied row to the next */
  es_channel channel;
  int8_t *output;
  int32_t out_step; /* bytes from one output pixel to the next */
  int32_t columns;  /* of the output */
  int32_t rows;     /* of the output */
  int32_t row_step; /* bytes from the inputs of one output row to those of the next */
} es_depthwise_strip;

typedef void es_depthwise_kernel(const es_conv2d *layer, es_depthwise_strip *strip);

/* Computes a whole layer. Output rows are treated as `out_width` pixels long: as wide as the layer's or wider,
 * if the kernel reads more. Weights: channel after channel. */
void es_depthwise_tiles_s8(const es_conv2d *layer, int32_t out_width, es_depthwise_kernel *kernel,
                           const int8_t *input, int8_t *output, void *scratch);

/* The scratch memory that it needs. */
int32_t es_depthwise_tiles_s8_bytes(const es_conv2d *layer, int32_t out_width);

#endif /* ES_DEPTHWISE_TILES_S8_H */
