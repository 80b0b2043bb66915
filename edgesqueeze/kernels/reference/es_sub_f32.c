/* Difference of two tensors of any shapes, float32.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "es_real.h"

static float difference(float one, float other) { return one - other; }

void es_sub_f32(const es_real_pair *layer, const float *input1, const float *input2, float *output) {
  es_real_pair_f32(layer, difference, input1, input2, output);
}
