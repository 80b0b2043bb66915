/* Fully connected layer that adds up the inputs of a value, then multiplies once, int8.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "es_packed.h"
#include "es_scale_s8.h"

enum { BLOCK = 8, /* channels that are unpacked together */ SEGMENT = 255 };

int32_t es_factored_fully_connected_s8_scratch_bytes(const es_fully_connected *layer) {
  (void)layer;
  return BLOCK * (int32_t)sizeof(es_channel);
}

/* Adds the products of an output to its sum. Returns where the weights of the next one begin. */
#if defined(__ARM_ARCH_6M__) || defined(__ARM_ARCH_8M_BASE__) || defined(__ARM_ARCH_7M__)

/* A list of inputs jumps into 32 steps of 6 bytes, from the back: as many as it has are carried out.
 *
 *   r0  next byte    r1  segment of the inputs    r2  spare    r3  inputs of the value    r4  places of the list
 *   r5  values left  r6  sum    r7  segments left    r8  inputs    r9  segments    lr  where the sum goes */
__attribute__((naked, noinline)) static const uint8_t *add_products(const uint8_t *stream __attribute__((unused)),
                                                                    const int8_t *input __attribute__((unused)),
                                                                    int32_t segments __attribute__((unused)),
                                                                    int32_t *total __attribute__((unused))) {
  __asm__ volatile(
      ".syntax unified\n"
      "push {r4-r7, lr}\n"
      "mov r4, r8\n"
      "mov r5, r9\n"
      "push {r4, r5}\n"
      "mov r8, r1\n"
      "mov r9, r2\n"
      "mov lr, r3\n"
      "ldr r6, [r3]\n"
      "ldrb r5, [r0]\n"
      "adds r0, r0, #1\n"
      "cmp r5, #0\n"
      "bne 2f\n"
      "b 4f\n"
      "1:\n"
      ".irp i,31,30,29,28,27,26,25,24,23,22,21,20,19,18,17,16,15,14,13,12,11,10,9,8,7,6,5,4,3,2,1,0\n"
      "ldrb r2, [r0, #\\i]\n"
      "ldrsb r2, [r1, r2]\n"
      "adds r3, r3, r2\n"
      ".endr\n"
      "adds r0, r0, r4\n"
      "adds r1, r1, #255\n"
      "subs r7, r7, #1\n"
      "bne 3f\n"
      "ldrb r2, [r0]\n" /* the value */
      "adds r0, r0, #1\n"
      "sxtb r2, r2\n"
      "muls r2, r3, r2\n"
      "adds r6, r6, r2\n"
      "subs r5, r5, #1\n"
      "beq 4f\n"
      "2:\n"
      "mov r1, r8\n"
      "mov r7, r9\n"
      "movs r3, #0\n"
      "3:\n"
      "ldrb r4, [r0]\n"
      "adds r0, r0, #1\n"
      "lsls r2, r4, #1\n"
      "adds r2, r2, r4\n"
      "lsls r2, r2, #1\n"
      "rsbs r2, r2, #0\n"
      "subs r2, r2, #46\n" /* from behind the next instruction but one to behind the steps */
      "add pc, r2\n"
      "4:\n"
      "mov r3, lr\n"
      "str r6, [r3]\n"
      "pop {r4, r5}\n"
      "mov r8, r4\n"
      "mov r9, r5\n"
      "pop {r4-r7, pc}\n");
}

#else

static const uint8_t *add_products(const uint8_t *stream, const int8_t *input, int32_t segments, int32_t *total) {
  for (int32_t values = *stream++; values > 0; --values) {
    const int8_t *segment = input;
    int32_t inputs = 0;
    for (int32_t i = 0; i < segments; ++i, segment += SEGMENT) {
      for (int32_t count = *stream++; count > 0; --count) {
        inputs += segment[*stream++];
      }
    }
    *total += (int8_t)*stream++ * inputs;
  }
  return stream;
}

#endif

void es_factored_fully_connected_s8(const es_fully_connected *layer, const int8_t *input, int8_t *output,
                                    void *scratch) {
  es_channel *const channels = (es_channel *)scratch;
  const uint8_t *stream = (const uint8_t *)layer->weights;
  const int32_t segments = (layer->in_features + SEGMENT - 1) / SEGMENT;
  for (int32_t first = 0; first < layer->out_features; first += BLOCK) {
    const int32_t left = layer->out_features - first;
    const int32_t count = left < BLOCK ? left : BLOCK;
    es_unpack_channels(&layer->channels, first, count, channels);
    for (int32_t i = 0; i < count; ++i) {
      int32_t sum = channels[i].bias;
      stream = add_products(stream, input, segments, &sum);
      *output++ = es_scale_s8(sum, &channels[i]);
    }
  }
}
