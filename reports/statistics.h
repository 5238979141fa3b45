/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Intervals for a share of time, from seeds that are independent of each other while the windows
 * inside a seed are not. Availability windows of one run follow each other: an outage fills
 * several, so counting them as independent trials gives intervals that are far too narrow
 * (measured: 84 % coverage where 95 % is claimed). */
#ifndef SQUALL_REPORTS_STATISTICS_H
#define SQUALL_REPORTS_STATISTICS_H

#include <stdbool.h>
#include <stdint.h>

/* Sums over the seeds of one cell. */
struct share {
    uint32_t seeds;
    uint32_t hit; /* seeds with some downtime */
    double down;  /* any unit of time */
    double measured;
    double down_square;
    double measured_square;
    double product; /* sum of down x measured */
};
void share_add(struct share *share, double down, double measured);

struct share_interval {
    double estimate; /* ratio of the sums; NaN without evidence */
    double low;      /* 95 %; NaN: cannot be told from one seed */
    double high;
    double effective; /* independent trials that would tell as much; NaN: cannot be told */
    bool is_bound;    /* nothing was down: `high` is a one-sided 95 % bound, `low` is 0 */
};
/* Ratio estimator over the seeds, its variance from the spread between seeds; the trials that
 * would have the same variance go into Wilson's interval (1927) with Student's t for the normal
 * quantile, as in Dean and Pagano, "Evaluating Confidence Interval Methods for Binomial
 * Proportions in Clustered Surveys" (2015). Nothing down at all: 1 - 0.05^(1/n), where n is
 * `measured` times `trials_per_time`, what other cells had at the least; 0 when no other cell
 * tells: then a seed counts as one trial. */
struct share_interval share_interval_of(const struct share *share, double trials_per_time);

/* Student's t at 97.5 %. */
double student_975(uint32_t degrees);
/* Probability that at least `at_least` of n independent machines are down, each with probability
 * p. */
double binomial_tail(uint32_t n, uint32_t at_least, double p);

#endif
