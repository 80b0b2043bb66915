/* The inverse of a square root.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "es_real.h"

float es_rsqrt_of(float value) { return 1.0f / sqrtf(value); }
