/* Weights of two outputs in turn to words that both share.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "es_join_pairs_dsp.h"

#include "es_assembly_dsp.h"

/* A negative odd weight borrows from the even one.
 *
 *   r0  weights    r1  bytes left    r4-r7  pairs    r8-r11  odd weights    r12  mask of the odd bytes */
ES_ASSEMBLY void es_join_pairs_dsp(int8_t *weights ES_UNUSED, int32_t bytes ES_UNUSED) {
  __asm__ volatile(
      "push {r4-r11}\n"
      "mov r12, #0x00ff00ff\n"
      "1:\n"
      "ldm r0, {r4-r7}\n"
      "sxtb16 r8, r4\n"
      "sxtb16 r9, r5\n"
      "sxtb16 r10, r6\n"
      "sxtb16 r11, r7\n"
      "bic r4, r4, r12\n"
      "bic r5, r5, r12\n"
      "bic r6, r6, r12\n"
      "bic r7, r7, r12\n"
      "sadd16 r4, r4, r8\n"
      "sadd16 r5, r5, r9\n"
      "sadd16 r6, r6, r10\n"
      "sadd16 r7, r7, r11\n"
      "subs r1, r1, #16\n"
      "stmia r0!, {r4-r7}\n"
      "bgt 1b\n"
      "pop {r4-r11}\n"
      "bx lr\n");
}
