/* Convolutions and fully connected layers, int8, without the limits of es_conv.h: any scale, groups, any
 * depth multiplier, any range of a fused activation. Plain loops over weights in TensorFlow Lite's order.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ES_GENERAL_H
#define ES_GENERAL_H

#include "es_types.h"

/* One output channel. The output is
 *   clamp(round(round(accumulator * 2^max(shift, 0) * multiplier / 2^31) / 2^max(-shift, 0)) + zero point)
 * as TensorFlow Lite's MultiplyByQuantizedMultiplier rounds in two steps. */
typedef struct {
  int32_t bias;       /* as in the model: nothing is folded into it */
  int32_t multiplier; /* Q31: 0, or 2^30 to 2^31 - 1 */
  int32_t shift;      /* -31 to 30, to the left if positive */
} es_general_channel;

/* How accumulators become int8. */
typedef struct {
  const es_general_channel *channels; /* one an output channel */
  int8_t zero_point;
  int8_t minimum, maximum; /* range of the fused activation */
} es_general_output;

/* A convolution whose output channels see a part of the input channels (groups), or all of them. */
typedef struct {
  const int8_t *weights; /* [out_channels][kernel_height][kernel_width][filter_channels] */
  es_general_output requantization;
  int16_t in_height, in_width, in_channels; /* in_channels: groups * filter_channels */
  int16_t out_height, out_width, out_channels;
  int16_t kernel_height, kernel_width, filter_channels;
  int16_t stride_height, stride_width;
  int16_t dilation_height, dilation_width;
  int16_t pad_top, pad_left;
  int8_t input_zero_point;
} es_conv2d_general;

/* Output and input do not overlap. */
void es_conv2d_general_s8(const es_conv2d_general *layer, const int8_t *input, int8_t *output);

/* Some output channels of a convolution of any kind; the others are left as they are. */
typedef struct {
  const int8_t *weights; /* [count][kernel_height][kernel_width][filter_channels] */
  es_general_output requantization; /* count channels */
  const int16_t *places; /* [count][2]: the output channel, and the first input channel that it sees */
  int32_t count;
  int16_t in_height, in_width, in_channels;
  int16_t out_height, out_width, out_channels;
  int16_t kernel_height, kernel_width, filter_channels;
  int16_t stride_height, stride_width;
  int16_t dilation_height, dilation_width;
  int16_t pad_top, pad_left;
  int8_t input_zero_point;
} es_conv2d_channels;

/* Output and input do not overlap. */
void es_conv2d_channels_s8(const es_conv2d_channels *layer, const int8_t *input, int8_t *output);

/* A depthwise convolution with out_channels / in_channels output channels for every input channel. */
typedef struct {
  const int8_t *weights; /* [kernel_height][kernel_width][out_channels] */
  es_general_output requantization;
  int16_t in_height, in_width, in_channels;
  int16_t out_height, out_width, out_channels;
  int16_t kernel_height, kernel_width;
  int16_t stride_height, stride_width;
  int16_t dilation_height, dilation_width;
  int16_t pad_top, pad_left;
  int8_t input_zero_point;
} es_depthwise_conv2d_general;

/* Output and input do not overlap. */
void es_depthwise_conv2d_general_s8(const es_depthwise_conv2d_general *layer, const int8_t *input,
                                    int8_t *output);

typedef struct {
  const int8_t *weights; /* [out_features][in_features] */
  es_general_output requantization;
  int32_t in_features;
  int32_t out_features;
  int8_t input_zero_point;
} es_fully_connected_general;

/* Output and input do not overlap. */
void es_fully_connected_general_s8(const es_fully_connected_general *layer, const int8_t *input,
                                   int8_t *output);

/* A sum of products to the int8 of its output channel. Sums and the left shift wrap at 32 bits, as in
 * TensorFlow Lite. */
static inline int8_t es_requantize_general_s8(uint32_t sum, const es_general_output *output,
                                              int32_t channel) {
  const es_general_channel *const scale = &output->channels[channel];
  const int32_t right = -scale->shift;
  uint32_t accumulator = sum + (uint32_t)scale->bias;
  if (right < 0) {
    accumulator <<= -right;
  }
  const int64_t product = (int64_t)(int32_t)accumulator * scale->multiplier;
  int32_t scaled = (int32_t)((product + (INT64_C(1) << 30)) >> 31);
  if (right > 0) {
    /* Divide by 2^right, halves away from zero: the last bit that is shifted out, the carry, rounds. */
    scaled += scaled >> 31;
#if defined(__ARM_FEATURE_DSP)
    __asm__("asrs %0, %0, %1\n\tadc %0, %0, #0" : "+r"(scaled) : "r"(right) : "cc");
#else
    scaled = (scaled >> right) + (scaled >> (right - 1) & 1);
#endif
  }
  /* Beyond int8 the zero point no longer matters, and adding it could overflow. */
#if defined(__ARM_FEATURE_DSP)
  __asm__("ssat %0, #16, %0" : "+r"(scaled));
#else
  scaled = scaled < -256 ? -256 : (scaled > 256 ? 256 : scaled);
#endif
  const int32_t value = scaled + output->zero_point;
  return (int8_t)(value < output->minimum ? output->minimum
                                          : (value > output->maximum ? output->maximum : value));
}

#endif /* ES_GENERAL_H */
