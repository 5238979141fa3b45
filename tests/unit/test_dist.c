/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Distributions. Here, and only here, doubles and libm are allowed: they are the independent
 * opinion about what the integers should give, always within a tolerance. What must be exact
 * (first draws, digests of many draws) is compared with recorded integers, so every build of the
 * tests, with whatever compiler and options, checks that it draws what every other build draws.
 *
 * Statistical bounds are six standard deviations wide and the seeds are fixed. */
#include "sim/base/base.h"
#include "sim/base/dist.h"
#include "sim/base/dist_tables.h"
#include "sim/base/hash.h"
#include "tests/unit/harness.h"

#include <math.h>
#include <string.h>

typedef unsigned __int128 wide;

#define VALUE_MAX (INT64_C(1) << 62)
#define DRAWS     1000000
#define Z99       2.3263478740408408

static const struct dist_point bimodal_points[] = {
    {0, 1000},
    {UINT64_C(0x80000000), 2000},
    {UINT64_C(0xc0000000), 2000},   /* a quarter of all values is exactly 2000 */
    {UINT64_C(0xc0000000), 500000}, /* and nothing lies between 2000 and 500000 */
    {UINT64_C(0x100000000), 1500000},
};

static const struct dist constant = {.kind = DIST_CONSTANT, .a = 12345};
static const struct dist uniform = {.kind = DIST_UNIFORM, .a = 1000, .b = 1999};
static const struct dist exponential = {.kind = DIST_EXPONENTIAL, .a = 1000000000};
static const struct dist lognormal = {.kind = DIST_LOGNORMAL, .a = 1000000, .b = 20000000};
static const struct dist pareto = {.kind = DIST_PARETO, .a = 1000000, .c = 1500};
static const struct dist capped = {.kind = DIST_PARETO, .a = 1000, .b = 50000, .c = 900};
static const struct dist empirical = {
    .kind = DIST_EMPIRICAL, .points = bimodal_points, .point_count = ARRAY_COUNT(bimodal_points)};

static const struct dist *const all[] = {&constant, &uniform, &exponential, &lognormal,
                                         &pareto,   &capped,  &empirical};

static bool is_near(double value, double expected, double tolerance)
{
    return fabs(value - expected) <= fabs(expected) * tolerance;
}

/* log2(value) with 58 fraction bits by squaring the mantissa again and again. */
static uint64_t log2_by_squaring(uint64_t value)
{
    uint32_t zeros = (uint32_t)__builtin_clzll(value);
    uint64_t mantissa = value << zeros;
    uint64_t result = 63 - zeros;
    for (int bit = 0; bit < 58; bit++) {
        wide square = (wide)mantissa * mantissa; /* in [1, 4) with 126 fraction bits */
        bool is_two = square >> 127 != 0;
        result = result << 1 | (is_two ? 1 : 0);
        mantissa = (uint64_t)(square >> (is_two ? 64 : 63));
    }
    return result;
}

static uint64_t distance(uint64_t left, uint64_t right)
{
    return left > right ? left - right : right - left;
}

TEST(dist, table_of_logarithms_agrees_with_repeated_squaring)
{
    for (uint64_t at = 0; at <= 256; at++) {
        uint64_t expected = log2_by_squaring(256 + at) - (UINT64_C(8) << 58);
        CHECK(distance(log2_table[at] >> 2, expected) <= 16);
        CHECK(at == 0 || log2_table[at] > log2_table[at - 1]);
    }
    CHECK(log2_table[256] == UINT64_C(1) << 60);
}

TEST(dist, table_of_the_exponential_law_agrees_with_repeated_squaring)
{
    const uint64_t ln2 = UINT64_C(0x2c5c85fdf473de6b); /* 62 fraction bits; checked below */
    double sum = 0;
    for (int term = 1; term < 60; term++) {
        sum += ldexp(1.0 / term, -term);
    }
    CHECK(is_near(ldexp((double)ln2, -62), sum, 1e-15));
    for (uint64_t at = 0; at <= 256; at++) {
        uint64_t log2 = (UINT64_C(9) << 58) - log2_by_squaring(512 - at);
        uint64_t expected = (uint64_t)(((wide)log2 * ln2) >> 80);
        CHECK(distance(exponential_table[at], expected) <= 1);
    }
}

