/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What counts as up for those who use the system (Hauer et al., "Meaningful Availability", NSDI
 * 2020).
 *
 *   user-uptime  sum over users of uptime / sum over users of (uptime + downtime). Between two
 *                operations of a user the system is to him what the earlier one made it: up when it
 *                was OK, else down, from the instant at which it was intended. So a user who
 *                retries often counts no more than one who waits.
 *   idle         a user who has no operation under way and has begun none for longer than a
 *                cut-off is not there, and that time is nobody's. The cut-off is that of the
 *                scenario, or the 99th percentile of the times from one intended start of a user to
 *                his next (nearest rank, rounded up by at most 1.6 %).
 *   MCR(w)       minimum cumulative ratio: user-uptime of the worst window of length w. Where it is
 *                low for short windows only, many short outages made the downtime; where it stays
 *                low, a long one did. MCR(whole run) is user-uptime, and MCR(k w) >= MCR(w) for
 *                whole k; it is not monotone otherwise.
 *
 * A window begins at any slot and is a whole number of slots; one without a user is passed over.
 * Operations that the end of the run cut off before their first time-out say nothing. */
#ifndef SQUALL_ANALYSIS_USER_VIEW_H
#define SQUALL_ANALYSIS_USER_VIEW_H

#include "sim/base/vec.h"
#include "sim/spec.h"
#include "squall_check.h"

#include <stdbool.h>
#include <stdint.h>

/* A part of a whole, in ns of users or any other unit; whole 0: nothing was seen. */
struct user_share {
    unsigned __int128 part;
    unsigned __int128 whole;
};

/* The smallest share of `length` slots in a row, of those that saw anything; 1 <= length. A whole
 * of 0: there is none, as when there are fewer slots. */
struct user_share user_share_worst(const struct user_share *slots, uint32_t count, uint32_t length);
/* NaN when nothing was seen. */
double user_share_value(const struct user_share *share);

struct user_view {
    const struct run_spec *spec;
    int64_t slot_ns;
    struct vec operations; /* struct user_operation (user_view.c), by id */
    struct vec slots;      /* struct user_share from the end of the warm-up on, after the end */
    int64_t idle_ns;       /* the cut-off, after the end */
    int64_t measured_ns;   /* from the end of the warm-up to the end of the run */
    uint32_t users;        /* that did anything, after the end */
};

void user_view_init(struct user_view *view);
void user_view_release(struct user_view *view);
/* slot_ns > 0; at most RESULT_WINDOWS_MAX slots fit into spec->limit_ns. */
void user_view_begin(struct user_view *view, const struct run_spec *spec, int64_t slot_ns);
/* Operations of the closing audit and of a detector are passed over. */
void user_view_on_invoke(struct user_view *view, const struct sq_operation *operation);
void user_view_on_complete(struct user_view *view, const struct sq_operation *operation);
/* After the last operation; the run ended at sim_ns, of which the time up to spec->limit_ns
 * counts. */
void user_view_finish(struct user_view *view, int64_t sim_ns);

/* After user_view_finish. */
struct user_share user_view_total(const struct user_view *view);
/* MCR of windows of window_ns > 0, rounded up to whole slots. A whole of 0: the run was shorter. */
struct user_share user_view_worst(const struct user_view *view, int64_t window_ns);
/* The index-th length of the usual list (1, 2, 5, 10 ... ms, s, min, h) that is a whole number of
 * slots and shorter than the run; false past the last. */
bool user_view_window(const struct user_view *view, uint32_t index, int64_t *window_ns);

#endif
