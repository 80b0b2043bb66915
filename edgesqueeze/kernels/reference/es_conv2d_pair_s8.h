/* What the portable convolutions share: the output channels of two pixels at a time.
 * SPDX-License-Identifier: Apache-2.0
 *
 * The inputs of the two pixels stand in scratch memory in the order of the weights: four of the first pixel,
 * four of the second, the next four of the first, and so on.
 */
#ifndef ES_CONV2D_PAIR_S8_H
#define ES_CONV2D_PAIR_S8_H

#include "es_types.h"

typedef struct {
  const int8_t *weights;      /* blocks of four output channels, in each block tap after tap four weights; */
                              /* then the remaining channels one after the other */
  const int8_t *inputs;       /* of both pixels, 4-byte aligned */
  int32_t taps;               /* inputs of a pixel */
  const es_channel *channels; /* one an output channel */
  int8_t *first;              /* output channels of the first pixel, */
  int8_t *second;             /* and of the second; if it is the same, the first one's results remain */
  int32_t out_channels;
} es_conv2d_pair;

/* Bytes that the inputs of `pixels` pixels take. */
static inline int32_t es_conv2d_pair_bytes(int32_t taps, int32_t pixels) {
  return (taps + 3) / 4 * 4 * pixels;
}

/* Copies a pixel's inputs to their places: `copy` is where the inputs of the two pixels begin, for the second
 * pixel 4 bytes behind that. */
void es_conv2d_spread_s8(const int8_t *inputs, int32_t taps, int8_t *copy);

/* Computes all output channels of both pixels. */
void es_conv2d_pair_s8(const es_conv2d_pair *pair);

#endif /* ES_CONV2D_PAIR_S8_H */
