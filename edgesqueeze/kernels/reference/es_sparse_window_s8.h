/* The inputs of an output pixel, as kernels want them that skip weights of zero.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ES_SPARSE_WINDOW_S8_H
#define ES_SPARSE_WINDOW_S8_H

#include "es_sparse_s8.h"

/* Writes the inputs under a kernel that begins at input row `top` and column `left`, in the order row, column,
 * channel, as int16; padding where the kernel is outside of the input. */
void es_sparse_window_s8(const es_conv2d *layer, const int8_t *input, int32_t top, int32_t left, int16_t *to);

#endif /* ES_SPARSE_WINDOW_S8_H */
