/* Marks for the emulator, included before everything else in a build for it. A mark is no
 * instruction: it is an entry of the section .es_marks, which is not loaded, with the address of
 * the instruction that follows and a number. So the marked code runs as fast, and is as large, as
 * the code of a user.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ES_BENCH_MARKS_H
#define ES_BENCH_MARKS_H

#define MARK_BEGIN 0x10000 /* an inference begins */
#define MARK_END 0x10001   /* and has ended */

#define MARK(number)                                    \
  __asm__ volatile(                                     \
      ".pushsection .es_marks, \"\", %%progbits\n"      \
      ".word 1f, %c0\n"                                 \
      ".popsection\n"                                   \
      "1:"                                              \
      :                                                 \
      : "i"(number)                                     \
      : "memory")

#ifndef ES_EMULATED_PROGRAM /* whose author divides it into parts */
#define ES_LAYER_HOOK(index) MARK(index)
#endif

#endif /* ES_BENCH_MARKS_H */
