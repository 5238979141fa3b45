/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Every rate of the fluid is constant between events, and the queue is a straight line, so the
 * equations are solved from event to event and not by steps:
 *
 *     r_0(t) = fresh load,   r_k+1(t) = late_k(t - T - delay),   late_k = r_k x share late,
 *     queue' = sum of r_k - capacity(t)   within 0 .. limit,
 *     late at t   <=>   queue(t) > work that the server does in [t, t + T].
 *
 * The share late is 0 or 1, but for what a full queue loses: that times out as well. Events are the
 * end of the trigger, the time one time-out before it (from when on an arrival sees the recovery
 * ahead), the queue reaching 0, its limit or the line above which arrivals are late, the bucket of
 * the budget running empty or full, and every change of late_k, seen again T + delay later by
 * r_k+1. What is kept of the past is the list of those changes.
 *
 * A run has recovered when no change lies ahead, nothing is late and the queue is empty. It is
 * stuck when no change lies ahead, something is late and the queue does not shrink: then nothing
 * can ever change again. Both are proofs and not horizons; a limit of events ends what oscillates.
 *
 * Comparisons allow for rounding by one part in 10^9 of the work of a time-out. A line that is
 * touched but not crossed is not late: a queue bounded at exactly one time-out of work recovers. */
#include "analysis/predict_fluid.h"

#include "sim/base/base.h"
#include "sim/base/vec.h"

#include <math.h>

#define EVENTS_MAX   100000
#define TRIGGERS_MAX 1000.0 /* longest trigger tried, in time-outs */
#define HALVINGS     40
#define TOLERANCE    1e-9
#define LEVELS       (PREDICT_RETRIES_MAX + 1)

/* From `at_s` on, attempts of one generation become late at this rate. */
struct change {
    double at_s;
    double rate;
};

struct flow {
    const struct predict_system *system;
    struct fluid_trigger trigger;
    double load;
    double delay;   /* time-out plus delay of the retry */
    double work;    /* of one time-out at full capacity */
    double epsilon; /* of work */
    double burst;

    double now;
    double queue;
    double bucket;
    struct vec late[LEVELS]; /* struct change: the past of late_k */
    uint32_t seen[LEVELS];   /* changes of it that r_k+1 has seen */

    /* Derived, valid from now to the next event. */
    double rate[LEVELS];
    double arrivals;
    double slope;      /* of the queue */
    double line;       /* queue above which an arrival is late */
    double line_slope; /* of the line */
    double bucket_slope;
    double share_late;
};

static double capacity_at(const struct flow *flow, double t)
{
    double factor = t < flow->trigger.duration_s ? flow->trigger.capacity_factor : 1;
    return flow->system->capacity_per_s * factor;
}

/* Work done from now to one time-out later. */
static double work_ahead(const struct flow *flow)
{
    double timeout = flow->system->timeout_s;
    double inside = fmin(fmax(flow->trigger.duration_s - flow->now, 0), timeout);
    return flow->system->capacity_per_s *
           (inside * flow->trigger.capacity_factor + (timeout - inside));
}

static double rate_late(const struct flow *flow, uint32_t level)
{
    uint32_t seen = flow->seen[level];
    return seen == 0 ? 0 : ((struct change *)vec_at(&flow->late[level], seen - 1))->rate;
}

/* Arrivals of every generation; the budget thins the retries out in proportion. */
static void derive_rates(struct flow *flow)
{
    uint32_t retries = flow->system->retries;
    bool is_during = flow->now < flow->trigger.duration_s;
    flow->rate[0] = flow->load * (is_during ? flow->trigger.load_factor : 1);
    double wanted = 0;
    for (uint32_t k = 0; k < retries; k++) {
        flow->rate[k + 1] = rate_late(flow, k);
        wanted += flow->rate[k + 1];
    }
    double budget = flow->system->budget;
    flow->bucket_slope = 0;
    if (budget >= 0) {
        double income = budget * flow->rate[0];
        double scale = 1;
        if (flow->bucket <= 0 && wanted > income) {
            scale = income / wanted;
            for (uint32_t k = 0; k < retries; k++) {
                flow->rate[k + 1] *= scale;
            }
        } else if (flow->bucket < flow->burst || wanted > income) {
            flow->bucket_slope = income - wanted;
        }
        wanted *= scale;
    }
    flow->arrivals = flow->rate[0] + wanted;
}

