/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The rules and constants of github.com/Netflix/concurrency-limits (AIMDLimit, VegasLimit,
 * Gradient2Limit and WindowedLimit, their defaults), in fixed point instead of doubles.
 *
 * AIMD: one more for a success while at least half the limit is used; times 0.9 for a drop or a
 * latency above 5 s.
 *
 * Vegas: queue = limit (1 - rtt_noload / rtt), with L = max(1, floor(log10 limit)): up by 6L when
 * the queue is at most L, by L when below 3L; down by L when above 6L or after a drop. The latency
 * without load is the smallest seen, and measured anew after about 30 limits of samples.
 *
 * Gradient: windows of a second with at least 10 samples; a long exponential average (600 windows)
 * over the latency of this one, times 1.5, between a half and one, times the limit, plus 4;
 * smoothed by 0.2. */
#include "limit.h"

#include <assert.h>

#define FRACTION       20
#define ONE            (UINT64_C(1) << FRACTION)
#define NS_PER_SECOND  INT64_C(1000000000)
#define AIMD_TIMEOUT   (5 * NS_PER_SECOND)
#define PROBE_LIMITS   30
#define WINDOW_SAMPLES 10
#define WINDOW_NS      NS_PER_SECOND
#define RTT_TOO_SHORT  INT64_C(100000)
#define LONG_WINDOW    600
#define LONG_WARMUP    10
#define GRADIENT_ROOM  4
#define RTT_FRACTION   10

static uint64_t clamp(const struct limit *limit, uint64_t estimate)
{
    const uint64_t low = limit->min * ONE;
    const uint64_t high = limit->max * ONE;
    if (estimate > high) {
        estimate = high;
    }
    return estimate < low ? low : estimate;
}

static void draw_jitter(struct limit *limit, struct sq_env *env)
{
    limit->probe_jitter = (UINT64_C(1) << 31) + env->rand->below(env, UINT64_C(1) << 31);
}

void limit_init(struct limit *limit, struct sq_env *env, enum limit_kind kind, uint32_t initial,
                uint32_t min, uint32_t max)
{
    const bool is_vegas = kind == LIMIT_VEGAS;
    *limit = (struct limit){
        .kind = kind,
        .min = min > 0    ? min
               : is_vegas ? 1
                          : 20,
        .max = max > 0    ? max
               : is_vegas ? 1000
                          : 200,
        .estimate = initial * ONE,
    };
    if (is_vegas) {
        draw_jitter(limit, env);
    }
}

uint32_t limit_now(const struct limit *limit)
{
    return limit->kind == LIMIT_NONE ? UINT32_MAX : (uint32_t)(limit->estimate >> FRACTION);
}

static void aimd(struct limit *limit, sq_time rtt, uint32_t in_flight, bool did_drop)
{
    uint64_t whole = limit->estimate >> FRACTION;
    if (did_drop || rtt > AIMD_TIMEOUT) {
        whole = whole * 9 / 10;
    } else if ((uint64_t)in_flight * 2 >= whole) {
        whole++;
    }
    limit->estimate = clamp(limit, whole * ONE);
}

/* max(1, floor(log10)). */
static uint64_t log10_of(uint64_t whole)
{
    uint64_t digits = 0;
    while (whole >= 10) {
        whole /= 10;
        digits++;
    }
    return digits > 1 ? digits : 1;
}

static void vegas_update(struct limit *limit, sq_time rtt, uint32_t in_flight, bool did_drop)
{
    const uint64_t step = log10_of(limit->estimate >> FRACTION);
    const uint64_t queueing = (uint64_t)(rtt - limit->rtt_noload);
    const uint64_t queue_q =
        (uint64_t)((unsigned __int128)limit->estimate * queueing / (uint64_t)rtt);
    const uint64_t queue = (queue_q + ONE - 1) >> FRACTION;
    const uint64_t lower = limit->estimate > step * ONE ? limit->estimate - step * ONE : 0;
    uint64_t next = limit->estimate;
    if (did_drop) {
        next = lower;
    } else if (in_flight * 2 * ONE < limit->estimate) {
        return;
    } else if (queue <= step) {
        next += 6 * step * ONE;
    } else if (queue < 3 * step) {
        next += step * ONE;
    } else if (queue > 6 * step) {
        next = lower;
    }
    limit->estimate = clamp(limit, next);
}

