/* Starts a program of the user's and counts all that it does.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "es_emulated.h"

int main(void) {
  port_open();
  port_paint_stack();
  const void *const top = port_stack_pointer();
  MARK(MARK_BEGIN);
  es_emulated_program();
  MARK(MARK_END);
  port_close(port_stack_used(top));
  return 0;
}
