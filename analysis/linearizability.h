/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Is the history of one read/write register linearizable (Herlihy & Wing 1990)? Two deciders: zones
 * for histories with unique values, n log n and complete; a search for all others, bounded by steps
 * so that a verdict replays. */
#ifndef SQUALL_ANALYSIS_LINEARIZABILITY_H
#define SQUALL_ANALYSIS_LINEARIZABILITY_H

#include <stdbool.h>
#include <stdint.h>

#define LINEAR_PENDING UINT64_MAX

/* The register holds 0 before the first write. Reads that did not return, and writes that certainly
 * did not happen, are left out by the caller; a write whose outcome is unknown is pending. */
struct linear_operation {
    uint64_t id; /* the caller's, for reports */
    uint64_t value;
    uint64_t start; /* all starts and finishes of a history are different numbers */
    /* > start; LINEAR_PENDING: may take effect at any time after start, or never (writes only) */
    uint64_t finish;
    bool is_write;
};

enum linear_verdict {
    LINEAR_YES,
    LINEAR_NO,
    LINEAR_UNKNOWN, /* the step budget is used up */
};

enum linear_reason {
    LINEAR_REASON_NONE,
    LINEAR_REASON_PHANTOM, /* ids[0] read a value that nobody wrote */
    LINEAR_REASON_FUTURE,  /* ids[0] finished before ids[1], the write of what it read, started */
    /* value of ids[0..1] and value of ids[2..3] were each seen before and after the other */
    LINEAR_REASON_TORN,
    /* the value of ids[0..1] was seen only while that of ids[2..3] was the present one */
    LINEAR_REASON_STALE,
    /* search: ids[0] cannot be placed after the longest prefix, which left values[0] behind */
    LINEAR_REASON_STUCK,
};
#define LINEAR_NOBODY UINT64_MAX

/* For TORN and STALE: ids[0], ids[2] are the operations of the value that finished first, ids[1],
 * ids[3] those that started last; LINEAR_NOBODY stands for the initial value. Unused ids are
 * LINEAR_NOBODY. */
struct linear_report {
    enum linear_reason reason;
    uint64_t ids[4];
    uint64_t values[2];
    uint32_t placed; /* STUCK: operations in the longest prefix */
};

/* Can zones decide: is no value written twice, and 0 never? `operations` are sorted by start. */
bool linear_has_unique_values(const struct linear_operation *operations, uint32_t count);
/* For histories with unique values only. Never LINEAR_UNKNOWN. */
enum linear_verdict linear_by_zones(const struct linear_operation *operations, uint32_t count,
                                    struct linear_report *report);
/* For any history sorted by start. Every attempt to place an operation is one step. */
enum linear_verdict linear_by_search(const struct linear_operation *operations, uint32_t count,
                                     uint64_t step_budget, struct linear_report *report);

#endif
