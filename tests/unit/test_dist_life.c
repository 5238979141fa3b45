/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Laws of lives and repairs: Weibull and gamma against GSL, and what is left of a life at some age
 * against the conditional law. */
#include "sim/base/base.h"
#include "sim/base/dist.h"
#include "sim/base/fixed.h"
#include "sim/base/units.h"
#include "tests/unit/harness.h"

#include <gsl/gsl_cdf.h>
#include <gsl/gsl_sf_gamma.h>
#include <math.h>

#define HOUR (INT64_C(3600) * NS_PER_S)

static bool is_near(double value, double expected, double relative)
{
    bool is_fine = fabs(value - expected) <= relative * fabs(expected);
    if (!is_fine) {
        printf("  %.9g instead of %.9g\n", value, expected);
    }
    return is_fine;
}

static const int64_t shapes[] = {100, 300, 700, 1000, 1500, 2000, 7300, 40000, 100000};

TEST(dist_life, the_gamma_function_agrees_with_gsl)
{
    for (double z = 1; z < 5000; z *= 1.37) {
        double log2_gamma = (double)fixed_log2_gamma((uint64_t)ldexp(z, 32)) / ldexp(1, 48);
        CHECK(fabs(log2_gamma - gsl_sf_lngamma(z) / log(2)) < 2e-9 * fmax(1, z));
    }
}

TEST(dist_life, a_weibull_law_has_its_mean_and_quantiles)
{
    for (uint32_t i = 0; i < ARRAY_COUNT(shapes); i++) {
        struct dist law;
        struct err err = {0};
        REQUIRE(dist_weibull_of_mean(&law, 99 * HOUR, shapes[i], &err));
        double shape = (double)shapes[i] / 1000;
        double scale = 99.0 * HOUR / gsl_sf_gamma(1 + 1 / shape);
        CHECK(is_near((double)dist_mean(&law), 99.0 * HOUR, 1e-6));
        for (double p = 1e-3; p < 1; p += .0731) {
            uint64_t position = (uint64_t)ldexp(p, 32);
            double expected = gsl_cdf_weibull_Pinv(ldexp((double)position, -32), scale, shape);
            double value = (double)dist_quantile(&law, position);
            CHECK(fabs(value - expected) < 1 ||
                  is_near(value, expected, 1e-6 / (p * shape) + 1e-5));
        }
    }
}

/* Is this the quantile at `p`, within 0.1 % of itself? */
static bool is_gamma_quantile(int64_t value, double p, double shape, double scale)
{
    double low = gsl_cdf_gamma_P((double)value * .999 - 1, shape, scale);
    double high = gsl_cdf_gamma_P((double)value * 1.001 + 1, shape, scale);
    /* Values below a thousand-millionth of the mean are not told apart. */
    double tiny = gsl_cdf_gamma_P(1e-9 * shape * scale, shape, scale);
    bool is_fine = (low <= p && p <= high) || p <= tiny;
    if (!is_fine) {
        printf("  shape %g: %g is not within %g and %g\n", shape, p, low, high);
    }
    return is_fine;
}

TEST(dist_life, a_gamma_law_has_its_mean_and_quantiles)
{
    static struct dist_point points[DIST_GAMMA_POINTS];
    for (uint32_t i = 0; i < ARRAY_COUNT(shapes); i++) {
        struct dist law;
        struct err err = {0};
        REQUIRE(dist_gamma_of_mean(&law, 99 * HOUR, shapes[i], points, &err));
        CHECK(dist_check(&law, &err));
        double shape = (double)shapes[i] / 1000;
        CHECK(is_near((double)dist_mean(&law), 99.0 * HOUR, 1e-6));
        for (double p = 1e-6; p < .9995; p += .0499) {
            uint64_t position = (uint64_t)ldexp(p, 32);
            CHECK(is_gamma_quantile(dist_quantile(&law, position), ldexp((double)position, -32),
                                    shape, 99.0 * HOUR / shape));
        }
        uint64_t position = (uint64_t)ldexp(1 - 1e-6, 32);
        CHECK(is_gamma_quantile(dist_quantile(&law, position), ldexp((double)position, -32), shape,
                                99.0 * HOUR / shape));
    }
}

/* The law of what is left at `age`: P(left > x) = S(age + x) / S(age), by counting draws. */
static void check_remaining(const struct dist *law, int64_t age, int64_t left, double expected)
{
    enum { DRAWS = 40000 };
    struct rng rng = rng_stream(7, "remaining", (uint32_t)(age % 1000003), "test");
    uint32_t above = 0;
    for (uint32_t i = 0; i < DRAWS; i++) {
        int64_t rest = dist_remaining(law, age, &rng);
        CHECK(rest >= 0);
        above += rest > left;
    }
    double sigma = sqrt(expected * (1 - expected) / DRAWS);
    CHECK(fabs((double)above / DRAWS - expected) < 4.5 * sigma + 1e-4);
}

