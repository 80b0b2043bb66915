/* Depthwise convolution with int16 activations and int8 weights, with vectors: eight channels at a time, of all pixels,
 * since what belongs to them is then made ready once.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <arm_mve.h>

#include "es_s16.h"

enum { CHANNELS = 8 };

/* What belongs to eight neighbouring channels: of the even and the odd ones biases, multipliers and shifts to the
 * left. */
typedef struct {
  int32x4_t bias[2], multiplier[2], shift[2];
  mve_pred16_t valid;
} eight_channels;

/* Taps inside the input: of the first one weights and inputs, and from one to the next. */
typedef struct {
  const int8_t *weights;
  const int16_t *inputs;
  int32_t rows, columns;
  int32_t step, pitch;        /* values */
  int32_t next, weight_pitch; /* weights */
} window_taps;

int32_t es_depthwise_conv2d_s16_scratch_bytes(const es_conv2d_wide *layer) {
  (void)layer;
  return 0;
}

static void prepare(const es_output_s16 *output, int32_t first, int32_t count, eight_channels *channels) {
  const uint32x4_t places = vmulq_n_u32(vidupq_n_u32(0, 1), 16); /* every other of biases, and of pairs of words */
  for (int32_t odd = 0; odd < 2; ++odd) {
    const mve_pred16_t valid = vctp32q((uint32_t)(count + 1 - odd) / 2);
    const int32_t *const scales = output->scales + 2 * (first + odd);
    const int32_t *const biases = (const int32_t *)(const void *)(output->biases + first + odd);
    channels->bias[odd] = vldrwq_gather_offset_z_s32(biases, places, valid);
    channels->multiplier[odd] = vldrwq_gather_offset_z_s32(scales, places, valid);
    channels->shift[odd] = vnegq_s32(vldrwq_gather_offset_z_s32(scales + 1, places, valid));
  }
  channels->valid = vctp16q((uint32_t)count);
}

static inline int32x4_t scaled(int32x4_t sums, const eight_channels *channels, int odd) {
  return vrshlq_s32(vmulhq_s32(sums, channels->multiplier[odd]), channels->shift[odd]);
}

/* Eight outputs; what es_requantize_s16 gives for ES_WIDE_IN_WORDS. */
static inline void pixel(const window_taps *taps, const eight_channels *channels, int16_t minimum, int16_t maximum,
                         int16_t *output) {
  const mve_pred16_t valid = channels->valid;
  const int8_t *weights = taps->weights;
  const int16_t *inputs = taps->inputs;
  int32x4_t even = channels->bias[0], odd = channels->bias[1];
  int16x8_t values = vdupq_n_s16(0);
  for (int32_t y = taps->rows; y > 0; --y, weights += taps->weight_pitch, inputs += taps->pitch) {
    const int8_t *tap = weights;
    const int16_t *from = inputs;
    for (int32_t left = taps->columns; left > 0; --left, tap += taps->next, from += taps->step) {
      const int16x8_t factors = vldrbq_z_s16(tap, valid), others = vldrhq_z_s16(from, valid);
      even = vaddq_s32(even, vmullbq_int_s16(factors, others));
      odd = vaddq_s32(odd, vmulltq_int_s16(factors, others));
    }
  }
  values = vqmovnbq_s32(values, scaled(even, channels, 0));
  values = vqmovntq_s32(values, scaled(odd, channels, 1));
  values = vminq_s16(vmaxq_s16(values, vdupq_n_s16(minimum)), vdupq_n_s16(maximum));
  vstrhq_p_s16(output, values, valid);
}

/* A row of outputs of eight channels. */
static void row(const es_conv2d_wide *layer, const eight_channels *channels, const int8_t *weights,
                const int16_t *input, int32_t y, int16_t *output) {
  const int32_t width = layer->in_width, dilation = layer->dilation_width;
  const int32_t top = y * layer->stride_height - layer->pad_top;
  const int32_t first = es_taps_before(0, top, layer->dilation_height, layer->kernel_height);
  window_taps taps;
  taps.rows = es_taps_before(layer->in_height, top, layer->dilation_height, layer->kernel_height) - first;
  taps.step = dilation * layer->in_channels;
  taps.pitch = layer->dilation_height * width * layer->in_channels;
  taps.next = layer->out_channels;
  taps.weight_pitch = layer->kernel_width * layer->out_channels;
  weights += first * taps.weight_pitch;
  input += (top + first * layer->dilation_height) * width * layer->in_channels;
  for (int32_t x = 0; x < layer->out_width; ++x, output += layer->out_channels) {
    const int32_t left = x * layer->stride_width - layer->pad_left;
    int32_t before = 0;
    taps.columns = layer->kernel_width;
    if (left < 0 || left + (layer->kernel_width - 1) * dilation >= width) {
      before = es_taps_before(0, left, dilation, layer->kernel_width);
      taps.columns = es_taps_before(width, left, dilation, layer->kernel_width) - before;
    }
    taps.weights = weights + before * taps.next;
    taps.inputs = input + (left + before * dilation) * layer->in_channels;
    pixel(&taps, channels, layer->output.minimum, layer->output.maximum, output);
  }
}

void es_depthwise_conv2d_s16(const es_conv2d_wide *layer, const int16_t *input, int16_t *output, void *scratch) {
  const int32_t channels = layer->out_channels;
  (void)scratch;
  if (layer->output.wide != ES_WIDE_IN_WORDS || layer->in_channels != channels) {
    es_depthwise_pixels_s16(layer, input, output);
    return;
  }
  for (int32_t first = 0; first < channels; first += CHANNELS) {
    eight_channels eight;
    prepare(&layer->output, first, channels - first < CHANNELS ? channels - first : CHANNELS, &eight);
    for (int32_t y = 0; y < layer->out_height; ++y) {
      row(layer, &eight, layer->weights + first, input + first, y, output + first + y * layer->out_width * channels);
    }
  }
}
