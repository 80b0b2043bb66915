/* Four pixels of at most 16 inputs by all output channels, int8, for MVE.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "es_multiply_s8.h"

/* The pixels stay in registers. These are:
 *   r0 r2 r4 r6    sums of the first channel of a pair, pixels 0 to 3; then its parameters
 *   r8 r10 r12 lr  the same for the second channel (VMLADAV writes even registers only)
 *   r1 r3 r5 r9    next output, next weights, tail, skip
 *   r7 r11         next channel, end of the channels
 *   q2 to q5       the pixels
 *   q6 q7          results so far of four channels: first and third, second and fourth
 * The stack holds a copy of the block, whose offsets are named below. */
#define TAIL_AND_SKIP "16"
#define WEIGHTS "32"
#define CHANNELS_END "40"
#define OUTPUT "44"
#define OFFSETS "48"
#define CHANNELS "64"
#define GROUPS "68"
#define LIST "76"

/* Only the last `tail` lanes hold data. */
#define MULTIPLY                 \
  "sub r3, r3, r9\n"             \
  "vpst\n"                       \
  "vldrbt.u8 q0, [r3]\n"         \
  "add r3, r3, r5\n"             \
  "vpst\n"                       \
  "vldrbt.u8 q1, [r3], #16\n"    \
  "vmladav.s8 r0, q0, q2\n"      \
  "vmladav.s8 r2, q0, q3\n"      \
  "vmladav.s8 r4, q0, q4\n"      \
  "vmladav.s8 r6, q0, q5\n"      \
  "vmladav.s8 r8, q1, q2\n"      \
  "vmladav.s8 r10, q1, q3\n"     \
  "vmladav.s8 r12, q1, q4\n"     \
  "vmladav.s8 lr, q1, q5\n"

/* A channel's sums become lanes of q0, its 32-bit results lanes of q1. Its parameters are read from
 * r7 + bias and r7 + addend. */
#define SCALE(sum0, sum1, sum2, sum3, bias, addend)    \
  "vmov q0[2], q0[0], " sum0 ", " sum2 "\n"            \
  "vmov q0[3], q0[1], " sum1 ", " sum3 "\n"            \
  "ldrd " sum0 ", " sum1 ", [r7, #" bias "]\n"         \
  "ldrd " sum2 ", " sum3 ", [r7, #" addend "]\n"       \
  "vadd.i32 q0, q0, " sum0 "\n"                        \
  "vshr.s32 q1, q0, #31\n"                             \
  "vadd.i32 q1, q1, " sum2 "\n"                        \
  "vqrdmlah.s32 q1, q0, " sum1 "\n"                    \
  "vshl.s32 q1, " sum3 "\n"

#define SCALE_FIRST(bias, addend) SCALE("r0", "r2", "r4", "r6", bias, addend)
#define SCALE_SECOND(bias, addend) SCALE("r8", "r10", "r12", "lr", bias, addend)

__attribute__((naked, noinline)) void es_multiply_16_s8(
    const es_multiply *block __attribute__((unused))) {
  __asm__ volatile(
      "push {r4-r11, lr}\n"
      "vpush {d8-d15}\n"
      "add r1, r0, #48\n"
      "ldm r1, {r2-r9}\n"
      "push {r2-r9}\n"
      "add r1, r0, #16\n"
      "ldm r1, {r2-r9}\n"
      "push {r2-r9}\n"
      "sub sp, sp, #16\n"
      "vctp.8 r3\n" /* skip */
      "vpnot\n"
      "1:\n" /* four pixels */
      "ldr r0, [sp, #" LIST "]\n"
      "ldrd r5, r9, [sp, #" TAIL_AND_SKIP "]\n"
      "ldm r0!, {r1, r3, r4, r6}\n"
      "vpstttt\n"
      "vldrbt.u8 q2, [r1]\n"
      "vldrbt.u8 q3, [r3]\n"
      "vldrbt.u8 q4, [r4]\n"
      "vldrbt.u8 q5, [r6]\n"
      "str r0, [sp, #" LIST "]\n"
      "ldr r1, [sp, #" OUTPUT "]\n"
      "ldr r7, [sp, #" CHANNELS "]\n"
      "ldr r3, [sp, #" WEIGHTS "]\n"
      "add r1, r1, r7, lsr #4\n"
      "ldr r11, [sp, #" CHANNELS_END "]\n"

      "2:\n" /* four channels */
      MULTIPLY
      SCALE_FIRST("0", "8")
      "vqmovnb.s32 q6, q1\n"
      SCALE_SECOND("16", "24")
      "vqmovnb.s32 q7, q1\n"
      MULTIPLY
      SCALE_FIRST("32", "40")
      "vqmovnt.s32 q6, q1\n"
      SCALE_SECOND("48", "56")
      "vqmovnt.s32 q7, q1\n"
      /* A 32-bit lane of q1 gets the four channels of a pixel. */
      "vldrw.u32 q0, [sp, #" OFFSETS "]\n"
      "vqmovnb.s16 q1, q6\n"
      "adds r7, r7, #64\n"
      "vqmovnt.s16 q1, q7\n"
      "vstrw.32 q1, [r1, q0]\n"
      "cmp r7, r11\n"
      "add r1, r1, #4\n"
      "bne 2b\n"

      "ldrd r0, r1, [sp, #" GROUPS "]\n" /* and the step from group to group */
      "ldr r2, [sp, #" OUTPUT "]\n"
      "subs r0, r0, #1\n"
      "add r2, r2, r1\n"
      "str r0, [sp, #" GROUPS "]\n"
      "str r2, [sp, #" OUTPUT "]\n"
      "bne 1b\n"
      "add sp, sp, #80\n"
      "vpop {d8-d15}\n"
      "pop {r4-r11, pc}\n");
}
