/* Lines of a 3x3 depthwise convolution of one channel, int8, for MVE.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "es_depthwise_strip_s8.h"

/* r0 from, r1 to, r2 count, r3 step; q0 and q1 offsets of eight inputs and of their copies. The
 * loop predicates its last step itself. */
__attribute__((naked, noinline)) void es_strip_fill(const int8_t *from __attribute__((unused)),
                                                    int8_t *to __attribute__((unused)),
                                                    int32_t count __attribute__((unused)),
                                                    int32_t step __attribute__((unused))) {
  __asm__ volatile(
      "push {r4, lr}\n"
      "mov r12, #0\n"
      "vidup.u16 q0, r12, #1\n"
      "mov r12, #0\n"
      "vmul.i16 q0, q0, r3\n"
      "vidup.u16 q1, r12, #4\n"
      "lsl r3, r3, #3\n"
      "dlstp.16 lr, r2\n"
      "1:\n"
      "vldrb.u16 q2, [r0, q0]\n"
      "add r0, r0, r3\n"
      "vstrb.16 q2, [r1, q1]\n"
      "add r1, r1, #32\n"
      "letp lr, 1b\n"
      "pop {r4, pc}\n");
}

/* As above; r4 is `places`. */
__attribute__((naked, noinline)) void es_strip_fill_all(
    const int8_t *from __attribute__((unused)), int8_t *to __attribute__((unused)),
    int32_t count __attribute__((unused)), int32_t step __attribute__((unused)),
    const uint16_t *places __attribute__((unused))) {
  __asm__ volatile(
      "push {r4, lr}\n"
      "ldr r4, [sp, #8]\n"
      "mov r12, #0\n"
      "vidup.u16 q0, r12, #1\n"
      "vmul.i16 q0, q0, r3\n"
      "lsl r3, r3, #3\n"
      "dlstp.16 lr, r2\n"
      "1:\n"
      "vldrb.u16 q2, [r0, q0]\n"
      "vldrh.u16 q1, [r4], #16\n"
      "add r0, r0, r3\n"
      "vstrb.16 q2, [r1, q1]\n"
      "vldrh.u16 q3, [r4], #16\n"
      "vstrb.16 q2, [r1, q3]\n"
      "letp lr, 1b\n"
      "pop {r4, pc}\n");
}

/* Registers of both functions below:
 *   r1 r3          next column of the strip, next output
 *   r5             step
 *   r7             what is left to do in a line
 *   r8 r9 r10 r11  bias, multiplier, addend, shift
 *   r12            the struct
 *   r0 r2 r4 r6    sums
 *   q0 to q3       weights
 *   q7             offsets of the outputs
 * The stack holds: strip, output, lines to go. */
#define BEGIN                        \
  "push {r4-r11, lr}\n"              \
  "vpush {d8-d15}\n"                 \
  "mov r12, r0\n"                    \
  "ldrd r1, r3, [r12]\n"             \
  "ldrd r5, r6, [r12, #16]\n"        \
  "ldrd r2, r4, [r12, #24]\n"        \
  "ldr r7, [r12, #40]\n"             \
  "ldrd r8, r9, [r12, #48]\n"        \
  "ldrd r10, r11, [r12, #56]\n"      \
  "vldrw.u32 q0, [r12, #64]\n"       \
  "vldrw.u32 q1, [r12, #80]\n"       \
  "vldrw.u32 q2, [r12, #96]\n"       \
  "vldrw.u32 q3, [r12, #112]\n"      \
  "vldrw.u32 q7, [r4]\n"             \
  "push {r1, r3, r7, lr}\n"          \
  "cbz r2, 1f\n"                     \
  "vrev32.16 q0, q0\n"               \
  "vrev32.16 q1, q1\n"               \
  "vrev32.16 q2, q2\n"               \
  "vrev32.16 q3, q3\n"               \
  "1:\n"