TEST(dist, table_of_powers_multiplies_to_powers)
{
    CHECK(exp2_table[0] == UINT64_C(1) << 62);
    CHECK(exp2_table[256] == UINT64_C(1) << 63);
    for (uint32_t left = 0; left <= 256; left++) {
        for (uint32_t right = 0; left + right <= 256; right += 5) {
            wide product = (wide)exp2_table[left] * exp2_table[right];
            CHECK(distance((uint64_t)(product >> 62), exp2_table[left + right]) <= 4);
        }
        uint64_t log2 = log2_by_squaring(exp2_table[left]) - (UINT64_C(62) << 58);
        CHECK(distance(log2, (uint64_t)left << 50) <= 16);
    }
}

TEST(dist, table_of_reciprocals_is_rounded_up)
{
    for (uint64_t at = 0; at < 256; at++) {
        wide product = (wide)reciprocal_table[at] * (256 + at);
        CHECK(product >= (wide)1 << 70);
        CHECK(product - ((wide)1 << 70) < 256 + at);
    }
}

TEST(dist, table_of_the_normal_law_agrees_with_its_error_function)
{
    CHECK_EQUAL(normal_table[0], 0);
    for (uint32_t at = 1; at < ARRAY_COUNT(normal_table); at++) {
        double z = ldexp(normal_table[at], -28);
        double p = ldexp(1 - (at % 64) / 128.0, -(int)(at / 64));
        double found = erfc(z / sqrt(2));
        /* An error of z in its last bit moves p by this much at most. */
        double slack = ldexp(1, -28) * sqrt(2 / 3.14159265358979) * exp(-z * z / 2);
        CHECK(fabs(found - p) <= slack + p * 1e-12);
        CHECK(normal_table[at] > normal_table[at - 1]);
    }
}

/* Golden: when this changes, every recorded run of every user changes. */
TEST(dist, first_draws_are_what_they_always_were)
{
    static const int64_t expected[][3] = {
        {0x3039, 0x3039, 0x3039},
        {0x434, 0x6c4, 0x76e},
        {0x6e991ee, 0x21b72157, 0x197c646a},
        {0x104740, 0x1c787a, 0x9b3b5},
        {0x518465, 0x273a44, 0x216f8c},
        {0x571, 0x4ce, 0x4a2},
        {0x6ef, 0x5d1, 0x10d4ca},
    };
    for (uint32_t kind = 0; kind < ARRAY_COUNT(all); kind++) {
        struct rng rng = rng_keyed(2024, 1, 0, kind);
        for (int draw = 0; draw < 3; draw++) {
            int64_t value = dist_sample(all[kind], &rng);
            CHECK_EQUAL(value, expected[kind][draw]);
        }
    }
}

TEST(dist, the_digest_of_many_draws_is_the_same_in_every_build)
{
    static const uint64_t expected[] = {
        UINT64_C(0x0467c6b72b80912e), UINT64_C(0xe1c5dee1058b81d1), UINT64_C(0xb2b9b0ebfa39269c),
        UINT64_C(0xffe7724e3979d167), UINT64_C(0xe4dc44ffb568f1f0), UINT64_C(0xd07d0d36251f6c20),
        UINT64_C(0x8b7c68073bbfce72),
    };
    for (uint32_t kind = 0; kind < ARRAY_COUNT(all); kind++) {
        struct rng rng = rng_keyed(2025, 1, 0, kind);
        uint64_t digest = 0;
        for (int draw = 0; draw < 200000; draw++) {
            digest = hash_mix(digest, (uint64_t)dist_sample(all[kind], &rng));
        }
        CHECK_EQUAL(digest, expected[kind]);
    }
}

TEST(dist, a_constant_draws_nothing_and_the_others_do)
{
    for (uint32_t kind = 0; kind < ARRAY_COUNT(all); kind++) {
        struct rng rng = rng_keyed(1, 1, 1, 1);
        struct rng before = rng;
        int64_t value = dist_sample(all[kind], &rng);
        CHECK(value >= 0);
        bool is_same = memcmp(&rng, &before, sizeof(rng)) == 0;
        CHECK_EQUAL(is_same, all[kind]->kind == DIST_CONSTANT);
    }
}

