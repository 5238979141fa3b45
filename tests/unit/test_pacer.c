/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The pacer against the test vectors of the AWS SDKs' specification of adaptive retries (the same
 * in the SDKs for Java, Go, Rust, JavaScript, .NET, PHP and C++), against a computation by hand,
 * and the integer cube root against its definition. */
#include "sim/pacer.h"

#include "sim/base/base.h"
#include "sim/base/rng.h"
#include "sim/base/units.h"
#include "tests/unit/harness.h"

#define MS      NS_PER_MS
#define S       NS_PER_S
#define MILLION 1000000

static const struct spec_pacing aws = {.is_enabled = true,
                                       .beta_milli = 700,
                                       .scale_milli = 400,
                                       .smoothing_milli = 800,
                                       .rate_min_milli = 500};

static struct pacer pacer_new(void)
{
    struct pacer pacer = {0};
    pacer_adopt(&pacer, &aws, 0);
    return pacer;
}

static void check_near(uint64_t value, uint64_t expected, uint64_t off)
{
    uint64_t low = expected > off ? expected - off : 0;
    CHECK(value >= low);
    CHECK(value <= expected + off);
    if (value < low || value > expected + off) {
        CHECK_EQUAL(value, expected);
    }
}

TEST(pacer, cube_root_is_the_largest_whose_cube_fits)
{
    CHECK_EQUAL(pacer_cube_root(0), 0);
    for (uint64_t root = 1; root < 3000; root++) {
        const __uint128_t cube = (__uint128_t)root * root * root;
        CHECK_EQUAL(pacer_cube_root(cube), root);
        CHECK_EQUAL(pacer_cube_root(cube - 1), root - 1);
        CHECK_EQUAL(pacer_cube_root(cube + 1), root);
    }
    struct rng rng = rng_stream(1, "pacer", 0, "test");
    for (uint32_t i = 0; i < 20000; i++) {
        const uint64_t root = (rng_u64(&rng) >> 22 >> rng_below(&rng, 40)) + 2;
        const __uint128_t cube = (__uint128_t)root * root * root;
        CHECK_EQUAL(pacer_cube_root(cube), root);
        CHECK_EQUAL(pacer_cube_root(cube - 1), root - 1);
    }
    CHECK_EQUAL(pacer_cube_root(((__uint128_t)1 << 126) - 1), (INT64_C(1) << 42) - 1);
}

TEST(pacer, follows_cubic_as_the_aws_sdks_do)
{
    /* last_max_rate 10, last_throttle_time 5: what it would be without the bound by measurement. */
    static const struct {
        int64_t at_s;
        bool is_throttled;
        uint64_t rate; /* millionths */
    } rows[] = {
        {5, false, 7000000}, {6, false, 9648936},  {7, true, 6754255},   {8, true, 4727979},
        {9, false, 6606548}, {10, false, 6763280}, {11, false, 7598175}, {12, false, 11511233},
    };
    struct pacer pacer = pacer_new();
    pacer.is_on = true;
    pacer.measured = 10 * MILLION;
    pacer.rate = 10 * MILLION;
    pacer.half_second = INT64_MAX;
    pacer_answered(&pacer, true, 5 * S);
    CHECK_EQUAL(pacer.rate_max, 10 * MILLION);
    CHECK_EQUAL(pacer.plateau_us, 1957433); /* cbrt(10 * 0.3 / 0.4) s */
    pacer.measured = 1000 * MILLION;
    for (uint32_t i = 0; i < ARRAY_COUNT(rows); i++) {
        pacer_answered(&pacer, rows[i].is_throttled, rows[i].at_s * S);
        check_near(pacer.rate, rows[i].rate, 5);
    }
}

TEST(pacer, measures_and_bounds_its_rate_as_the_aws_sdks_do)
{
    /* One answer each 200 ms, throttled at 2.0 s and 3.2 s. */
    static const struct {
        bool is_throttled;
        uint64_t measured; /* millionths */
        uint64_t rate;
    } rows[] = {
        {false, 0, 500000},        {false, 0, 500000},        {false, 4800000, 500000},
        {false, 4800000, 500000},  {false, 4160000, 500000},  {false, 4160000, 691200},
        {false, 4160000, 1097600}, {false, 5632000, 1638400}, {false, 5632000, 2332800},
        {true, 4326400, 3028480},  {false, 4326400, 3486639}, {false, 4326400, 3821874},
        {false, 5665280, 4053386}, {false, 5665280, 4200373}, {false, 4333056, 4282037},
        {true, 4333056, 2997426},  {false, 4333056, 3452226},
    };
    struct pacer pacer = pacer_new();
    for (uint32_t i = 0; i < ARRAY_COUNT(rows); i++) {
        pacer_answered(&pacer, rows[i].is_throttled, (i + 1) * 200 * MS);
        check_near(pacer.measured, rows[i].measured, 0);
        check_near(pacer.rate, rows[i].rate, 2);
        CHECK(pacer.is_on == (i >= 9));
    }
}

