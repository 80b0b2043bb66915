/* Weights as they are to memory from which they are read faster.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "es_packed.h"

const uint8_t *es_unpack_copy_s8(const uint8_t *first, const uint8_t *stream, int8_t *weights, int32_t count,
                                 void *table) {
  (void)first;
  (void)table;
  memcpy(weights, stream, (size_t)count);
  return stream + ((count + 3) & ~(int32_t)3);
}
