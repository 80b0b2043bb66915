/* What the harness needs from the machine that it runs on: a stream of samples, a stream of
 * outputs, and marks that tell the emulator where it is. port_host.c and port_semihosting.c
 * implement it.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ES_BENCH_PORT_H
#define ES_BENCH_PORT_H

#include <stddef.h>
#include <stdint.h>

/* Value of all arena bytes before an inference. It differs between the ports, so that code which
 * reads memory that it never wrote gives different outputs. */
#ifdef __arm__
#define PORT_FILL 0xa5u
#else
#define PORT_FILL 0x5au
#endif

/* Called once, before anything else. */
void port_open(void);

/* Reads the next part of a sample. Returns 1, or 0 when there is no further sample. */
int port_read(void *data, size_t bytes);

void port_write(const void *data, size_t bytes);

/* Called after the last sample; stack_bytes is the deepest stack of all inferences. */
void port_close(uint32_t stack_bytes);

void port_fail(const char *reason) __attribute__((__noreturn__));

/* Writes a pattern over the unused part of the stack. */
void port_paint_stack(void);

/* Bytes below top that were written since; 0 where there is no way to know. */
uint32_t port_stack_used(const void *top);

static inline const void *port_stack_pointer(void) {
  const void *pointer = NULL;
#ifdef __arm__
  __asm__ volatile("mov %0, sp" : "=r"(pointer));
#endif
  return pointer;
}

#endif /* ES_BENCH_PORT_H */
