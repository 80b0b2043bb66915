/* Four pixels of more than 16 inputs by all output channels, int8, for MVE.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "es_multiply_s8.h"

/* Registers while a pair of channels is multiplied:
 *   r0 r2 r4 r6    sums of the first channel, pixels 0 to 3
 *   r8 r10 r12 lr  sums of the second channel (VMLADAVA accumulates in even registers only)
 *   r1 r5 r9 r11   next bytes of pixels 0 to 3
 *   r3             next weights
 *   r7             rounds to go
 *   q6 q7          results so far of the four channels: first and third, second and fourth
 * The stack holds a copy of the block, whose offsets are named below, and four addresses. */
#define PIXELS_01 "0"
#define PIXELS_23 "8"
#define TAIL_AND_SKIP "16"
#define ROUNDS "24"
#define WEIGHTS "32"
#define CHANNEL "36"
#define CHANNELS_END "40"
#define OUTPUT "44"
#define OFFSETS "48"
#define FIRST_CHANNEL "64"
#define GROUPS "68"
#define GROUP_STEP "72"
#define LIST "76"
#define ENTRY_FIRST "80"
#define ENTRY_SECOND "84"
#define START_FIRST "88"
#define START_SECOND "92"

#define FIRST_PIXELS                       \
  "ldrd r1, r5, [sp, #" PIXELS_01 "]\n"     \
  "ldrd r9, r11, [sp, #" PIXELS_23 "]\n"

/* The first step sets the sums. Its loads are predicated: only the last `tail` lanes hold data. */
#define FIRST_STEP                          \
  "ldrd r0, r2, [sp, #" TAIL_AND_SKIP "]\n" \
  FIRST_PIXELS                              \
  "sub r3, r3, r2\n"                        \
  "vpsttt\n"                                \
  "vldrbt.u8 q0, [r3]\n"                    \
  "vldrbt.u8 q2, [r1], #16\n"               \
  "vldrbt.u8 q3, [r5], #16\n"               \
  "add r3, r3, r0\n"                        \
  "vpsttt\n"                                \
  "vldrbt.u8 q1, [r3], #16\n"               \
  "vldrbt.u8 q4, [r9], #16\n"               \
  "vldrbt.u8 q5, [r11], #16\n"              \
  "vmladav.s8 r0, q0, q2\n"                 \
  "ldr r7, [sp, #" ROUNDS "]\n"             \
  "vmladav.s8 r8, q1, q2\n"                 \
  "vmladav.s8 r2, q0, q3\n"                 \
  "vmladav.s8 r10, q1, q3\n"                \
  "vmladav.s8 r4, q0, q4\n"                 \
  "vmladav.s8 r12, q1, q4\n"                \
  "vmladav.s8 r6, q0, q5\n"                 \
  "vmladav.s8 lr, q1, q5\n"

/* The same for a first step of 16. */
#define WHOLE_FIRST_STEP         \
  FIRST_PIXELS                   \
  STEP_OF("vmladav")             \
  "ldr r7, [sp, #" ROUNDS "]\n"

/* 128 multiplications. Loads stand between them, so that both units work at the same time. */
#define STEP_OF(multiply)        \
  "vldrb.u8 q0, [r3], #16\n"     \
  "vldrb.u8 q2, [r1], #16\n"     \
  multiply ".s8 r0, q0, q2\n"    \
  "vldrb.u8 q1, [r3], #16\n"     \
  multiply ".s8 r8, q1, q2\n"    \
  "vldrb.u8 q3, [r5], #16\n"     \
  multiply ".s8 r2, q0, q3\n"    \
  "vldrb.u8 q2, [r9], #16\n"     \
  multiply ".s8 r10, q1, q3\n"   \
  "vldrb.u8 q3, [r11], #16\n"    \
  multiply ".s8 r4, q0, q2\n"    \
  multiply ".s8 r12, q1, q2\n"   \
  multiply ".s8 r6, q0, q3\n"    \
  multiply ".s8 lr, q1, q3\n"

#define NEXT_STEP STEP_OF("vmladava")

/* The sums of a pair of channels become lanes, a channel's pixels in one vector, and are scaled to
 * 32-bit results in q2 and q3. Parameters are read from r7 plus these offsets. */
#define SCALE(bias_0, addend_0, bias_1, addend_1) \
  "ldr r7, [sp, #" CHANNEL "]\n"        \
  "vmov q0[2], q0[0], r0, r4\n"          \
  "vmov q0[3], q0[1], r2, r6\n"          \
  "ldrd r0, r2, [r7, #" bias_0 "]\n"     \
  "ldrd r4, r6, [r7, #" addend_0 "]\n"   \
  "vmov q1[2], q1[0], r8, r12\n"         \
  "vmov q1[3], q1[1], r10, lr\n"         \
  "ldrd r8, r10, [r7, #" bias_1 "]\n"    \
  "ldrd r12, lr, [r7, #" addend_1 "]\n"  \
  "vadd.i32 q0, q0, r0\n"                \
  "vadd.i32 q1, q1, r8\n"                \
  "vshr.s32 q2, q0, #31\n"               \
  "vshr.s32 q3, q1, #31\n"               \
  "vadd.i32 q2, q2, r4\n"                \
  "vadd.i32 q3, q3, r12\n"               \
  "vqrdmlah.s32 q2, q0, r2\n"            \
  "vqrdmlah.s32 q3, q1, r10\n"           \
  "vshl.s32 q2, r6\n"                    \
  "vshl.s32 q3, lr\n"

