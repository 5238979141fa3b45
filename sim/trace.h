/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Trace: the digest of the ordered event stream and the flight recorder (ring of the last
 * records), always on; and, on request, sinks that see every record: a text writer, a file of all
 * records. Only values go in, never addresses. */
#ifndef SQUALL_SIM_TRACE_H
#define SQUALL_SIM_TRACE_H

#include "sim/base/hash.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define TRACE_RING   4096
#define TRACE_NOBODY UINT32_MAX

/* What happened. Values are part of the digest: append only. */
#define TRACE_KIND_MAP(X)                                                                          \
    X(TRACE_NONE, "none")                                                                          \
    X(TRACE_BOOT, "boot")                                                                          \
    X(TRACE_LIFE, "life")                                                                          \
    X(TRACE_DELIVER, "deliver")                                                                    \
    X(TRACE_SEND, "send")                                                                          \
    X(TRACE_DROP, "drop")                                                                          \
    X(TRACE_TIMER, "timer")                                                                        \
    X(TRACE_WAKE, "wake")                                                                          \
    X(TRACE_CPU, "cpu")                                                                            \
    X(TRACE_FAULT, "fault")                                                                        \
    X(TRACE_LOAD, "load")                                                                          \
    X(TRACE_STUB, "stub")                                                                          \
    X(TRACE_INVOKE, "invoke")                                                                      \
    X(TRACE_ATTEMPT, "attempt")                                                                    \
    X(TRACE_COMPLETE, "complete")                                                                  \
    X(TRACE_SEEN, "seen")                                                                          \
    X(TRACE_DISK, "disk")                                                                          \
    X(TRACE_LOG, "log")

enum trace_kind {
#define TRACE_KIND_ENUM(code, name) code,
    TRACE_KIND_MAP(TRACE_KIND_ENUM)
#undef TRACE_KIND_ENUM
        TRACE_KIND_COUNT
};

struct trace_record {
    int64_t time_ns;
    uint32_t kind; /* enum trace_kind */
    uint32_t node; /* or TRACE_NOBODY, or node_count + load */
    uint64_t word; /* what it means depends on the kind */
    uint64_t extra;
};

/* Sees every record, in order. */
struct trace_sink {
    void (*on_record)(struct trace_sink *sink, uint64_t number, const struct trace_record *record,
                      const char *text);
    struct trace_sink *next;
};

struct trace {
    uint64_t digest;
    uint64_t count;            /* records so far */
    struct trace_record *ring; /* TRACE_RING of them */
    struct trace_sink *sinks;
};

void trace_init(struct trace *trace);
void trace_release(struct trace *trace);
void trace_reset(struct trace *trace);
void trace_sink_add(struct trace *trace, struct trace_sink *sink);
/* For sinks only: a record with text. */
void trace_tell(struct trace *trace, const struct trace_record *record, const char *text);
const char *trace_kind_name(uint32_t kind);

static inline void trace_record_text(struct trace *trace, int64_t time_ns, enum trace_kind kind,
                                     uint32_t node, uint64_t word, uint64_t extra, const char *text)
{
    struct trace_record *record = &trace->ring[trace->count & (TRACE_RING - 1)];
    *record = (struct trace_record){time_ns, kind, node, word, extra};
    trace->count++;
    uint64_t what = (((uint64_t)kind << 32) | node) ^ (word * UINT64_C(0x9fb21c651e98df25));
    trace->digest =
        hash_mix(trace->digest ^ (uint64_t)time_ns, what ^ ((extra << 29) | (extra >> 35)));
    if (__builtin_expect(trace->sinks != NULL, 0)) {
        trace_tell(trace, record, text);
    }
}

static inline void trace_record(struct trace *trace, int64_t time_ns, enum trace_kind kind,
                                uint32_t node, uint64_t word, uint64_t extra)
{
    trace_record_text(trace, time_ns, kind, node, word, extra, NULL);
}

#endif