TEST(dist, quantiles_never_fall)
{
    for (uint32_t kind = 0; kind < ARRAY_COUNT(all); kind++) {
        int64_t last = -1;
        uint64_t step = 1;
        for (uint64_t at = 0; at < UINT64_C(1) << 32; at += step) {
            int64_t value = dist_quantile(all[kind], at);
            if (value < last) {
                CHECK_EQUAL(at, last - value);
            }
            last = value;
            /* Every place near both ends and near the middle, coarse steps between. */
            uint64_t end = (UINT64_C(1) << 32) - 1 - at;
            uint64_t middle = distance(at, UINT64_C(1) << 31);
            bool is_fine = at < 5000 || end < 40000 || middle < 25000;
            step = is_fine ? 1 : 19997;
        }
    }
}

TEST(dist, a_draw_lies_between_the_quantiles_around_it)
{
    const struct dist *const laws[] = {&lognormal, &empirical};
    for (uint32_t kind = 0; kind < 2; kind++) {
        struct rng rng = rng_keyed(5, 1, 0, kind);
        for (int draw = 0; draw < 20000; draw++) {
            struct rng twin = rng;
            uint64_t cumulative = rng_u64(&twin) >> 32;
            int64_t value = dist_sample(laws[kind], &rng);
            CHECK(value >= dist_quantile(laws[kind], cumulative));
            CHECK(cumulative == UINT32_MAX || value <= dist_quantile(laws[kind], cumulative + 1));
        }
    }
}

/* Far tighter than what draws can show: the shape itself against the closed form. */
TEST(dist, quantiles_agree_with_the_closed_forms)
{
    for (uint64_t at = 100003; at < UINT64_C(1) << 32; at += 99991) {
        double u = ldexp((double)at, -32);
        double e = -log1p(-u);
        CHECK(fabs((double)dist_quantile(&exponential, at) - 1e9 * e) <= 2100);
        double x = 1e6 * exp(e / 1.5);
        CHECK(is_near((double)dist_quantile(&pareto, at), x, 2e-6));
        double uniform_value = 1000 + floor(1000 * u);
        CHECK_EQUAL(dist_quantile(&uniform, at), (int64_t)uniform_value);
    }
}

TEST(dist, lognormal_quantiles_agree_with_the_error_function)
{
    double sigma = log(20) / Z99;
    for (uint64_t at = 1000003; at < UINT64_C(1) << 32; at += 999983) {
        double z = log((double)dist_quantile(&lognormal, at) / 1e6) / sigma;
        double u = erfc(-z / sqrt(2)) / 2;
        double density = exp(-z * z / 2) / sqrt(2 * 3.14159265358979);
        /* An error of 2e-5 in z, and rounding to whole nanoseconds. */
        double rounding = 0.5 / (double)dist_quantile(&lognormal, at) / sigma;
        CHECK(fabs(u - ldexp((double)at, -32)) <= density * (2e-5 + rounding));
    }
    CHECK_EQUAL(dist_quantile(&lognormal, UINT64_C(1) << 31), 1000000);
    double p99 = (double)dist_quantile(&lognormal, UINT64_C(4252017623));
    CHECK(is_near(p99, 20e6, 3e-5));
}

struct moments {
    double mean;
    double chi_square; /* over 1000 bins that are equally likely by the closed form */
    double furthest;   /* between the empirical and the true law, at the edges of the bins */
};

/* Draws and sorts into bins by `probability_of`, the closed form of the cumulative law. */
static struct moments draw_many(const struct dist *dist, double (*probability_of)(double value))
{
    uint32_t counts[1000] = {0};
    struct rng rng = rng_keyed(77, 1, 0, (uint64_t)dist->kind);
    struct moments moments = {0};
    for (int draw = 0; draw < DRAWS; draw++) {
        double value = (double)dist_sample(dist, &rng);
        int bin = (int)(1000 * probability_of(value));
        counts[bin > 999 ? 999 : bin]++;
        moments.mean += value / DRAWS;
    }
    double seen = 0;
    for (int bin = 0; bin < 1000; bin++) {
        double difference = counts[bin] - DRAWS / 1000.0;
        moments.chi_square += difference * difference / (DRAWS / 1000.0);
        seen += counts[bin];
        double gap = fabs(seen / DRAWS - (bin + 1) / 1000.0);
        moments.furthest = gap > moments.furthest ? gap : moments.furthest;
    }
    return moments;
}

