/* Numbers as those of another type.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "es_shape.h"

static int32_t truncated(float value) {
  if (value >= 2147483648.0f) {
    return INT32_MAX;
  }
  if (value < -2147483648.0f) {
    return INT32_MIN;
  }
  return value == value ? (int32_t)value : 0;
}

static int32_t integer_at(const void *input, int32_t from, int32_t i) {
  switch (from) {
    case ES_INT8:
      return ((const int8_t *)input)[i];
    case ES_INT16:
      return ((const int16_t *)input)[i];
    case ES_INT32:
      return ((const int32_t *)input)[i];
    default:
      return ((const uint8_t *)input)[i];
  }
}

static void put(void *output, int32_t to, int32_t i, int32_t value) {
  switch (to) {
    case ES_BOOL:
      ((uint8_t *)output)[i] = value != 0 ? 1 : 0;
      break;
    case ES_INT16:
      ((int16_t *)output)[i] = (int16_t)value;
      break;
    case ES_INT32:
      ((int32_t *)output)[i] = value;
      break;
    case ES_FLOAT32:
      ((float *)output)[i] = (float)value;
      break;
    default:
      ((uint8_t *)output)[i] = (uint8_t)value;
      break;
  }
}

void es_cast(const es_casting *layer, const void *input, void *output) {
  for (int32_t i = 0; i < layer->count; ++i) {
    if (layer->from != ES_FLOAT32) {
      put(output, layer->to, i, integer_at(input, layer->from, i));
    } else {
      const float value = ((const float *)input)[i];
      put(output, layer->to, i, layer->to == ES_BOOL ? value != 0.0f : truncated(value));
    }
  }
}