/* Back to 1: while there are lines. */
#define END                       \
  "ldrd r1, r3, [sp]\n"           \
  "ldrd r4, r6, [r12, #32]\n"     \
  "ldr r0, [sp, #8]\n"            \
  "add r1, r1, r4\n"              \
  "add r3, r3, r6\n"              \
  "subs r0, r0, #1\n"             \
  "strd r1, r3, [sp]\n"           \
  "str r0, [sp, #8]\n"            \
  "bgt 1b\n"                      \
  "add sp, sp, #16\n"             \
  "vpop {d8-d15}\n"               \
  "pop {r4-r11, pc}\n"

/* The four sums as a vector, scaled to 32-bit results. */
#define SCALE(sums, results)                  \
  "vmov " sums "[2], " sums "[0], r0, r4\n"   \
  "vmov " sums "[3], " sums "[1], r2, r6\n"   \
  "vadd.i32 " sums ", " sums ", r8\n"         \
  "vshr.s32 " results ", " sums ", #31\n"     \
  "vadd.i32 " results ", " results ", r10\n"  \
  "vqrdmlah.s32 " results ", " sums ", r9\n"  \
  "vshl.s32 " results ", r11\n"

#define SQUARE                   \
  "vldrw.u32 q4, [r1], #8\n"     \
  "vmladav.s8 r0, q4, q0\n"      \
  "vmladav.s8 r2, q4, q1\n"      \
  "vmladav.s8 r4, q4, q2\n"      \
  "vmladav.s8 r6, q4, q3\n"

#define SINGLE                   \
  SQUARE SCALE("q5", "q6")       \
  "vqmovnb.s32 q6, q6\n"         \
  "vqmovnb.s16 q6, q6\n"         \
  "vstrb.32 q6, [r3, q7]\n"

__attribute__((naked, noinline)) void es_strip_stride1(
    const es_strip_lines *lines __attribute__((unused))) {
  __asm__ volatile(
      BEGIN
      "ldrd r6, r7, [r12, #8]\n" /* pairs and singles */
      "wls lr, r6, 3f\n"
      "ldr r4, [r12, #28]\n"
      "vldrw.u32 q7, [r4, #16]\n"
      "2:\n"
      SQUARE SCALE("q5", "q6")
      SQUARE SCALE("q5", "q4")
      "vqmovnb.s32 q6, q6\n"
      "vqmovnt.s32 q6, q4\n"
      "vqmovnb.s16 q6, q6\n"
      "vstrb.16 q6, [r3, q7]\n"
      "add r3, r3, r5, lsl #1\n"
      "le lr, 2b\n"
      "ldr r4, [r12, #28]\n"
      "vldrw.u32 q7, [r4]\n"
      "3:\n"
      "wls lr, r7, 5f\n"
      "4:\n"
      SINGLE
      "add r3, r3, r5\n"
      "le lr, 4b\n"
      "5:\n"
      "ldr r6, [r12, #20]\n" /* back */
      "cbz r6, 6f\n"
      "sub r1, r1, #4\n"
      "sub r3, r3, r6\n"
      SINGLE
      "6:\n"
      END);
}

__attribute__((naked, noinline)) void es_strip_stride2(
    const es_strip_lines *lines __attribute__((unused))) {
  __asm__ volatile(
      BEGIN
      "ldr r7, [r12, #12]\n" /* outputs in a line */
      "2:\n"
      "vldrw.u32 q4, [r1], #8\n"
      "vmladav.s8 r0, q4, q0\n"
      "vldrw.u32 q5, [r1], #8\n"
      "vmladav.s8 r2, q5, q0\n"
      "vldrw.u32 q4, [r1], #8\n"
      "vmladav.s8 r4, q4, q0\n"
      "vldrw.u32 q5, [r1], #8\n"
      "vmladav.s8 r6, q5, q0\n"
      SCALE("q5", "q6")
      "vqmovnb.s32 q6, q6\n"
      "vqmovnb.s16 q6, q6\n"
      "vctp.32 r7\n"
      "vpst\n"
      "vstrbt.32 q6, [r3, q7]\n"
      "add r3, r3, r5\n"
      "subs r7, r7, #4\n"
      "bgt 2b\n"
      END);
}