static double exponential_probability(double value)
{
    return -expm1(-value / 1e9);
}

static double lognormal_probability(double value)
{
    return erfc(-log(value / 1e6) / (log(20) / Z99) / sqrt(2)) / 2;
}

static double pareto_probability(double value)
{
    return 1 - pow(1e6 / value, 1.5);
}

static void check_shape(const struct moments *moments)
{
    CHECK(moments->chi_square > 999 - 6 * 44.7);
    CHECK(moments->chi_square < 999 + 6 * 44.7);
    /* Kolmogorov and Smirnov: 1.95 / sqrt(n) is passed by chance once in a thousand. */
    CHECK(moments->furthest < 1.95 / sqrt(DRAWS));
}

TEST(dist, a_million_exponential_draws_have_mean_and_shape)
{
    struct moments moments = draw_many(&exponential, exponential_probability);
    CHECK(is_near(moments.mean, 1e9, 6e-3));
    check_shape(&moments);
}

TEST(dist, a_million_lognormal_draws_have_mean_and_shape)
{
    struct moments moments = draw_many(&lognormal, lognormal_probability);
    double sigma = log(20) / Z99;
    double mean = 1e6 * exp(sigma * sigma / 2);
    double deviation = sqrt(expm1(sigma * sigma)); /* of the mean */
    CHECK(is_near(moments.mean, mean, 6 * deviation / sqrt(DRAWS)));
    CHECK(is_near((double)dist_mean(&lognormal), mean, 1e-6));
    check_shape(&moments);
}

TEST(dist, a_million_pareto_draws_have_the_shape)
{
    struct moments moments = draw_many(&pareto, pareto_probability);
    check_shape(&moments);
}

static double mean_by_draws(const struct dist *dist, double *error)
{
    struct rng rng = rng_keyed(78, 1, 0, (uint64_t)dist->kind);
    double sum = 0;
    double squares = 0;
    for (int draw = 0; draw < DRAWS / 2; draw++) {
        double value = (double)dist_sample(dist, &rng);
        sum += value;
        squares += value * value;
    }
    double mean = sum / (DRAWS / 2);
    *error = 6 * sqrt((squares / (DRAWS / 2) - mean * mean) / (DRAWS / 2)) + 0.5;
    return mean;
}

TEST(dist, means_agree_with_draws)
{
    const struct dist *const laws[] = {&constant,  &uniform, &exponential,
                                       &lognormal, &capped,  &empirical};
    for (uint32_t kind = 0; kind < ARRAY_COUNT(laws); kind++) {
        double error = 0;
        double mean = mean_by_draws(laws[kind], &error);
        CHECK(fabs(mean - (double)dist_mean(laws[kind])) <= error);
    }
    CHECK_EQUAL(dist_mean(&constant), 12345);
    CHECK_EQUAL(dist_mean(&uniform), 1499);
    CHECK_EQUAL(dist_mean(&exponential), 1000000000);
    /* 1500 / 2 + 2000 / 4 + 1000000 / 4 */
    CHECK_EQUAL(dist_mean(&empirical), 251250);
}

