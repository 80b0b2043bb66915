/* Bytes of two indices each to the two weights, for cores with the DSP extension.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "es_assembly_dsp.h"
#include "es_pair_table.h"

/* The entries of the four bytes of a word, as two words.
 *
 *   r1  table    r6-r9  bytes, then entries */
#define FOUR(word, first, second)                      \
  "uxtb r6, " word "\n"                                \
  "ubfx r7, " word ", #8, #8\n"                        \
  "ubfx r8, " word ", #16, #8\n"                       \
  "lsr r9, " word ", #24\n"                            \
  "ldrh r6, [r1, r6, lsl #1]\n"                        \
  "ldrh r7, [r1, r7, lsl #1]\n"                        \
  "ldrh r8, [r1, r8, lsl #1]\n"                        \
  "ldrh r9, [r1, r9, lsl #1]\n"                        \
  "pkhbt " first ", r6, r7, lsl #16\n"                 \
  "pkhbt " second ", r8, r9, lsl #16\n"

/*   r0  indices    r2  weights    r3  bytes left    r4, r5  next indices */
ES_ASSEMBLY static void unpack_eights(const uint8_t *indices ES_UNUSED, const uint16_t *table ES_UNUSED,
                                      uint16_t *weights ES_UNUSED, int32_t bytes ES_UNUSED) {
  __asm__ volatile(
      "push {r4-r11}\n"
      "1:\n"
      "ldmia r0!, {r4, r5}\n"
      FOUR("r4", "r10", "r11")
      "strd r10, r11, [r2], #8\n"
      FOUR("r5", "r10", "r11")
      "subs r3, r3, #8\n"
      "strd r10, r11, [r2], #8\n"
      "bgt 1b\n"
      "pop {r4-r11}\n"
      "bx lr\n");
}

void es_unpack_indices(const uint8_t *indices, const uint16_t *table, uint16_t *weights, int32_t bytes) {
  const int32_t eights = bytes & ~(int32_t)7;
  if (eights > 0) {
    unpack_eights(indices, table, weights, eights);
  }
  for (int32_t i = eights; i < bytes; ++i) {
    weights[i] = table[indices[i]];
  }
}
