/* How functions in assembly are declared.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Where an inner loop needs all 14 registers, the whole function is assembly: it saves what the calling
 * convention says itself, so that it compiles at every optimization level, and costs the same. Its parameters
 * look unused to the compiler; `used` keeps it from leaving them out.
 */
#ifndef ES_ASSEMBLY_DSP_H
#define ES_ASSEMBLY_DSP_H

#define ES_ASSEMBLY __attribute__((naked, noinline, used))
#define ES_UNUSED __attribute__((unused))

#endif /* ES_ASSEMBLY_DSP_H */
