/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Distributions of durations and sizes, sampled with integers only: the same draw gives the same
 * value on every CPU, compiler and optimisation level. Shapes are quantile tables with integer
 * interpolation, built with + - * / in a fixed order or committed as integers; the tail of the
 * exponential goes on by memorylessness. libm is never called. */
#ifndef SQUALL_BASE_DIST_H
#define SQUALL_BASE_DIST_H

#include "sim/base/err.h"
#include "sim/base/rng.h"

#include <stdbool.h>
#include <stdint.h>

enum dist_kind {
    DIST_CONSTANT,    /* a */
    DIST_UNIFORM,     /* [a, b] */
    DIST_EXPONENTIAL, /* mean a */
    DIST_LOGNORMAL,   /* median a, 99th percentile b >= a */
    DIST_PARETO,      /* minimum a, shape c in thousandths (1500 = 1.5); capped at b when b > 0 */
    DIST_EMPIRICAL,   /* quantile points, piecewise linear */
    DIST_WEIBULL,     /* scale a, shape c in thousandths */
};

/* Point of an empirical law: P(X <= value) = cumulative / 2^32. First point has cumulative 0, last
 * 2^32. */
struct dist_point {
    uint64_t cumulative;
    int64_t value;
};

/* Plain data: may be copied; `points` is borrowed and must outlive it. */
struct dist {
    enum dist_kind kind;
    int64_t a;
    int64_t b;
    int64_t c;
    const struct dist_point *points;
    uint32_t point_count;
};

/* Is the distribution well-formed (ranges as above, nothing negative)? */
bool dist_check(const struct dist *dist, struct err *err);
/* One value >= 0; draws from `rng` at least once (constant draws nothing). Saturates at 2^62. */
int64_t dist_sample(const struct dist *dist, struct rng *rng);
/* Lognormal law given mean and 99th percentile (ns): fills median and p99 so that the mean holds
 * within 0.1 % (from a mean of 1000 on; below, rounding the median to a whole number is coarser).
 * False when p99 < mean or p99/mean is out of reach (a lognormal has p99/mean <= about 14.96). */
bool dist_lognormal_of_mean(struct dist *dist, int64_t mean, int64_t p99, struct err *err);
/* What is left of a value that is known to be above `age` >= 0 (a machine that is that old): a draw
 * from the law under this condition, minus age. An exponential law forgets the age; a constant one
 * draws nothing; 0 where the law ends before. A split of a rare-event simulation redraws its clocks
 * with it. */
int64_t dist_remaining(const struct dist *dist, int64_t age, struct rng *rng);
/* Weibull law of this mean and shape (thousandths, 100 .. 100000); the scale is rounded to a whole
 * number. False when the mean is below 1 or the scale out of range. */
bool dist_weibull_of_mean(struct dist *dist, int64_t mean, int64_t shape_milli, struct err *err);
/* Gamma law of this mean and shape (thousandths, 100 .. 100000) as an empirical one, whose
 * quantiles between 10^-6 and 1 - 10^-6 are within 0.1 %, or of 10^-9 of the mean: fills `points`,
 * which must outlive it. Sources: the series of the incomplete gamma function, DLMF 8.7.1. */
#define DIST_GAMMA_POINTS 1024
bool dist_gamma_of_mean(struct dist *dist, int64_t mean, int64_t shape_milli,
                        struct dist_point points[DIST_GAMMA_POINTS], struct err *err);
/* Mean as an integer: that of the law with its cap and saturation (within 1e-6; exact for constant,
 * uniform, exponential, empirical up to rounding; closed forms in integers for the others). */
int64_t dist_mean(const struct dist *dist);
/* Quantile at cumulative / 2^32, cumulative < 2^32. Monotone. */
int64_t dist_quantile(const struct dist *dist, uint64_t cumulative);

/* Zipf over ranks 0 .. count-1: P(rank) ~ 1/(rank+1)^theta, theta in thousandths (990 = 0.99; 0 =
 * uniform). An alias table (Vose 1991) built with integers; 12 bytes a key. */
struct zipf {
    uint32_t count;
    uint32_t *alias;
    uint64_t *threshold; /* out of 2^32 */
};
/* count in 1 .. 16 Mi, theta in 0 .. 4000. */
void zipf_init(struct zipf *zipf, uint32_t count, uint32_t theta_milli);
void zipf_release(struct zipf *zipf);
uint32_t zipf_sample(const struct zipf *zipf, struct rng *rng);

#endif
