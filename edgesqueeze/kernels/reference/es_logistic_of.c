/* The logistic function, float32.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "es_real.h"

float es_logistic_of(float value) {
  /* As TensorFlow Lite does it: from here on the result is 1, */
  if (value > 16.619047f) {
    return 1.0f;
  }
  /* and from here down 1 / (1 + e^-x) is e^x, nearly. */
  return value < -9.0f ? expf(value) : 1.0f / (1.0f + expf(-value));
}