/* Slope of the queue, what is lost at its limit, and whether arrivals are late. */
static void derive_queue(struct flow *flow)
{
    double capacity = capacity_at(flow, flow->now);
    double limit = flow->system->queue_limit;
    double lost = 0;
    flow->slope = flow->arrivals - capacity;
    if (flow->queue <= flow->epsilon && flow->slope <= 0) {
        flow->queue = 0;
        flow->slope = 0;
    } else if (limit > 0 && flow->queue >= limit - flow->epsilon && flow->slope >= 0) {
        flow->queue = limit;
        lost = flow->slope / flow->arrivals;
        flow->slope = 0;
    }
    flow->line = work_ahead(flow);
    flow->line_slope =
        capacity_at(flow, flow->now + flow->system->timeout_s) - capacity_at(flow, flow->now);
    double above = flow->queue - flow->line;
    bool is_rising = flow->slope - flow->line_slope > flow->epsilon / flow->system->timeout_s;
    bool is_late = above > flow->epsilon || (above >= -flow->epsilon && is_rising);
    flow->share_late = is_late ? 1 : lost;
}

static void record_changes(struct flow *flow)
{
    for (uint32_t k = 0; k < flow->system->retries; k++) {
        double rate = flow->rate[k] * flow->share_late;
        rate = rate < TOLERANCE * flow->load ? 0 : rate;
        struct vec *late = &flow->late[k];
        double last = late->count == 0 ? 0 : ((struct change *)vec_at(late, late->count - 1))->rate;
        if (fabs(rate - last) > TOLERANCE * flow->load) {
            struct change change = {flow->now, rate};
            vec_append(late, &change);
        }
    }
}

/* Does nothing of the past still change what arrives? */
static bool is_past_settled(const struct flow *flow)
{
    for (uint32_t k = 0; k < flow->system->retries; k++) {
        if (flow->seen[k] < flow->late[k].count) {
            return false;
        }
    }
    return flow->now >= flow->trigger.duration_s;
}

static double sooner(double wait, double distance, double speed)
{
    if (speed <= 0 || distance <= 0) {
        return wait;
    }
    return fmin(wait, distance / speed);
}

/* Seconds to the next event, infinite if there is none. */
static double wait_for_event(const struct flow *flow)
{
    double wait = INFINITY;
    double end = flow->trigger.duration_s;
    double foreseen = end - flow->system->timeout_s;
    wait = sooner(wait, end - flow->now, 1);
    wait = sooner(wait, foreseen - flow->now, 1);
    for (uint32_t k = 0; k < flow->system->retries; k++) {
        if (flow->seen[k] < flow->late[k].count) {
            struct change *change = vec_at(&flow->late[k], flow->seen[k]);
            wait = fmin(wait, fmax(0, change->at_s + flow->delay - flow->now));
        }
    }
    wait = sooner(wait, flow->queue, -flow->slope);
    if (flow->system->queue_limit > 0) {
        wait = sooner(wait, flow->system->queue_limit - flow->queue, flow->slope);
    }
    double above = flow->queue - flow->line;
    double speed = flow->slope - flow->line_slope;
    if (fabs(above) > flow->epsilon) {
        wait = sooner(wait, fabs(above), above > 0 ? -speed : speed);
    }
    if (flow->bucket_slope < 0) {
        wait = sooner(wait, flow->bucket, -flow->bucket_slope);
    } else {
        wait = sooner(wait, flow->burst - flow->bucket, flow->bucket_slope);
    }
    return wait;
}

