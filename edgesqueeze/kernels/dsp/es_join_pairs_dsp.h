/* Weights of two outputs in turn to words that both share.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ES_JOIN_PAIRS_DSP_H
#define ES_JOIN_PAIRS_DSP_H

#include <stdint.h>

/* Bytes odd, even, odd, even, ... to halfwords 256 * even + odd, at the same place; whole blocks of 16 bytes, at
 * least one. */
void es_join_pairs_dsp(int8_t *weights, int32_t bytes);

#endif /* ES_JOIN_PAIRS_DSP_H */
