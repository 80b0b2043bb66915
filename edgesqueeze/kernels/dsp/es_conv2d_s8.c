/* 2-D convolution, int8, for cores with the DSP extension. Weights: see es_conv_core_dsp.h and es_conv_window_dsp.h.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "es_conv_core_dsp.h"
#include "es_conv_window_dsp.h"

int32_t es_conv2d_s8_scratch_bytes(const es_conv2d *layer) {
  return es_conv_window_scratch_bytes(layer);
}

void es_conv2d_s8(const es_conv2d *layer, const int8_t *input, int8_t *output, void *scratch) {
  const int32_t inputs = es_conv_window_inputs(layer);
  es_conv_core core;
  int8_t *copies = es_conv_core_start(layer, inputs, scratch, &core);
  es_conv_windows(layer, input, output, &core, copies,
                  es_conv_core_takes_groups(layer) ? es_conv_core_next_rows : NULL, es_conv_core_pixels);
}
