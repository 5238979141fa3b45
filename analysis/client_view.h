/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * How long a service was down as its clients saw it, operation by operation: from the instant at
 * which one was intended until the next one was, the service was what the first one got (Hauer,
 * Hoffmann, Lunney, Ardelean and Diwan, "Meaningful Availability", NSDI 2020, with one user). With
 * Poisson arrivals the expectation is the time in which an operation would not have been answered
 * within its deadline, however few of them there are; and it adds up over spans. */
#ifndef SQUALL_ANALYSIS_CLIENT_VIEW_H
#define SQUALL_ANALYSIS_CLIENT_VIEW_H

#include "sim/base/vec.h"
#include "squall_check.h"

#include <stdint.h>

/* Operations of the loads of a run, in order of intention. */
struct client_view {
    struct vec moments; /* struct client_moment */
};

struct client_moment {
    int64_t intended_ns;
    uint64_t id;
    bool is_ok;
};

struct client_span {
    int64_t down_ns;
    int64_t last_down_ns; /* end of the last time down, at most the end of the span; -1: none */
    uint64_t outages;     /* stretches of time down */
    uint64_t asked;       /* operations intended in it */
    uint64_t ok;          /* of them */
};

void client_view_init(struct client_view *view);
void client_view_release(struct client_view *view);
/* Takes the operations of a run that is over; those of loads from load_count on (the closing audit)
 * do not count. An operation is OK or it is not: one that was still open is not. */
void client_view_read(struct client_view *view, const struct sq_operation *operations,
                      uint64_t count, uint32_t load_count);
/* What was seen in [from_ns, until_ns). Before the first operation nothing is known, and nothing
 * was down. */
struct client_span client_view_span(const struct client_view *view, int64_t from_ns,
                                    int64_t until_ns);

#endif
