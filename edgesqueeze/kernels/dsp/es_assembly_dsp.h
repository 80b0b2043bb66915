/* How functions in assembly are declared, and how int8 are widened.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Where an inner loop needs all 14 registers, the whole function is assembly: it saves what the calling
 * convention says itself, so that it compiles at every optimization level, and costs the same. Its parameters
 * look unused to the compiler; `used` keeps it from leaving them out.
 */
#ifndef ES_ASSEMBLY_DSP_H
#define ES_ASSEMBLY_DSP_H

#include <stdint.h>

#define ES_ASSEMBLY __attribute__((naked, noinline, used))
#define ES_UNUSED __attribute__((unused))

/* Bytes 0 and 2 of a word, or 1 and 3, as two int16. */
static inline uint32_t es_even_bytes(uint32_t word) {
  uint32_t result;
  __asm__("sxtb16 %0, %1" : "=r"(result) : "r"(word));
  return result;
}

static inline uint32_t es_odd_bytes(uint32_t word) {
  uint32_t result;
  __asm__("sxtb16 %0, %1, ror #8" : "=r"(result) : "r"(word));
  return result;
}

#endif /* ES_ASSEMBLY_DSP_H */
