/* A square.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "es_real.h"

float es_square_of(float value) { return value * value; }