TEST(dist, pareto_means_agree_with_the_closed_form)
{
    const int64_t shapes[] = {100, 500, 999, 1000, 1001, 1200, 2000, 5000, 100000};
    const int64_t caps[] = {1000001, 1100000, 10000000, INT64_C(1000000000000)};
    for (uint32_t shape = 0; shape < ARRAY_COUNT(shapes); shape++) {
        for (uint32_t cap = 0; cap < ARRAY_COUNT(caps); cap++) {
            struct dist dist = {DIST_PARETO, 1000000, caps[cap], shapes[shape], NULL, 0};
            double excess = (double)shapes[shape] / 1000 - 1;
            double ratio = log((double)caps[cap] / 1e6);
            double above = shapes[shape] == 1000 ? ratio : -expm1(-excess * ratio) / excess;
            /* One part in a million of what lies above the minimum, and rounding. */
            CHECK(fabs((double)dist_mean(&dist) - 1e6 * (1 + above)) <= 2 + above);
        }
        struct dist fixed = {DIST_PARETO, 1000, 1000, shapes[shape], NULL, 0};
        CHECK_EQUAL(dist_mean(&fixed), 1000);
    }
    CHECK(is_near((double)dist_mean(&pareto), 3e6, 1e-5));
    /* Without a mean in theory: what counts is where values saturate. */
    struct dist endless = {DIST_PARETO, 1000000, 0, 500, NULL, 0};
    CHECK(is_near((double)dist_mean(&endless), 1e6 * (2 * sqrt(ldexp(1, 62) / 1e6) - 1), 1e-6));
}

/* A generator whose next draw is zero: that is how far its second word goes into the result. */
TEST(dist, the_exponential_tail_goes_on_with_a_new_draw)
{
    struct rng rng = {{1, 0, 3, 4}};
    struct rng twin = rng;
    CHECK_EQUAL(rng_u64(&twin), 0);
    int64_t value = dist_sample(&exponential, &rng);
    int64_t rest = dist_sample(&exponential, &twin);
    CHECK(is_near((double)(value - rest), 32 * log(2) * 1e9, 1e-9));
    CHECK(memcmp(&rng, &twin, sizeof(rng)) == 0);
}

TEST(dist, the_exponential_tail_is_as_heavy_as_it_should_be)
{
    struct rng rng = rng_keyed(79, 1, 0, 0);
    uint32_t above_7 = 0;
    uint32_t above_10 = 0;
    for (int draw = 0; draw < 2 * DRAWS; draw++) {
        int64_t value = dist_sample(&exponential, &rng);
        above_7 += value > INT64_C(7000000000) ? 1 : 0;
        above_10 += value > INT64_C(10000000000) ? 1 : 0;
    }
    /* 2e6 e^-7 = 1823.8 and 2e6 e^-10 = 90.8 */
    CHECK(above_7 > 1823 - 257 && above_7 < 1823 + 257);
    CHECK(above_10 > 91 - 58 && above_10 < 91 + 58);
}

TEST(dist, values_saturate_and_small_ones_round)
{
    struct rng rng = rng_keyed(80, 1, 0, 0);
    const struct dist huge[] = {
        {DIST_EXPONENTIAL, VALUE_MAX, 0, 0, NULL, 0},
        {DIST_LOGNORMAL, 1, VALUE_MAX, 0, NULL, 0},
        {DIST_LOGNORMAL, VALUE_MAX, VALUE_MAX, 0, NULL, 0},
        {DIST_PARETO, 1, 0, 1, NULL, 0},
        {DIST_PARETO, VALUE_MAX, 0, 1000000, NULL, 0},
        {DIST_UNIFORM, 0, VALUE_MAX, 0, NULL, 0},
    };
    for (uint32_t kind = 0; kind < ARRAY_COUNT(huge); kind++) {
        CHECK(dist_check(&huge[kind], NULL));
        for (int draw = 0; draw < 1000; draw++) {
            int64_t value = dist_sample(&huge[kind], &rng);
            CHECK(value >= 0);
            CHECK(value <= VALUE_MAX);
        }
        CHECK(dist_mean(&huge[kind]) <= VALUE_MAX);
        CHECK(dist_quantile(&huge[kind], UINT32_MAX) <= VALUE_MAX);
        CHECK(dist_quantile(&huge[kind], 0) >= 0);
    }
    CHECK_EQUAL(dist_quantile(&huge[3], UINT32_MAX), VALUE_MAX);
    const struct dist small = {.kind = DIST_EXPONENTIAL, .a = 3};
    double error = 0;
    double mean = mean_by_draws(&small, &error);
    CHECK(is_near(mean, 3, 0.01));
    const struct dist zero = {.kind = DIST_EXPONENTIAL, .a = 0};
    CHECK_EQUAL(dist_sample(&zero, &rng), 0);
}

