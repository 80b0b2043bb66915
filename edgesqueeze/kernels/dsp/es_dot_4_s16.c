/* Four sums of products of int8 weights and the same int16 values with the DSP extension: two products an instruction.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "es_assembly_dsp.h"
#include "es_s16.h"

enum { CHUNK = 256 }; /* products whose sum fits into 32 bits */

/* Adds four products to a sum: those of a row, in r9, with the inputs 0 and 2, in r10, and 1 and 3, in r11. */
#define ADD_FOUR(sum)                    \
  "sxtb16 r12, r9\n"                     \
  "sxtb16 r9, r9, ror #8\n"              \
  "smlad " sum ", r12, r10, " sum "\n"   \
  "smlad " sum ", r9, r11, " sum "\n"

/* One product. */
#define ADD_ONE(sum) "smlabb " sum ", r9, r10, " sum "\n"

/* Adds what was summed up to a sum of 64 bits. */
#define KEEP(sum)                        \
  "ldrd r1, r2, [r0]\n"                  \
  "adds r1, r1, " sum "\n"               \
  "adc r2, r2, " sum ", asr #31\n"       \
  "strd r1, r2, [r0], #8\n"

/* A chunk, or less.
 *
 *   r0   first row    r1  bytes from a row to the next    r3      products left     r9       inputs of a row
 *   r2   inputs       r8  three times that                r4-r7   sums              r10-r12  inputs
 *   lr   end of the first row's words */
ES_ASSEMBLY static void add_chunk(const int8_t *weights ES_UNUSED, int32_t pitch ES_UNUSED,
                                  const int16_t *inputs ES_UNUSED, int32_t count ES_UNUSED,
                                  int64_t sums[4] ES_UNUSED) {
  __asm__ volatile(
      "push {r4-r11, lr}\n"
      "movs r4, #0\n"
      "movs r5, #0\n"
      "movs r6, #0\n"
      "movs r7, #0\n"
      "add r8, r1, r1, lsl #1\n"
      "bic lr, r3, #3\n"
      "ands r3, r3, #3\n"
      "adds lr, lr, r0\n"
      "cmp r0, lr\n"
      "beq 2f\n"

      "1:\n"
      "ldr r11, [r2], #4\n"
      "ldr r12, [r2], #4\n"
      "ldr r9, [r0, r1]\n"
      "pkhbt r10, r11, r12, lsl #16\n"
      "pkhtb r11, r12, r11, asr #16\n"
      ADD_FOUR("r5")
      "ldr r9, [r0, r1, lsl #1]\n"
      ADD_FOUR("r6")
      "ldr r9, [r0, r8]\n"
      ADD_FOUR("r7")
      "ldr r9, [r0], #4\n"
      ADD_FOUR("r4")
      "cmp r0, lr\n"
      "bne 1b\n"

      "2:\n" /* up to three inputs more */
      "cbz r3, 4f\n"
      "3:\n"
      "ldrsh r10, [r2], #2\n"
      "ldrsb r9, [r0, r1]\n"
      ADD_ONE("r5")
      "ldrsb r9, [r0, r1, lsl #1]\n"
      ADD_ONE("r6")
      "ldrsb r9, [r0, r8]\n"
      ADD_ONE("r7")
      "ldrsb r9, [r0], #1\n"
      ADD_ONE("r4")
      "subs r3, r3, #1\n"
      "bne 3b\n"

      "4:\n"
      "ldr r0, [sp, #36]\n"
      KEEP("r4")
      KEEP("r5")
      KEEP("r6")
      KEEP("r7")
      "pop {r4-r11, pc}\n");
}

void es_dot_4_s16(const int8_t *weights, int32_t pitch, const int16_t *inputs, int32_t count, int64_t sums[4]) {
  for (; count > CHUNK; count -= CHUNK, weights += CHUNK, inputs += CHUNK) {
    add_chunk(weights, pitch, inputs, CHUNK, sums);
  }
  add_chunk(weights, pitch, inputs, count, sums);
}
