/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Visibility: how much too early did a read come? Let S be the last update of its key that was
 * acknowledged when the read began. A replica that the read looked at before it had S, or anything
 * that is not older, was looked at too early by the time until S reached it, as if no later write
 * had come; the read itself by the least of the replicas whose answers made its result, and by 0
 * when one of them had it in time. Of reads that follow their write at once, the p-quantile of this
 * is the p-quantile t-visibility: the time after which a share p of the reads is consistent (Bailis
 * et al., VLDB 2012, section 3).
 *
 * It needs nodes that say when writes and reads reach them (SQ_SEE_STORED, _VISITED, _READ). */
#ifndef SQUALL_ANALYSIS_VISIBILITY_H
#define SQUALL_ANALYSIS_VISIBILITY_H

#include "analysis/freshness.h"
#include "analysis/kv_history.h"
#include "sim/base/histogram.h"
#include "squall_check.h"

#include <stdbool.h>

#define VISIBILITY_REPLICAS_MAX 16

struct visibility {
    struct vec reads;           /* struct visibility_read (visibility.c), those under way */
    struct map held;            /* (node, object) -> value that the replica has */
    struct histogram too_early; /* ns, of the reads that are decided */
};

void visibility_init(struct visibility *visibility);
void visibility_release(struct visibility *visibility);
void visibility_begin(struct visibility *visibility);
/* One of the three kinds; others are passed over. `freshness` and `history` are up to date. */
void visibility_on_seen(struct visibility *visibility, const struct freshness *freshness,
                        const struct kv_history *history, const struct sq_node_info *nodes,
                        const struct sq_seen *seen);
/* The end of the run: reads that still wait count as too early by as much as they have waited. So
 * does the first of them when thousands wait, for writes that were lost. */
void visibility_finish(struct visibility *visibility, sq_time now);

#endif
