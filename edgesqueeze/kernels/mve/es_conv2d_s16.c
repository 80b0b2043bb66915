/* 2-D convolution with int16 activations and int8 weights, with vectors.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Weights are in the model's order. The inputs of a pixel are put one behind the other, unless they lie so.
 */
#include <arm_mve.h>
#include <string.h>

#include "es_requantize_s16_mve.h"
#include "es_s16.h"

static int32_t taps_of(const es_conv2d_wide *layer) {
  return layer->kernel_height * layer->kernel_width * layer->filter_channels;
}

int32_t es_conv2d_s16_scratch_bytes(const es_conv2d_wide *layer) {
  return layer->kernel_height * layer->kernel_width == 1 ? 0 : 2 * taps_of(layer);
}

/* Copies the inputs of a window that starts at row y, column x of the input; zeros where that is outside. */
static void copy_window(const es_conv2d_wide *layer, const int16_t *input, int32_t y, int32_t x, int16_t *to) {
  const int32_t depth = layer->filter_channels;
  const int32_t joined = layer->dilation_width == 1 && depth == layer->in_channels;
  for (int32_t ky = 0; ky < layer->kernel_height; ++ky, y += layer->dilation_height) {
    const int32_t row = y * layer->in_width;
    if (y < 0 || y >= layer->in_height) {
      memset(to, 0, (size_t)(layer->kernel_width * depth) * sizeof *to);
      to += layer->kernel_width * depth;
    } else if (joined && x >= 0 && x + layer->kernel_width <= layer->in_width) {
      memcpy(to, input + (row + x) * depth, (size_t)(layer->kernel_width * depth) * sizeof *to);
      to += layer->kernel_width * depth;
    } else {
      for (int32_t kx = 0; kx < layer->kernel_width; ++kx, to += depth) {
        const int32_t column = x + kx * layer->dilation_width;
        const int inside = column >= 0 && column < layer->in_width;
        for (int32_t i = 0; i < depth; ++i) {
          to[i] = inside ? input[(row + column) * layer->in_channels + i] : 0;
        }
      }
    }
  }
}

/* The sums of four channels, in 32 bits. */
static inline int32x4_t four_sums(const int8_t *weights, int32_t taps, const int16_t *window) {
  const int8_t *other = weights + 2 * taps;
  int32_t sum0 = 0, sum1 = 0, sum2 = 0, sum3 = 0;
  for (int32_t left = taps; left > 0; left -= 8) {
    const mve_pred16_t valid = vctp16q((uint32_t)left);
    const int16x8_t values = vldrhq_z_s16(window, valid); /* zeros beyond the end */
    sum0 = vmladavaq_s16(sum0, vldrbq_z_s16(weights, valid), values);
    sum1 = vmladavaq_s16(sum1, vldrbq_z_s16(weights + taps, valid), values);
    sum2 = vmladavaq_s16(sum2, vldrbq_z_s16(other, valid), values);
    sum3 = vmladavaq_s16(sum3, vldrbq_z_s16(other + taps, valid), values);
    weights += 8;
    other += 8;
    window += 8;
  }
  return vsetq_lane_s32(sum3, vsetq_lane_s32(sum2, vsetq_lane_s32(sum1, vdupq_n_s32(sum0), 1), 2), 3);
}

/* Output channels from first to end, whose inputs are at `window`. */
static void channels_of(const es_conv2d_wide *layer, int32_t taps, const int16_t *window, int32_t first, int32_t end,
                        int16_t *output) {
  const int8_t *weights = layer->weights + first * taps;
  const mve_pred16_t all = vctp32q(4);
  for (; first + 4 <= end; first += 4, weights += 4 * taps) {
    if (layer->output.wide == ES_WIDE_IN_WORDS) {
      const int32x4_t sums = four_sums(weights, taps, window);
      vstrhq_s32(output + first, es_requantize_four_s16(sums, &layer->output, first, 1, all));
    } else {
      int64_t sums[4] = {0, 0, 0, 0};
      es_dot_4_s16(weights, taps, window, taps, sums);
      for (int32_t i = 0; i < 4; ++i) {
        output[first + i] = es_requantize_s16(sums[i], &layer->output, first + i);
      }
    }
  }
  for (; first < end; ++first, weights += taps) {
    output[first] = es_requantize_s16(es_dot_s16(weights, window, taps), &layer->output, first);
  }
}

void es_conv2d_s16(const es_conv2d_wide *layer, const int16_t *input, int16_t *output, void *scratch) {
  const int32_t groups = layer->in_channels / layer->filter_channels;
  const int32_t channels = layer->out_channels / groups, taps = taps_of(layer);
  const int one = layer->kernel_height * layer->kernel_width == 1; /* and so without padding */
  for (int32_t y = 0; y < layer->out_height; ++y) {
    const int32_t top = y * layer->stride_height - layer->pad_top;
    for (int32_t x = 0; x < layer->out_width; ++x, output += es_conv2d_pitch_s16(layer)) {
      const int32_t left = x * layer->stride_width - layer->pad_left;
      for (int32_t group = 0; group < groups; ++group) {
        const int16_t *const from = input + group * layer->filter_channels;
        const int16_t *window = from + (top * layer->in_width + left) * layer->in_channels;
        if (!one) {
          copy_window(layer, from, top, left, scratch);
          window = scratch;
        }
        channels_of(layer, taps, window, group * channels, (group + 1) * channels, output);
      }
    }
  }
}