static void advance(struct flow *flow, double wait)
{
    flow->now += wait;
    flow->queue = fmax(0, flow->queue + flow->slope * wait);
    double bucket = flow->bucket + flow->bucket_slope * wait;
    double dust = TOLERANCE * fmax(flow->burst, flow->load * flow->system->timeout_s);
    flow->bucket = bucket < dust ? 0 : fmin(bucket, flow->burst);
    double rounding = TOLERANCE * flow->system->timeout_s * 1e-3;
    if (fabs(flow->now - flow->trigger.duration_s) <= rounding) {
        flow->now = fmax(flow->now, flow->trigger.duration_s);
    }
    for (uint32_t k = 0; k < flow->system->retries; k++) {
        while (flow->seen[k] < flow->late[k].count) {
            struct change *change = vec_at(&flow->late[k], flow->seen[k]);
            if (change->at_s + flow->delay > flow->now + rounding) {
                break;
            }
            flow->seen[k]++;
        }
    }
}

static void follow(struct flow *flow, struct fluid_run *run)
{
    double end = flow->trigger.duration_s;
    for (uint32_t event = 0; event < EVENTS_MAX; event++) {
        derive_rates(flow);
        derive_queue(flow);
        record_changes(flow);
        run->queue_max = fmax(run->queue_max, flow->queue);
        run->amplification_max = fmax(run->amplification_max, flow->arrivals / flow->load);
        if (is_past_settled(flow) && flow->bucket_slope >= 0) {
            bool is_clean = flow->share_late <= TOLERANCE;
            if (is_clean && flow->slope == 0) {
                run->end = FLUID_RECOVERED;
                return;
            }
            if (!is_clean && flow->slope >= 0) {
                run->end = FLUID_STUCK;
                run->late_until_s = INFINITY;
                run->empty_at_s = INFINITY;
                return;
            }
        }
        double wait = wait_for_event(flow);
        if (!isfinite(wait)) {
            break;
        }
        bool is_late = flow->share_late > TOLERANCE;
        bool is_queued = flow->queue > 0 || flow->slope > 0;
        advance(flow, wait);
        if (is_late) {
            run->late_until_s = fmax(0, flow->now - end);
        }
        if (is_queued) {
            run->empty_at_s = fmax(0, flow->now - end);
        }
    }
}

struct fluid_run fluid_through(const struct predict_system *system, double load_per_s,
                               struct fluid_trigger trigger, double budget_burst)
{
    ASSERT(predict_system_is_valid(system));
    ASSERT(load_per_s > 0);
    ASSERT(trigger.capacity_factor >= 0);
    ASSERT(trigger.load_factor >= 0);
    ASSERT(trigger.duration_s >= 0);
    ASSERT(budget_burst >= 0);
    double work = system->capacity_per_s * system->timeout_s;
    struct flow flow = {
        .system = system,
        .trigger = trigger,
        .load = load_per_s,
        .delay = system->timeout_s + system->retry_delay_s,
        .work = work,
        .epsilon = TOLERANCE * work,
        .burst = budget_burst,
        .bucket = budget_burst,
    };
    for (uint32_t k = 0; k < system->retries; k++) {
        vec_init(&flow.late[k], sizeof(struct change), EVENTS_MAX + 1);
    }
    struct fluid_run run = {.end = FLUID_UNDECIDED};
    follow(&flow, &run);
    for (uint32_t k = 0; k < system->retries; k++) {
        vec_release(&flow.late[k]);
    }
    return run;
}

static bool sticks(const struct predict_system *system, double load_per_s,
                   struct fluid_trigger trigger, double duration_s, double budget_burst)
{
    trigger.duration_s = duration_s;
    return fluid_through(system, load_per_s, trigger, budget_burst).end == FLUID_STUCK;
}

double fluid_tipping_duration(const struct predict_system *system, double load_per_s,
                              struct fluid_trigger trigger, double budget_burst)
{
    double low = 0;
    double high = system->timeout_s;
    while (!sticks(system, load_per_s, trigger, high, budget_burst)) {
        low = high;
        high *= 2;
        if (high > TRIGGERS_MAX * system->timeout_s) {
            return INFINITY;
        }
    }
    for (uint32_t i = 0; i < HALVINGS && high - low > 1e-10 * high; i++) {
        double middle = low + (high - low) / 2;
        if (sticks(system, load_per_s, trigger, middle, budget_burst)) {
            high = middle;
        } else {
            low = middle;
        }
    }
    return high;
}
