/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Back-off: how long one call waits before each of its retries. The sequence belongs to the call,
 * the random stream to its caller. */
#ifndef SQUALL_SIM_BACKOFF_H
#define SQUALL_SIM_BACKOFF_H

#include "sim/base/rng.h"
#include "sim/spec.h"

struct backoff {
    int64_t next_ns;      /* of the next retry, before jitter */
    int64_t throttled_ns; /* the same when it follows a throttling error */
    int64_t previous_ns;  /* decorrelated jitter: the delay before */
};

/* Before the first retry. */
void backoff_start(struct backoff *backoff, const struct spec_client *policy);
/* Delay in ns before the next retry, after a throttling error (SQ_E_OVERLOADED) or another; moves
 * the sequence on. Draws once unless there is no back-off or no jitter. */
int64_t backoff_next(struct backoff *backoff, const struct spec_client *policy, bool is_throttled,
                     struct rng *jitter);
/* The same where the server asked for `retry_after_ns` and the policy honours it. EXACT: that long,
 * which must not be negative; nothing is drawn, and the sequence begins anew. BOUNDED: as
 * backoff_next, but not less than was asked for as long as that adds no more than
 * pushback_max_ns. */
int64_t backoff_pushed(struct backoff *backoff, const struct spec_client *policy, bool is_throttled,
                       int64_t retry_after_ns, struct rng *jitter);

#endif
