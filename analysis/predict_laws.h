/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Closed forms of metastable failures: how large a trigger, how long a recovery, which batch,
 * cache, error path or copy never comes back. Each is exact for its idealised system (service short
 * against the time-out, nothing random); the simulation is measured against them.
 *
 * Rates per second, times in seconds, sizes in bytes. Arguments out of range give NAN. */
#ifndef SQUALL_ANALYSIS_PREDICT_LAWS_H
#define SQUALL_ANALYSIS_PREDICT_LAWS_H

#include <stdbool.h>
#include <stdint.h>

/* One retry at once, a full outage of a server at utilisation `load` of (0, 1): the shortest outage
 * that sticks, in time-outs: 1 + r (1 - r)^2 / (3 r^2 - 3 r + 1); infinite below 1/2. */
double law_tipping_freeze(double load);
/* One retry, an outage longer than the time-out, below the hidden capacity (utilisation < 1/2):
 * from its end to the last attempt that comes too late. Infinite from 1/2 on. */
double law_recovery_time(double load, double timeout_s, double outage_s);
/* A bounded queue can hold a server in the stuck state only if it is longer than this. */
double law_queue_bound(double capacity_per_s, double timeout_s);

/* `items` become due at once; each takes `service_s` on one of `workers`, in order of arrival; what
 * is not done within `timeout_s` is queued again at once, and the stale entry is worked on all the
 * same. */
struct law_batch {
    double items;
    double service_s;
    double workers;
    double timeout_s;
};
/* Time to work through all of them: items service / workers. */
double law_batch_work(struct law_batch batch);
/* Zero progress for ever, from the second round on? Exactly when the work is at least two
 * time-outs, if a time-out is a whole number of services; else one service decides. */
bool law_batch_collapses(struct law_batch batch);
/* The largest batch that does not. */
double law_batch_items_max(struct law_batch batch);
/* The least cap of a full-jitter back-off with which the batch drains in the end; 0: none is
 * needed. */
double law_batch_jitter(struct law_batch batch);
/* The least time over which to spread the start so that nothing times out. */
double law_batch_ramp(struct law_batch batch);

/* Failures cost `factor` times as much as successes. Above 1 there are two states, and below the
 * result only the good one; up to 1 there is one state: the result is the capacity. */
double law_error_path_hidden(double capacity_per_s, double factor);
/* Calls answered well, of `load_per_s`, by a server that fails the others at `factor` <= 1 of the
 * cost; with `factor` > 1, in the bad state. */
double law_error_path_goodput(double capacity_per_s, double factor, double load_per_s);

/* A server whose memory is collected when it is full, by the processor that serves. It holds `heap`
 * requests; a collection takes pause + pause_per_request x live, and leaves room for heap - live
 * more. */
struct law_gc {
    double heap;
    double service_s;
    double pause_s;
    double pause_per_request_s;
};
/* Requests a second that can be served while `live` are in memory; 0 when that is all of it. */
double law_gc_capacity(struct law_gc gc, double live);
/* The share of the time that collections take at this load, or at capacity if that is less. */
double law_gc_share(struct law_gc gc, double live, double load_per_s);
/* The root of load = capacity(live): with more in memory the server falls behind, which puts more
 * in memory. Below 0: it always does. */
double law_gc_live_max(struct law_gc gc, double load_per_s);

/* A cache in front of a database that serves `database_per_s`; `fan_out` queries for each miss. */
double law_cache_advertised(double database_per_s, double hit_share, double fan_out);
/* The load that an empty cache survives. */
double law_cache_hidden(double database_per_s, double fan_out);

/* A replica copies the whole state while writes go on; what they add is buffered at the source
 * within a hard limit, and within a soft one for at most `soft_s`. */
struct law_resync {
    double state_bytes;
    double save_per_s;
    double send_per_s;
    double load_per_s;
    double hard_bytes;
    double soft_bytes;
    double soft_s;
};
double law_resync_time(struct law_resync resync);
/* The highest rate of writes (bytes a second) at which the copy succeeds; above, it begins again
 * for ever. */
double law_resync_writes_max(struct law_resync resync);

/* A server that fails what is beyond its capacity at once, and clients that make `attempts` in all:
 * the load that it is offered in equilibrium. The fresh load itself up to the capacity; beyond it,
 * each attempt fails with the f that solves fresh (1 - f^attempts) = capacity. */
double law_offered_load(double fresh_per_s, double capacity_per_s, uint32_t attempts);
/* The share of arrivals that find all servers busy and are lost (Erlang B). */
double law_erlang_b(uint32_t servers, double erlangs);

#endif
