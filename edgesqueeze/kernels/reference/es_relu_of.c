/* A rectified number.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "es_real.h"

float es_relu_of(float value) { return value < 0.0f ? 0.0f : value; }