TEST(dist, a_lognormal_law_without_spread_is_its_median)
{
    const struct dist fixed = {.kind = DIST_LOGNORMAL, .a = 777, .b = 777};
    struct rng rng = rng_keyed(81, 1, 0, 0);
    for (int draw = 0; draw < 100; draw++) {
        int64_t value = dist_sample(&fixed, &rng);
        CHECK_EQUAL(value, 777);
    }
    CHECK_EQUAL(dist_mean(&fixed), 777);
}

TEST(dist, empirical_points_atoms_and_gaps_are_kept)
{
    CHECK_EQUAL(dist_quantile(&empirical, 0), 1000);
    CHECK_EQUAL(dist_quantile(&empirical, UINT64_C(0x40000000)), 1500);
    CHECK_EQUAL(dist_quantile(&empirical, UINT64_C(0x80000000)), 2000);
    CHECK_EQUAL(dist_quantile(&empirical, UINT64_C(0xbfffffff)), 2000);
    CHECK_EQUAL(dist_quantile(&empirical, UINT64_C(0xc0000000)), 500000);
    CHECK_EQUAL(dist_quantile(&empirical, UINT64_C(0xe0000000)), 1000000);
    struct rng rng = rng_keyed(82, 1, 0, 0);
    uint32_t atoms = 0;
    for (int draw = 0; draw < 100000; draw++) {
        int64_t value = dist_sample(&empirical, &rng);
        CHECK(value <= 2000 || value >= 500000);
        CHECK(value >= 1000);
        CHECK(value < 1500000);
        atoms += value == 2000 ? 1 : 0;
    }
    CHECK(atoms > 25000 - 822 && atoms < 25000 + 822);
}

/* Twelve hours in one step: products do not fit 64 bits. */
TEST(dist, empirical_steps_may_be_wide)
{
    const struct dist_point points[] = {{0, 0}, {1, VALUE_MAX / 2}, {UINT64_C(1) << 32, VALUE_MAX}};
    const struct dist wide_law = {.kind = DIST_EMPIRICAL, .points = points, .point_count = 3};
    CHECK(dist_check(&wide_law, NULL));
    CHECK_EQUAL(dist_quantile(&wide_law, 0), 0);
    CHECK_EQUAL(dist_quantile(&wide_law, 1), VALUE_MAX / 2);
    int64_t high = dist_quantile(&wide_law, UINT32_MAX);
    CHECK(high > VALUE_MAX - VALUE_MAX / 1000000000 && high <= VALUE_MAX);
    CHECK(is_near((double)dist_mean(&wide_law), ldexp(0.75, 62), 1e-9));
}

TEST(dist, a_lognormal_law_of_given_mean_has_it)
{
    const int64_t means[] = {1000, 1000000, 123456789, INT64_C(3600000000000)};
    for (uint32_t index = 0; index < ARRAY_COUNT(means); index++) {
        for (int64_t ratio = 1000; ratio <= 14960; ratio += ratio < 1100 ? 1 : 137) {
            int64_t p99 = means[index] / 1000 * ratio;
            p99 = p99 < means[index] ? means[index] : p99;
            struct dist dist = {0};
            struct err err = {0};
            REQUIRE(dist_lognormal_of_mean(&dist, means[index], p99, &err));
            CHECK(dist_check(&dist, &err));
            CHECK_EQUAL(dist.b, p99);
            CHECK(is_near((double)dist_mean(&dist), (double)means[index], 1e-3));
        }
    }
}

TEST(dist, a_lognormal_law_of_given_mean_has_it_in_draws)
{
    struct dist dist = {0};
    CHECK(dist_lognormal_of_mean(&dist, 2000000, 10000000, NULL));
    double error = 0;
    double mean = mean_by_draws(&dist, &error);
    CHECK(fabs(mean - 2e6) <= error);
    CHECK(is_near(mean, 2e6, 0.02));
}

