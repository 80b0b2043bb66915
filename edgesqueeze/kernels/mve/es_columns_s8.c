/* Copies the inputs of a convolution column by column, int8, for MVE.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "es_columns_s8.h"

/* Up to 16 channels at a time: r6 channels left, r1 and r2 where they start. Then row by row (r4,
 * r10, r11), then column by column (lr, r8, r9). r3 columns, r5 row step, r12 column step, r0 the
 * struct, r7 bytes of a column in scratch memory. */
__attribute__((naked, noinline)) void es_columns_copy(const es_columns *columns
                                                      __attribute__((unused))) {
  __asm__ volatile(
      "push {r4-r11, lr}\n"
      "ldm r0, {r1, r2, r3, r4, r5, r6}\n"
      "mov r12, r6\n"
      "ldrd r6, r7, [r0, #24]\n"
      "1:\n"
      "vctp.8 r6\n"
      "ldr r4, [r0, #12]\n"
      "mov r10, r1\n"
      "mov r11, r2\n"
      "2:\n"
      "mov r8, r10\n"
      "mov r9, r11\n"
      "dls lr, r3\n"
      "cmp r6, #16\n"
      "bge 4f\n"
      "3:\n"
      "vpstt\n"
      "vldrbt.u8 q0, [r8]\n"
      "vstrbt.8 q0, [r9]\n"
      "add r8, r8, r12\n"
      "add r9, r9, r7\n"
      "le lr, 3b\n"
      "b 5f\n"
      "4:\n" /* 16 whole channels need no predicate */
      "vldrb.u8 q0, [r8]\n"
      "add r8, r8, r12\n"
      "vstrb.8 q0, [r9]\n"
      "add r9, r9, r7\n"
      "le lr, 4b\n"
      "5:\n"
      "ldr lr, [r0, #24]\n"
      "add r10, r10, r5\n"
      "add r11, r11, lr\n"
      "subs r4, r4, #1\n"
      "bne 2b\n"
      "add r1, r1, #16\n"
      "add r2, r2, #16\n"
      "subs r6, r6, #16\n"
      "bgt 1b\n"
      "pop {r4-r11, pc}\n");
}

/* r1 and r2 where a row starts and goes, r4 rows to go, r5 row step, r6 channels, r7 bytes of a
 * row, r8 places. Short rows are one vector, whose places stay in q1. */
__attribute__((naked, noinline)) void es_columns_scatter(const es_columns *columns
                                                         __attribute__((unused))) {
  __asm__ volatile(
      "push {r4-r9, lr}\n"
      "ldm r0, {r1, r2, r3, r4, r5}\n"
      "ldr r6, [r0, #24]\n"
      "ldr r8, [r0, #32]\n"
      "mul r7, r3, r6\n"
      "cmp r7, #16\n"
      "bgt 2f\n"
      "vctp.8 r7\n"
      "vpst\n"
      "vldrbt.u8 q1, [r8]\n"
      "dls lr, r4\n"
      "1:\n"
      "vpstt\n"
      "vldrbt.u8 q0, [r1]\n"
      "vstrbt.8 q0, [r2, q1]\n"
      "add r1, r1, r5\n"
      "add r2, r2, r6\n"
      "le lr, 1b\n"
      "pop {r4-r9, pc}\n"

      "2:\n"
      "mov r0, r1\n"
      "mov r9, r8\n"
      "dlstp.8 lr, r7\n"
      "3:\n"
      "vldrb.u8 q0, [r0], #16\n"
      "vldrb.u8 q1, [r9], #16\n"
      "vstrb.8 q0, [r2, q1]\n"
      "letp lr, 3b\n"
      "add r1, r1, r5\n"
      "add r2, r2, r6\n"
      "subs r4, r4, #1\n"
      "bne 2b\n"
      "pop {r4-r9, pc}\n");
}

__attribute__((naked, noinline)) void es_fill_bytes(int8_t *to __attribute__((unused)),
                                                    int8_t value __attribute__((unused)),
                                                    int32_t count __attribute__((unused))) {
  __asm__ volatile(
      "push {r4, lr}\n"
      "vdup.8 q0, r1\n"
      "wlstp.8 lr, r2, 2f\n"
      "1:\n"
      "vstrb.8 q0, [r0], #16\n"
      "letp lr, 1b\n"
      "2:\n"
      "pop {r4, pc}\n");
}

__attribute__((naked, noinline)) void es_copy_bytes(int8_t *to __attribute__((unused)),
                                                    const int8_t *from __attribute__((unused)),
                                                    int32_t count __attribute__((unused))) {
  __asm__ volatile(
      "push {r4, lr}\n"
      "wlstp.8 lr, r2, 2f\n"
      "1:\n"
      "vldrb.u8 q0, [r1], #16\n"
      "vstrb.8 q0, [r0], #16\n"
      "letp lr, 1b\n"
      "2:\n"
      "pop {r4, pc}\n");
}
