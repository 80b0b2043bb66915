/* What the kernels share that skip weights of zero.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ES_SPARSE_S8_H
#define ES_SPARSE_S8_H

#include "es_packed.h"

enum { ES_SPARSE_VALUES = 16 };

/* Inputs of an output pixel: weights of an output channel. */
static inline int32_t es_sparse_taps(const es_conv2d *layer) {
  return layer->kernel_height * layer->kernel_width * layer->in_channels;
}

#endif /* ES_SPARSE_S8_H */
