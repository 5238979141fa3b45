/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Pacer: the send rate of one caller, after the adaptive mode of the AWS SDKs. It does nothing
 * until the first throttling error (SQ_E_OVERLOADED); from then on every attempt, the first ones
 * too, takes a token from a bucket whose rate follows CUBIC.
 *
 * Rates are millionths of an attempt per second. Integers throughout. */
#ifndef SQUALL_SIM_PACER_H
#define SQUALL_SIM_PACER_H

#include "sim/spec.h"

struct pacer {
    struct spec_pacing policy;
    bool is_on;           /* a throttling error was seen */
    uint64_t rate;        /* at which the bucket fills */
    uint64_t capacity;    /* of the bucket, millionths of a token */
    __uint128_t level;    /* tokens, 10^-15 */
    int64_t filled_ns;    /* level is of this time */
    uint64_t rate_max;    /* CUBIC: rate of the last throttling error */
    int64_t plateau_us;   /* CUBIC: how long after it the rate is there again */
    int64_t throttled_ns; /* CUBIC: when it was */
    uint64_t measured;    /* answers, smoothed */
    int64_t half_second;  /* up to which they are measured */
    uint64_t answers;     /* since then */
};

/* Takes over a policy: as at the start when it differs from the one before. */
void pacer_adopt(struct pacer *pacer, const struct spec_pacing *policy, int64_t now_ns);
/* Takes a token; false: there is none yet. Always true while the pacer is off. */
bool pacer_take(struct pacer *pacer, int64_t now_ns);
/* When there will be a token at the present rate; now_ns at the earliest. */
int64_t pacer_ready_ns(struct pacer *pacer, int64_t now_ns);
/* An attempt was answered or has timed out. */
void pacer_answered(struct pacer *pacer, bool is_throttled, int64_t now_ns);

/* The integer cube root: the largest r with r^3 <= value. value < 2^126. */
uint64_t pacer_cube_root(__uint128_t value);

#endif
