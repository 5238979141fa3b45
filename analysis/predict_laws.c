/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Where the forms come from.
 *
 * Tipping and recovery (one retry, outage of length D, utilisation r): at the end of the outage the
 * queue holds what came in D and the retries that began one time-out later, r (2D - T) of work.
 * Above the hidden capacity the stretch of arrivals that are late maps onto the next one time-out
 * later; the map has one unstable fixed point, and D* is the outage that lands on it. Below, the
 * queue shrinks at 1 - 2r until an arrival waits one time-out exactly.
 *
 * Batch: the second round queues behind the stale entries of the first. Those are done at W; the
 * second round is late from its first item on when W >= 2T, and so is every round after it.
 *
 * Error path: capacity is good x 1 + failed x factor, and good + failed = load.
 *
 * Collections: between two of them heap - live requests are served, one service each, and the
 * processor does nothing else but collect.
 *
 * Resync: the copy takes t = save + send + load, and writes at rate w buffer w t; the buffer may
 * stay above the soft limit for soft_s only. The limits are those of Redis'
 * client-output-buffer-limit. */
#include "analysis/predict_laws.h"

#include <math.h>

double law_tipping_freeze(double load)
{
    if (!(load > 0) || load >= 1) {
        return NAN;
    }
    if (load < 0.5) {
        return INFINITY;
    }
    return 1 + load * (1 - load) * (1 - load) / (3 * load * load - 3 * load + 1);
}

double law_recovery_time(double load, double timeout_s, double outage_s)
{
    if (!(load > 0) || !(timeout_s > 0) || !(outage_s > timeout_s)) {
        return NAN;
    }
    if (load >= 0.5) {
        return INFINITY;
    }
    return fmax(0, (load * (2 * outage_s - timeout_s) - timeout_s) / (1 - 2 * load));
}

double law_queue_bound(double capacity_per_s, double timeout_s)
{
    return capacity_per_s > 0 && timeout_s > 0 ? capacity_per_s * timeout_s : NAN;
}

static bool is_batch(struct law_batch batch)
{
    return batch.items > 0 && batch.service_s > 0 && batch.workers > 0 && batch.timeout_s > 0;
}

double law_batch_work(struct law_batch batch)
{
    return is_batch(batch) ? batch.items * batch.service_s / batch.workers : NAN;
}

/* The product is compared, not the quotient: integers stay exact. */
bool law_batch_collapses(struct law_batch batch)
{
    return is_batch(batch) && batch.items * batch.service_s >= 2 * batch.timeout_s * batch.workers;
}

double law_batch_items_max(struct law_batch batch)
{
    batch.items = 1;
    if (!is_batch(batch)) {
        return NAN;
    }
    batch.items = ceil(2 * batch.timeout_s * batch.workers / batch.service_s) + 1;
    while (batch.items > 0 && law_batch_collapses(batch)) {
        batch.items--;
    }
    return batch.items;
}

double law_batch_jitter(struct law_batch batch)
{
    return fmax(0, 2 * (law_batch_work(batch) - batch.timeout_s));
}

double law_batch_ramp(struct law_batch batch)
{
    return fmax(0, law_batch_work(batch) - batch.timeout_s);
}

double law_error_path_hidden(double capacity_per_s, double factor)
{
    if (!(capacity_per_s > 0) || !(factor >= 0)) {
        return NAN;
    }
    return capacity_per_s / fmax(1, factor);
}

double law_error_path_goodput(double capacity_per_s, double factor, double load_per_s)
{
    if (!(capacity_per_s > 0) || !(factor >= 0) || !(load_per_s >= 0)) {
        return NAN;
    }
    if (load_per_s <= law_error_path_hidden(capacity_per_s, factor)) {
        return load_per_s;
    }
    if (factor >= 1) {
        return 0; /* all of the capacity goes into failures, and does not suffice for them */
    }
    return fmax(0, (capacity_per_s - factor * load_per_s) / (1 - factor));
}

static bool is_gc(struct law_gc gc)
{
    return gc.heap > 0 && gc.service_s > 0 && gc.pause_s >= 0 && gc.pause_per_request_s >= 0;
}

/* Of collections, for each request. */
static double gc_cost(struct law_gc gc, double live)
{
    return (gc.pause_s + gc.pause_per_request_s * live) / (gc.heap - live);
}

double law_gc_capacity(struct law_gc gc, double live)
{
    if (!is_gc(gc) || !(live >= 0)) {
        return NAN;
    }
    return live < gc.heap ? 1 / (gc.service_s + gc_cost(gc, live)) : 0;
}

double law_gc_share(struct law_gc gc, double live, double load_per_s)
{
    double capacity = law_gc_capacity(gc, live);
    if (isnan(capacity) || !(load_per_s >= 0)) {
        return NAN;
    }
    return live < gc.heap ? fmin(load_per_s, capacity) * gc_cost(gc, live) : 1;
}

double law_gc_live_max(struct law_gc gc, double load_per_s)
{
    if (!is_gc(gc) || !(load_per_s > 0)) {
        return NAN;
    }
    double spare_s = 1 / load_per_s - gc.service_s; /* what collections may take of a request */
    if (spare_s <= 0) {
        return -INFINITY;
    }
    return (spare_s * gc.heap - gc.pause_s) / (spare_s + gc.pause_per_request_s);
}

double law_cache_advertised(double database_per_s, double hit_share, double fan_out)
{
    if (!(hit_share >= 0) || !(hit_share < 1)) {
        return NAN;
    }
    return law_cache_hidden(database_per_s, fan_out) / (1 - hit_share);
}

double law_cache_hidden(double database_per_s, double fan_out)
{
    return database_per_s > 0 && fan_out > 0 ? database_per_s / fan_out : NAN;
}

double law_resync_time(struct law_resync resync)
{
    if (!(resync.state_bytes > 0) || !(resync.save_per_s > 0) || !(resync.send_per_s > 0) ||
        !(resync.load_per_s > 0)) {
        return NAN;
    }
    return resync.state_bytes / resync.save_per_s + resync.state_bytes / resync.send_per_s +
           resync.state_bytes / resync.load_per_s;
}

double law_resync_writes_max(struct law_resync resync)
{
    double time = law_resync_time(resync);
    if (isnan(time) || !(resync.hard_bytes > 0) || !(resync.soft_bytes > 0) || resync.soft_s < 0) {
        return NAN;
    }
    double hard = resync.hard_bytes / time;
    double soft = time > resync.soft_s ? resync.soft_bytes / (time - resync.soft_s) : INFINITY;
    return fmin(hard, soft);
}

double law_offered_load(double fresh_per_s, double capacity_per_s, uint32_t attempts)
{
    if (!(fresh_per_s > 0) || !(capacity_per_s > 0) || attempts < 1) {
        return NAN;
    }
    if (fresh_per_s <= capacity_per_s) {
        return fresh_per_s;
    }
    double fails = pow(1 - capacity_per_s / fresh_per_s, 1.0 / attempts);
    return capacity_per_s / (1 - fails);
}

double law_erlang_b(uint32_t servers, double erlangs)
{
    if (!(erlangs >= 0)) {
        return NAN;
    }
    double lost = 1;
    for (uint32_t k = 1; k <= servers; k++) {
        lost = erlangs * lost / (k + erlangs * lost);
    }
    return lost;
}
