/* Depthwise convolution with int16 activations and int8 weights, portable.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "es_s16.h"

int32_t es_depthwise_conv2d_s16_scratch_bytes(const es_conv2d_wide *layer) {
  (void)layer;
  return 0;
}

void es_depthwise_conv2d_s16(const es_conv2d_wide *layer, const int16_t *input, int16_t *output, void *scratch) {
  (void)scratch;
  es_depthwise_pixels_s16(layer, input, output);
}
