/* The sigmoid's table between its entries.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ES_SIGMOID_S16_H
#define ES_SIGMOID_S16_H

#include "es_s16.h"

/* Three times the argument in Q3.12. */
static inline int32_t es_argument_s16(const es_sigmoid_wide *layer, int32_t value) {
  return (value * layer->multiplier + ((1 << layer->shift) >> 1)) >> layer->shift;
}

/* value is 24 * 2^bits times the argument; the result has as many bits more than the table's 16. */
static inline uint32_t es_sigmoid_at(const uint16_t *sigmoid, uint32_t value, uint32_t bits) {
  const uint32_t place = value >> bits;
  const uint32_t low = sigmoid[place], high = sigmoid[place + 1];
  return (low << bits) + (value & ((1u << bits) - 1u)) * (high - low);
}

#endif /* ES_SIGMOID_S16_H */
