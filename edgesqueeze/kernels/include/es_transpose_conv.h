/* Transposed convolution, int8.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ES_TRANSPOSE_CONV_H
#define ES_TRANSPOSE_CONV_H

#include "es_conv.h"
#include "es_general.h"

typedef struct {
  /* Phase after phase (rows y, y + stride_height and so on of the kernel, and columns x, x + stride_width), four output
   * channels at a time, with channels of zeros behind the last one; of a phase the last row is the first, as is the
   * last column: [phases][groups][4][rows][columns][in_channels] */
  const int8_t *weights;
  const int32_t *corrections; /* [phases][groups][4]: minus the input's zero point times the sum of such weights */
  es_general_output requantization;
  int16_t in_height, in_width, in_channels;
  int16_t out_height, out_width, out_channels;
  int16_t kernel_height, kernel_width;
  int16_t stride_height, stride_width;
  int16_t pad_top, pad_left; /* rows and columns of the result that are cut off */
  int8_t input_zero_point;
} es_transpose_conv2d;

/* Every input pixel times the kernel is added into the output, stride pixels apart. Computed from the output's
 * side: an output pixel collects the taps that meet an input pixel. Pixels are written in raster order, four
 * channels at a time; the output may overlap the input as the generator's memory plan says. */
void es_transpose_conv2d_s8(const es_transpose_conv2d *layer, const int8_t *input, int8_t *output, void *scratch);
int32_t es_transpose_conv2d_s8_scratch_bytes(const es_transpose_conv2d *layer);

/* The same as convolutions with stride 1. Of every row of the output, up to stride_height of them, one that makes all
 * columns, or one for every stride-th: `parts_a_row` of them, a pixel apart. An output row y is made as row
 * y % stride_height, but y / stride_height input rows further down. */
typedef struct {
  const es_conv2d *parts; /* [stride_height][parts_a_row], each of one row */
  int16_t parts_a_row, stride_height;
  int16_t out_height, out_channels;
  int32_t out_row; /* values of an output row */
} es_transpose_rows;

void es_transpose_conv2d_rows_s8(const es_transpose_rows *layer, const int8_t *input, int8_t *output, void *scratch);
int32_t es_transpose_conv2d_rows_s8_scratch_bytes(const es_transpose_rows *layer);

#endif /* ES_TRANSPOSE_CONV_H */
