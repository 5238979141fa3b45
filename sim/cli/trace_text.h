/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Readers of the trace: a text writer for people, a ring of the last lines, a file of all
 * records for `doctor`. */
#ifndef SQUALL_CLI_TRACE_TEXT_H
#define SQUALL_CLI_TRACE_TEXT_H

#include "sim/world.h"

#include <stdio.h>

struct trace_text {
    struct trace_sink sink; /* first */
    const struct world *world;
    FILE *out;       /* text; NULL: none */
    FILE *records;   /* struct trace_record as they are; NULL: none */
    int64_t from_ns; /* text of records before it is left out */
};

void trace_text_init(struct trace_text *text, const struct world *world);
/* One line about a record, without the newline. */
void trace_text_print(const struct world *world, uint64_t number, const struct trace_record *record,
                      const char *text, FILE *out);
/* The last `count` records of the ring, oldest first. */
void trace_text_tail(const struct world *world, uint32_t count, FILE *out);

#endif
