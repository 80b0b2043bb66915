/* A pixel of a depthwise convolution of int16, for cores with the DSP extension: four channels at a time.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "es_assembly_dsp.h"
#include "es_s16.h"

enum { CHANNELS = 4 };

/* Of two neighbouring channels the inputs are a word's halves; of weights, a word's even or odd bytes. */
#define PRODUCT(instruction, sum, inputs, weights) \
  __asm__(instruction " %0, %1, %2, %0" : "+r"(sum) : "r"(inputs), "r"(weights))

/* The sums of four channels. */
static void four_channels(const es_conv2d_wide *layer, const int16_t *input, const es_taps_s16 *inside,
                          const int8_t *weights, int32_t sums[CHANNELS]) {
  const int32_t step = layer->dilation_width * layer->in_channels, next = layer->out_channels;
  const int32_t pitch = layer->dilation_height * layer->in_width * layer->in_channels;
  int32_t sum0 = 0, sum1 = 0, sum2 = 0, sum3 = 0;
  for (int32_t y = inside->top; y < inside->bottom; ++y) {
    const int8_t *tap = weights + (y * layer->kernel_width + inside->left) * next;
    const int16_t *values = input + y * pitch + inside->left * step;
    for (int32_t left = inside->right - inside->left; left > 0; --left, values += step, tap += next) {
      uint32_t four, even, odd, low, high;
      memcpy(&four, tap, sizeof four);
      memcpy(&low, values, sizeof low);
      memcpy(&high, values + 2, sizeof high);
      even = es_even_bytes(four);
      odd = es_odd_bytes(four);
      PRODUCT("smlabb", sum0, low, even);
      PRODUCT("smlatb", sum1, low, odd);
      PRODUCT("smlabt", sum2, high, even);
      PRODUCT("smlatt", sum3, high, odd);
    }
  }
  sums[0] = sum0;
  sums[1] = sum1;
  sums[2] = sum2;
  sums[3] = sum3;
}

/* The sum of one channel. */
static int32_t one_channel(const es_conv2d_wide *layer, const int16_t *input, const es_taps_s16 *inside,
                           const int8_t *weights) {
  const int32_t step = layer->dilation_width * layer->in_channels;
  const int32_t pitch = layer->dilation_height * layer->in_width * layer->in_channels;
  int32_t sum = 0;
  for (int32_t y = inside->top; y < inside->bottom; ++y) {
    const int8_t *tap = weights + (y * layer->kernel_width + inside->left) * layer->out_channels;
    const int16_t *values = input + y * pitch + inside->left * step;
    for (int32_t x = inside->left; x < inside->right; ++x, values += step, tap += layer->out_channels) {
      sum += *tap * *values;
    }
  }
  return sum;
}

/* What es_requantize_s16 gives for ES_WIDE_IN_WORDS. SMMLA multiplies and adds what rounds the product's upper half. */
static inline int16_t scaled(int32_t sum, const es_output_s16 *output, int32_t channel) {
  const int32_t shift = output->scales[2 * channel + 1];
  int32_t value = sum + (int32_t)output->biases[channel];
  __asm__("smmla %0, %0, %1, %2"
          : "+r"(value)
          : "r"(output->scales[2 * channel]), "r"((int32_t)1 << (shift - 1)));
  value >>= shift;
  value = value < output->minimum ? output->minimum : value;
  return (int16_t)(value > output->maximum ? output->maximum : value);
}

void es_depthwise_pixel_s16(const es_conv2d_wide *layer, const int16_t *input, const es_taps_s16 *inside,
                            int16_t *output) {
  const int32_t channels = layer->out_channels, times = channels / layer->in_channels;
  const es_output_s16 scales = layer->output; /* a copy, which outputs cannot be a part of */
  const int32_t fours = times == 1 ? channels & ~(int32_t)(CHANNELS - 1) : 0;
  int32_t channel = 0;
  while (channel < fours) {
    int32_t sums[CHANNELS];
    four_channels(layer, input + channel, inside, layer->weights + channel, sums);
    for (int32_t i = 0; i < CHANNELS; ++i, ++channel) {
      *output++ = scales.wide == ES_WIDE_IN_WORDS ? scaled(sums[i], &scales, channel)
                                                         : es_requantize_s16(sums[i], &scales, channel);
    }
  }
  for (; channel < channels; ++channel) {
    const int32_t sum = one_channel(layer, input + channel / times, inside, layer->weights + channel);
    *output++ = es_requantize_s16(sum, &scales, channel);
  }
}
