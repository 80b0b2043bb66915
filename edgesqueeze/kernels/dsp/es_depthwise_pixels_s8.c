/* Depthwise convolution, int8, pixel by pixel, for cores with the DSP extension: for the few outputs of large windows,
 * whose inputs are not worth being put apart first.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "es_assembly_dsp.h"
#include "es_conv.h"

enum { FOUR = 4 };

/* Adds a window's products to the sums of four channels. Weights of a tap are `padded` bytes apart. */
static void add_window(const es_conv2d *layer, const int8_t *input, const int8_t *weights, int32_t sums[FOUR]) {
  const int32_t padded = (layer->out_channels + FOUR - 1) & ~(int32_t)(FOUR - 1);
  const int32_t step = layer->dilation_width * layer->in_channels;
  const int32_t pitch = layer->dilation_height * layer->in_width * layer->in_channels;
  int32_t sum0 = sums[0], sum1 = sums[1], sum2 = sums[2], sum3 = sums[3];
  for (int32_t y = layer->kernel_height; y > 0; --y, input += pitch) {
    const int8_t *from = input;
    for (int32_t x = layer->kernel_width; x > 0; --x, from += step, weights += padded) {
      uint32_t values, factors, even, odd;
      memcpy(&values, from, sizeof values);
      memcpy(&factors, weights, sizeof factors);
      even = es_even_bytes(values);
      odd = es_even_bytes(factors);
      __asm__("smlabb %0, %1, %2, %0" : "+r"(sum0) : "r"(even), "r"(odd));
      __asm__("smlatt %0, %1, %2, %0" : "+r"(sum2) : "r"(even), "r"(odd));
      even = es_odd_bytes(values);
      odd = es_odd_bytes(factors);
      __asm__("smlabb %0, %1, %2, %0" : "+r"(sum1) : "r"(even), "r"(odd));
      __asm__("smlatt %0, %1, %2, %0" : "+r"(sum3) : "r"(even), "r"(odd));
    }
  }
  sums[0] = sum0;
  sums[1] = sum1;
  sums[2] = sum2;
  sums[3] = sum3;
}

void es_depthwise_pixels_s8(const es_conv2d *layer, const int8_t *input, int8_t *output, void *scratch) {
  const int32_t channels = layer->out_channels, row = layer->in_width * channels;
  (void)scratch;
  for (int32_t done = 0; done < channels; done += FOUR) {
    const int32_t first = done < channels - FOUR ? done : channels - FOUR; /* the last four may overlap those before */
    int8_t *to = output + first;
    es_channel scales[FOUR];
    es_unpack_channels(&layer->channels, first, FOUR, scales);
    for (int32_t y = 0; y < layer->out_height; ++y) {
      for (int32_t x = 0; x < layer->out_width; ++x, to += channels) {
        const int8_t *const from = input + y * layer->stride_height * row + x * layer->stride_width * channels + first;
        int32_t sums[FOUR] = {scales[0].bias, scales[1].bias, scales[2].bias, scales[3].bias};
        add_window(layer, from, layer->weights + first, sums);
        for (int32_t i = 0; i < FOUR; ++i) {
          to[i] = es_requantize_s8(sums[i], &scales[i]);
        }
      }
    }
  }
}
