/* The highest bit of a word that is set.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ES_NEXT_BIT_H
#define ES_NEXT_BIT_H

#include <stdint.h>

/* Cores that find a set bit in one instruction; the others look at bit after bit. */
#if !defined(__ARM_ARCH) || __ARM_ARCH >= 7
#define ES_HAS_CLZ 1
#else
#define ES_HAS_CLZ 0
#endif

#endif /* ES_NEXT_BIT_H */