TEST(dist, an_impossible_lognormal_law_is_refused)
{
    struct dist dist = {0};
    struct err err = {0};
    CHECK(!dist_lognormal_of_mean(&dist, 1000, 999, &err));
    CHECK(strstr(err.text, "below its mean") != NULL);
    CHECK(!dist_lognormal_of_mean(&dist, 1000000, 15000000, &err));
    CHECK(strstr(err.text, "at most 14.96") != NULL);
    CHECK(!dist_lognormal_of_mean(&dist, 0, 5, &err));
    CHECK(!dist_lognormal_of_mean(&dist, -3, 5, &err));
    CHECK(!dist_lognormal_of_mean(&dist, VALUE_MAX + 1, VALUE_MAX + 2, NULL));
}

TEST(dist, malformed_laws_are_refused)
{
    static const struct dist_point late[] = {{5, 1}, {UINT64_C(1) << 32, 2}};
    static const struct dist_point short_one[] = {{0, 1}, {UINT32_MAX, 2}};
    static const struct dist_point falling[] = {{0, 9}, {7, 8}, {UINT64_C(1) << 32, 10}};
    static const struct dist_point disorder[] = {{0, 1}, {9, 2}, {7, 3}, {UINT64_C(1) << 32, 4}};
    static const struct dist_point negative[] = {{0, -1}, {UINT64_C(1) << 32, 2}};
    static const struct dist_point large[] = {{0, 1}, {UINT64_C(1) << 32, INT64_MAX}};
    const struct {
        struct dist dist;
        const char *text;
    } cases[] = {
        {{DIST_CONSTANT, -1, 0, 0, NULL, 0}, "constant is -1ns: it must be at least 0s"},
        {{DIST_CONSTANT, INT64_MAX, 0, 0, NULL, 0}, "at most 2^62"},
        {{DIST_UNIFORM, -1, 5, 0, NULL, 0}, "lower end"},
        {{DIST_UNIFORM, 6, 5, 0, NULL, 0},
         "upper end of a uniform law is 5ns: it must be at least 6ns"},
        {{DIST_EXPONENTIAL, -1, 0, 0, NULL, 0}, "mean of an exponential law"},
        {{DIST_LOGNORMAL, 0, 5, 0, NULL, 0}, "median"},
        {{DIST_LOGNORMAL, 6, 5, 0, NULL, 0}, "99th percentile"},
        {{DIST_PARETO, 0, 0, 1500, NULL, 0}, "minimum"},
        {{DIST_PARETO, 10, 9, 1500, NULL, 0}, "cap"},
        {{DIST_PARETO, 10, 0, 0, NULL, 0}, "shape"},
        {{DIST_PARETO, 10, 0, 1000001, NULL, 0}, "shape"},
        {{DIST_EMPIRICAL, 0, 0, 0, NULL, 5}, "two points"},
        {{DIST_EMPIRICAL, 0, 0, 0, late, 1}, "two points"},
        {{DIST_EMPIRICAL, 0, 0, 0, late, 2}, "begin at 0%"},
        {{DIST_EMPIRICAL, 0, 0, 0, short_one, 2}, "end at 100%"},
        {{DIST_EMPIRICAL, 0, 0, 0, falling, 3}, "point 2"},
        {{DIST_EMPIRICAL, 0, 0, 0, disorder, 4}, "point 3"},
        {{DIST_EMPIRICAL, 0, 0, 0, negative, 2}, "negative value -1"},
        {{DIST_EMPIRICAL, 0, 0, 0, large, 2}, "above 2^62"},
    };
    for (uint32_t index = 0; index < ARRAY_COUNT(cases); index++) {
        struct err err = {0};
        CHECK(!dist_check(&cases[index].dist, &err));
        CHECK_EQUAL(err.code, ERR_INPUT);
        CHECK(strstr(err.text, cases[index].text) != NULL);
    }
    for (uint32_t kind = 0; kind < ARRAY_COUNT(all); kind++) {
        CHECK(dist_check(all[kind], NULL));
    }
}

