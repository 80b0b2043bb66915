/* What loops in assembly keep beside the core's 14 registers: in registers of the FPU, where there is one, because a
 * move takes a cycle and a load two; in the stack elsewhere.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Places are numbers, 0 to 15: s0 to s15, which no function saves, or words from the stack pointer on.
 */
#ifndef ES_KEPT_DSP_H
#define ES_KEPT_DSP_H

#if defined(__ARM_FP)
#define ES_KEEP(place, from) "vmov s" #place ", " from "\n"
#define ES_KEPT(to, place) "vmov " to ", s" #place "\n"
#else
#define ES_KEEP(place, from) "str " from ", [sp, #4*" #place "]\n"
#define ES_KEPT(to, place) "ldr " to ", [sp, #4*" #place "]\n"
#endif

#endif /* ES_KEPT_DSP_H */