TEST(pacer, returns_to_the_old_rate_after_its_plateau_and_goes_beyond)
{
    /* By hand: w = 100/s, K = cbrt(100 * 0.3 / 0.4) = cbrt(75) = 4.217163 s; 70/s at once, 100/s
     * after K, 100 + 0.4 K^3 = 130/s after 2 K. */
    struct pacer pacer = pacer_new();
    pacer.measured = 100 * MILLION;
    pacer.half_second = INT64_MAX;
    pacer_answered(&pacer, true, 0);
    CHECK_EQUAL(pacer.rate, 70 * MILLION);
    CHECK_EQUAL(pacer.plateau_us, 4217163);
    pacer_answered(&pacer, false, 0);
    check_near(pacer.rate, 70 * MILLION, 30);
    pacer_answered(&pacer, false, 4217163 * INT64_C(1000));
    CHECK_EQUAL(pacer.rate, 100 * MILLION);
    pacer_answered(&pacer, false, 2 * 4217163 * INT64_C(1000));
    check_near(pacer.rate, 130 * MILLION, 30);
    pacer_answered(&pacer, false, 100 * S);
    CHECK_EQUAL(pacer.rate, 200 * MILLION); /* twice what was measured */
    pacer_answered(&pacer, false, 400 * 86400 * S);
    CHECK_EQUAL(pacer.rate, 200 * MILLION);
}

TEST(pacer, lets_everything_pass_until_the_first_throttling_error)
{
    struct pacer pacer = pacer_new();
    for (uint32_t i = 0; i < 1000; i++) {
        CHECK(pacer_take(&pacer, 0));
    }
    pacer_answered(&pacer, false, MS);
    CHECK(pacer_take(&pacer, MS));
    CHECK_EQUAL(pacer_ready_ns(&pacer, MS), MS);
    struct pacer off = {0};
    pacer_answered(&off, true, MS);
    CHECK(pacer_take(&off, MS));
}

TEST(pacer, gives_one_token_after_the_other_at_its_rate)
{
    struct pacer pacer = pacer_new();
    pacer.is_on = true;
    pacer.rate = 4 * MILLION;
    pacer.capacity = 4 * MILLION;
    CHECK(!pacer_take(&pacer, 0));
    CHECK_EQUAL(pacer_ready_ns(&pacer, 0), 250 * MS);
    CHECK(!pacer_take(&pacer, 250 * MS - 1));
    CHECK(pacer_take(&pacer, 250 * MS));
    CHECK(!pacer_take(&pacer, 250 * MS));
    CHECK_EQUAL(pacer_ready_ns(&pacer, 300 * MS), 500 * MS);
    pacer.rate = 3 * MILLION; /* a third of a second is no whole number of ns */
    CHECK_EQUAL(pacer_ready_ns(&pacer, 300 * MS), 300 * MS + 266666667);
    /* It holds no more than its capacity. */
    uint32_t count = 0;
    while (pacer_take(&pacer, 1000 * S)) {
        count++;
    }
    CHECK_EQUAL(count, 4);
}

TEST(pacer, never_falls_below_its_least_rate)
{
    struct pacer pacer = pacer_new();
    for (int64_t i = 0; i < 100; i++) {
        pacer_answered(&pacer, true, i * S);
    }
    CHECK(pacer.rate >= 500000);
    CHECK(pacer.rate < 800000);
    CHECK_EQUAL(pacer.capacity, MILLION); /* one token at least */
}

TEST(pacer, begins_anew_when_its_policy_changes)
{
    struct pacer pacer = pacer_new();
    pacer_answered(&pacer, true, S);
    CHECK(pacer.is_on);
    pacer_adopt(&pacer, &aws, 2 * S);
    CHECK(pacer.is_on);
    struct spec_pacing other = aws;
    other.beta_milli = 500;
    pacer_adopt(&pacer, &other, 2 * S);
    CHECK(!pacer.is_on);
    const struct spec_pacing off = {0};
    pacer_answered(&pacer, true, 3 * S);
    pacer_adopt(&pacer, &off, 3 * S);
    CHECK(pacer_take(&pacer, 3 * S));
}
