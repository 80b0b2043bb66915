/* Operators on int16 activations, with int8 weights where there are any (int16x8).
 * SPDX-License-Identifier: Apache-2.0
 *
 * All zero points are 0. Results equal TensorFlow Lite Micro's to the bit. Unless said otherwise output and input
 * do not overlap, or are the same memory where both have as many values.
 */
#ifndef ES_S16_H
#define ES_S16_H

#include "es_elementwise.h"
#include "es_lstm.h"

static inline int16_t es_limit_s16(int64_t value, int32_t low, int32_t high) {
  return (int16_t)(value < low ? low : (value > high ? high : value));
}

enum {
  ES_WRAPPING = 0,     /* sums that wrap at 32 bits, and multipliers of 32 */
  ES_WIDE = 1,         /* sums of 64 bits, and multipliers of 16 */
  ES_WIDE_IN_WORDS = 2 /* the same, but no sum, with or without bias, exceeds 32 bits, and shifts are 1 to 30 */
};

/* How sums of products become int16. */
typedef struct {
  const int64_t *biases; /* one an output channel */
  const int32_t *scales; /* [channels][2]: multiplier and shift; wide: the product's upper half is shifted */
  int16_t minimum, maximum; /* range of the fused activation */
  int8_t wide;
} es_output_s16;

/* The general way, for sums beyond 32 bits, shifts beyond 31 and two roundings. */
static __attribute__((__noinline__, __unused__)) int16_t es_requantize_sum_s16(
    int64_t sum, const es_output_s16 *output, int32_t channel) {
  const int32_t multiplier = output->scales[2 * channel], shift = output->scales[2 * channel + 1];
  if (output->wide) {
    /* The multiplier has 16 bits, above 16 zeros. */
    const int32_t right = shift + 16;
    const int64_t value = (sum * (multiplier >> 16) + (INT64_C(1) << (right - 1))) >> right;
    return es_limit_s16((int32_t)value, output->minimum, output->maximum);
  }
  const es_lstm_scale scale = {multiplier, shift};
  return es_limit_s16(es_lstm_scaled((uint32_t)sum, &scale), output->minimum, output->maximum);
}

/* A sum with its bias for ES_WIDE_IN_WORDS. */
static inline int16_t es_requantize_word_s16(int32_t sum, const es_output_s16 *output, int32_t channel) {
  const int32_t multiplier = output->scales[2 * channel], shift = output->scales[2 * channel + 1];
  /* What is added for rounding is a multiple of 2^32, so that the lower half of the product does not count. */
  const int32_t high = (int32_t)(((int64_t)sum * multiplier) >> 32);
  const int32_t value = (high + ((int32_t)1 << (shift - 1))) >> shift;
  const int32_t least = value < output->minimum ? output->minimum : value;
  return (int16_t)(least < output->maximum ? least : output->maximum);
}

/* A sum with its bias. */
static inline int16_t es_requantize_total_s16(int64_t sum, const es_output_s16 *output, int32_t channel) {
  const int32_t shift = output->scales[2 * channel + 1];
  if (!output->wide || (int32_t)sum != sum || shift < 1 || shift > 30) {
    return es_requantize_sum_s16(sum, output, channel);
  }
  return es_requantize_word_s16((int32_t)sum, output, channel);
}

static inline int16_t es_requantize_s16(int64_t sum, const es_output_s16 *output, int32_t channel) {
  return es_requantize_total_s16(sum + output->biases[channel], output, channel);
}

/* The range of an activation, where it is neither all values nor those from zero on. */
static inline void es_clamp_outputs_s16(const es_output_s16 *range, int16_t *output, int32_t count) {
  if (range->maximum < 32767 || (range->minimum > -32768 && range->minimum != 0)) {
    for (; count > 0; --count, ++output) {
      *output = es_limit_s16(*output, range->minimum, range->maximum);
    }
  }
}

/* The sum of count products. */
int64_t es_dot_s16(const int8_t *weights, const int16_t *inputs, int32_t count);

/* Adds to four sums the products of four rows of weights, pitch bytes apart, with the same inputs. */
void es_dot_4_s16(const int8_t *weights, int32_t pitch, const int16_t *inputs, int32_t count, int64_t sums[4]);

/* A convolution whose output channels see a part of the input channels (groups), or all of them. Weights are packed
 * for the kernel set; in portable C they are [out_channels][kernel_height][kernel_width][filter_channels]. */
