/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Intervals and the few estimators that campaigns need. Everything is computed after the runs;
 * nothing here decides one. `confidence` is in (0, 1), 0.95 as a rule, and two-sided unless a
 * function says otherwise. */
#ifndef SQUALL_ANALYSIS_STATISTICS_H
#define SQUALL_ANALYSIS_STATISTICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* NaN at an end: it cannot be told. */
struct interval {
    double low;
    double high;
};

/* Of a proportion, `hits` of `trials` (trials >= 1, hits <= trials). For display: Wilson (1927),
 * score interval. */
struct interval interval_wilson(uint64_t hits, uint64_t trials, double confidence);
/* For gates, never too short: Clopper & Pearson (1934), exact. */
struct interval interval_clopper_pearson(uint64_t hits, uint64_t trials, double confidence);
/* One-sided exact bounds: with this confidence the proportion is at least / at most that. */
double bound_lower(uint64_t hits, uint64_t trials, double confidence);
double bound_upper(uint64_t hits, uint64_t trials, double confidence);
/* Trials without a hit that it takes to claim, one-sided, that the proportion is below `limit` in
 * (0, 1). */
uint64_t trials_to_claim(double limit, double confidence);

/* Of the mean of independent values, Student's t. One value, or none, gives NaN ends. */
struct mean {
    double mean; /* NaN: no value */
    double deviation;
    struct interval interval;
    uint64_t count;
};
struct mean mean_of(const double *values, uint64_t count, double confidence);
/* Of a ratio of sums over independent runs, sum(up) / sum(total) (Cochran, Sampling Techniques,
 * 6.4), clamped to [0, 1] when `is_share`. The pairs come from one run each: operations of one run
 * are anything but independent. */
struct mean ratio_of_sums(const double *part, const double *whole, uint64_t count,
                          double confidence, int is_share);
/* Rate of a Poisson process with `events` in `time` > 0, exact (Garwood, Biometrika 28, 1936). */
struct interval interval_poisson(uint64_t events, double time, double confidence);
/* One-sided: with this confidence the rate is at most that. Without an event, 3 / time at 95 %. */
double bound_poisson(uint64_t events, double time, double confidence);

/* Mean of a time series whose values depend on each other: means of `batches` >= 2 parts of equal
 * length (Law and Kelton, Simulation Modeling and Analysis, 9.5.3), Student's t; values that are
 * left over are the first ones. `cycles`: how often the process came back to where it was. */
struct batch_means {
    struct mean mean;  /* of the batches; count 0: fewer values than batches */
    bool is_too_short; /* fewer than BATCH_CYCLES_MIN: the interval is too short */
};
#define BATCH_CYCLES_MIN 100
struct batch_means batch_means(const double *values, uint64_t count, uint64_t batches,
                               uint64_t cycles, double confidence);

/* Difference left - right of two variants that had the same chances, seed by seed: paired t. */
struct paired {
    struct mean difference;
    double gain; /* variance that independent seeds would have had, over this; NaN: none */
};
struct paired paired_difference(const double *left, const double *right, uint64_t count,
                                double confidence);

/* Percentile bootstrap (Efron and Tibshirani, An Introduction to the Bootstrap, 13.3) of any
 * functional of `count` >= 2 independent items: runs, cycles or episodes, never slots of one run.
 * `of` gets the numbers of `count` items, some of them several times. The stream is named by
 * `seed`. resamples >= 100. */
typedef double statistics_functional(void *context, const uint64_t *items, uint64_t count);
struct mean bootstrap(statistics_functional *of, void *context, uint64_t count, uint32_t resamples,
                      uint64_t seed, double confidence);

/* Ranks, from 1, of the order statistics around the quantile `p` of so many independent values;
 * 0, or count + 1: no order statistic reaches that end. */
