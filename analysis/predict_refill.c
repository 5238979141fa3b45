/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Let A(t) be the misses up to t. The database serves in order, so at t it has answered those of up
 * to u(t), where A(u) = C t. A key is filled when its first miss is answered, and key i was not
 * asked for up to u with probability exp(-load p_i u); so misses come at the rate
 *
 *     A'(t) = load sum_i p_i exp(-load p_i u(t))
 *
 * and the wait is at its longest, A(t) / C - t, when that has fallen to C. Solved forward on a
 * geometric grid of times: the past that u(t) looks at is always known.
 *
 * Keys of neighbouring ranks are taken together where they hardly differ, so a step costs a few
 * hundred exponentials however many keys there are. */
#include "analysis/predict_refill.h"

#include "sim/base/base.h"

#include <math.h>

#define BUCKETS_MAX 2048 /* more than 2^32 ranks need */
#define RATIO       1.01 /* of ranks in a bucket, and of times on the grid */
#define SINGLE_MAX  64   /* ranks that are summed up one by one */
#define STEPS_MAX   6000
#define BISECTIONS  40
#define FACTOR_MAX  1000

struct keys {
    uint32_t count;
    double each[BUCKETS_MAX]; /* probability of one key of the bucket */
    double all[BUCKETS_MAX];  /* of all of them */
};

/* Sum of rank^-skew over [first, next); by Simpson's rule where the sum is as smooth as that. */
static double weight_of(double skew, uint64_t first, uint64_t next)
{
    const double count = (double)(next - first);
    double weight = 0;
    if (count > SINGLE_MAX) {
        const double low = (double)first - .5;
        const double high = (double)next - .5;
        return count / 6 * (pow(low, -skew) + 4 * pow((low + high) / 2, -skew) + pow(high, -skew));
    }
    for (uint64_t rank = first; rank < next; rank++) {
        weight += pow((double)rank, -skew);
    }
    return weight;
}

static void keys_init(struct keys *keys, const struct refill *refill)
{
    double total = 0;
    keys->count = 0;
    for (uint64_t first = 1; first <= refill->keys;) {
        ASSERT(keys->count < BUCKETS_MAX);
        uint64_t next = (uint64_t)((double)first * RATIO) + 1;
        next = next <= refill->keys ? next : (uint64_t)refill->keys + 1;
        const double weight = weight_of(refill->skew, first, next);
        keys->each[keys->count] = weight / (double)(next - first);
        keys->all[keys->count] = weight;
        keys->count++;
        total += weight;
        first = next;
    }
    for (uint32_t i = 0; i < keys->count; i++) {
        keys->each[i] /= total;
        keys->all[i] /= total;
    }
}

/* Share of the requests that miss when `asked` were made before the last answer. */
static double misses(const struct keys *keys, double asked)
{
    double share = 0;
    for (uint32_t i = 0; i < keys->count; i++) {
        share += keys->all[i] * exp(-keys->each[i] * asked);
    }
    return share;
}

/* The longest wait; stops looking at `enough`. */
static double longest_wait(const struct keys *keys, double database, double load, double enough)
{
    static const double begin = 1e-3; /* in services of the database */
    double times[STEPS_MAX] = {0, begin / database};
    double totals[STEPS_MAX] = {0, load * begin / database};
    uint32_t past = 0; /* u lies between times[past] and the next one */
    for (uint32_t i = 1; i + 1 < STEPS_MAX; i++) {
        const double answered = database * times[i];
        while (totals[past + 1] <= answered && past + 1 < i) {
            past++;
        }
        const double part = (answered - totals[past]) / (totals[past + 1] - totals[past]);
        const double answered_at = times[past] + part * (times[past + 1] - times[past]);
        const double rate = load * misses(keys, load * answered_at);
        const double wait = totals[i] / database - times[i];
        if (rate <= database || wait >= enough) {
            return wait;
        }
        times[i + 1] = times[i] * RATIO;
        totals[i + 1] = totals[i] + rate * (times[i + 1] - times[i]);
    }
    return INFINITY;
}

static bool is_refill(const struct refill *refill)
{
    return refill->keys >= 1 && refill->skew >= 0 && refill->database_per_s > 0;
}

double refill_wait_max(const struct refill *refill, double load_per_s)
{
    if (!is_refill(refill) || !(load_per_s > 0)) {
        return NAN;
    }
    if (load_per_s <= refill->database_per_s) {
        return 0;
    }
    struct keys keys;
    keys_init(&keys, refill);
    return longest_wait(&keys, refill->database_per_s, load_per_s, INFINITY);
}

double refill_load_max(const struct refill *refill, double timeout_s)
{
    if (!is_refill(refill) || !(timeout_s >= 0)) {
        return NAN;
    }
    struct keys keys;
    keys_init(&keys, refill);
    const double database = refill->database_per_s;
    double low = 1; /* times the database's rate: nobody waits too long */
    double high = FACTOR_MAX;
    if (longest_wait(&keys, database, high * database, timeout_s) < timeout_s) {
        return INFINITY;
    }
    for (uint32_t i = 0; i < BISECTIONS; i++) {
        const double middle = sqrt(low * high);
        const bool is_short =
            longest_wait(&keys, database, middle * database, timeout_s) < timeout_s;
        *(is_short ? &low : &high) = middle;
    }
    return low * database;
}