/* Quantiles 10 h, 50 h and 400 h at 0, a half and 1, joined by straight lines. */
static double survival_of_points(double hours)
{
    const double low = fmin(fmax((hours - 10) / 40, 0), 1);
    const double high = fmin(fmax((hours - 50) / 350, 0), 1);
    return 1 - low / 2 - high / 2;
}

TEST(dist_life, what_is_left_follows_the_conditional_law)
{
    struct err err = {0};
    static struct dist_point points[DIST_GAMMA_POINTS];
    struct dist weibull;
    struct dist gamma;
    REQUIRE(dist_weibull_of_mean(&weibull, 100 * HOUR, 700, &err));
    REQUIRE(dist_gamma_of_mean(&gamma, 100 * HOUR, 2500, points, &err));
    const struct dist exponential = {.kind = DIST_EXPONENTIAL, .a = 100 * HOUR};
    const struct dist uniform = {.kind = DIST_UNIFORM, .a = 50 * HOUR, .b = 150 * HOUR};
    const struct dist pareto = {.kind = DIST_PARETO, .a = 10 * HOUR, .c = 1500};
    static const struct dist_point points3[] = {
        {0, 10 * HOUR}, {UINT32_C(1) << 31, 50 * HOUR}, {UINT64_C(1) << 32, 400 * HOUR}};
    const struct dist listed = {.kind = DIST_EMPIRICAL, .points = points3, .point_count = 3};
    const struct dist lognormal = {.kind = DIST_LOGNORMAL, .a = 60 * HOUR, .b = 600 * HOUR};
    const double sigma = log(10) / 2.3263478740408408;
    static const int64_t ages[] = {0, 20, 90, 300};
    for (uint32_t i = 0; i < ARRAY_COUNT(ages); i++) {
        int64_t age = ages[i] * HOUR;
        int64_t left = 40 * HOUR;
        double a = (double)age;
        double b = (double)(age + left);
        double scale = (double)weibull.a;
        check_remaining(&exponential, age, left, exp(-.4));
        check_remaining(&weibull, age, left, exp(pow(a / scale, .7) - pow(b / scale, .7)));
        check_remaining(&gamma, age, left,
                        gsl_cdf_gamma_Q(b, 2.5, 40.0 * HOUR) /
                            gsl_cdf_gamma_Q(a, 2.5, 40.0 * HOUR));
        check_remaining(&lognormal, age, left,
                        gsl_cdf_lognormal_Q(b, log(60.0 * HOUR), sigma) /
                            gsl_cdf_lognormal_Q(a, log(60.0 * HOUR), sigma));
        check_remaining(&listed, age, left,
                        survival_of_points(b / HOUR) / survival_of_points(a / HOUR));
        double floor_ns = (double)pareto.a;
        check_remaining(&pareto, age, left, pow(fmax(b, floor_ns) / fmax(a, floor_ns), -1.5));
        double end = (double)uniform.b;
        double from = fmin(fmax(a, (double)uniform.a), end);
        double until = fmin(fmax(b, (double)uniform.a), end);
        check_remaining(&uniform, age, left, from < end ? (end - until) / (end - from) : 0);
    }
}

TEST(dist_life, a_constant_life_draws_nothing_and_ends_when_it_must)
{
    const struct dist constant = {.kind = DIST_CONSTANT, .a = 10};
    struct rng rng = rng_stream(1, "a", 0, "b");
    struct rng before = rng;
    CHECK_EQUAL(dist_remaining(&constant, 3, &rng), 7);
    CHECK_EQUAL(dist_remaining(&constant, 30, &rng), 0);
    CHECK(memcmp(&before, &rng, sizeof(rng)) == 0);
}

TEST(dist_life, what_cannot_be_is_refused)
{
    struct dist law;
    struct err err = {0};
    static struct dist_point points[DIST_GAMMA_POINTS];
    CHECK(!dist_weibull_of_mean(&law, 0, 1000, &err));
    CHECK(!dist_weibull_of_mean(&law, 100, 99, &err));
    CHECK(!dist_gamma_of_mean(&law, 100, 100001, points, &err));
    CHECK(!dist_gamma_of_mean(&law, 0, 1000, points, &err));
    CHECK_EQUAL(err.code, ERR_INPUT);
}
