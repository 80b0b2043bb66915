/* The harness on a computer: samples come from stdin, outputs go to stdout.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <stdlib.h>

#include "es_bench_port.h"

void port_open(void) {}

int port_read(void *data, size_t bytes) {
  const size_t got = fread(data, 1, bytes, stdin);
  if (got != bytes && got != 0) {
    port_fail("the last sample is incomplete");
  }
  return got == bytes;
}

void port_write(const void *data, size_t bytes) {
  if (fwrite(data, 1, bytes, stdout) != bytes) {
    port_fail("cannot write the outputs");
  }
}

void port_close(uint32_t stack_bytes) {
  (void)stack_bytes;
  if (fflush(stdout) != 0) {
    port_fail("cannot write the outputs");
  }
}

void port_fail(const char *reason) {
  (void)fprintf(stderr, "%s\n", reason);
  exit(1);
}

void port_paint_stack(void) {}

uint32_t port_stack_used(const void *top) {
  (void)top;
  return 0;
}