typedef struct {
  const int8_t *weights;
  es_output_s16 output;
  int16_t in_height, in_width, in_channels;
  int16_t out_height, out_width, out_channels;
  int16_t kernel_height, kernel_width, filter_channels;
  int16_t stride_height, stride_width;
  int16_t dilation_height, dilation_width;
  int16_t pad_top, pad_left;
  int32_t out_pitch; /* of es_conv2d_s16: values from the outputs of a pixel to those of the next; 0: out_channels */
} es_conv2d_wide;

static inline int32_t es_conv2d_pitch_s16(const es_conv2d_wide *layer) {
  return layer->out_pitch != 0 ? layer->out_pitch : layer->out_channels;
}

/* Unless said otherwise output and input do not overlap. */
void es_conv2d_s16(const es_conv2d_wide *layer, const int16_t *input, int16_t *output, void *scratch);
int32_t es_conv2d_s16_scratch_bytes(const es_conv2d_wide *layer);

/* The same with weights [kernel_height][kernel_width][out_channels] in all sets, and out_channels / in_channels output
 * channels for every input channel. */
void es_depthwise_conv2d_s16(const es_conv2d_wide *layer, const int16_t *input, int16_t *output, void *scratch);
int32_t es_depthwise_conv2d_s16_scratch_bytes(const es_conv2d_wide *layer);

/* The same with several input channels and ES_WIDE_IN_WORDS, in the DSP set; the MVE set has it for few channels. */
void es_depthwise_taps_s16(const es_conv2d_wide *layer, const int16_t *input, int16_t *output, void *scratch);
int32_t es_depthwise_taps_s16_scratch_bytes(const es_conv2d_wide *layer);

/* The same, pixel by pixel. */
void es_depthwise_pixels_s16(const es_conv2d_wide *layer, const int16_t *input, int16_t *output);

/* The taps of a window that lie inside the input: rows and columns of the kernel; bottom and right are the first
 * beyond. */
typedef struct {
  int32_t top, bottom, left, right;
} es_taps_s16;

/* How many taps of a side of a window, which starts at `start`, lie before a place of the input. */
static inline int32_t es_taps_before(int32_t place, int32_t start, int32_t dilation, int32_t kernel) {
  const int32_t taps = place <= start ? 0 : (place - start + dilation - 1) / dilation;
  return taps < kernel ? taps : kernel;
}

/* All output channels of a pixel; input is where its window starts, also outside of it. */
void es_depthwise_pixel_s16(const es_conv2d_wide *layer, const int16_t *input, const es_taps_s16 *inside,
                            int16_t *output);

/* Depthwise 3x3 convolution without dilation, stride 1 or 2, with as many output channels as input channels, and
 * ES_WIDE_IN_WORDS. In the DSP set, and for few channels in the MVE set, output and input may be the same memory with stride 1 and an output of the input's
 * size. Weights are packed for the kernel set; in portable C as those of any depthwise convolution. */
void es_depthwise_conv2d_3x3_s16(const es_conv2d_wide *layer, const int16_t *input, int16_t *output, void *scratch);
int32_t es_depthwise_conv2d_3x3_s16_scratch_bytes(const es_conv2d_wide *layer);

/* The transpose of a convolution: strides and padding are those of its output. Weights are as those of int8, in
 * es_transpose_conv.h. */
void es_transpose_conv2d_s16(const es_conv2d_wide *layer, const int16_t *input, int16_t *output, void *scratch);
int32_t es_transpose_conv2d_s16_scratch_bytes(const es_conv2d_wide *layer);

/* The same as convolutions of rows: see es_transpose_rows in es_transpose_conv.h. */
typedef struct {
  const es_conv2d_wide *parts;
  int16_t parts_a_row, stride_height;
  int16_t out_height, out_channels;
  int32_t out_row;
} es_transpose_rows_wide;

void es_transpose_conv2d_rows_s16(const es_transpose_rows_wide *layer, const int16_t *input, int16_t *output,
                                  void *scratch);
int32_t es_transpose_conv2d_rows_s16_scratch_bytes(const es_transpose_rows_wide *layer);

typedef struct {
  const int8_t *weights; /* [out_features][in_features] */
  es_output_s16 output;
  int32_t rows, in_features, out_features;
} es_fully_connected_wide;

void es_fully_connected_s16(const es_fully_connected_wide *layer, const int16_t *input, int16_t *output);

/* The sum of count products of int16. */
int64_t es_dot_values_s16(const int16_t *one, const int16_t *other, int32_t count);

