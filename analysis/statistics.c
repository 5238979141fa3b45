/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * GSL's distribution functions are used, its inverse of the beta distribution is not:
 * gsl_cdf_beta_Pinv of version 2.7 gives NaN, or aborts, for about a quarter of ordinary
 * Clopper-Pearson calls. The distribution function itself is exact, so its inverse is found by
 * bisection: 200 halvings at most, to the last bit of a double.
 *
 * GSL's error handler ends the program; it is switched off before every call that could meet it,
 * and results that are no numbers are returned as such. */
#include "analysis/statistics.h"

#include "sim/base/base.h"
#include "sim/base/rng.h"

#include <gsl/gsl_cdf.h>
#include <gsl/gsl_errno.h>
#include <gsl/gsl_statistics_double.h>
#include <math.h>
#include <stdlib.h>

#define HALVINGS 200
#define YEAR_S   31557600.0

#define SHARE_EXACT 1e-12 /* rounding of a product of shares */

#define LOGIT_STEPS 60
#define LOGIT_EXACT 1e-10
#define LOGIT_FLAT  1e-12 /* determinant of the weights against their square */

static void quiet(void)
{
    gsl_set_error_handler_off();
}

/* The x in [0, 1] at which P(beta(a, b) <= x) reaches `p`. */
static double beta_inverse(double p, double a, double b)
{
    quiet();
    double low = 0;
    double high = 1;
    for (int i = 0; i < HALVINGS; i++) {
        double middle = low + (high - low) / 2;
        if (middle <= low || middle >= high) {
            break;
        }
        if (gsl_cdf_beta_P(middle, a, b) < p) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return low + (high - low) / 2;
}

struct interval interval_wilson(uint64_t hits, uint64_t trials, double confidence)
{
    ASSERT(trials >= 1);
    ASSERT(hits <= trials);
    quiet();
    double n = (double)trials;
    double share = (double)hits / n;
    double z = gsl_cdf_ugaussian_Pinv(0.5 + confidence / 2);
    double z2 = z * z;
    double centre = share + z2 / (2 * n);
    double half = z * sqrt(share * (1 - share) / n + z2 / (4 * n * n));
    double scale = 1 + z2 / n;
    struct interval interval = {.low = (centre - half) / scale, .high = (centre + half) / scale};
    interval.low = hits == 0 || interval.low < 0 ? 0 : interval.low;
    interval.high = hits == trials || interval.high > 1 ? 1 : interval.high;
    return interval;
}

double bound_lower(uint64_t hits, uint64_t trials, double confidence)
{
    ASSERT(trials >= 1);
    ASSERT(hits <= trials);
    if (hits == 0) {
        return 0;
    }
    return beta_inverse(1 - confidence, (double)hits, (double)(trials - hits) + 1);
}

double bound_upper(uint64_t hits, uint64_t trials, double confidence)
{
    ASSERT(trials >= 1);
    ASSERT(hits <= trials);
    if (hits == trials) {
        return 1;
    }
    return beta_inverse(confidence, (double)hits + 1, (double)(trials - hits));
}

struct interval interval_clopper_pearson(uint64_t hits, uint64_t trials, double confidence)
{
    double one_sided = 0.5 + confidence / 2;
    return (struct interval){.low = bound_lower(hits, trials, one_sided),
                             .high = bound_upper(hits, trials, one_sided)};
}

uint64_t trials_to_claim(double limit, double confidence)
{
    ASSERT(limit > 0);
    ASSERT(limit < 1);
    ASSERT(confidence > 0);
    ASSERT(confidence < 1);
    double trials = ceil(log1p(-confidence) / log1p(-limit));
    return trials < 9e18 ? (uint64_t)trials : UINT64_MAX;
}

/* The x at which P(chi-square <= x) reaches `p`: GSL's inverse is wrong in rare cases, its
 * distribution function is not. */
static double chi_square_inverse(double p, double freedom)
{
    quiet();
    double low = 0;
    double high = freedom + 1;
    while (gsl_cdf_chisq_P(high, freedom) < p) {
        high *= 2;
    }
    for (int i = 0; i < HALVINGS; i++) {
        double middle = low + (high - low) / 2;
        if (middle <= low || middle >= high) {
            break;
        }
        if (gsl_cdf_chisq_P(middle, freedom) < p) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return low + (high - low) / 2;
}

double bound_poisson(uint64_t events, double time, double confidence)
{
    ASSERT(time > 0);
    return chi_square_inverse(confidence, 2 * (double)events + 2) / (2 * time);
}

struct interval interval_poisson(uint64_t events, double time, double confidence)
{
    ASSERT(time > 0);
    struct interval interval = {.low = 0,
                                .high = bound_poisson(events, time, 0.5 + confidence / 2)};
    if (events > 0) {
        interval.low = chi_square_inverse(0.5 - confidence / 2, 2 * (double)events) / (2 * time);
    }
    return interval;
}

static struct interval around(double centre, double error, uint64_t count, double confidence)
{
    if (count < 2) {
        return (struct interval){.low = NAN, .high = NAN};
    }
    quiet();
    double t = gsl_cdf_tdist_Pinv(0.5 + confidence / 2, (double)(count - 1));
    return (struct interval){.low = centre - t * error, .high = centre + t * error};
}

struct mean mean_of(const double *values, uint64_t count, double confidence)
{
    struct mean mean = {.mean = NAN, .deviation = NAN, .interval = {NAN, NAN}, .count = count};
    if (count == 0) {
        return mean;
    }
    mean.mean = gsl_stats_mean(values, 1, count);
    if (count > 1) {
        mean.deviation = gsl_stats_sd_m(values, 1, count, mean.mean);
    }
    mean.interval = around(mean.mean, mean.deviation / sqrt((double)count), count, confidence);
    return mean;
}

struct mean ratio_of_sums(const double *part, const double *whole, uint64_t count,
                          double confidence, int is_share)
{
    struct mean ratio = {.mean = NAN, .deviation = NAN, .interval = {NAN, NAN}, .count = count};
    double part_sum = 0;
    double whole_sum = 0;
    for (uint64_t i = 0; i < count; i++) {
        part_sum += part[i];
        whole_sum += whole[i];
    }
    if (whole_sum <= 0) {
        return ratio;
    }
    ratio.mean = part_sum / whole_sum;
    if (count < 2) {
        return ratio;
    }
    double squares = 0;
    for (uint64_t i = 0; i < count; i++) {
        double residue = part[i] - ratio.mean * whole[i];
        squares += residue * residue;
    }
    double n = (double)count;
    ratio.deviation = sqrt(squares / (n - 1)) / (whole_sum / n);
    ratio.interval = around(ratio.mean, ratio.deviation / sqrt(n), count, confidence);
    if (is_share) {
        ratio.interval.low = ratio.interval.low < 0 ? 0 : ratio.interval.low;
        ratio.interval.high = ratio.interval.high > 1 ? 1 : ratio.interval.high;
    }
    return ratio;
}

struct batch_means batch_means(const double *values, uint64_t count, uint64_t batches,
                               uint64_t cycles, double confidence)
{
    ASSERT(batches >= 2);
    struct batch_means result = {.mean = mean_of(NULL, 0, confidence),
                                 .is_too_short = cycles < BATCH_CYCLES_MIN};
    const uint64_t size = count / batches;
    if (size == 0) {
        result.is_too_short = true;
        return result;
    }
    const double *first = values + count % batches;
    double *means = calloc(batches, sizeof(*means));
    ASSERT(means != NULL);
    for (uint64_t i = 0; i < batches; i++) {
        means[i] = gsl_stats_mean(first + i * size, 1, size);
    }
    result.mean = mean_of(means, batches, confidence);
    free(means);
    return result;
}

struct paired paired_difference(const double *left, const double *right, uint64_t count,
                                double confidence)
{
    struct paired result = {.difference = mean_of(NULL, 0, confidence), .gain = NAN};
    if (count == 0) {
        return result;
    }
    double *differences = calloc(count, sizeof(*differences));
    ASSERT(differences != NULL);
    for (uint64_t i = 0; i < count; i++) {
        differences[i] = left[i] - right[i];
    }
    result.difference = mean_of(differences, count, confidence);
    if (count > 1 && result.difference.deviation > 0) {
        result.gain = (gsl_stats_variance(left, 1, count) + gsl_stats_variance(right, 1, count)) /
                      (result.difference.deviation * result.difference.deviation);
    }
    free(differences);
    return result;
}

static int compare_doubles(const void *left, const void *right)
{
    const double a = *(const double *)left;
    const double b = *(const double *)right;
    return (a > b) - (a < b);
}

struct mean bootstrap(statistics_functional *of, void *context, uint64_t count, uint32_t resamples,
                      uint64_t seed, double confidence)
{
    ASSERT(count >= 2);
    ASSERT(resamples >= 100);
    uint64_t *items = calloc(count, sizeof(*items));
    double *values = calloc(resamples, sizeof(*values));
    ASSERT(items != NULL && values != NULL);
    struct rng rng = rng_stream(seed, "statistics", 0, "bootstrap");
    for (uint32_t i = 0; i < resamples; i++) {
        for (uint64_t k = 0; k < count; k++) {
            items[k] = rng_below(&rng, count);
        }
        values[i] = of(context, items, count);
    }
    qsort(values, resamples, sizeof(*values), compare_doubles);
    for (uint64_t k = 0; k < count; k++) {
        items[k] = k;
    }
    const double tail = (1 - confidence) / 2;
    const uint32_t low = (uint32_t)(tail * resamples);
    struct mean result = {.mean = of(context, items, count),
                          .deviation = gsl_stats_sd(values, 1, resamples),
                          .interval = {values[low], values[resamples - 1 - low]},
                          .count = count};
    free(items);
    free(values);
    return result;
}

struct quantile_ranks quantile_ranks(uint64_t count, double p, double confidence)
{
    quiet();
    const double tail = (1 - confidence) / 2;
    const unsigned trials = count > UINT32_MAX - 1 ? UINT32_MAX - 1 : (unsigned)count;
    /* x(r) is below the quantile unless at most r - 1 values are: P(Bin(n, p) <= r - 1). */
    unsigned low = 0;
    unsigned high = trials;
    while (low < high) { /* the largest r with P(Bin <= r - 1) <= tail */
        unsigned middle = low + (high - low + 1) / 2;
        if (gsl_cdf_binomial_P(middle - 1, p, trials) <= tail) {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    struct quantile_ranks ranks = {.low = low};
    low = 1;
    high = trials + 1;
    while (low < high) { /* the smallest r with P(Bin >= r) <= tail */
        unsigned middle = low + (high - low) / 2;
        if (gsl_cdf_binomial_Q(middle - 1, p, trials) <= tail) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    ranks.high = low;
    return ranks;
}

struct mean quantile_of_sorted(const double *sorted, uint64_t count, double p, double confidence)
{
    ASSERT(p > 0);
    ASSERT(p < 1);
    struct mean quantile = {.mean = NAN, .deviation = NAN, .interval = {NAN, NAN}, .count = count};
    if (count == 0) {
        return quantile;
    }
    const uint64_t rank = (uint64_t)ceil(p * (double)count);
    const struct quantile_ranks ranks = quantile_ranks(count, p, confidence);
    quantile.mean = sorted[rank == 0 ? 0 : rank - 1];
    quantile.interval.low = ranks.low > 0 ? sorted[ranks.low - 1] : -INFINITY;
    quantile.interval.high = ranks.high <= count ? sorted[ranks.high - 1] : INFINITY;
    return quantile;
}

/* --------------------------------------------------------------------------- sequential and logit
 */

const struct sprt sprt_usual = {.p0 = 0.01, .p1 = 0.1, .alpha = 0.01, .beta = 0.01};

/* Evidence for H1 of one hit, and of one trial without, as logarithms of likelihood ratios. */
static double weight_of_hit(const struct sprt *test)
{
    return log(test->p1 / test->p0);
}

static double weight_of_miss(const struct sprt *test)
{
    return log1p(-test->p1) - log1p(-test->p0);
}

static double floor_of(const struct sprt *test)
{
    return log(test->beta / (1 - test->alpha));
}

static double evidence_of(const struct sprt *test, uint64_t hits, uint64_t trials)
{
    ASSERT(test->p0 > 0 && test->p0 < test->p1 && test->p1 < 1);
    ASSERT(hits <= trials);
    return (double)hits * weight_of_hit(test) + (double)(trials - hits) * weight_of_miss(test);
}

enum sprt_decision sprt_decide(const struct sprt *test, uint64_t hits, uint64_t trials)
{
    double evidence = evidence_of(test, hits, trials);
    if (evidence <= floor_of(test)) {
        return SPRT_ACCEPT;
    }
    return evidence >= log((1 - test->beta) / test->alpha) ? SPRT_REJECT : SPRT_OPEN;
}

uint64_t sprt_more_to_accept(const struct sprt *test, uint64_t hits, uint64_t trials)
{
    double missing = floor_of(test) - evidence_of(test, hits, trials);
    return missing >= 0 ? 0 : (uint64_t)ceil(missing / weight_of_miss(test));
}

/* Sums of a weighted regression on (1, x - centre). */
struct normal_sums {
    double w;
    double wx;
    double wxx;
    double r;
    double rx;
};

static struct normal_sums sums_at(const struct dose *doses, uint32_t count, double centre, double a,
                                  double b)
{
    struct normal_sums sums = {0};
    for (uint32_t i = 0; i < count; i++) {
        double x = doses[i].x - centre;
        double p = 1 / (1 + exp(-(a + b * x)));
        double weight = (double)doses[i].trials * p * (1 - p);
        double residue = (double)doses[i].hits - (double)doses[i].trials * p;
        sums.w += weight;
        sums.wx += weight * x;
        sums.wxx += weight * x * x;
        sums.r += residue;
        sums.rx += residue * x;
    }
    return sums;
}

struct logit_fit logit_fit(const struct dose *doses, uint32_t count, double confidence)
{
    struct logit_fit fit = {.a = NAN, .b = NAN, .half = NAN, .interval = {NAN, NAN}};
    double total = 0;
    double centre = 0;
    for (uint32_t i = 0; i < count; i++) {
        ASSERT(doses[i].hits <= doses[i].trials);
        total += (double)doses[i].trials;
        centre += (double)doses[i].trials * doses[i].x;
    }
    if (total <= 0) {
        return fit;
    }
    centre /= total;
    double a = 0;
    double b = 0;
    for (int step = 0; step < LOGIT_STEPS; step++) {
        struct normal_sums sums = sums_at(doses, count, centre, a, b);
        double determinant = sums.w * sums.wxx - sums.wx * sums.wx;
        if (!(determinant > LOGIT_FLAT * sums.w * sums.w)) {
            return fit; /* separated, or one dose only: the likelihood has no maximum */
        }
        double da = (sums.r * sums.wxx - sums.rx * sums.wx) / determinant;
        double db = (sums.rx * sums.w - sums.r * sums.wx) / determinant;
        a += da;
        b += db;
        if (fabs(da) > LOGIT_EXACT || fabs(db) > LOGIT_EXACT * (1 + fabs(b))) {
            continue;
        }
        if (fabs(b) < LOGIT_EXACT) {
            return fit;
        }
        quiet();
        double z = gsl_cdf_ugaussian_Pinv(0.5 + confidence / 2);
        double ratio = a / b; /* var(a/b) to first order */
        double variance =
            (sums.wxx + 2 * ratio * sums.wx + ratio * ratio * sums.w) / determinant / (b * b);
        fit = (struct logit_fit){true, a - b * centre, b, centre - ratio, {0, 0}};
        fit.interval.low = fit.half - z * sqrt(variance);
        fit.interval.high = fit.half + z * sqrt(variance);
        return fit;
    }
    return fit;
}

/* ------------------------------------------------------------------------------------- lifetimes
 */

static int compare_lifetimes(const void *left, const void *right)
{
    const struct lifetime *a = left;
    const struct lifetime *b = right;
    if (a->time != b->time) {
        return a->time < b->time ? -1 : 1;
    }
    return (int)a->is_censored - (int)b->is_censored;
}

static struct interval around_share(double share, double deviation, double z)
{
    if (!(share > 0) || share >= 1) {
        return (struct interval){NAN, NAN};
    }
    double half = z * deviation / (share * -log(share));
    return (struct interval){pow(share, exp(half)), pow(share, exp(-half))};
}

uint32_t kaplan_meier(struct lifetime *times, uint32_t count, double confidence,
                      struct survival *steps)
{
    qsort(times, count, sizeof(*times), compare_lifetimes);
    quiet();
    double z = gsl_cdf_ugaussian_Pinv(0.5 + confidence / 2);
    double share = 1;
    double sum = 0; /* Greenwood's */
    uint32_t made = 0;
    uint32_t next;
    for (uint32_t i = 0; i < count; i = next) {
        ASSERT(times[i].time >= 0);
        uint32_t events = 0;
        for (next = i; next < count && times[next].time == times[i].time; next++) {
            events += times[next].is_censored ? 0 : 1;
        }
        if (events == 0) {
            continue;
        }
        double risk = count - i;
        share *= (risk - events) / risk;
        sum += risk > events ? events / (risk * (risk - events)) : 0;
        double deviation = share > 0 ? share * sqrt(sum) : (double)NAN;
        steps[made++] = (struct survival){
            times[i].time, count - i, events, share, deviation, around_share(share, deviation, z)};
    }
    return made;
}

struct mean kaplan_meier_quantile(const struct survival *steps, uint32_t step_count, double p)
{
    ASSERT(p > 0);
    ASSERT(p < 1);
    double rest = 1 - p + SHARE_EXACT;
    struct mean quantile = {INFINITY, NAN, {INFINITY, INFINITY}, 0};
    for (uint32_t i = step_count; i > 0; i--) {
        const struct survival *step = &steps[i - 1];
        quantile.count += step->events;
        quantile.mean = step->share <= rest ? step->time : quantile.mean;
        bool is_low = step->interval.low <= rest || step->share <= 0;
        quantile.interval.low = is_low ? step->time : quantile.interval.low;
        quantile.interval.high = step->interval.high <= rest ? step->time : quantile.interval.high;
    }
    return quantile;
}

double nines_of(double unavailability)
{
    return unavailability <= 0 ? INFINITY : -log10(unavailability);
}

double downtime_s_per_year(double unavailability)
{
    return unavailability * YEAR_S;
}

const char *downtime_format(double seconds, char *out, size_t size)
{
    static const struct {
        double unit;
        const char *name;
    } units[] = {{3600, "h"},  {60, "min"},  {1, "s"},      {1e-3, "ms"},
                 {1e-6, "us"}, {1e-9, "ns"}, {1e-12, "ps"}, {1e-15, "fs"}};
    ASSERT(size >= 24);
    uint32_t at = 0;
    while (at + 1 < ARRAY_COUNT(units) && seconds < units[at].unit * (1 - 0.5e-4)) {
        at++;
    }
    const double value = seconds / units[at].unit;
    const int whole = value < 9.9995 ? 1 : value < 99.995 ? 2 : value < 999.95 ? 3 : 4;
    if (value < 9999.5) {
        snprintf(out, size, "%.*f %s", 4 - whole, value, units[at].name);
    } else {
        snprintf(out, size, "%.4g %s", value, units[at].name);
    }
    return out;
}
