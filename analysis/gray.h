/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Gray failure is differential observability (Huang et al., "Gray Failure: The Achilles' Heel of
 * Cloud-Scale Systems", HotOS 2017): the clients see a failure that what watches the system does
 * not. So the time of a run is dealt out to four cells, what the detector says against what the
 * clients' availability windows say:
 *
 *                      clients up     clients down
 *     detector up      both up        GRAY: nobody comes to help
 *     detector down    false alarm    both down
 *
 * False alarm is what it is to the clients: a node that is gone and is not missed counts there as
 * well. Only windows with evidence count, after the warm-up. A detector says "up" until it says
 * anything else, and it says it when it knows: heartbeats when the last of `failures` in a row has
 * failed, a gauge when it is shown. */
#ifndef SQUALL_ANALYSIS_GRAY_H
#define SQUALL_ANALYSIS_GRAY_H

#include "analysis/metrics.h"
#include "sim/base/vec.h"
#include "sim/spec.h"
#include "squall_check.h"

#include <stdbool.h>
#include <stdint.h>

struct gray {
    const struct spec_detector *detector;
    uint32_t streak;    /* of failed operations */
    struct vec changes; /* int64_t, ns: to down, to up, and so on; not descending */
};

/* ns of the detector's view (first) and the clients' (second). */
struct gray_table {
    int64_t up_up;
    int64_t up_down; /* gray */
    int64_t down_up;
    int64_t down_down;
};

void gray_init(struct gray *gray);
void gray_release(struct gray *gray);
void gray_begin(struct gray *gray, const struct spec_detector *detector);
/* All operations and all gauges; those of others are passed over. */
void gray_on_complete(struct gray *gray, const struct sq_operation *operation);
void gray_on_seen(struct gray *gray, const struct sq_seen *seen);
/* After metrics_finish. All zeros when nothing was asked. */
struct gray_table gray_table(const struct gray *gray, const struct metrics *metrics);

#endif
