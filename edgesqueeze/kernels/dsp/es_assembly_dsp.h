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

/* Assembly that widens r12 words of 4 int8 each at r0, r1 and r2 to r3, in the order of es_conv_core_dsp.h; moves
 * them all on, and takes r4 to r9 and the label 1. */
#define ES_WIDEN_WORDS \
  "1:\n" \
  "ldr r4, [r0], #4\n" \
  "ldr r5, [r1], #4\n" \
  "ldr r6, [r2], #4\n" \
  "sxtb16 r7, r4, ror #8\n" \
  "sxtb16 r8, r5, ror #8\n" \
  "sxtb16 r9, r6, ror #8\n" \
  "sxtb16 r4, r4\n" \
  "sxtb16 r5, r5\n" \
  "sxtb16 r6, r6\n" \
  "stmia r3!, {r4-r9}\n" \
  "subs r12, r12, #1\n" \
  "bne 1b\n"

#endif /* ES_ASSEMBLY_DSP_H */
