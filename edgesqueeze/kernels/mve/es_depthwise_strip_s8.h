/* Lines of a 3x3 depthwise convolution of one channel, int8, for MVE.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A strip holds four rows of one channel, column by column: four bytes a column, row r in byte r
 * % 4. So a vector of 16 bytes is a square of 4x4 inputs, and one VMLADAV with the right weights,
 * zero outside the 3x3 window, is an output. Rows and columns may also change places: a strip then
 * runs down the image.
 */
#ifndef ES_DEPTHWISE_STRIP_S8_H
#define ES_DEPTHWISE_STRIP_S8_H

#include "es_types.h"

/* Where the outputs of a vector lie, in bytes from the first. */
typedef struct {
  uint32_t single[4];
  uint16_t pair[8]; /* two vectors at once, alternating */
} es_strip_offsets;

/* Lines of outputs from one strip each. The order of the members is known to the assembly. */
typedef struct {
  const int8_t *strip; /* first column, 4-byte aligned */
  int8_t *output;      /* first output */
  int32_t pairs;       /* stride 1: how many times two squares of 2x2 outputs are computed, */
  int32_t singles;     /*   and then one square; stride 2: outputs in a line */
  int32_t step;        /* bytes from the outputs of a vector to those of the next */
  int32_t back; /* stride 1, odd number of columns: a last square begins so many bytes (one column)
                   farther back; else 0 */
  int32_t rotated; /* whether the first row is in byte 2 instead of 0 */
  const es_strip_offsets *offsets;
  int32_t strip_step;    /* bytes from a strip to the next */
  int32_t line_step;     /* bytes from a line of outputs to the next */
  int32_t lines;         /* how many there are */
  int32_t unused;        /* the channel stays 8-byte aligned */
  es_channel channel;    /* with a negative shift */
  int8_t weights[4][16]; /* for the upper left, upper right, lower left and lower right output of a
                            square; stride 2 uses the first */
} es_strip_lines;

/* Copies `count` inputs that are `step` bytes apart to every fourth byte. */
void es_strip_fill(const int8_t *from, int8_t *to, int32_t count, int32_t step);

/* Copies `count` inputs that are `step` bytes apart to two places each: places[0] and places[8] are
 * offsets from `to` for the first input, places[1] and places[9] for the second; after eight inputs
 * comes places[16]. */
void es_strip_fill_all(const int8_t *from, int8_t *to, int32_t count, int32_t step,
                       const uint16_t *places);

/* Squares of 2x2 outputs. */
void es_strip_stride1(const es_strip_lines *lines);

/* Lines of one output row, whose windows are two columns apart. Reads up to three windows more than
 * there are. */
void es_strip_stride2(const es_strip_lines *lines);

#endif /* ES_DEPTHWISE_STRIP_S8_H */
