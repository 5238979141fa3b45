/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The rules of resilience4j (CircuitBreakerStateMachine, CircuitBreakerMetrics,
 * FixedSizeSlidingWindowMetrics, SlidingTimeWindowMetrics):
 *
 *   - a share is judged once the window holds calls_min outcomes (a window of calls that is
 *     smaller: once it is full); the breaker opens when the share of failures or the share of slow
 *     attempts reaches its threshold;
 *   - it asks for more than open_ns, not for open_ns, before it is half open;
 *   - half open it permits trial_calls attempts, judges them as a window of so many calls, and
 *     opens or closes when it has seen enough; it waits for them without a limit;
 *   - an attempt that began before the breaker opened and ends when it is half open counts there;
 *     one that ends while it is open counts nowhere;
 *   - the window of time consists of whole seconds of the clock.
 *
 * Shares are compared as products of integers, so 50 of 100 is half.
 *
 * One rule is ours: with `only_retries` first attempts do not ask. Their outcomes count while the
 * breaker is closed, and not while it is half open, where the trial decides. That is the breaker of
 * Brooker, "Fixing retries with token buckets and circuit breakers" (2022): it stops retries, not
 * the service.
 *
 * Not here: forced states, the growing wait of intervalFunctionInOpenState, a limit on the time
 * spent half open. */
#include "sim/breaker.h"

#include "sim/base/base.h"
#include "sim/base/units.h"

#include <stdlib.h>
#include <string.h>

#define MILLION 1000000
#define FAILED  1
#define SLOW    2

static void *allocate(size_t count, size_t size)
{
    void *memory = calloc(count, size);
    if (memory == NULL) {
        fprintf(stderr, "squall: out of memory (a circuit breaker's window of %zu)\n", count);
        abort();
    }
    return memory;
}

/* ----------------------------------------------------------------------------------- the window */

static bool uses_seconds(const struct breaker *breaker)
{
    return breaker->policy.is_time_based && breaker->state != BREAKER_HALF_OPEN;
}

static void window_clear(struct breaker *breaker, int64_t now_ns)
{
    breaker->total = (struct breaker_counts){0};
    breaker->next = 0;
    breaker->size =
        breaker->state == BREAKER_HALF_OPEN ? breaker->policy.trial_calls : breaker->policy.window;
    if (breaker->policy.is_time_based) {
        memset(breaker->seconds, 0, breaker->policy.window * sizeof(*breaker->seconds));
        breaker->second = now_ns / NS_PER_S;
    }
}

static void count(struct breaker_counts *counts, unsigned outcome)
{
    counts->calls++;
    counts->failed += outcome & FAILED ? 1 : 0;
    counts->slow += outcome & SLOW ? 1 : 0;
}

static void forget(struct breaker_counts *counts, const struct breaker_counts *old)
{
    ASSERT(counts->calls >= old->calls);
    counts->calls -= old->calls;
    counts->failed -= old->failed;
    counts->slow -= old->slow;
}

/* Moves the window of time to now. */
static void window_move(struct breaker *breaker, int64_t now_ns)
{
    const int64_t second = now_ns / NS_PER_S;
    int64_t steps = second - breaker->second;
    steps = steps < breaker->size ? steps : breaker->size;
    breaker->second = second - steps;
    for (; steps > 0; steps--) {
        breaker->second++;
        struct breaker_counts *oldest = &breaker->seconds[breaker->second % breaker->size];
        forget(&breaker->total, oldest);
        *oldest = (struct breaker_counts){0};
    }
}

static void window_add(struct breaker *breaker, unsigned outcome, int64_t now_ns)
{
    if (uses_seconds(breaker)) {
        window_move(breaker, now_ns);
        count(&breaker->seconds[breaker->second % breaker->size], outcome);
    } else {
        if (breaker->total.calls == breaker->size) {
            struct breaker_counts oldest = {0};
            count(&oldest, breaker->outcomes[breaker->next]);
            forget(&breaker->total, &oldest);
        }
        breaker->outcomes[breaker->next] = (unsigned char)outcome;
        breaker->next = (breaker->next + 1) % breaker->size;
    }
    count(&breaker->total, outcome);
}

/* ----------------------------------------------------------------------------------- the states */

