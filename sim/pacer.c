/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The laws of botocore (retries/adaptive.py, throttling.py, bucket.py) in fixed point:
 *
 *   - Measurement: answers of each half second, n / duration, smoothed with weight s for the
 * newest. Every attempt counts when its answer is there or has timed out.
 *   - CUBIC (Ha, Rhee & Xu 2008; RFC 8312): at a throttling error at rate w, rate := beta w, and
 *     w_max := w, K := cbrt(w_max (1 - beta) / C). At any other answer t seconds later, rate := C
 * (t
 *     - K)^3 + w_max. The w of an error is the measured rate, or the bucket's if that is lower.
 *   - Bucket: fills at that rate, but at no more than twice what was measured and at no less than a
 *     minimum; holds one second's worth, at least one token; starts empty.
 *
 * Times of the cubic are in microseconds, so that its third power fits 128 bits for a day; beyond a
 * day it stays where it is. Before the first error the cubic is computed too, as it is there, and
 * used for nothing but the bucket's level.
 *
 * One rule differs: who waits for a token is served in order of arrival. There, threads wait on a
 * condition and any of them may win. */
#include "sim/pacer.h"

#include "sim/base/base.h"
#include "sim/base/units.h"

#define MILLI       1000
#define MILLION     UINT64_C(1000000)
#define HALF_SECOND (NS_PER_S / 2)
#define TOKEN       UINT64_C(1000000000000000)
#define RATE_MAX    (UINT64_C(1) << 50) /* a billion a second */
#define CUBE_US_MAX INT64_C(100000000000)
#define MEASURE_MAX (UINT64_C(1) << 40)

uint64_t pacer_cube_root(__uint128_t value)
{
    ASSERT(value >> 126 == 0);
    if (value == 0) {
        return 0;
    }
    /* Newton from above falls until it is there. */
    int bits = value >> 64 != 0 ? 128 - __builtin_clzll((uint64_t)(value >> 64))
                                : 64 - __builtin_clzll((uint64_t)value);
    __uint128_t root = (__uint128_t)1 << (bits + 2) / 3;
    for (;;) {
        __uint128_t next = (2 * root + value / (root * root)) / 3;
        if (next >= root) {
            return (uint64_t)root;
        }
        root = next;
    }
}

static void fill(struct pacer *pacer, int64_t now_ns)
{
    ASSERT(now_ns >= pacer->filled_ns);
    const __uint128_t full = (__uint128_t)pacer->capacity * (TOKEN / MILLION);
    pacer->level += (__uint128_t)(uint64_t)(now_ns - pacer->filled_ns) * pacer->rate;
    if (pacer->level > full) {
        pacer->level = full;
    }
    pacer->filled_ns = now_ns;
}

static void set_rate(struct pacer *pacer, uint64_t rate, int64_t now_ns)
{
    fill(pacer, now_ns);
    const uint64_t rate_min = (uint64_t)pacer->policy.rate_min_milli * MILLI;
    pacer->rate = rate > rate_min ? rate : rate_min;
    pacer->capacity = rate > MILLION ? rate : MILLION;
    fill(pacer, now_ns);
}

static bool is_same(const struct spec_pacing *left, const struct spec_pacing *right)
{
    return left->is_enabled == right->is_enabled && left->beta_milli == right->beta_milli &&
           left->scale_milli == right->scale_milli &&
           left->smoothing_milli == right->smoothing_milli &&
           left->rate_min_milli == right->rate_min_milli;
}

void pacer_adopt(struct pacer *pacer, const struct spec_pacing *policy, int64_t now_ns)
{
    if (is_same(&pacer->policy, policy)) {
        return;
    }
    *pacer = (struct pacer){
        .policy = *policy,
        .filled_ns = now_ns,
        .throttled_ns = now_ns,
        .half_second = now_ns / HALF_SECOND,
    };
    if (policy->is_enabled) {
        ASSERT(policy->beta_milli < MILLI);
        ASSERT(policy->scale_milli >= 1);
        ASSERT(policy->smoothing_milli <= MILLI);
        ASSERT(policy->rate_min_milli >= 1);
        set_rate(pacer, MILLION, now_ns);
    }
}

bool pacer_take(struct pacer *pacer, int64_t now_ns)
{
    if (!pacer->is_on) {
        return true;
    }
    fill(pacer, now_ns);
    if (pacer->level < TOKEN) {
        return false;
    }
    pacer->level -= TOKEN;
    return true;
}

int64_t pacer_ready_ns(struct pacer *pacer, int64_t now_ns)
{
    fill(pacer, now_ns);
    if (!pacer->is_on || pacer->level >= TOKEN) {
        return now_ns;
    }
    const uint64_t missing = TOKEN - (uint64_t)pacer->level;
    return now_ns + (int64_t)((missing + pacer->rate - 1) / pacer->rate);
}

static void measure(struct pacer *pacer, int64_t now_ns)
{
    const int64_t half_second = now_ns / HALF_SECOND;
    pacer->answers += pacer->answers < MEASURE_MAX ? 1 : 0;
    if (half_second <= pacer->half_second) {
        return;
    }
    const uint64_t weight = pacer->policy.smoothing_milli;
    uint64_t newest = pacer->answers * 2 * MILLION / (uint64_t)(half_second - pacer->half_second);
    newest = newest < RATE_MAX ? newest : RATE_MAX;
    const __uint128_t sum =
        (__uint128_t)newest * weight + (__uint128_t)pacer->measured * (MILLI - weight);
    pacer->measured = (uint64_t)(sum / MILLI);
    pacer->answers = 0;
    pacer->half_second = half_second;
}

/* C (t - K)^3 + w_max. */
static uint64_t cubic(const struct pacer *pacer, int64_t now_ns)
{
    int64_t x = (now_ns - pacer->throttled_ns) / MILLI - pacer->plateau_us;
    x = x > CUBE_US_MAX ? CUBE_US_MAX : x;
    const __int128_t cube = (__int128_t)x * x * x;
    /* C / 1000 * (x / 10^6)^3 * 10^6 */
    const __int128_t grown =
        cube / (__int128_t)(MILLION * MILLION) * pacer->policy.scale_milli / MILLI +
        (__int128_t)pacer->rate_max;
    if (grown <= 0) {
        return 0;
    }
    return grown > RATE_MAX ? RATE_MAX : (uint64_t)grown;
}

/* A throttling error at this rate. */
static uint64_t cut(struct pacer *pacer, uint64_t rate, int64_t now_ns)
{
    const uint64_t beta = pacer->policy.beta_milli;
    pacer->rate_max = rate;
    pacer->throttled_ns = now_ns;
    /* In microseconds: cbrt(w (1 - beta) / C) * 10^6, and 10^6 is cbrt(10^18). */
    const __uint128_t inside =
        (__uint128_t)rate * (MILLI - beta) * (MILLION * MILLION) / pacer->policy.scale_milli;
    pacer->plateau_us = (int64_t)pacer_cube_root(inside);
    return rate * beta / MILLI;
}

void pacer_answered(struct pacer *pacer, bool is_throttled, int64_t now_ns)
{
    if (!pacer->policy.is_enabled) {
        return;
    }
    measure(pacer, now_ns);
    uint64_t rate = 0;
    if (is_throttled) {
        bool is_lower = pacer->is_on && pacer->rate < pacer->measured;
        rate = cut(pacer, is_lower ? pacer->rate : pacer->measured, now_ns);
        pacer->is_on = true;
    } else {
        rate = cubic(pacer, now_ns);
    }
    const uint64_t bound = 2 * pacer->measured;
    set_rate(pacer, rate < bound ? rate : bound, now_ns);
}