static void vegas(struct limit *limit, struct sq_env *env, sq_time rtt, uint32_t in_flight,
                  bool did_drop)
{
    limit->probe_count++;
    const unsigned __int128 due =
        (unsigned __int128)limit->probe_jitter * PROBE_LIMITS * limit->estimate;
    if (due <= (unsigned __int128)limit->probe_count << (32 + FRACTION)) {
        draw_jitter(limit, env);
        limit->probe_count = 0;
        limit->rtt_noload = rtt;
    } else if (limit->rtt_noload == 0 || rtt < limit->rtt_noload) {
        limit->rtt_noload = rtt;
    } else {
        vegas_update(limit, rtt, in_flight, did_drop);
    }
}

/* The long average with one more sample. */
static void long_rtt_add(struct limit *limit, int64_t sample)
{
    if (limit->warmup_count < LONG_WARMUP) {
        limit->warmup_count++;
        limit->warmup_sum += sample;
        limit->long_rtt = limit->warmup_sum / limit->warmup_count;
    } else {
        limit->long_rtt += (sample - limit->long_rtt) * 2 / (LONG_WINDOW + 1);
    }
}

static void gradient_update(struct limit *limit, sq_time rtt, uint32_t in_flight)
{
    const int64_t rtt_q = rtt << RTT_FRACTION;
    long_rtt_add(limit, rtt_q);
    const int64_t long_rtt = limit->long_rtt;
    if (long_rtt > 2 * rtt_q) {
        limit->long_rtt = long_rtt / 20 * 19;
    }
    if (in_flight * 2 * ONE < limit->estimate) {
        return;
    }
    uint64_t gradient = (uint64_t)((__int128)long_rtt * 3 * (int64_t)ONE / (2 * (__int128)rtt_q));
    if (gradient > ONE) {
        gradient = ONE;
    }
    if (gradient < ONE / 2) {
        gradient = ONE / 2;
    }
    const uint64_t next = (limit->estimate * gradient >> FRACTION) + GRADIENT_ROOM * ONE;
    limit->estimate = clamp(limit, (limit->estimate * 4 + next) / 5);
}

static void gradient(struct limit *limit, sq_time now, sq_time rtt, uint32_t in_flight,
                     bool did_drop)
{
    struct limit_window *window = &limit->window;
    if (rtt < RTT_TOO_SHORT) {
        return;
    }
    window->rtt_sum += rtt;
    window->count++;
    window->did_drop |= did_drop;
    window->in_flight_max = in_flight > window->in_flight_max ? in_flight : window->in_flight_max;
    if (now <= window->next_update) {
        return;
    }
    const struct limit_window full = *window;
    *window = (struct limit_window){.next_update = now + WINDOW_NS};
    if (full.count >= WINDOW_SAMPLES) {
        gradient_update(limit, full.rtt_sum / full.count, full.in_flight_max);
    }
}

void limit_sample(struct limit *limit, struct sq_env *env, sq_time rtt, uint32_t in_flight,
                  bool did_drop)
{
    assert(rtt >= 0);
    rtt = rtt > 0 ? rtt : 1;
    switch (limit->kind) {
    case LIMIT_NONE:
    case LIMIT_STATIC:
        break;
    case LIMIT_AIMD:
        aimd(limit, rtt, in_flight, did_drop);
        break;
    case LIMIT_VEGAS:
        vegas(limit, env, rtt, in_flight, did_drop);
        break;
    case LIMIT_GRADIENT:
        gradient(limit, env->clock->monotonic(env), rtt, in_flight, did_drop);
        break;
    }
}
