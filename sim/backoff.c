/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Before retry n: c = min(initial * multiplier^(n-1), max) with the product floored at every step,
 * then jitter: full U[0, c]; equal c/2 + U[0, c - c/2]; proportional c - xc + U[0, 2xc];
 * decorrelated, which has a law of its own, min(max, U[initial, 3 * previous]) with previous =
 * initial at first (Brooker, "Exponential Backoff and Jitter", AWS Architecture Blog 2015; gRPC
 * proposal A6, which has proportional(20%)).
 *
 * After a throttling error the AWS SDKs of 2026 count from another initial delay (botocore,
 * retries/standard.py: ExponentialBackoff): a second sequence, which moves with the first.
 *
 * A server may ask for a delay. gRPC waits for exactly that, and the retry after the next is again
 * the first of a sequence (proposal A6, "Pushback"; grpc-go, stream.go: numRetriesSincePushback).
 * The AWS SDKs of 2026 keep it between their own delay t, jitter included, and t + 5 s (botocore,
 * retries/standard.py, version 2.1: max(t, min(x-amz-retry-after, t + 5))); a negative one is less
 * than t, so they know no "never". */
#include "sim/backoff.h"

#include "sim/base/base.h"

#define MILLI 1000

static int64_t capped(const struct spec_client *policy, int64_t initial_ns)
{
    bool is_above =
        policy->backoff == SPEC_BACKOFF_EXPONENTIAL && initial_ns > policy->backoff_max_ns;
    return is_above ? policy->backoff_max_ns : initial_ns;
}

void backoff_start(struct backoff *backoff, const struct spec_client *policy)
{
    int64_t throttled_ns = policy->backoff_throttled_ns;
    *backoff = (struct backoff){
        .next_ns = capped(policy, policy->backoff_initial_ns),
        .throttled_ns =
            capped(policy, throttled_ns > 0 ? throttled_ns : policy->backoff_initial_ns),
        .previous_ns = policy->backoff_initial_ns,
    };
}

/* Uniform in [low, high]. */
static int64_t draw_between(struct rng *rng, int64_t low, int64_t high)
{
    ASSERT(low >= 0);
    ASSERT(low <= high);
    return low + (int64_t)rng_below(rng, (uint64_t)(high - low) + 1);
}

static int64_t decorrelated(struct backoff *backoff, const struct spec_client *policy,
                            int64_t base_ns, struct rng *jitter)
{
    const int64_t cap = policy->backoff_max_ns > base_ns ? policy->backoff_max_ns : base_ns;
    const int64_t previous = backoff->previous_ns > base_ns ? backoff->previous_ns : base_ns;
    int64_t high = previous > INT64_MAX / 4 ? INT64_MAX / 4 * 3 : previous * 3;
    int64_t delay = draw_between(jitter, base_ns, high);
    backoff->previous_ns = delay > cap ? cap : delay;
    return backoff->previous_ns;
}

static int64_t proportional(const struct spec_client *policy, int64_t delay_ns, struct rng *jitter)
{
    unsigned __int128 product = (unsigned __int128)(uint64_t)delay_ns * policy->jitter_proportion;
    int64_t spread = (int64_t)(product >> 32);
    int64_t high = delay_ns > INT64_MAX - spread ? INT64_MAX : delay_ns + spread;
    return draw_between(jitter, delay_ns - spread, high);
}

static int64_t grown(const struct spec_client *policy, int64_t delay_ns)
{
    unsigned __int128 next =
        (unsigned __int128)(uint64_t)delay_ns * policy->backoff_multiplier_milli / MILLI;
    return next > (uint64_t)policy->backoff_max_ns ? policy->backoff_max_ns : (int64_t)next;
}

int64_t backoff_next(struct backoff *backoff, const struct spec_client *policy, bool is_throttled,
                     struct rng *jitter)
{
    if (policy->backoff == SPEC_BACKOFF_NONE) {
        return 0;
    }
    const int64_t delay_ns = is_throttled ? backoff->throttled_ns : backoff->next_ns;
    if (policy->backoff == SPEC_BACKOFF_EXPONENTIAL) {
        backoff->next_ns = grown(policy, backoff->next_ns);
        backoff->throttled_ns = grown(policy, backoff->throttled_ns);
    }
    switch (policy->jitter) {
    case SPEC_JITTER_NONE:
        return delay_ns;
    case SPEC_JITTER_FULL:
        return draw_between(jitter, 0, delay_ns);
    case SPEC_JITTER_EQUAL:
        return draw_between(jitter, delay_ns / 2, delay_ns);
    case SPEC_JITTER_DECORRELATED: {
        const int64_t throttled_ns = policy->backoff_throttled_ns;
        bool is_slow = is_throttled && throttled_ns > 0;
        return decorrelated(backoff, policy, is_slow ? throttled_ns : policy->backoff_initial_ns,
                            jitter);
    }
    case SPEC_JITTER_PROPORTIONAL:
        return proportional(policy, delay_ns, jitter);
    }
    UNREACHABLE();
}

int64_t backoff_pushed(struct backoff *backoff, const struct spec_client *policy, bool is_throttled,
                       int64_t retry_after_ns, struct rng *jitter)
{
    ASSERT(policy->pushback != SPEC_PUSHBACK_IGNORE);
    if (policy->pushback == SPEC_PUSHBACK_EXACT) {
        ASSERT(retry_after_ns >= 0);
        backoff_start(backoff, policy);
        return retry_after_ns;
    }
    const int64_t own_ns = backoff_next(backoff, policy, is_throttled, jitter);
    if (retry_after_ns <= own_ns) {
        return own_ns;
    }
    return retry_after_ns - own_ns < policy->pushback_max_ns ? retry_after_ns
                                                             : own_ns + policy->pushback_max_ns;
}