/* The alignment is for ADR, which counts from a multiple of four. */
__attribute__((naked, noinline, aligned(4))) void es_multiply_any_s8(
    const es_multiply *block __attribute__((unused))) {
  __asm__ volatile(
      "push {r4-r11, lr}\n"
      "vpush {d8-d15}\n"
      "sub sp, sp, #16\n"
      "add r1, r0, #32\n"
      "ldr r2, [r0, #72]\n"
      "ldr r3, [r0, #76]\n"
      "push {r2, r3}\n"
      "ldr r2, [r0, #64]\n"
      "ldr r3, [r0, #68]\n"
      "push {r2, r3}\n"
      "ldm r1, {r2-r9}\n"
      "push {r2-r9}\n"
      "ldm r0, {r2-r9}\n"
      "push {r2-r9}\n"
      /* r7 is skip, r9 first_round: where a pair's steps start, counted back from their end. */
      "vctp.8 r7\n"
      "vpnot\n"
      "adr.w r0, 2f\n"
      "adr.w r1, 4f\n"
      "sub r0, r0, r9\n"
      "sub r1, r1, r9\n"
      "orr r0, r0, #1\n"
      "orr r1, r1, #1\n"
      "strd r0, r1, [sp, #" ENTRY_FIRST "]\n"
      "adr.w r0, 7f\n"
      "adr.w r1, 8f\n"
      "cbnz r7, 9f\n"
      "adr.w r0, 10f\n"
      "adr.w r1, 11f\n"
      "9:\n"
      "orr r0, r0, #1\n"
      "orr r1, r1, #1\n"
      "strd r0, r1, [sp, #" START_FIRST "]\n"

      "6:\n" /* four pixels */
      "ldr r0, [sp, #" LIST "]\n"
      "ldr r7, [sp, #" FIRST_CHANNEL "]\n"
      "ldm r0!, {r1, r2, r3, r4}\n"
      "str r7, [sp, #" CHANNEL "]\n"
      "str r0, [sp, #" LIST "]\n"
      "strd r1, r2, [sp, #" PIXELS_01 "]\n"
      "strd r3, r4, [sp, #" PIXELS_23 "]\n"
      "ldr r3, [sp, #" WEIGHTS "]\n");
  /* A string has at most 4095 characters in C99: the code goes on here. */
  __asm__ volatile(
      "5:\n" /* four channels */
      "ldr.w pc, [sp, #" START_FIRST "]\n"
      "7:\n"
      FIRST_STEP
      "ldr.w pc, [sp, #" ENTRY_FIRST "]\n"
      "1:\n"
      ".rept 4\n" NEXT_STEP ".endr\n"
      "2:\n"
      "subs r7, r7, #1\n"
      "bgt 1b\n"
      SCALE("0", "8", "16", "24")
      "vqmovnb.s32 q6, q2\n"
      "vqmovnb.s32 q7, q3\n"

      "ldr.w pc, [sp, #" START_SECOND "]\n"
      "8:\n"
      FIRST_STEP
      "ldr.w pc, [sp, #" ENTRY_SECOND "]\n"
      "3:\n"
      ".rept 4\n" NEXT_STEP ".endr\n"
      "4:\n"
      "subs r7, r7, #1\n"
      "bgt 3b\n"
      SCALE("32", "40", "48", "56")
      "vqmovnt.s32 q6, q2\n"
      "vqmovnt.s32 q7, q3\n"

      /* A 32-bit lane of q2 gets the four channels of a pixel. */
      "ldr r1, [sp, #" OUTPUT "]\n"
      "vqmovnb.s16 q2, q6\n"
      "vldrw.u32 q3, [sp, #" OFFSETS "]\n"
      "vqmovnt.s16 q2, q7\n"
      "add r1, r1, r7, lsr #4\n"
      "ldr r0, [sp, #" CHANNELS_END "]\n"
      "adds r7, r7, #64\n"
      "str r7, [sp, #" CHANNEL "]\n"
      "vstrw.32 q2, [r1, q3]\n"
      "cmp r7, r0\n"
      "bne 5b\n"

      "ldrd r0, r1, [sp, #" GROUPS "]\n"
      "ldr r2, [sp, #" OUTPUT "]\n"
      "subs r0, r0, #1\n"
      "add r2, r2, r1\n"
      "str r0, [sp, #" GROUPS "]\n"
      "str r2, [sp, #" OUTPUT "]\n"
      "bne 6b\n"
      "add sp, sp, #96\n"
      "vpop {d8-d15}\n"
      "pop {r4-r11, pc}\n"

      "10:\n"
      WHOLE_FIRST_STEP
      "ldr.w pc, [sp, #" ENTRY_FIRST "]\n"
      "11:\n"
      WHOLE_FIRST_STEP
      "ldr.w pc, [sp, #" ENTRY_SECOND "]\n");
}
