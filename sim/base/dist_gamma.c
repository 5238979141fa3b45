/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A gamma law as a table of quantiles, made with integers only.
 *
 * With shape k the distribution function is
 *     P(k, x) = x^k e^-x / Gamma(k + 1) * S(x),   S(x) = sum over n of x^n / ((k + 1) ... (k + n)),
 * and all terms of S are positive. Points stand at x = 2^g for evenly spaced g, so both tails have
 * their share; between them the law is a straight line. At the end values are scaled so that the
 * table has the mean that was asked for exactly.
 *
 * Not here: a tail beyond a probability of 2^-32; the law ends there. */
#include "sim/base/dist.h"

#include "sim/base/base.h"
#include "sim/base/fixed.h"

#include <inttypes.h>

#define ONE_Q32  FIXED_ONE_Q32
#define TERMS    4000
#define X_MAX    (ONE_Q32 << 10)
#define UNIT_Q40 (INT64_C(1) << 40) /* of values before the mean is known */

/* S(x) as log2 with 48 fraction bits; x and k with 32. */
static swide log2_series(uint64_t x, uint64_t k)
{
    wide term = (wide)1 << 64;
    wide sum = term;
    int32_t scale = -64; /* the sum counts 2^scale */
    for (uint64_t n = 1; n < TERMS && term > 0; n++) {
        uint64_t divisor = k + n * ONE_Q32;
        if (term >> 84 != 0) { /* leave room for the factor */
            term >>= 20;
            sum >>= 20;
            scale += 20;
        }
        term = term * x / divisor;
        sum += term;
    }
    uint32_t bits = 0;
    while (sum >> bits >> 62 != 0) {
        bits++;
    }
    return (swide)log2_q48((uint64_t)(sum >> bits)) +
           (swide)((int32_t)bits + scale) * ((swide)1 << 48);
}

/* P(k, x) out of 2^32, below 2^32. `log2_x` with 48 fraction bits. */
static uint64_t cumulative(swide log2_x, uint64_t k)
{
    const uint64_t x = (uint64_t)scale_exp2((int64_t)ONE_Q32, log2_x);
    if (x == 0) {
        return 0;
    }
    swide exponent = ((swide)k * log2_x) >> 32;
    exponent -= (swide)x * (swide)LOG2_E_Q48 >> 32;
    exponent -= fixed_log2_gamma(k + ONE_Q32);
    exponent += log2_series(x, k);
    const int64_t share = exponent >= 0 ? (int64_t)ONE_Q32 : scale_exp2((int64_t)ONE_Q32, exponent);
    return share >= (int64_t)ONE_Q32 ? ONE_Q32 - 1 : (uint64_t)share;
}

/* The largest of the log2 of x, in steps of 1/64, at which P is at most `share` out of 2^32. */
static swide log2_of_share(uint64_t share, uint64_t k)
{
    const swide step = (swide)1 << 42;
    swide low = -((swide)62 << 48);
    swide high = (swide)10 << 48;
    while (high - low > step) {
        swide middle = low + (high - low) / 2;
        if (cumulative(middle, k) <= share) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return low;
}

/* Values in units of 2^-40 times the scale 1, cumulatives that do not fall. */
static void fill(struct dist_point *points, uint64_t k)
{
    const swide first = log2_of_share(0, k);
    const swide last = log2_of_share(ONE_Q32 - 2, k) + ((swide)1 << 43);
    const int64_t inner = DIST_GAMMA_POINTS - 2;
    points[0] = (struct dist_point){0, 0};
    for (int64_t i = 1; i <= inner; i++) {
        swide log2_x = first + (last - first) * (i - 1) / (inner - 1);
        uint64_t share = cumulative(log2_x, k);
        points[i].value = scale_exp2(UNIT_Q40, log2_x);
        points[i].cumulative = share < points[i - 1].cumulative ? points[i - 1].cumulative : share;
    }
    points[inner + 1] = (struct dist_point){ONE_Q32, points[inner].value};
}

bool dist_gamma_of_mean(struct dist *dist, int64_t mean, int64_t shape_milli,
                        struct dist_point points[DIST_GAMMA_POINTS], struct err *err)
{
    ASSERT(dist != NULL);
    ASSERT(points != NULL);
    if (mean < 1 || mean > FIXED_VALUE_MAX / 1024) {
        return err_set(
            err, ERR_INPUT,
            "the mean of a gamma law is %" PRId64 ": it must be at least 1 and at most 2^52", mean);
    }
    if (shape_milli < 100 || shape_milli > 100000) {
        return err_set(err, ERR_INPUT,
                       "the shape of a gamma law is %" PRId64
                       " thousandths: it must be within 0.1 and 100",
                       shape_milli);
    }
    fill(points, ((uint64_t)shape_milli << 32) / 1000);
    *dist =
        (struct dist){.kind = DIST_EMPIRICAL, .points = points, .point_count = DIST_GAMMA_POINTS};
    const int64_t unit_mean = dist_mean(dist);
    ASSERT(unit_mean > 0);
    for (uint32_t i = 0; i < DIST_GAMMA_POINTS; i++) {
        points[i].value =
            (int64_t)((wide)(uint64_t)points[i].value * (uint64_t)mean / (uint64_t)unit_mean);
    }
    return true;
}
