/* The harness on an emulated Cortex-M: files of the host, by Arm semihosting.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "es_bench_port.h"

/* Operations and the reasons for ending, from Arm's "Semihosting for AArch32 and AArch64". */
enum { SYS_OPEN = 0x01, SYS_WRITE0 = 0x04, SYS_WRITE = 0x05, SYS_READ = 0x06, SYS_EXIT = 0x18 };
enum { OPEN_READ = 1, OPEN_WRITE = 5 }; /* "rb", "wb" */
enum { STOPPED_DONE = 0x20026, STOPPED_FAILED = 0x20023 };

#define PAINT UINT32_C(0x5ac3965a)

extern uint32_t stack_bottom; /* placed by link.ld */

static uint32_t samples, outputs, report;

static uint32_t semihosting(uint32_t operation, uintptr_t argument) {
  register uint32_t r0 __asm__("r0") = operation;
  register uintptr_t r1 __asm__("r1") = argument;
  __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
  return r0;
}

static uint32_t open_file(const char *name, uint32_t length, uint32_t mode) {
  const uint32_t arguments[3] = {(uint32_t)(uintptr_t)name, mode, length};
  const uint32_t handle = semihosting(SYS_OPEN, (uintptr_t)arguments);
  if (handle == UINT32_MAX) {
    port_fail("cannot open a file of the host");
  }
  return handle;
}

/* SYS_READ and SYS_WRITE return how many bytes were not transferred. */
static uint32_t transfer(uint32_t operation, uint32_t handle, const void *data, size_t bytes) {
  const uint32_t arguments[3] = {handle, (uint32_t)(uintptr_t)data, bytes};
  return semihosting(operation, (uintptr_t)arguments);
}

void port_open(void) {
  samples = open_file("samples.bin", sizeof "samples.bin" - 1, OPEN_READ);
  outputs = open_file("outputs.bin", sizeof "outputs.bin" - 1, OPEN_WRITE);
  report = open_file("stack.bin", sizeof "stack.bin" - 1, OPEN_WRITE);
}

int port_read(void *data, size_t bytes) {
  const uint32_t left = transfer(SYS_READ, samples, data, bytes);
  if (left != 0 && left != bytes) {
    port_fail("the last sample is incomplete");
  }
  return left == 0;
}

void port_write(const void *data, size_t bytes) {
  if (transfer(SYS_WRITE, outputs, data, bytes) != 0) {
    port_fail("cannot write the outputs");
  }
}

void port_close(uint32_t stack_bytes) {
  if (transfer(SYS_WRITE, report, &stack_bytes, sizeof stack_bytes) != 0) {
    port_fail("cannot write the size of the stack");
  }
  (void)semihosting(SYS_EXIT, STOPPED_DONE);
}

void port_fail(const char *reason) {
  (void)semihosting(SYS_WRITE0, (uintptr_t)reason);
  for (;;) {
    (void)semihosting(SYS_EXIT, STOPPED_FAILED);
  }
}

void port_paint_stack(void) {
  uint32_t *word = &stack_bottom;
  const uint32_t *top;
  /* In one piece: a compiler may read the stack pointer before it saves registers on the stack. */
  __asm__ volatile(
      "   mov  %[top], sp\n"
      "1: str  %[paint], [%[word]]\n"
      "   add  %[word], %[word], #4\n"
      "   cmp  %[word], %[top]\n"
      "   bne  1b\n"
      : [word] "+l"(word), [top] "=&l"(top)
      : [paint] "l"(PAINT)
      : "cc", "memory");
}

uint32_t port_stack_used(const void *top) {
  const volatile uint32_t *word = &stack_bottom;
  while (*word == PAINT) {
    ++word;
  }
  return (uint32_t)((uintptr_t)top - (uintptr_t)word);
}
