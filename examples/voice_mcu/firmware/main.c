/* Spoken digits on a board: the microphone fills one half of a buffer by DMA while the other is worked on.
 * SPDX-License-Identifier: Apache-2.0
 *
 * What depends on the board are the three functions below, which the project of the board has to define. On an
 * Arduino Nano 33 BLE Sense the microphone gives PDM, which the nRF52840 turns into int16 by itself at 16 kHz:
 * microphone_start() sets that up, and the interrupt hands over every second sample behind a low-pass. On a Pico
 * a microphone with I2S and a state machine of the PIO do it. None of this has run on a board.
 */
#include <stdbool.h>

#include "voice.h"

/* Starts the microphone: 8,000 samples a second, int16. */
void microphone_start(void);

/* Waits, asleep, for the next 200 samples; false if some were lost. */
bool microphone_read(int16_t *samples);

/* Acts on a word: a digit, or one of VOICE_UNKNOWN, VOICE_SILENCE, VOICE_TOO_LONG. */
void command(int heard);

static voice listener;

int main(void) {
  static int16_t samples[MFCC_HOP];
  if (voice_init(&listener) != 0) {
    return 1;
  }
  microphone_start();
  for (;;) {
    if (!microphone_read(samples)) {
      continue; /* 25 ms are missing: a word may be, the next one is not */
    }
    const int heard = voice_push(&listener, samples);
    if (heard != VOICE_NOTHING) {
      command(heard);
    }
  }
}
