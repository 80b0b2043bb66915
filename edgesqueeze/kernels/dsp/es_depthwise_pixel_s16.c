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

/* The taps inside the input: of the first one weights and inputs, counted from those of the window's first channel. */
typedef struct {
  int32_t rows, columns;
  int32_t step, pitch;        /* values from one column, or row, to the next */
  int32_t next, weight_pitch; /* the same of weights */
} window_size;

/* The sums of four channels. */
static inline __attribute__((always_inline)) void four_channels(const window_size *size, const int16_t *input,
                                                                const int8_t *weights, int32_t sums[CHANNELS]) {
  int32_t sum0 = sums[0], sum1 = sums[1], sum2 = sums[2], sum3 = sums[3];
  for (int32_t y = size->rows; y > 0; --y, input += size->pitch, weights += size->weight_pitch) {
    const int8_t *tap = weights;
    const int16_t *values = input;
    for (int32_t left = size->columns; left > 0; --left, values += size->step, tap += size->next) {
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
static int32_t one_channel(const window_size *size, const int16_t *input, const int8_t *weights) {
  int32_t sum = 0;
  for (int32_t y = size->rows; y > 0; --y, input += size->pitch, weights += size->weight_pitch) {
    const int8_t *tap = weights;
    const int16_t *values = input;
    for (int32_t left = size->columns; left > 0; --left, values += size->step, tap += size->next) {
      sum += *tap * *values;
    }
  }
  return sum;
}

/* What es_requantize_s16 gives for ES_WIDE_IN_WORDS, of sums with their biases. SMMLA multiplies and adds what rounds
 * the product's upper half. */
static inline int16_t scaled(int32_t value, const int32_t *scale, int32_t minimum, int32_t maximum) {
  __asm__("smmla %0, %0, %1, %2" : "+r"(value) : "r"(scale[0]), "r"((int32_t)1 << (scale[1] - 1)));
  value >>= scale[1];
  value = value < minimum ? minimum : value;
  return (int16_t)(value > maximum ? maximum : value);
}

/* All channels up to `fours`, a multiple of four, of which no sum exceeds 32 bits. */
static void channels_in_words(const es_output_s16 *range, const window_size *size, const int16_t *input,
                              const int8_t *weights, int32_t fours, int16_t *output) {
  const int32_t minimum = range->minimum, maximum = range->maximum, *scales = range->scales;
  const int64_t *biases = range->biases;
  for (; fours > 0; fours -= CHANNELS, input += CHANNELS, weights += CHANNELS, biases += CHANNELS, scales += 8) {
    int32_t sums[CHANNELS] = {(int32_t)biases[0], (int32_t)biases[1], (int32_t)biases[2], (int32_t)biases[3]};
    four_channels(size, input, weights, sums);
    *output++ = scaled(sums[0], scales, minimum, maximum);
    *output++ = scaled(sums[1], scales + 2, minimum, maximum);
    *output++ = scaled(sums[2], scales + 4, minimum, maximum);
    *output++ = scaled(sums[3], scales + 6, minimum, maximum);
  }
}

/* The same of any sums. */
static void channels_of_any(const es_output_s16 *range, const window_size *size, const int16_t *input,
                            const int8_t *weights, int32_t fours, int16_t *output) {
  for (int32_t channel = 0; channel < fours; channel += CHANNELS) {
    int32_t sums[CHANNELS] = {0, 0, 0, 0};
    four_channels(size, input + channel, weights + channel, sums);
    for (int32_t i = 0; i < CHANNELS; ++i) {
      *output++ = es_requantize_s16(sums[i], range, channel + i);
    }
  }
}

void es_depthwise_pixel_s16(const es_conv2d_wide *layer, const int16_t *input, const es_taps_s16 *inside,
                            int16_t *output) {
  const int32_t channels = layer->out_channels, times = channels / layer->in_channels;
  const window_size size = {inside->bottom - inside->top,
                            inside->right - inside->left,
                            layer->dilation_width * layer->in_channels,
                            layer->dilation_height * layer->in_width * layer->in_channels,
                            channels,
                            layer->kernel_width * channels};
  const int8_t *const weights = layer->weights + (inside->top * layer->kernel_width + inside->left) * channels;
  int32_t channel = 0;
  input += inside->top * size.pitch + inside->left * size.step;
  if (times == 1) {
    channel = channels & ~(int32_t)(CHANNELS - 1);
    if (layer->output.wide == ES_WIDE_IN_WORDS) {
      channels_in_words(&layer->output, &size, input, weights, channel, output);
    } else {
      channels_of_any(&layer->output, &size, input, weights, channel, output);
    }
  }
  for (; channel < channels; ++channel) {
    const int32_t sum = one_channel(&size, input + channel / times, weights + channel);
    output[channel] = es_requantize_s16(sum, &layer->output, channel);
  }
}
