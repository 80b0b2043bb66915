/* A rectified number, at most six.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "es_real.h"

float es_relu6_of(float value) { return value > 6.0f ? 6.0f : (value < 0.0f ? 0.0f : value); }
