/* Copies of a few bytes, without calls of memcpy and memset.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ES_COPY_DSP_H
#define ES_COPY_DSP_H

#include <stdint.h>
#include <string.h>

/* Keeps compilers from calling memset and memcpy for a few bytes. */
#define KEEP_LOOP __asm__ volatile("")

static inline void copy_bytes(int8_t *to, const int8_t *from, int32_t count) {
  for (; count >= 4; count -= 4, to += 4, from += 4) {
    memcpy(to, from, 4);
  }
  for (; count > 0; --count) {
    *to++ = *from++;
    KEEP_LOOP;
  }
}

/* As many bytes as whole words have. */
static inline void fill_words(int8_t *to, int8_t value, int32_t bytes) {
  const uint32_t word = 0x01010101u * (uint8_t)value;
  for (const int8_t *end = to + bytes; to != end; to += 4) {
    memcpy(to, &word, 4);
    KEEP_LOOP;
  }
}

#endif /* ES_COPY_DSP_H */
