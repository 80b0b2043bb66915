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

/* Two int16 doubled. */
static inline uint32_t es_twice(uint32_t word) {
  __asm__("sadd16 %0, %0, %0" : "+r"(word));
  return word;
}

/* Assembly that widens 4 int8 each at r0, r1 and r2 to r3, in the order of es_conv_core_dsp.h; moves them all on, and
 * takes r4 to r9. The addresses of int8 need not be those of words. */
#define ES_WIDEN_WORD \
  "ldr r4, [r0], #4\n" \
  "ldr r5, [r1], #4\n" \
  "ldr r6, [r2], #4\n" \
  "sxtb16 r7, r4, ror #8\n" \
  "sxtb16 r8, r5, ror #8\n" \
  "sxtb16 r9, r6, ror #8\n" \
  "sxtb16 r4, r4\n" \
  "sxtb16 r5, r5\n" \
  "sxtb16 r6, r6\n" \
  "stmia r3!, {r4-r9}\n"

/* The same r12 times; takes the label 1. */
#define ES_WIDEN_WORDS \
  "1:\n" \
  ES_WIDEN_WORD \
  "subs r12, r12, #1\n" \
  "bne 1b\n"

/* Assembly that widens three pixels' words row by row, then the last inputs of the rows.
 *
 *   r0-r2  pixels             r3   widened     r12  words left in the row   r11  rests, then skips
 *   r4-r6  inputs 0 and 2     r10  rests       lr   rows left
 *   r7-r9  inputs 1 and 3 */
#define ES_WIDEN_ROWS \
  "ldr r10, [r11], #4\n" \
  "ldr r12, [r11, #12]\n" \
  ES_WIDEN_WORDS \
  "cmp r10, #0\n" \
  "beq 2f\n" \
  "ldrsb r4, [r0]\n" \
  "ldrsb r5, [r1]\n" \
  "ldrsb r6, [r2]\n" \
  "strh r4, [r10]\n" \
  "strh r5, [r10, #4]\n" \
  "strh r6, [r10, #8]\n" \
  "and r4, r10, #2\n" /* the other half of the words, then the next three words: 2 or 10 bytes on */ \
  "add r10, r10, #2\n" \
  "add r10, r10, r4, lsl #2\n" \
  "2:\n" \
  "ldm r11, {r4-r6, r12}\n" \
  "add r0, r0, r4\n" \
  "add r1, r1, r5\n" \
  "add r2, r2, r6\n" \
  "subs lr, lr, #1\n" \
  "bne 1b\n"

#endif /* ES_ASSEMBLY_DSP_H */
