/* Four rows times a vector, int8, with the DSP extension: two products an instruction.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "es_assembly_dsp.h"
#include "es_lstm.h"

/* Adds four products of int8 to a sum: those of a row, in r3, with the vector's, in r10 and r11 as int16. */
#define ADD_FOUR(sum)                   \
  "sxtb16 r9, r3\n"                     \
  "sxtb16 r3, r3, ror #8\n"             \
  "smlad " sum ", r9, r10, " sum "\n"   \
  "smlad " sum ", r3, r11, " sum "\n"

/* One product. */
#define ADD_ONE(sum) "smlabb " sum ", r3, r10, " sum "\n"

/*   r0      first row    r2   bytes from a row to the next    r4-r7   sums           r12   end of the vector's words
 *   r1      vector       r8   three times that                r9      even inputs    lr    sums in memory
 *   r3      inputs of a row                                   r10, r11  vector's inputs */
ES_ASSEMBLY void es_dot_4_s8(const int8_t *rows ES_UNUSED, const int8_t *vector ES_UNUSED, int32_t count ES_UNUSED,
                             uint32_t sums[4] ES_UNUSED) {
  __asm__ volatile(
      "push {r4-r11, lr}\n"
      "mov lr, r3\n"
      "ldm r3, {r4-r7}\n"
      "add r8, r2, r2, lsl #1\n"
      "bic r12, r2, #3\n"
      "adds r12, r12, r1\n"
      "cmp r1, r12\n"
      "beq 2f\n"

      "1:\n"
      "ldr r11, [r1], #4\n"
      "ldr r3, [r0, r2]\n"
      "sxtb16 r10, r11\n"
      "sxtb16 r11, r11, ror #8\n"
      ADD_FOUR("r5")
      "ldr r3, [r0, r2, lsl #1]\n"
      ADD_FOUR("r6")
      "ldr r3, [r0, r8]\n"
      ADD_FOUR("r7")
      "ldr r3, [r0], #4\n"
      ADD_FOUR("r4")
      "cmp r1, r12\n"
      "bne 1b\n"

      "2:\n" /* up to three inputs more */
      "ands r12, r2, #3\n"
      "beq 4f\n"
      "3:\n"
      "ldrsb r10, [r1], #1\n"
      "ldrsb r3, [r0, r2]\n"
      ADD_ONE("r5")
      "ldrsb r3, [r0, r2, lsl #1]\n"
      ADD_ONE("r6")
      "ldrsb r3, [r0, r8]\n"
      ADD_ONE("r7")
      "ldrsb r3, [r0], #1\n"
      ADD_ONE("r4")
      "subs r12, r12, #1\n"
      "bne 3b\n"

      "4:\n"
      "stm lr, {r4-r7}\n"
      "pop {r4-r11, pc}\n");
}
