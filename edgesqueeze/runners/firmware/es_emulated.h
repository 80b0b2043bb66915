/* What a program finds in the emulator: bytes in, bytes out, and parts that are counted apart.
 * The program is started by its function es_emulated_program(), and ends when that returns.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ES_EMULATED_H
#define ES_EMULATED_H

#include "es_bench_marks.h"
#include "es_bench_port.h"

/* Written by the program's author. */
void es_emulated_program(void);

/* The next bytes of the input: 1, or 0 at its end. */
#define ES_EMULATED_READ(data, bytes) port_read(data, bytes)

/* More bytes of the output. */
#define ES_EMULATED_WRITE(data, bytes) port_write(data, bytes)

/* From here on instructions belong to the part of this number, a constant. */
#define ES_EMULATED_PART(number) MARK(number)

#endif /* ES_EMULATED_H */