/* Products of matrices; members as those of es_batch_matmul in es_matmul.h. The output has one scale and no biases. */
typedef struct {
  es_output_s16 output;
  int32_t count[3];
  int32_t stride1[3];
  int32_t stride2[3];
  int32_t rows, depth, columns;
  int8_t turned1;
  int8_t turned2;
} es_batch_matmul_wide;

/* The output overlaps nothing. */
void es_batch_matmul_s16(const es_batch_matmul_wide *layer, const int16_t *input1, const int16_t *input2,
                         int16_t *output, void *scratch);
int32_t es_batch_matmul_s16_scratch_bytes(const es_batch_matmul_wide *layer);

/* Largest value, or mean, of a window without its padding. */
typedef struct {
  int16_t in_height, in_width, channels;
  int16_t out_height, out_width;
  int16_t window_height, window_width;
  int16_t stride_height, stride_width;
  int16_t pad_top, pad_left;
  int16_t minimum, maximum; /* range of the fused activation */
} es_pool_wide;

void es_max_pool_s16(const es_pool_wide *layer, const int16_t *input, int16_t *output);
void es_average_pool_s16(const es_pool_wide *layer, const int16_t *input, int16_t *output);

/* Sum or difference of two tensors of any shapes. */
typedef struct {
  es_broadcast loops;
  es_multiplier scale1;
  es_multiplier scale2;
  es_multiplier scale_output;
  int16_t sign2; /* 1 for a sum, -1 for a difference */
  int16_t minimum, maximum;
} es_add_wide;

void es_add_s16(const es_add_wide *layer, const int16_t *input1, const int16_t *input2, int16_t *output);

/* Product of two tensors of any shapes. */
typedef struct {
  es_broadcast loops;
  es_lstm_scale scale;
  int16_t minimum, maximum;
} es_mul_wide;

void es_mul_s16(const es_mul_wide *layer, const int16_t *input1, const int16_t *input2, int16_t *output);

/* The larger or the smaller of two tensors of any shapes and of one scale. */
void es_maximum_s16(const es_broadcast *loops, const int16_t *input1, const int16_t *input2, int16_t *output);
void es_minimum_s16(const es_broadcast *loops, const int16_t *input1, const int16_t *input2, int16_t *output);

/* One scale for positive values, another for negative ones. */
typedef struct {
  es_lstm_scale positive;
  es_lstm_scale negative;
  int32_t count;
} es_leaky_relu_wide;

void es_leaky_relu_s16(const es_leaky_relu_wide *layer, const int16_t *input, int16_t *output);

/* Logistic function and hyperbolic tangent, by a table with interpolation. */
typedef struct {
  const uint16_t *sigmoid; /* 256 values: sigmoid(i / 24) * 2^16 */
  int32_t count;
  int32_t multiplier; /* value * multiplier / 2^shift is three times the argument in Q3.12 */
  int8_t shift;
} es_sigmoid_wide;

void es_logistic_s16(const es_sigmoid_wide *layer, const int16_t *input, int16_t *output);
void es_tanh_s16(const es_sigmoid_wide *layer, const int16_t *input, int16_t *output);

/* Softmax of rows, by two tables with interpolation. */
typedef struct {
  const int16_t *exponentials; /* 513 values of e^x for x from -10 to 0, in Q0.15 */
  const int16_t *reciprocals;  /* 513 values of 1 / (1 + x) for x from 0 to 1, in Q0.15 */
  es_lstm_scale scale;         /* input to steps of 10 / 65535 */
  int32_t rows;
  int32_t depth; /* values in a row */
} es_softmax_wide;

void es_softmax_s16(const es_softmax_wide *layer, const int16_t *input, int16_t *output);

/* int16 to int16 of another scale, inside of a range. */
typedef struct {
  es_lstm_scale scale;
  int32_t count;
  int16_t minimum, maximum;
} es_requantize_wide;

void es_requantize_values_s16(const es_requantize_wide *layer, const int16_t *input, int16_t *output);

/* float32 to int16 and back; ties away from zero, NaN becomes 0. */
typedef struct {
  float scale;
  int32_t count;
} es_quantize_wide;

void es_quantize_s16_f32(const es_quantize_wide *layer, const float *values, int16_t *output);
void es_dequantize_s16_f32(const es_quantize_wide *layer, const int16_t *input, float *values);

/* The table of 513 values between its entries; value is -32768 to 32767. */
static inline int32_t es_interpolated_s16(const int16_t *table, int32_t value) {
  const int16_t *const entry = table + 256 + (value >> 7);
  return entry[0] + (((entry[1] - entry[0]) * (value & 0x7F) + 64) >> 7);
}

#endif /* ES_S16_H */