/* What the alias table really gives each rank, out of count * 2^32. */
static void probabilities_of(const struct zipf *zipf, uint64_t *probabilities)
{
    for (uint32_t rank = 0; rank < zipf->count; rank++) {
        probabilities[rank] = 0;
    }
    for (uint32_t bucket = 0; bucket < zipf->count; bucket++) {
        CHECK(zipf->threshold[bucket] <= UINT64_C(1) << 32);
        CHECK(zipf->alias[bucket] < zipf->count);
        probabilities[bucket] += zipf->threshold[bucket];
        probabilities[zipf->alias[bucket]] += (UINT64_C(1) << 32) - zipf->threshold[bucket];
    }
}

TEST(dist, zipf_tables_hold_the_exact_probabilities)
{
    static uint64_t probabilities[30011];
    const uint32_t counts[] = {1, 2, 3, 10, 1000, 30011};
    const uint32_t thetas[] = {0, 1, 500, 990, 1000, 1500, 4000};
    for (uint32_t at = 0; at < ARRAY_COUNT(counts) * ARRAY_COUNT(thetas); at++) {
        uint32_t count = counts[at % ARRAY_COUNT(counts)];
        double theta = thetas[at / ARRAY_COUNT(counts)] / 1000.0;
        struct zipf zipf;
        zipf_init(&zipf, count, thetas[at / ARRAY_COUNT(counts)]);
        probabilities_of(&zipf, probabilities);
        double total = 0;
        uint64_t sum = 0;
        for (uint32_t rank = 0; rank < count; rank++) {
            total += pow(rank + 1, -theta);
            sum += probabilities[rank];
        }
        CHECK(sum == (uint64_t)count << 32);
        uint32_t wrong = 0;
        for (uint32_t rank = 0; rank < count; rank++) {
            double expected = pow(rank + 1, -theta) / total * count * 4294967296.0;
            double difference = fabs((double)probabilities[rank] - expected);
            wrong += difference > 2 + expected * 1e-10 ? 1 : 0;
        }
        CHECK_EQUAL(wrong, 0);
        zipf_release(&zipf);
        CHECK(zipf.alias == NULL);
    }
}

TEST(dist, zipf_draws_pass_a_chi_square_test)
{
    enum { COUNT = 500 };
    static uint32_t counts[COUNT];
    struct zipf zipf;
    zipf_init(&zipf, COUNT, 990);
    struct rng rng = rng_keyed(83, 1, 0, 0);
    for (int draw = 0; draw < DRAWS; draw++) {
        uint32_t rank = zipf_sample(&zipf, &rng);
        REQUIRE(rank < COUNT);
        counts[rank]++;
    }
    double total = 0;
    for (int rank = 0; rank < COUNT; rank++) {
        total += pow(rank + 1, -0.99);
    }
    double chi_square = 0;
    for (int rank = 0; rank < COUNT; rank++) {
        double expected = DRAWS * pow(rank + 1, -0.99) / total;
        chi_square += (counts[rank] - expected) * (counts[rank] - expected) / expected;
    }
    CHECK(chi_square > 499 - 6 * 31.6);
    CHECK(chi_square < 499 + 6 * 31.6);
    zipf_release(&zipf);
}

TEST(dist, zipf_digest_is_the_same_in_every_build)
{
    struct zipf zipf;
    zipf_init(&zipf, 100003, 990);
    uint64_t digest = 0;
    for (uint32_t rank = 0; rank < zipf.count; rank++) {
        digest = hash_mix(digest, zipf.threshold[rank]);
        digest = hash_mix(digest, zipf.alias[rank]);
    }
    struct rng rng = rng_keyed(84, 1, 0, 0);
    for (int draw = 0; draw < 100000; draw++) {
        digest = hash_mix(digest, zipf_sample(&zipf, &rng));
    }
    CHECK_EQUAL(digest, UINT64_C(0x547103644097fd76));
    zipf_release(&zipf);
}

static void init_without_keys(void *user)
{
    zipf_init(user, 0, 990);
}

static void init_too_steep(void *user)
{
    zipf_init(user, 10, 4001);
}

TEST(dist, zipf_ranges_are_assertions)
{
    struct zipf zipf;
    CHECK(unit_aborts(init_without_keys, &zipf, "count >= 1"));
    CHECK(unit_aborts(init_too_steep, &zipf, "theta_milli <= 4000"));
}
