/* Reset and faults of the bare-metal harness.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "es_bench_port.h"

/* Placed by link.ld. */
extern uint32_t stack_top, data_start, data_end, data_source, bss_start, bss_end;

#define REGISTER(address) (*(volatile uint32_t *)(address))
#define CPACR REGISTER(0xE000ED88u) /* coprocessor access */
#define CCR REGISTER(0xE000ED14u)   /* configuration and control */

int main(void);
void reset(void);
static void fault(void);

typedef struct {
  const void *stack;
  void (*handlers[15])(void);
} vector_table;

__attribute__((__section__(".vectors"), __used__)) static const vector_table vectors = {
    &stack_top,
    {reset, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault,
     fault, fault},
};

/* Not inlined, or reset() would save registers of the FPU before it is switched on. */
__attribute__((__noinline__)) static void run(void) {
  /* volatile: or the compiler makes calls of memcpy and memset out of this. */
  const uint32_t *source = &data_source;
  for (volatile uint32_t *target = &data_start; target < &data_end; ++target) {
    *target = *source++;
  }
  for (volatile uint32_t *target = &bss_start; target < &bss_end; ++target) {
    *target = 0;
  }
  (void)main();
}

void reset(void) {
  CPACR |= UINT32_C(0xf) << 20; /* FPU and MVE */
#if defined(__ARM_ARCH) && __ARM_ARCH >= 8
  CCR |= UINT32_C(1) << 19; /* LOB: loops without branches */
#endif
  __asm__ volatile("dsb\n isb" ::: "memory");
  run();
}

static void fault(void) {
  port_fail("the processor raised a fault");
}

/* newlib's assert and libgcc's division by zero end here. */
void abort(void);
void abort(void) {
  port_fail("abort was called");
}
