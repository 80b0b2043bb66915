/* Pooling, and means and sums over axes, int8.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Results equal TensorFlow Lite Micro's to the bit. Outputs are computed in raster order and written as soon
 * as their inputs have been read, so that an output may overlap its input as the generator's memory plan says.
 */
#ifndef ES_POOL_H
#define ES_POOL_H

#include "es_types.h"

typedef struct {
  int16_t in_height, in_width, channels;
  int16_t out_height, out_width;
  int16_t window_height, window_width;
  int16_t stride_height, stride_width;
  int16_t pad_top, pad_left;
  int8_t minimum, maximum; /* range of the fused activation */
} es_pool;

/* Pixels of which each channel is summed up or compared. Strides in bytes. */
typedef struct {
  const int8_t *first; /* a channel of the upper left pixel */
  int32_t rows, columns;
  int32_t row_stride, column_stride;
} es_area;

/* Largest value in a window; padding does not count. */
void es_max_pool_s8(const es_pool *layer, const int8_t *input, int8_t *output);

/* Mean of a window without its padding, rounded to the nearest integer, halves away from zero. */
void es_average_pool_s8(const es_pool *layer, const int8_t *input, int8_t *output);

/* Sums over one or two dimensions of a tensor of at most four, and their requantization. An output is
 *   clamp(round((sum + offset) * scale) + zero_point)
 * with scale = multiplier / 2^31 * 2^shift, rounded in two steps like TensorFlow Lite's
 * MultiplyByQuantizedMultiplier; for a mean the number of elements is part of the scale. Output and input
 * may overlap if the input lies no lower than the output. */
typedef struct {
  int32_t kept[2];           /* elements of the dimensions that remain, the outer one first */
  int32_t kept_stride[2];    /* bytes from one element of them to the next */
  int32_t reduced[2];        /* elements of the dimensions that are summed up */
  int32_t reduced_stride[2];
  int32_t offset;            /* minus the input's zero point times the number of elements in a sum */
  int32_t multiplier;
  int32_t shift;             /* -31 to 30, to the left if positive */
  int8_t zero_point;
} es_mean;

void es_mean_s8(const es_mean *layer, const int8_t *input, int8_t *output);

/* The same of int16, whose zero points are 0; strides are in elements. */
void es_mean_s16(const es_mean *layer, const int16_t *input, int16_t *output);

/* The place of the largest value along one dimension of a tensor, the first of equals. */
typedef struct {
  int32_t outer, count, inner; /* elements of the dimensions before it, in it, and behind it */
  int8_t flip;                 /* 0; -1: of the smallest */
} es_arg_max;

/* Writes outer * inner places, each from 0 to count - 1. */
void es_arg_max_s8(const es_arg_max *layer, const int8_t *input, int32_t *values);
void es_arg_max_f32(const es_arg_max *layer, const float *input, int32_t *values);

/* The smallest value along one dimension of a tensor, or several that are neighbours. */
typedef struct {
  int32_t outer, count, inner; /* elements of the dimensions before it, in it, and behind it */
} es_reduce;

/* Writes outer * inner values. Output and input may be the same memory. */
void es_reduce_min_s8(const es_reduce *layer, const int8_t *input, int8_t *output);

/* Sums of neighbouring channels over an area, beginning with area->first, and how many: as many as the kernel
 * set does at once, 8 at most, but no more than asked for. Of use to the kernels above. */
int32_t es_sum_s8(const es_area *area, int32_t channels, int32_t sums[8]);

/* The part of a pooling window that lies inside the input. */
static inline es_area es_window_of(const es_pool *layer, const int8_t *input, int32_t out_y,
                                   int32_t out_x) {
  const int32_t top = out_y * layer->stride_height - layer->pad_top;
  const int32_t left = out_x * layer->stride_width - layer->pad_left;
  const int32_t first_row = top > 0 ? top : 0;
  const int32_t first_column = left > 0 ? left : 0;
  const int32_t end_row = top + layer->window_height;
  const int32_t end_column = left + layer->window_width;
  es_area window;
  window.first = input + (first_row * layer->in_width + first_column) * layer->channels;
  window.rows = (end_row < layer->in_height ? end_row : layer->in_height) - first_row;
  window.columns = (end_column < layer->in_width ? end_column : layer->in_width) - first_column;
  window.row_stride = layer->in_width * layer->channels;
  window.column_stride = layer->channels;
  if (window.columns == layer->in_width) {
    /* Whole rows follow each other without a gap: one long row. */
    window.columns *= window.rows;
    window.rows = 1;
  }
  return window;
}

/* A sum of count values to their mean within the range of the fused activation. */
static inline int8_t es_mean_of_s8(const es_pool *layer, int32_t sum, int32_t count) {
  const int32_t mean = (sum + (sum > 0 ? count / 2 : -(count / 2))) / count;
  const int32_t least = mean < layer->minimum ? layer->minimum : mean;
  return (int8_t)(least < layer->maximum ? least : layer->maximum);
}

/* A sum with the layer's offset, scaled, without the output's zero point. The left shift wraps at 32 bits, as in
 * TensorFlow Lite. */
static inline int32_t es_scaled_sum(const es_mean *layer, int32_t sum) {
  const int32_t left = layer->shift > 0 ? layer->shift : 0;
  const int32_t right = layer->shift < 0 ? -layer->shift : 0;
  const int32_t shifted = (int32_t)((uint32_t)(sum + layer->offset) << left);
  const int64_t product = (int64_t)shifted * layer->multiplier;
  const int32_t high = (int32_t)((product + (INT64_C(1) << 30)) >> 31);
  /* Divide by 2^right, halves away from zero, without the overflow that adding a half could cause. */
  const int32_t mask = (int32_t)((UINT32_C(1) << right) - 1u);
  const int32_t threshold = (mask >> 1) + (high < 0 ? 1 : 0);
  return (high >> right) + ((high & mask) > threshold ? 1 : 0);
}

static inline int8_t es_scale_sum_s8(const es_mean *layer, int32_t sum) {
  const int32_t scaled = es_scaled_sum(layer, sum);
  /* Beyond int8 the zero point no longer matters, and adding it could overflow. */
  const int32_t near = scaled < -256 ? -256 : (scaled > 256 ? 256 : scaled);
  return es_saturate_s8(near + layer->zero_point);
}

#endif /* ES_POOL_H */
