/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The few statistics that a report computes itself: everything that can be judged has been judged
 * before. */
#include "reports/statistics.h"

#include "sim/base/base.h"

#include <math.h>

void share_add(struct share *share, double down, double measured)
{
    ASSERT(down >= 0);
    ASSERT(down <= measured);
    share->seeds++;
    share->hit += down > 0 ? 1 : 0;
    share->down += down;
    share->measured += measured;
    share->down_square += down * down;
    share->measured_square += measured * measured;
    share->product += down * measured;
}

double student_975(uint32_t degrees)
{
    static const double table[] = {0, 12.706205, 4.302653, 3.182446, 2.776445};
    ASSERT(degrees > 0);
    if (degrees < ARRAY_COUNT(table)) {
        return table[degrees];
    }
    /* Cornish and Fisher's expansion in 1/v (Abramowitz and Stegun 26.7.5): four digits from v = 5
     * on. */
    double z = 1.959963985;
    double v = degrees;
    double square = z * z;
    double g1 = z * (square + 1) / 4;
    double g2 = z * ((5 * square + 16) * square + 3) / 96;
    double g3 = z * (((3 * square + 19) * square + 17) * square - 15) / 384;
    double g4 =
        z * ((((79 * square + 776) * square + 1482) * square - 1920) * square - 945) / 92160;
    return z + (g1 + (g2 + (g3 + g4 / v) / v) / v) / v;
}

static struct share_interval bound(const struct share *share, double estimate, double trials)
{
    struct share_interval interval = {
        .estimate = estimate, .low = 0, .effective = trials, .is_bound = true};
    interval.high = -expm1(log(0.05) / trials);
    if (estimate > 0.5) { /* down all the time: the same bound from the other side */
        interval.low = 1 - interval.high;
        interval.high = 1;
        interval.is_bound = false;
    }
    ASSERT(share->seeds > 0);
    return interval;
}

struct share_interval share_interval_of(const struct share *share, double trials_per_time)
{
    struct share_interval none = {NAN, NAN, NAN, NAN, false};
    if (share->seeds == 0 || !(share->measured > 0)) {
        return none;
    }
    double seeds = share->seeds;
    double estimate = share->down / share->measured;
    if (share->down <= 0 || share->down >= share->measured) {
        double trials = trials_per_time > 0 ? share->measured * trials_per_time : seeds;
        return bound(share, estimate, fmax(trials, 1));
    }
    none.estimate = estimate;
    if (share->seeds < 2) {
        return none;
    }
    /* Sum over the seeds of (down - estimate x measured)^2. */
    double squares = share->down_square - 2 * estimate * share->product +
                     estimate * estimate * share->measured_square;
    double variance = fmax(squares, 0) / (seeds - 1) * seeds / (share->measured * share->measured);
    /* Seeds that agree by chance do not tell more than a thousand trials each. */
    double limit = 1000 * seeds;
    double trials = variance > 0 ? fmin(estimate * (1 - estimate) / variance, limit) : limit;
    double t = student_975(share->seeds - 1);
    double share_of_t = t * t / trials;
    double centre = (estimate + share_of_t / 2) / (1 + share_of_t);
    double half =
        t / (1 + share_of_t) * sqrt(estimate * (1 - estimate) / trials + share_of_t / (4 * trials));
    return (struct share_interval){estimate, fmax(centre - half, 0), fmin(centre + half, 1), trials,
                                   false};
}

double binomial_tail(uint32_t n, uint32_t at_least, double p)
{
    ASSERT(n < 1000);
    ASSERT(p >= 0 && p <= 1);
    double sum = 0;
    for (uint32_t k = n; k >= at_least && k <= n; k--) { /* smallest first; k wraps below 0 */
        double log_choose = lgamma(n + 1.0) - lgamma(k + 1.0) - lgamma(n - k + 1.0);
        sum += exp(log_choose) * pow(p, k) * pow(1 - p, n - k);
    }
    return sum;
}
