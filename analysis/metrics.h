/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What a run measures: the time series, totals, latency, availability, and the recovery after the
 * last fault. The operations of a load that is a detector (spec->availability.detector) are not
 * load.
 *
 * Definitions.
 *
 *   latency        completion minus INTENDED start, of operations that are OK (there is no
 *                  coordinated omission)
 *   goodput        OK completions in a unit of time
 *   amplification  attempts divided by offered operations
 *   available      an availability window is up when, of the operations intended in it, at least
 *                  success_min were OK in the end, and 99 % of those that were OK took at most
 *                  p99_max. One in which nothing was intended is as the window before it while
 *                  operations were waiting for an answer; else it carries no evidence and is not
 *                  counted. Operations cut off by the end of the run before their first time-out
 *                  carry none either.
 *   recovery       from the end of the last fault to the start of the first span in which goodput
 *                  is at least `ratio` times its mean before the first fault. A span is as long as
 *                  an availability window, in whole series windows. A fault that the scenario
 *                  never ends counts as over when it has struck. */
#ifndef SQUALL_ANALYSIS_METRICS_H
#define SQUALL_ANALYSIS_METRICS_H

#include "analysis/result.h"
#include "sim/spec.h"
#include "squall_check.h"

#include <stdbool.h>
#include <stdint.h>

struct metrics {
    const struct run_spec *spec;
    /* spec->window_ns, doubled until a run has at most RESULT_WINDOWS_MAX windows */
    int64_t window_ns;
    int64_t availability_ns; /* likewise */
    /* start of availability window 0; one of them starts at the end of the warm-up */
    int64_t origin_ns;
    uint32_t in_flight;
    struct vec windows;      /* struct series_window (metrics.c) */
    struct vec latencies;    /* int64_t, in order of completion */
    struct vec availability; /* struct availability_window (metrics.c) */
    struct vec faults;       /* struct result_fault */
    struct vec endless;      /* bool for each fault: the scenario never ends it */
    uint64_t fault_total;
    struct vec closing; /* struct closing_operation (metrics.c): given up at closing_ns */
    int64_t closing_ns;
    int64_t end_ns; /* set by metrics_finish: the audit after spec->limit_ns is not measured */
    uint64_t offered;
    uint64_t attempts;
    uint64_t ok;
    uint64_t failed;
    uint64_t info;
    uint64_t timeouts;
    uint64_t unwanted;
    uint64_t cut_off; /* of those offered, after the end: too young to tell */
    struct histogram latency;
};

void metrics_init(struct metrics *metrics);
void metrics_release(struct metrics *metrics);
void metrics_begin(struct metrics *metrics, const struct run_spec *spec);
void metrics_on_invoke(struct metrics *metrics, const struct sq_operation *operation);
void metrics_on_attempt(struct metrics *metrics, const struct sq_operation *operation, sq_time now);
void metrics_on_complete(struct metrics *metrics, const struct sq_operation *operation);
void metrics_on_timeout(struct metrics *metrics, sq_time now);
void metrics_on_unwanted(struct metrics *metrics, sq_time now);
void metrics_on_fault(struct metrics *metrics, const struct sq_fault_event *fault);
/* The run ended at sim_ns: fills totals, faults, latency and availability of an empty `result`. */
void metrics_finish(struct metrics *metrics, int64_t sim_ns, struct run_result *result);
/* After metrics_finish: the index-th availability window, without the warm-up and what is behind
 * the end; false past the last. */
struct metrics_stretch {
    int64_t from_ns;
    int64_t until_ns; /* may be from_ns */
    bool is_evidence;
    bool is_up;
};
bool metrics_stretch(const struct metrics *metrics, uint32_t index,
                     struct metrics_stretch *stretch);
/* After metrics_finish: the time series. */
void metrics_windows(struct metrics *metrics, struct vec *windows);

enum recovery_state {
    RECOVERY_NO_FAULT, /* nothing struck: nothing to recover from */
    RECOVERY_REACHED,
    RECOVERY_MISSED, /* there was time enough */
    /* a fault was still there, or the load ended, before within_ns had passed */
    RECOVERY_UNDECIDED,
    RECOVERY_NO_BASELINE, /* no goodput before the first fault to compare with */
};
struct recovery {
    enum recovery_state state;
    int64_t baseline_per_1000s; /* -1: none */
    int64_t after_ns;           /* REACHED: from the end of the last fault */
    int64_t ends_ns;            /* end of the last fault */
    int64_t best_per_1000s;     /* highest goodput of a span that was looked at; -1: none */
};
struct recovery_question {
    int64_t ratio_millionths; /* of the goodput before the first fault */
    int64_t within_ns;        /* INT64_MAX: as long as the load lasts; then never RECOVERY_MISSED */
    int64_t hold_ns;          /* how long goodput must be back; 0: one availability window */
};
/* After metrics_finish. */
struct recovery metrics_recovery(const struct metrics *metrics,
                                 const struct recovery_question *question);

#endif
