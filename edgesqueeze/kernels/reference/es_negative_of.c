/* A number with the other sign.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "es_real.h"

float es_negative_of(float value) { return -value; }
