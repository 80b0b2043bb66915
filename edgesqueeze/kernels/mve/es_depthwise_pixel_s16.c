/* A pixel of a depthwise convolution of int16, with vectors: eight channels at a time.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <arm_mve.h>

#include "es_requantize_s16_mve.h"
#include "es_s16.h"

enum { CHANNELS = 8 };

/* The sums of the even and the odd ones of eight neighbouring channels; or, where several channels have the same input,
 * of channels that stand in lanes of their own. */
typedef struct {
  int32x4_t even, odd;
} lane_sums;

/* `values` are where the channels' inputs lie, from the window's start on. */
static inline lane_sums window(const es_conv2d_wide *layer, const int16_t *input, const es_taps_s16 *inside,
                               int32_t first, uint16x8_t values, mve_pred16_t valid) {
  const int32_t step = layer->dilation_width * layer->in_channels;
  const int32_t pitch = layer->dilation_height * layer->in_width * layer->in_channels;
  const int together = layer->in_channels == layer->out_channels;
  lane_sums sums = {vdupq_n_s32(0), vdupq_n_s32(0)};
  for (int32_t y = inside->top; y < inside->bottom; ++y) {
    const int8_t *tap = layer->weights + (y * layer->kernel_width + inside->left) * layer->out_channels + first;
    const int16_t *from = input + y * pitch + inside->left * step;
    for (int32_t left = inside->right - inside->left; left > 0; --left) {
      const int16x8_t weights = vldrbq_z_s16(tap, valid);
      const int16x8_t inputs = together ? vldrhq_z_s16(from + first, valid)
                                        : vldrhq_gather_shifted_offset_z_s16(from, values, valid);
      sums.even = vaddq_s32(sums.even, vmullbq_int_s16(weights, inputs));
      sums.odd = vaddq_s32(sums.odd, vmulltq_int_s16(weights, inputs));
      tap += layer->out_channels;
      from += step;
    }
  }
  return sums;
}

/* One after the other, where sums and their biases need more than 32 bits. */
static void requantize_all(const es_output_s16 *range, const lane_sums *sums, int32_t first, int32_t count,
                           int16_t *output) {
  int32_t even[4], odd[4];
  vst1q_s32(even, sums->even);
  vst1q_s32(odd, sums->odd);
  for (int32_t i = 0; i < count; ++i) {
    output[i] = es_requantize_s16((i & 1) == 0 ? even[i / 2] : odd[i / 2], range, first + i);
  }
}

void es_depthwise_pixel_s16(const es_conv2d_wide *layer, const int16_t *input, const es_taps_s16 *inside,
                            int16_t *output) {
  const int32_t channels = layer->out_channels, times = channels / layer->in_channels;
  const uint32x4_t twos = vmulq_n_u32(vidupq_n_u32(0, 1), 2);
  for (int32_t first = 0; first < channels; first += CHANNELS, output += CHANNELS) {
    const int32_t count = channels - first < CHANNELS ? channels - first : CHANNELS;
    uint16_t places[CHANNELS];
    lane_sums sums;
    for (int32_t i = 0; times > 1 && i < CHANNELS; ++i) {
      places[i] = (uint16_t)((first + i) / times);
    }
    sums = window(layer, input, inside, first, times > 1 ? vld1q_u16(places) : vdupq_n_u16(0),
                  vctp16q((uint32_t)count));
    if (layer->output.wide == ES_WIDE_IN_WORDS) {
      const mve_pred16_t evens = vctp32q((uint32_t)(count + 1) / 2), odds = vctp32q((uint32_t)count / 2);
      const int32x4_t even = es_requantize_four_s16(sums.even, &layer->output, first, 2, evens);
      const int32x4_t odd = es_requantize_four_s16(sums.odd, &layer->output, first + 1, 2, odds);
      vstrhq_scatter_shifted_offset_p_s32(output, twos, even, evens);
      vstrhq_scatter_shifted_offset_p_s32(output + 1, twos, odd, odds);
    } else {
      requantize_all(&layer->output, &sums, first, count, output);
    }
  }
}
