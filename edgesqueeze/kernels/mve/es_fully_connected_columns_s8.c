/* Fully connected layer that skips blocks of zeros, 4 outputs x 1 input, int8, for MVE.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Of every four outputs the inputs that they need are gathered, 16 at a time. Weights: see es_packed.h.
 */
#include <arm_mve.h>

#include "es_blocks_s8.h"

enum { UNPACKED = 16 }; /* channels at a time, a multiple of ES_DENSE_OUTPUTS */

/* What the assembly gets; the order of the members is known to it. */
typedef struct {
  const int8_t *input;
  int32_t segments;
  int32_t *sums;
  int32_t groups;
  const int8_t *weights;
  const uint8_t *places;
} group_run;

/* The sums of all groups of outputs.
 *
 *   r1  input of the segment    r5, r7, r9, r10  next weights of outputs 0 to 3    r8   the next segment's
 *   r3  next places             r0, r2, r4, r6   their sums                        r11  the next segment's
 *   r12 segments left           lr               places left
 *
 * Stack: 0 input, 4 segments, 8 sums, 12 groups left. */
__attribute__((naked, noinline)) static void add_products(const group_run *run __attribute__((unused))) {
  __asm__ volatile(
      "push {r4-r11, lr}\n"
      "ldrd r8, r11, [r0, #16]\n"
      "ldm r0, {r1-r4}\n"
      "push {r1-r4}\n"
      "1:\n" /* next four outputs */
      "ldrd r1, r12, [sp]\n"
      "movs r0, #0\n"
      "movs r2, #0\n"
      "movs r4, #0\n"
      "movs r6, #0\n"
      "2:\n" /* next segment */
      "ldrb lr, [r11], #1\n"
      "mov r3, r11\n"
      "mov r5, r8\n"
      "add r11, r11, lr\n"
      "add r7, r5, lr\n"
      "add r9, r7, lr\n"
      "add r10, r9, lr\n"
      "add r8, r10, lr\n"
      "wlstp.8 lr, lr, 4f\n"
      "3:\n"
      "vldrb.u8 q0, [r3], #16\n"
      "vldrb.u8 q1, [r5], #16\n"
      "vldrb.u8 q2, [r1, q0]\n"
      "vmladava.s8 r0, q1, q2\n"
      "vldrb.u8 q3, [r7], #16\n"
      "vmladava.s8 r2, q3, q2\n"
      "vldrb.u8 q1, [r9], #16\n"
      "vmladava.s8 r4, q1, q2\n"
      "vldrb.u8 q3, [r10], #16\n"
      "vmladava.s8 r6, q3, q2\n"
      "letp lr, 3b\n"
      "4:\n"
      "add r1, r1, #255\n" /* ES_COLUMNS_SEGMENT */
      "subs r12, r12, #1\n"
      "bne 2b\n"
      "ldrd r1, r3, [sp, #8]\n"
      "strd r0, r2, [r1], #8\n"
      "strd r4, r6, [r1], #8\n"
      "subs r3, r3, #1\n"
      "strd r1, r3, [sp, #8]\n"
      "bne 1b\n"
      "add sp, sp, #16\n"
      "pop {r4-r11, pc}\n");
}

/* Four sums, with biases, to outputs, of which `valid` are written. */
static inline void store(int32x4_t sums, int32x4_t scaled, int32x4_t addends, int32x4_t shifts, int8_t *output,
                         mve_pred16_t valid) {
  const int32x4_t value = vshlq_s32(vaddq_s32(vaddq_s32(scaled, addends), vshrq_n_s32(sums, 31)), vnegq_s32(shifts));
  const int32x4_t least = vmaxq_s32(value, vdupq_n_s32(-128));
  vstrbq_p_s32(output, vminq_s32(least, vdupq_n_s32(127)), valid);
}

/* Outputs that share all but their biases. */
static void scale_shared(const es_fully_connected *layer, const int32_t *sums, int8_t *output) {
  const int32_t *biases = (const int32_t *)layer->channels.records;
  es_channel shared;
  es_unpack_channels(&layer->channels, 0, 1, &shared);
  const int32x4_t addends = vdupq_n_s32(shared.addend);
  const int32x4_t shifts = vdupq_n_s32(shared.shift);
  for (int32_t left = layer->out_features; left > 0; left -= ES_DENSE_OUTPUTS) {
    const mve_pred16_t valid = vctp32q((uint32_t)left);
    const int32x4_t all = vaddq_s32(vldrwq_s32(sums), vldrwq_z_s32(biases, valid));
    store(all, vqrdmulhq_n_s32(all, shared.multiplier), addends, shifts, output, valid);
    sums += ES_DENSE_OUTPUTS;
    biases += ES_DENSE_OUTPUTS;
    output += ES_DENSE_OUTPUTS;
  }
}

int32_t es_fully_connected_columns_s8_scratch_bytes(const es_fully_connected *layer) {
  const int32_t outputs = (layer->out_features + ES_DENSE_OUTPUTS - 1) & ~(ES_DENSE_OUTPUTS - 1);
  return UNPACKED * (int32_t)sizeof(es_channel) + outputs * (int32_t)sizeof(int32_t);
}

void es_fully_connected_columns_s8(const es_fully_connected *layer, const int8_t *input, int8_t *output,
                                   void *scratch) {
  const int32_t outputs = layer->out_features;
  es_channel *const channels = (es_channel *)scratch;
  int32_t *const sums = (int32_t *)(void *)(channels + UNPACKED);
  const group_run run = {input,
                         (layer->in_features + ES_COLUMNS_SEGMENT - 1) / ES_COLUMNS_SEGMENT,
                         sums,
                         (outputs + ES_DENSE_OUTPUTS - 1) / ES_DENSE_OUTPUTS,
                         es_blocks_words(layer->weights),
                         es_blocks_skips(layer->weights)};
  add_products(&run);
  if (layer->channels.format == ES_CHANNELS_SHARED) {
    scale_shared(layer, sums, output);
    return;
  }
  for (int32_t first = 0; first < outputs; first += UNPACKED) {
    const int32_t some = outputs - first < UNPACKED ? outputs - first : UNPACKED;
    es_unpack_channels(&layer->channels, first, some, channels);
    for (int32_t i = 0; i < some; i += ES_DENSE_OUTPUTS) {
      const int32x4x4_t four = vld4q_s32((const int32_t *)(const void *)(channels + i));
      const int32x4_t all = vaddq_s32(vldrwq_s32(sums + first + i), four.val[0]);
      store(all, vqrdmulhq_s32(all, four.val[1]), four.val[2], four.val[3], output + first + i,
            vctp32q((uint32_t)(some - i)));
    }
  }
}
