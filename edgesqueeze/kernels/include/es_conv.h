/* Convolutions and fully connected layers, int8.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Weights are packed for the kernel set that runs; the packing is described in each kernel's file. Zero
 * points of inputs are folded into the channels' bias, so kernels multiply int8 by int8, and a padded pixel
 * has the value of the input's zero point. Pointers to weights and scratch memory are 16-byte aligned;
 * activations are 4-byte aligned (16-byte for the MVE kernels).
 * Beside each kernel stands a function that says how much scratch memory the layer needs, in bytes.
 */
#ifndef ES_CONV_H
#define ES_CONV_H

#include "es_types.h"

typedef struct {
  const int8_t *weights;
  es_channels channels;
  int16_t in_height, in_width, in_channels;
  int16_t out_height, out_width, out_channels;
  int16_t kernel_height, kernel_width;
  int16_t stride_height, stride_width;
  int16_t dilation_height, dilation_width;
  int16_t pad_top, pad_left;
  int8_t input_zero_point;
  int32_t out_pitch; /* bytes from the outputs of a pixel to those of the next; 0: out_channels */
} es_conv2d;

/* Bytes from the outputs of a pixel to those of the next. */
static inline int32_t es_conv2d_pitch(const es_conv2d *layer) {
  return layer->out_pitch != 0 ? layer->out_pitch : layer->out_channels;
}

/* 2-D convolution: any kernel, stride, dilation and padding. The output may overlap the input as the
 * generator's memory plan says: output pixels are computed in raster order, in groups of consecutive pixels,
 * and a group is written only after all inputs of the group have been read. */
void es_conv2d_s8(const es_conv2d *layer, const int8_t *input, int8_t *output, void *scratch);
int32_t es_conv2d_s8_scratch_bytes(const es_conv2d *layer);

/* The same for kernels of one pixel with stride 1 and no padding. */
void es_conv2d_1x1_s8(const es_conv2d *layer, const int8_t *input, int8_t *output, void *scratch);
int32_t es_conv2d_1x1_s8_scratch_bytes(const es_conv2d *layer);

/* Depthwise convolution with one output channel for every input channel, any kernel, stride, dilation and
 * padding. With stride 1 and an output of the input's size, output and input may be the same memory. */
void es_depthwise_conv2d_s8(const es_conv2d *layer, const int8_t *input, int8_t *output, void *scratch);
int32_t es_depthwise_conv2d_s8_scratch_bytes(const es_conv2d *layer);

/* The same for 3x3 kernels without dilation, stride 1 or 2. */
void es_depthwise_conv2d_3x3_s8(const es_conv2d *layer, const int8_t *input, int8_t *output, void *scratch);
int32_t es_depthwise_conv2d_3x3_s8_scratch_bytes(const es_conv2d *layer);

/* The same for four channels and two taps and more, in the DSP set alone: for few outputs, or small windows. Output and
 * input do not overlap. */
void es_depthwise_pixels_s8(const es_conv2d *layer, const int8_t *input, int8_t *output, void *scratch);
int32_t es_depthwise_pixels_s8_scratch_bytes(const es_conv2d *layer);

typedef struct {
  const int8_t *weights;
  es_channels channels;
  int32_t in_features;
  int32_t out_features;
} es_fully_connected;

/* Fully connected layer of one input vector. Output and input do not overlap. */
void es_fully_connected_s8(const es_fully_connected *layer, const int8_t *input, int8_t *output,
                           void *scratch);
int32_t es_fully_connected_s8_scratch_bytes(const es_fully_connected *layer);

#endif /* ES_CONV_H */
