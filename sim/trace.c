/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The hot half is inline in the header; here is what only set-up and readers need. */
#include "sim/trace.h"

#include "sim/base/base.h"

#include <stdlib.h>

void trace_init(struct trace *trace)
{
    *trace = (struct trace){.ring = calloc(TRACE_RING, sizeof(struct trace_record))};
    ASSERT(trace->ring != NULL);
    trace_reset(trace);
}

void trace_release(struct trace *trace)
{
    free(trace->ring);
    trace->ring = NULL;
}

void trace_reset(struct trace *trace)
{
    trace->digest = UINT64_C(0x5351554c); /* never 0 */
    trace->count = 0;
}

void trace_sink_add(struct trace *trace, struct trace_sink *sink)
{
    sink->next = trace->sinks;
    trace->sinks = sink;
}

void trace_tell(struct trace *trace, const struct trace_record *record, const char *text)
{
    for (struct trace_sink *sink = trace->sinks; sink != NULL; sink = sink->next) {
        sink->on_record(sink, trace->count, record, text);
    }
}

const char *trace_kind_name(uint32_t kind)
{
    static const char *const names[] = {
#define TRACE_KIND_TEXT(code, name) name,
        TRACE_KIND_MAP(TRACE_KIND_TEXT)
#undef TRACE_KIND_TEXT
    };
    ASSERT(kind < TRACE_KIND_COUNT);
    return names[kind];
}