static void enter(struct breaker *breaker, enum breaker_state state, int64_t now_ns)
{
    breaker->state = state;
    breaker->epoch = breaker->epoch == UINT32_MAX ? 1 : breaker->epoch + 1;
    if (state == BREAKER_OPEN) {
        breaker->opened_ns = now_ns;
        return;
    }
    breaker->permits = state == BREAKER_HALF_OPEN ? breaker->policy.trial_calls : 0;
    window_clear(breaker, now_ns);
}

static bool is_same(const struct spec_breaker *left, const struct spec_breaker *right)
{
    return left->is_enabled == right->is_enabled && left->only_retries == right->only_retries &&
           left->is_time_based == right->is_time_based && left->window == right->window &&
           left->calls_min == right->calls_min && left->failure_share == right->failure_share &&
           left->slow_share == right->slow_share && left->slow_ns == right->slow_ns &&
           left->open_ns == right->open_ns && left->trial_calls == right->trial_calls &&
           left->failure_on == right->failure_on;
}

void breaker_adopt(struct breaker *breaker, const struct spec_breaker *policy, int64_t now_ns)
{
    if (breaker->epoch != 0 && is_same(&breaker->policy, policy)) {
        return;
    }
    const uint32_t epoch = breaker->epoch;
    breaker_release(breaker);
    breaker->epoch = epoch;
    breaker->policy = *policy;
    if (!policy->is_enabled) {
        return;
    }
    ASSERT(policy->window >= 1);
    ASSERT(policy->calls_min >= 1);
    ASSERT(policy->trial_calls >= 1);
    uint32_t ring = policy->is_time_based ? 1 : policy->window;
    ring = ring > policy->trial_calls ? ring : policy->trial_calls;
    breaker->outcomes = allocate(ring, sizeof(*breaker->outcomes));
    if (policy->is_time_based) {
        breaker->seconds = allocate(policy->window, sizeof(*breaker->seconds));
    }
    enter(breaker, BREAKER_CLOSED, now_ns);
}

void breaker_release(struct breaker *breaker)
{
    free(breaker->outcomes);
    free(breaker->seconds);
    *breaker = (struct breaker){0};
}

uint32_t breaker_ask(struct breaker *breaker, int64_t now_ns)
{
    ASSERT(breaker->policy.is_enabled);
    if (breaker->state == BREAKER_OPEN && now_ns - breaker->opened_ns > breaker->policy.open_ns) {
        enter(breaker, BREAKER_HALF_OPEN, now_ns);
    }
    switch (breaker->state) {
    case BREAKER_CLOSED:
        return breaker->epoch;
    case BREAKER_OPEN:
        return 0;
    case BREAKER_HALF_OPEN:
        if (breaker->permits == 0) {
            return 0;
        }
        breaker->permits--;
        return breaker->epoch;
    }
    UNREACHABLE();
}

static bool reaches(uint32_t part, uint32_t whole, uint32_t share)
{
    return (uint64_t)part * MILLION >= (uint64_t)whole * share;
}

void breaker_record(struct breaker *breaker, uint32_t permit, bool is_failure, int64_t duration_ns,
                    int64_t now_ns)
{
    const struct spec_breaker *policy = &breaker->policy;
    if (!policy->is_enabled || breaker->state == BREAKER_OPEN ||
        (breaker->state == BREAKER_HALF_OPEN && permit == 0)) {
        return;
    }
    unsigned outcome = is_failure ? FAILED : 0;
    outcome |= duration_ns > policy->slow_ns ? SLOW : 0;
    window_add(breaker, outcome, now_ns);
    const struct breaker_counts *total = &breaker->total;
    uint32_t enough = policy->calls_min;
    if (!uses_seconds(breaker) && enough > breaker->size) {
        enough = breaker->size;
    }
    if (total->calls < enough) {
        return;
    }
    if (reaches(total->failed, total->calls, policy->failure_share) ||
        reaches(total->slow, total->calls, policy->slow_share)) {
        enter(breaker, BREAKER_OPEN, now_ns);
    } else if (breaker->state == BREAKER_HALF_OPEN) {
        enter(breaker, BREAKER_CLOSED, now_ns);
    }
}

void breaker_cancel(struct breaker *breaker, uint32_t permit)
{
    if (permit != 0 && permit == breaker->epoch && breaker->state == BREAKER_HALF_OPEN) {
        ASSERT(breaker->permits < breaker->policy.trial_calls);
        breaker->permits++;
    }
}
