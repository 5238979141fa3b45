/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Plain simulation of the fleet. When it is a Markov chain, every visit of the whole state begins a
 * new cycle, and cycles are independent: the regenerative method (Crane and Iglehart, Operations
 * Research 23, 1975). Else, and where all is hardly ever whole (many machines, or too few crews for
 * them), time is cut into batches long enough to be nearly so.
 *
 * It sees what happens often. Beyond some six nines it sees nothing. */
#include "analysis/estimators.h"

#include "sim/base/base.h"
#include "sim/base/hash.h"

#define NS_IN_AN_HOUR 3.6e12
#define EVENTS        2000000  /* of one replication */
#define EVENTS_MAX    10000000 /* of batches */
#define EVENTS_FIRST  250000   /* with fewer than CYCLES_FIRST by then, batches */
#define CYCLES_FIRST  4
#define BATCHES       20
#define LIVES         20 /* of a batch, and before the first */
#define REBASE_NS     (INT64_C(1) << 61)

struct watch {
    double down_h[FLEET_SERVICES];
    double outages[FLEET_SERVICES];
    bool was_up[FLEET_SERVICES];
    double hours;
};

static void watch_clear(struct watch *watch)
{
    for (uint32_t i = 0; i < FLEET_SERVICES; i++) {
        watch->down_h[i] = 0;
        watch->outages[i] = 0;
    }
    watch->hours = 0;
}

static void note_state(struct watch *watch, const struct fleet *fleet)
{
    for (uint32_t i = 0; i < fleet->spec->service_count; i++) {
        bool is_up = fleet_is_up(fleet, i);
        watch->outages[i] += watch->was_up[i] && !is_up ? 1 : 0;
        watch->was_up[i] = is_up;
    }
}

/* Time passes in the present state. */
static void pass(struct watch *watch, const struct fleet *fleet, double hours)
{
    watch->hours += hours;
    for (uint32_t i = 0; i < fleet->spec->service_count; i++) {
        watch->down_h[i] += watch->was_up[i] ? 0 : hours;
    }
}

static void deliver(struct watch *watch, const struct spec_fleet *spec, struct estimators_run *run)
{
    for (uint32_t i = 0; i < spec->service_count; i++) {
        estimate_add_pair(&run->sums[i], watch->down_h[i], watch->hours, watch->outages[i]);
        run->sums[i].simulated_h += watch->hours;
    }
    watch_clear(watch);
}

static void step(struct fleet *fleet, struct watch *watch)
{
    const int64_t before_ns = fleet->now_ns;
    const int64_t next_ns = fleet_next(fleet);
    pass(watch, fleet, (double)(next_ns - before_ns) / NS_IN_AN_HOUR);
    fleet_step(fleet);
    note_state(watch, fleet);
    if (fleet->now_ns > REBASE_NS) {
        fleet_rebase(fleet);
    }
}

/* False: cycles are too long. */
static bool run_cycles(struct fleet *fleet, struct watch *watch, struct estimators_run *run)
{
    for (uint64_t cycles = 0; fleet->events < EVENTS; cycles++) {
        do {
            if (fleet->events >= EVENTS_FIRST && cycles < CYCLES_FIRST) {
                return false;
            }
            step(fleet, watch);
        } while (!fleet_is_whole(fleet));
        deliver(watch, fleet->spec, run);
    }
    return true;
}

/* Batches of equal length; what lies over an end is shared out. False: too many events. */
static bool run_batches(struct fleet *fleet, struct watch *watch, struct estimators_run *run)
{
    const struct spec_fleet *spec = fleet->spec;
    const int64_t queue = /* what waits for a crew waits for the others */
        spec->crews > 0 ? (spec->machines + spec->crews - 1) / spec->crews : 1;
    const int64_t repair_ns = dist_mean(&spec->repair);
    const int64_t repairs_ns =
        repair_ns > FLEET_NEVER / 16 / queue ? FLEET_NEVER / 16 : repair_ns * queue;
    const int64_t cycle_ns = dist_mean(&spec->life) + repairs_ns;
    const int64_t batch_ns =
        cycle_ns > FLEET_NEVER / 8 / LIVES ? FLEET_NEVER / 8 : LIVES * cycle_ns;
    int64_t end_ns = batch_ns;
    for (uint32_t batch = 0; batch <= BATCHES;) {
        const int64_t next_ns = fleet_next(fleet);
        if (next_ns <= end_ns) {
            if (fleet->events >= EVENTS_MAX) {
                return false;
            }
            step(fleet, watch);
            end_ns -= fleet->now_ns == 0 ? next_ns : 0; /* rebased */
            continue;
        }
        pass(watch, fleet, (double)(end_ns - fleet->now_ns) / NS_IN_AN_HOUR);
        if (batch == 0) {
            watch_clear(watch); /* the start is forgotten */
        } else {
            deliver(watch, spec, run);
        }
        batch++;
        /* What was counted ahead of the clock is taken back from the next batch. */
        pass(watch, fleet, (double)(fleet->now_ns - end_ns) / NS_IN_AN_HOUR);
        end_ns += batch_ns;
    }
    return true;
}

static void begin(struct fleet *fleet, struct watch *watch, const struct spec_fleet *spec,
                  struct estimators_run *run)
{
    fleet_begin(fleet, spec, run->seed);
    for (uint32_t i = 0; i < spec->service_count; i++) {
        estimate_begin(&run->sums[i], spec->services[i].name, ESTIMATE_CRUDE);
    }
    *watch = (struct watch){0};
    note_state(watch, fleet);
    watch_clear(watch);
}

bool estimate_crude(const struct spec_fleet *spec, struct estimators_run *run, struct err *err)
{
    struct fleet fleet;
    struct watch watch;
    uint64_t spent = 0; /* events of cycles that were given up */
    begin(&fleet, &watch, spec, run);
    bool is_done = fleet_is_markov(spec) && run_cycles(&fleet, &watch, run);
    if (!is_done) {
        spent = fleet.events;
        begin(&fleet, &watch, spec, run);
        is_done = run_batches(&fleet, &watch, run);
    }
    for (uint32_t i = 0; i < spec->service_count; i++) {
        run->sums[i].events = spent + fleet.events;
    }
    run->events = spent + fleet.events;
    run->digest = hash_mix(fleet.digest, fleet.events);
    return is_done ||
           err_set(err, ERR_INPUT,
                   "%d batches of %d lives of a machine have more than %d events: groups, "
                   "shocks, repairs or maintenance are much faster than machines fail",
                   BATCHES, LIVES, EVENTS_MAX);
}
