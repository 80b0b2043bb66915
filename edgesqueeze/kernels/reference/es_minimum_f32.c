/* The smaller of two tensors of any shapes, float32.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "es_real.h"

static float smaller(float one, float other) { return one < other ? one : other; }

void es_minimum_f32(const es_real_pair *layer, const float *input1, const float *input2, float *output) {
  es_real_pair_f32(layer, smaller, input1, input2, output);
}
