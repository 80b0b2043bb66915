/* The inputs of an output pixel, as kernels want them that skip weights of zero.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ES_SPARSE_WINDOW_S8_H
#define ES_SPARSE_WINDOW_S8_H

#include "es_packed.h"

enum { ES_SPARSE_VALUES = 16 };

/* Inputs of an output pixel: weights of an output channel. */
static inline int32_t es_sparse_window_taps(const es_conv2d *layer) {
  return layer->kernel_height * layer->kernel_width * layer->in_channels;
}

/* Writes the inputs under a kernel that begins at input row `top` and column `left`, in the order row, column,
 * channel, as int16 that are `step` elements apart; padding where the kernel is outside of the input. */
void es_sparse_window_s8(const es_conv2d *layer, const int8_t *input, int32_t top, int32_t left, int16_t *to,
                         int32_t step);

#endif /* ES_SPARSE_WINDOW_S8_H */
