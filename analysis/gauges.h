/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What models show of themselves while a run goes on: gauges (a value from now on: a queue, a heap,
 * bytes of a commit) and counters (how many more: bytes written, hits), by name and node, in the
 * windows of the time series.
 *
 *   avg    mean of the samples, not of the time between them
 *   p(N)   nearest rank of the samples; med is p(50)
 *   last   the latest sample; of several nodes, of the one that spoke last
 *   count  sum of what was counted
 *   rate   the same for a second of the time looked at
 *
 * A window belongs to a stretch of time when it begins in it. */
#ifndef SQUALL_ANALYSIS_GAUGES_H
#define SQUALL_ANALYSIS_GAUGES_H

#include "analysis/result.h"
#include "analysis/threshold.h"
#include "sim/spec.h"
#include "squall_check.h"

struct gauges {
    int64_t window_ns;  /* doubled until a run has at most RESULT_WINDOWS_MAX windows */
    struct vec series;  /* struct gauge_series (gauges.c) */
    struct vec cells;   /* struct result_gauge_window, in order of their end */
    struct vec wanted;  /* const char *: names of gauges of which single samples are kept */
    struct vec samples; /* struct gauge_sample (gauges.c), in order of time */
    uint64_t dropped;   /* samples of series beyond RESULT_GAUGES_MAX */
};

void gauges_init(struct gauges *gauges);
void gauges_release(struct gauges *gauges);
/* A window of the series, ns > 0, and how long the run may be, ns. */
void gauges_begin(struct gauges *gauges, int64_t window_ns, int64_t limit_ns);
/* After gauges_begin: percentiles of this gauge will be asked for. `name` must outlive the run. */
void gauges_want(struct gauges *gauges, const char *name);
/* SQ_SEE_GAUGE or SQ_SEE_COUNTER; one without a name is passed over. */
void gauges_on_seen(struct gauges *gauges, const struct sq_seen *seen);
/* After the last sample: closes the windows. */
void gauges_finish(struct gauges *gauges);

/* After gauges_finish: one number for the run, as a threshold asks for it. `nodes` has the names
 * of nodes by index; `end_ns`: how long the run was. False: nothing was seen there. */
struct gauges_question {
    const struct spec_gauge *gauge;
    bool is_counter;
    enum threshold_aggregation aggregation;
    uint32_t percentile_milli;
    const struct sq_node_info *nodes;
    int64_t end_ns;
};
bool gauges_value(const struct gauges *gauges, const struct gauges_question *question,
                  double *value);
/* After gauges_finish: all series and windows into an empty part of `result`, in order of first
 * sight and time. */
void gauges_export(const struct gauges *gauges, const struct sq_node_info *nodes,
                   struct run_result *result);

#endif
