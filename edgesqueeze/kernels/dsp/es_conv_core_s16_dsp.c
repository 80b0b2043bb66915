/* The inner part of convolutions of int16 for cores with the DSP extension: 3 pixels, all channels.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "es_conv_core_s16_dsp.h"

#include "es_assembly_dsp.h"

enum { UNROLLED = 8, STEP_CODE_BYTES = 72 };

int32_t es_core_entry_s16(int32_t steps) {
  return (-steps & (UNROLLED - 1)) * STEP_CODE_BYTES + 1; /* Thumb state */
}

/* The sums of one weight word's channel in three pixels. */
#define PRODUCTS(weights, a, b, c)          \
  "smlad " a ", r1, " weights ", " a "\n"   \
  "smlad " b ", r2, " weights ", " b "\n"   \
  "smlad " c ", r3, " weights ", " c "\n"

/* Three sums to int16: `shift` is a register that holds the channel's. */
#define LIMIT(shift, a, b, c)            \
  "asr " a ", " a ", " shift "\n"        \
  "asr " b ", " b ", " shift "\n"        \
  "asr " c ", " c ", " shift "\n"        \
  "tst " shift ", #0x40000000\n"         \
  "ittt ne\n"                            \
  "usatne " a ", #15, " a "\n"           \
  "usatne " b ", #15, " b "\n"           \
  "usatne " c ", #15, " c "\n"           \
  "ssat " a ", #16, " a "\n"             \
  "ssat " b ", #16, " b "\n"             \
  "ssat " c ", #16, " c "\n"             \
  "strh " c ", [r6, r1]\n"               \
  "strh " b ", [r6, r0]\n"               \
  "strh " a ", [r6], #2\n"

/* Two channels by 3 pixels a turn.
 *
 *   r0      inputs       r1-r3   two inputs of the pixels a, b, c
 *   lr      weights      r4-r6   weights of 4 inputs, two of them widened
 *   r7-r9   sums of the first channel    r10-r12  of the second
 *
 * Stack: 0 inputs, 4 six zeros, 28 where to enter the loop, 32 channels, 36 output, 40 offset_b, 44 offset_c,
 * 48 end of the inputs, 52 sums. One LDM starts a turn: it sets r0, clears the sums and jumps into the unrolled
 * loop. SMMLA multiplies and adds what rounds the product's upper half. */
ES_ASSEMBLY void es_conv_core_s16_dsp(const es_core_run_s16 *run ES_UNUSED) {
  __asm__ volatile(
      "push {r4-r11, lr}\n"
      "sub sp, sp, #56\n"
      "ldm r0, {r0-r8}\n"
      "mov lr, r1\n"
      "adr.w r9, 2f\n"
      "add r2, r2, r9\n"
      "add r9, sp, #28\n"
      "stm r9, {r2-r8}\n"
      "movs r4, #0\n"
      "strd r0, r4, [sp]\n"
      "strd r4, r4, [sp, #8]\n"
      "strd r4, r4, [sp, #16]\n"
      "str r4, [sp, #24]\n"

      "1:\n" /* next two channels */
      "ldm sp, {r0, r7-r12, pc}\n"
      ".balign 4\n"
      "2:\n"
      ".rept 8\n" /* UNROLLED */
      "ldrd r4, r5, [lr], #8\n"
      "ldmia r0!, {r1, r2, r3}\n"
      "sxtb16 r6, r4\n"
      PRODUCTS("r6", "r7", "r8", "r9")
      "sxtb16 r6, r5\n"
      PRODUCTS("r6", "r10", "r11", "r12")
      "ldmia r0!, {r1, r2, r3}\n"
      "sxtb16 r4, r4, ror #8\n"
      PRODUCTS("r4", "r7", "r8", "r9")
      "sxtb16 r5, r5, ror #8\n"
      PRODUCTS("r5", "r10", "r11", "r12")
      ".endr\n"
      "ldr r6, [sp, #48]\n"
      "cmp r0, r6\n"
      "bne.w 2b\n"

      "ldrd r5, r6, [sp, #32]\n" /* channels, output */
      "cmp r5, #0\n"
      "beq.w 3f\n"
      "ldmia r5!, {r0-r3}\n" /* bias, multiplier, addend, shift */
      "add r7, r7, r0\n"
      "add r8, r8, r0\n"
      "add r9, r9, r0\n"
      "smmla r7, r7, r1, r2\n"
      "smmla r8, r8, r1, r2\n"
      "smmla r9, r9, r1, r2\n"
      "ldrd r0, r1, [sp, #40]\n"
      LIMIT("r3", "r7", "r8", "r9")
      "ldmia r5!, {r2, r3, r4, r7}\n"
      "add r10, r10, r2\n"
      "add r11, r11, r2\n"
      "add r12, r12, r2\n"
      "smmla r10, r10, r3, r4\n"
      "smmla r11, r11, r3, r4\n"
      "smmla r12, r12, r3, r4\n"
      LIMIT("r7", "r10", "r11", "r12")
      "strd r5, r6, [sp, #32]\n"
      "cmp r7, #0\n"
      "bge.w 1b\n"
      "b 4f\n"

      "3:\n"
      "ldr r0, [sp, #52]\n"
      "stm r0, {r7-r12}\n"
      "4:\n"
      "add sp, sp, #56\n"
      "pop {r4-r11, pc}\n");
}