struct quantile_ranks {
    uint64_t low;
    uint64_t high;
};
struct quantile_ranks quantile_ranks(uint64_t count, double p, double confidence);
/* Quantile `p` in (0, 1) of independent values in ascending order: nearest rank, and an interval of
 * order statistics (binomial; an end that no order statistic reaches is -/+ infinity). */
struct mean quantile_of_sorted(const double *sorted, uint64_t count, double p, double confidence);

/* Sequential test of a proportion (Wald, Sequential Analysis, 1947, 3.4 and 5.2): H0 p <= p0
 * against H1 p >= p1, wrong with probability at most about alpha (accepting H1 under H0) and beta
 * (the other way). 0 < p0 < p1 < 1. Trials in any order; look after each one and stop at a
 * decision. */
enum sprt_decision {
    SPRT_OPEN,   /* more trials */
    SPRT_ACCEPT, /* H0: the proportion is low */
    SPRT_REJECT, /* H1: it is high */
};
struct sprt {
    double p0;
    double p1;
    double alpha;
    double beta;
};
/* For gates on P(stuck): p0 = .01, p1 = .1, alpha = beta = .01. Without a hit it accepts after 49.
 */
extern const struct sprt sprt_usual;
enum sprt_decision sprt_decide(const struct sprt *test, uint64_t hits, uint64_t trials);
/* Trials without a hit that it accepts after, with `hits` in `trials` already; 0: it accepts. */
uint64_t sprt_more_to_accept(const struct sprt *test, uint64_t hits, uint64_t trials);

/* Fit of P(hit) = 1 / (1 + exp(-(a + b x))) to counts at doses x, by maximum likelihood
 * (iteratively reweighted least squares; Finney, Probit Analysis, 1971; McCullagh & Nelder,
 * Generalized Linear Models, 4.4). `half` is the dose at which one half of the runs is hit (D50),
 * with an interval of the delta method. */
struct dose {
    double x;
    uint64_t hits;
    uint64_t trials;
};
struct logit_fit {
    bool is_fitted; /* false: all or nothing, doses that separate the hits, or no slope */
    double a;
    double b;
    double half;
    struct interval interval;
};
struct logit_fit logit_fit(const struct dose *doses, uint32_t count, double confidence);

/* How long something lasts, from times of which some are cut off: of a censored one it is known
 * only that it lasts longer. The product-limit estimator (Kaplan & Meier, JASA 53, 1958) with
 * Greenwood's variance (1926) and an interval on the scale of log(-log), which stays within 0 and 1
 * (Kalbfleisch & Prentice, The Statistical Analysis of Failure Time Data, 1.4). */
struct lifetime {
    double time; /* >= 0 */
    bool is_censored;
};
/* One step down of the curve. */
struct survival {
    double time;
    uint64_t at_risk; /* just before it */
    uint64_t events;  /* at it, >= 1 */
    double share;     /* that lasts longer */
    double deviation; /* of the share, Greenwood; NaN when the share is 0 */
    struct interval interval;
};
/* Sorts `times` and writes at most `count` steps in order of time; returns their number. What is
 * censored at the time of an event was still at risk then. */
uint32_t kaplan_meier(struct lifetime *times, uint32_t count, double confidence,
                      struct survival *steps);
/* The first time by which a share `p` in (0, 1) has ended: infinite when so many never did, as far
 * as was looked. The interval is that of Brookmeyer & Crowley (Biometrics 38, 1982): the times at
 * which the interval of the curve holds 1 - p. `count` in the result is that of the events. */
struct mean kaplan_meier_quantile(const struct survival *steps, uint32_t step_count, double p);

/* -log10(unavailability): 3 for 0.001; infinity for 0. */
double nines_of(double unavailability);
/* Downtime in seconds of a year of 365.25 days. */
double downtime_s_per_year(double unavailability);
/* Seconds as people read them, four digits: "87.66 h", "52.60 min", "31.56 s", "315.6 fs". `out`
 * has at least 24 bytes; returns it. */
const char *downtime_format(double seconds, char *out, size_t size);

#endif
