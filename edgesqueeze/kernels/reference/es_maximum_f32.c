/* The larger of two tensors of any shapes, float32.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "es_real.h"

static float larger(float one, float other) { return one > other ? one : other; }

void es_maximum_f32(const es_real_pair *layer, const float *input1, const float *input2, float *output) {
  es_real_pair_f32(layer, larger, input1, input2, output);
}
