/* Bilinear resizing in fixed point: positions have 10 fractional bits, products of weights 20.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "es_resize.h"

enum { ONE = 1 << 10 };

/* Where an output row or column lies between two of the input. */
typedef struct {
  int32_t low, high;   /* the two */
  int32_t high_weight; /* 0 to 1024; outside [0, 1024) only where low equals high */
} position;

static position position_of(int32_t index, int32_t scale, int32_t offset, int32_t size) {
  const int32_t place = index * scale + offset;
  const int32_t above = (place + ONE - 1) / ONE;
  position found;
  found.low = place > 0 ? place / ONE : 0;
  found.high = above < size - 1 ? above : size - 1;
  found.high_weight = place - found.low * ONE;
  return found;
}

void es_resize_bilinear_s8(const es_resize_bilinear *layer, const int8_t *input, int8_t *output) {
  const int32_t channels = layer->channels;
  const int32_t row_bytes = layer->in_width * channels;
  for (int32_t out_y = 0; out_y < layer->out_height; ++out_y) {
    const position y = position_of(out_y, layer->scale_y, layer->offset_y, layer->in_height);
    for (int32_t out_x = 0; out_x < layer->out_width; ++out_x) {
      const position x = position_of(out_x, layer->scale_x, layer->offset_x, layer->in_width);
      const int8_t *const top = input + y.low * row_bytes;
      const int8_t *const bottom = input + y.high * row_bytes;
      const int32_t left = x.low * channels;
      const int32_t right = x.high * channels;
      const int32_t top_left = (ONE - y.high_weight) * (ONE - x.high_weight);
      const int32_t top_right = (ONE - y.high_weight) * x.high_weight;
      const int32_t bottom_left = y.high_weight * (ONE - x.high_weight);
      const int32_t bottom_right = y.high_weight * x.high_weight;
      for (int32_t channel = 0; channel < channels; ++channel) {
        const int32_t sum = top[left + channel] * top_left + top[right + channel] * top_right +
                            bottom[left + channel] * bottom_left + bottom[right + channel] * bottom_right;
        const int32_t half = sum > 0 ? ONE * ONE / 2 : -(ONE * ONE / 2);
        *output++ = (int8_t)((sum + half) / (ONE * ONE));
      }
    }
  }
}
