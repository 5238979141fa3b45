/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Estimators against the exact chain and against closed forms: the truth must lie in the interval
 * (one of 99 %, since there are many), and the interval must be short. Seeds are fixed, so a
 * failure is a change and not bad luck. How often intervals of 95 % hold the truth is a test of its
 * own; tests/bench measures the price. */
#include "analysis/estimate.h"

#include "tests/unit/estimate_fixture.h"

#include <math.h>

static const struct setting settings[] = {
    /* machines, needed, crews, groups, shock o/oo, failover s */
    {1, 1, 0, 0, 0, 0},  {2, 1, 0, 0, 0, 0},   {3, 2, 0, 0, 0, 0},    {3, 1, 1, 0, 0, 0},
    {3, 2, 0, 0, 0, 10}, {3, 2, 1, 0, 10, 0},  {4, 2, 0, 2, 0, 0},    {5, 3, 1, 0, 0, 0},
    {5, 3, 0, 0, 0, 30}, {5, 3, 0, 0, 100, 0}, {6, 4, 2, 3, 10, 10},  {9, 5, 1, 3, 10, 10},
    {5, 1, 0, 0, 1, 0},  {7, 4, 0, 0, 0, 0},   {9, 5, 0, 3, 100, 30}, {12, 7, 2, 4, 1, 10},
};

TEST(estimate, importance_sampling_agrees_with_the_chain_on_a_grid)
{
    for (uint32_t i = 0; i < ARRAY_COUNT(settings); i++) {
        const struct spec_fleet fleet = fleet_of(&settings[i], SPEC_ESTIMATOR_IS);
        const struct estimate_sums sums = run(&fleet, 1, 4);
        const struct fleet_exact truth = truth_of(&fleet);
        CHECK(holds(&sums, truth.unavailability, .05));
        const struct estimate estimate = estimate_of(&sums, .95);
        CHECK(fabs(estimate.outages_per_h / truth.outages_per_h - 1) < .06);
        CHECK(estimate.weight_share < .05);
        CHECK(estimate.effective > 500);
    }
}

TEST(estimate, splitting_agrees_with_the_chain_on_a_grid)
{
    for (uint32_t i = 1; i < ARRAY_COUNT(settings); i++) {
        if (settings[i].machines >= 9) {
            continue; /* takes seconds */
        }
        const struct spec_fleet fleet = fleet_of(&settings[i], SPEC_ESTIMATOR_RESTART);
        const struct estimate_sums sums = run(&fleet, 41, 3);
        CHECK(holds(&sums, truth_of(&fleet).unavailability, .45));
    }
}

TEST(estimate, splitting_says_where_a_few_replications_are_all_there_is)
{
    /* Nearly all time down is of a few racks, which cannot be forced: they are not exponential. */
    struct setting rack = {5, 1, 0, 1, 0, 0};
    struct spec_fleet fleet = fleet_of(&rack, SPEC_ESTIMATOR_RESTART);
    struct err err = {0};
    REQUIRE(dist_weibull_of_mean(&fleet.groups[0].life, 40000 * HOUR, 1500, &err));
    const struct estimate_sums sums = run(&fleet, 1, 3);
    const struct estimate estimate = estimate_of(&sums, .95);
    CHECK(estimate.hits > 30);
    CHECK(estimate.weight_share > .05);
    CHECK(estimate.effective < 20);
    CHECK(!estimate_is_enough(&sums, 10, .95));
}

TEST(estimate, plain_simulation_agrees_with_the_chain_where_it_sees_enough)
{
    static const struct setting often[] = {
        {1, 1, 0, 0, 0, 0}, {3, 2, 1, 0, 10, 10}, {6, 4, 2, 3, 100, 30}};
    for (uint32_t i = 0; i < ARRAY_COUNT(often); i++) {
        const struct spec_fleet fleet = fleet_of(&often[i], SPEC_ESTIMATOR_CRUDE);
        const struct estimate_sums sums = run(&fleet, 3, 1);
        const struct fleet_exact truth = truth_of(&fleet);
        CHECK(holds(&sums, truth.unavailability, .1));
        CHECK(fabs(estimate_of(&sums, .95).outages_per_h / truth.outages_per_h - 1) < .05);
    }
}

TEST(estimate, auto_takes_the_chain_and_the_chain_is_exact)
{
    for (uint32_t i = 0; i < ARRAY_COUNT(settings); i++) {
        const struct spec_fleet fleet = fleet_of(&settings[i], SPEC_ESTIMATOR_AUTO);
        const struct estimate_sums sums = run(&fleet, 1, 1);
        const struct estimate estimate = estimate_of(&sums, .95);
        const struct fleet_exact truth = truth_of(&fleet);
        CHECK(sums.method == ESTIMATE_EXACT);
        CHECK(estimate.unavailability == truth.unavailability);
        CHECK(estimate.interval.low == estimate.interval.high);
        CHECK(estimate.mttf_h == truth.mttf_h);
    }
}

TEST(estimate, auto_samples_a_large_chain_and_splits_what_is_none)
{
    struct setting large = {40, 21, 0, 12, 10, 10};
    struct spec_fleet fleet = fleet_of(&large, SPEC_ESTIMATOR_AUTO);
    CHECK(run(&fleet, 1, 1).method == ESTIMATE_IS);
    struct setting small = {3, 2, 1, 0, 0, 0};
    fleet = fleet_of(&small, SPEC_ESTIMATOR_AUTO);
    struct err err = {0};
    REQUIRE(dist_weibull_of_mean(&fleet.life, 99 * HOUR, 700, &err));
    CHECK(run(&fleet, 1, 1).method == ESTIMATE_RESTART);
    fleet.crews = 0;
    const struct estimate_sums sums = run(&fleet, 1, 1);
    CHECK(sums.method == ESTIMATE_BINOMIAL);
    CHECK(fabs(sums.unavailability / 2.98e-4 - 1) < 1e-5);
}

TEST(estimate, twenty_nines_by_two_estimators)
{
    struct setting ten = {10, 1, 0, 0, 0, 0};
    struct spec_fleet fleet = fleet_of(&ten, SPEC_ESTIMATOR_IS);
    struct estimate_sums sums = run(&fleet, 1, 1);
    CHECK(holds(&sums, 1e-20, .1));
    fleet.estimator = SPEC_ESTIMATOR_RESTART; /* to 10 %: `make bench B=availability` */
    sums = run(&fleet, 21, 5);
    CHECK(holds(&sums, 1e-20, .3));
}

/* With a crew for each machine only means matter: P(all n down) = p^n for any laws. */
TEST(estimate, lives_that_are_not_exponential_make_no_difference_with_crews_for_all)
{
    for (uint32_t n = 2; n <= 5; n++) {
        struct setting setting = {n, 1, 0, 0, 0, 0};
        struct spec_fleet fleet = fleet_of(&setting, SPEC_ESTIMATOR_RESTART);
        struct err err = {0};
        REQUIRE(dist_weibull_of_mean(&fleet.life, 99 * HOUR, 700, &err));
        REQUIRE(dist_lognormal_of_mean(&fleet.repair, HOUR, 6 * HOUR, &err));
        const struct estimate_sums sums = run(&fleet, 1, 2);
        CHECK(holds(&sums, pow(.01, n), .4));
    }
}

/* A repair that takes half an hour to an hour and a half, most of them about an hour. */
static const struct dist_point repairs[] = {{0, HOUR / 2},
                                            {UINT32_C(1) << 30, 9 * HOUR / 10},
                                            {UINT32_C(3) << 30, 11 * HOUR / 10},
                                            {UINT64_C(1) << 32, 3 * HOUR / 2}};

TEST(estimate, gamma_lives_and_listed_repairs_leave_the_binomial_law_as_it_is)
{
    static struct dist_point points[DIST_GAMMA_POINTS];
    struct setting setting = {3, 2, 0, 0, 0, 0};
    struct spec_fleet fleet = fleet_of(&setting, SPEC_ESTIMATOR_AUTO);
    struct err err = {0};
    REQUIRE(dist_gamma_of_mean(&fleet.life, 99 * HOUR, 3000, points, &err));
    fleet.repair = (struct dist){
        .kind = DIST_EMPIRICAL, .points = repairs, .point_count = ARRAY_COUNT(repairs)};
    struct estimate_sums sums = run(&fleet, 1, 1);
    CHECK(sums.method == ESTIMATE_BINOMIAL);
    CHECK(fabs(sums.unavailability / 2.98e-4 - 1) < 1e-4);
    fleet.estimator = SPEC_ESTIMATOR_RESTART;
    sums = run(&fleet, 1, 3);
    CHECK(holds(&sums, 2.98e-4, .4));
    fleet.estimator = SPEC_ESTIMATOR_CRUDE;
    sums = run(&fleet, 1, 150);
    CHECK(holds(&sums, 2.98e-4, .4));
    fleet.estimator = SPEC_ESTIMATOR_RESTART;
    fleet.life = (struct dist){.kind = DIST_CONSTANT};
    REQUIRE(dist_lognormal_of_mean(&fleet.life, 99 * HOUR, 500 * HOUR, &err));
    sums = run(&fleet, 1, 3);
    CHECK(holds(&sums, 2.98e-4, .4));
}

/* Two machines in one rack that fails every 1000 h for 4 h: both up needs rack and both. */
TEST(estimate, a_rack_is_in_series_with_its_machines_for_any_laws)
{
    struct setting setting = {2, 2, 0, 1, 0, 0};
    struct spec_fleet fleet = fleet_of(&setting, SPEC_ESTIMATOR_CRUDE);
    struct err err = {0};
    REQUIRE(dist_weibull_of_mean(&fleet.groups[0].life, 1000 * HOUR, 1500, &err));
    REQUIRE(dist_lognormal_of_mean(&fleet.groups[0].repair, 4 * HOUR, 10 * HOUR, &err));
    REQUIRE(dist_weibull_of_mean(&fleet.life, 99 * HOUR, 700, &err));
    const struct estimate_sums sums = run(&fleet, 1, 40);
    CHECK(holds(&sums, 1 - .99 * .99 * 1000 / 1004, .1));
}

TEST(estimate, plain_batches_agree_where_laws_remember)
{
    struct setting setting = {2, 2, 0, 0, 0, 0};
    struct spec_fleet fleet = fleet_of(&setting, SPEC_ESTIMATOR_CRUDE);
    struct err err = {0};
    REQUIRE(dist_weibull_of_mean(&fleet.life, 99 * HOUR, 700, &err));
    const struct estimate_sums sums = run(&fleet, 1, 20);
    CHECK(holds(&sums, .0199, .1));
    CHECK_EQUAL(sums.count, 400);
    CHECK(fabs(sums.hours - 400 * 2000) < 1e-3);
}

TEST(estimate, plain_simulation_takes_batches_where_all_is_never_whole)
{
    struct setting setting = {40, 21, 0, 0, 0, 0};
    struct spec_fleet fleet = fleet_of(&setting, SPEC_ESTIMATOR_CRUDE);
    fleet.repair = fleet.life; /* all up one time in 2^40 */
    struct estimate_sums sums = run(&fleet, 1, 3);
    CHECK(holds(&sums, fleet_binomial(40, 21, .5), .1));
    CHECK_EQUAL(sums.count, 3 * 20);
    CHECK_TEXT(estimate_of(&sums, .95).interval_method, "batch means, t");
    struct setting waiting = {12, 1, 1, 0, 0, 0};
    fleet = fleet_of(&waiting, SPEC_ESTIMATOR_CRUDE);
    fleet.repair.a = 33 * HOUR;
    sums = run(&fleet, 1, 3);
    CHECK(holds(&sums, truth_of(&fleet).unavailability, .2));
    struct spec_fleet hasty = fleet; /* a rack that comes and goes every microsecond */
    hasty.groups[0].count = 1;
    hasty.groups[0].life = (struct dist){.kind = DIST_CONSTANT, .a = 1000};
    hasty.groups[0].repair = (struct dist){.kind = DIST_CONSTANT, .a = 1};
    struct err err = {0};
    uint64_t digest = 0;
    uint64_t events = 0;
    CHECK(!estimate_run(&hasty, 1, &sums, &digest, &events, &err));
    CHECK(strstr(err.text, "much faster than machines fail") != NULL);
}

TEST(estimate, maintenance_alone_is_its_share_of_the_time)
{
    struct setting setting = {4, 4, 0, 0, 0, 0};
    struct spec_fleet fleet = fleet_of(&setting, SPEC_ESTIMATOR_CRUDE);
    fleet.life = (struct dist){.kind = DIST_CONSTANT, .a = 1000000 * HOUR};
    fleet.maintenance_every_ns = 100 * HOUR;
    fleet.maintenance_ns = HOUR;
    const struct estimate_sums sums = run(&fleet, 1, 1);
    CHECK(fabs(estimate_of(&sums, .95).unavailability - .04) < 1e-5);
}

TEST(estimate, an_outage_that_was_not_seen_is_a_bound)
{
    struct setting setting = {6, 1, 0, 0, 0, 0};
    const struct spec_fleet fleet = fleet_of(&setting, SPEC_ESTIMATOR_CRUDE);
    const struct estimate_sums sums = run(&fleet, 1, 1);
    const struct estimate estimate = estimate_of(&sums, .95);
    CHECK(estimate.is_bound);
    CHECK(isinf(estimate.half_width));
    CHECK(estimate.interval.low == 0);
    CHECK(fabs(estimate.interval.high * (double)sums.count / 2.9957323 - 1) < 1e-6);
    CHECK(estimate_of(&sums, .99).interval.high > estimate.interval.high);
    struct estimate_sums none;
    estimate_begin(&none, "s", ESTIMATE_RESTART);
    CHECK(isnan(estimate_of(&none, .95).unavailability));
    estimate_begin(&none, "s", ESTIMATE_IS);
    estimate_add_weighted(&none, 0, 0);
    estimate_add_length(&none, 10);
    CHECK(estimate_of(&none, .95).is_bound);
    CHECK(isnan(estimate_of(&none, .95).interval.high));
}

TEST(estimate, a_ratio_has_the_interval_of_the_textbook)
{
    /* Cycles of 10, 20 and 30 h with 1, 1 and 4 h down: 6/60, residues 0, -1, 1. */
    struct estimate_sums sums;
    estimate_begin(&sums, "s", ESTIMATE_RESTART);
    estimate_add_pair(&sums, 1, 10, 1);
    estimate_add_pair(&sums, 1, 20, 1);
    estimate_add_pair(&sums, 4, 30, 2);
    const struct estimate estimate = estimate_of(&sums, .95);
    CHECK(fabs(estimate.unavailability - .1) < 1e-12);
    CHECK(fabs(estimate.half_width - 4.302652730 * sqrt(2.0 / 2 / 3) / 2) < 1e-8);
    CHECK(fabs(estimate.outage_h - 1.5) < 1e-12);
    CHECK(fabs(estimate.outages_per_h - 4.0 / 60) < 1e-12);
    CHECK(fabs(estimate.effective - 2) < 1e-12); /* 6 * 6 / 18 */
    CHECK(fabs(estimate.weight_share - 4.0 / 6) < 1e-12);
    CHECK_TEXT(estimate.interval_method, "ratio of means, t");
    struct estimate wide = estimate;
    estimate_widen(&wide);
    sums.is_sequential = true;
    CHECK(estimate_of(&sums, .95).half_width == wide.half_width);
    CHECK(estimate_of(&sums, .95).interval.high == wide.interval.high);
    CHECK(fabs(wide.half_width / estimate.half_width - 2.24 / 1.96) < 1e-12);
    CHECK(wide.interval.low == 0);
    CHECK(!estimate_is_enough(&sums, 100, .95)); /* three cycles */
}

/* Plain simulation that expects `expected` outages of exponential length, many seeds. */
static double coverage_of_few(double expected)
{
    enum { SEEDS = 4000, CYCLES = 2000 };
    struct rng rng = rng_stream(11, "few", (uint32_t)expected, "test");
    uint32_t covered = 0;
    uint32_t seen = 0;
    for (uint32_t seed = 0; seed < SEEDS; seed++) {
        struct estimate_sums sums;
        estimate_begin(&sums, "s", ESTIMATE_CRUDE);
        sums.is_paired = true;
        sums.count = CYCLES;
        sums.lengths = CYCLES;
        sums.hours = CYCLES;
        sums.hours2 = 1.5 * CYCLES; /* cycles differ */
        double time = 0;
        for (;;) {
            time -= log1p(-(double)(rng_u64(&rng) >> 11) * 0x1p-53);
            if (time > expected) {
                break;
            }
            const double down = -1e-3 * log1p(-(double)(rng_u64(&rng) >> 11) * 0x1p-53);
            sums.hits++;
            sums.outages += 1;
            sums.down += down;
            sums.down2 += down * down;
            sums.cross += down;
            sums.weights = sums.down;
            sums.weights2 = sums.down2;
        }
        const struct estimate estimate = estimate_of(&sums, .95);
        const double truth = expected * 1e-3 / CYCLES;
        seen += sums.hits > 0;
        covered +=
            sums.hits > 0 && estimate.interval.low <= truth && truth <= estimate.interval.high;
    }
    return (double)covered / seen;
}

TEST(estimate, a_few_outages_have_an_interval_that_holds_the_truth)
{
    static const double expected[] = {.5, 1, 3, 8, 20, 60};
    for (uint32_t i = 0; i < ARRAY_COUNT(expected); i++) {
        const double coverage = coverage_of_few(expected[i]);
        CHECK(coverage > .90 && coverage < .98);
    }
    struct estimate_sums sums;
    estimate_begin(&sums, "s", ESTIMATE_CRUDE);
    estimate_add_pair(&sums, 0, 100, 0);
    estimate_add_pair(&sums, 1, 100, 1);
    estimate_add_pair(&sums, 1, 110, 1);
    struct estimate estimate = estimate_of(&sums, .95);
    CHECK_TEXT(estimate.interval_method, "few outages, logarithmic");
    CHECK(fabs(estimate.interval.high / estimate.unavailability - exp(1.959964)) < 1e-4);
    CHECK(fabs(estimate.interval.low / estimate.unavailability - exp(-1.959964)) < 1e-4);
    estimate_widen(&estimate); /* z = 2.24 */
    CHECK(fabs(estimate.interval.high / estimate.unavailability - exp(1.959964 * 2.24 / 1.96)) <
          1e-4);
}

TEST(estimate, outages_that_were_counted_have_the_interval_of_poisson)
{
    struct estimate_sums sums;
    estimate_begin(&sums, "s", ESTIMATE_CRUDE);
    estimate_add_pair(&sums, 0, 100, 0);
    struct estimate estimate = estimate_of(&sums, .95);
    CHECK(estimate.rate.low == 0);
    CHECK(fabs(estimate.rate.high * 100 - 2.99573227) < 1e-7); /* one-sided */
    estimate_add_pair(&sums, 1, 100, 1);
    estimate_add_pair(&sums, 3, 100, 2);
    estimate = estimate_of(&sums, .95);
    CHECK(fabs(estimate.rate.low * 300 - .61867212) < 1e-7);
    CHECK(fabs(estimate.rate.high * 300 - 8.76727307) < 1e-7);
    for (uint32_t i = 0; i < ESTIMATE_HITS_MIN; i++) {
        estimate_add_pair(&sums, 1, 100, 1); /* all of one length */
    }
    CHECK_TEXT(estimate_of(&sums, .95).interval_method, "batch means, t");
    sums.method = ESTIMATE_RESTART; /* of weighted ones there is none */
    CHECK(isnan(estimate_of(&sums, .95).rate.high));
    static const struct setting often[] = {
        {1, 1, 0, 0, 0, 0}, {3, 2, 1, 0, 0, 10}, {4, 3, 0, 2, 100, 0}};
    for (uint32_t i = 0; i < ARRAY_COUNT(often); i++) {
        const struct spec_fleet fleet = fleet_of(&often[i], SPEC_ESTIMATOR_CRUDE);
        const struct estimate_sums seen = run(&fleet, 7, 1);
        const double truth = truth_of(&fleet).outages_per_h;
        const struct interval rate = estimate_of(&seen, .999).rate;
        CHECK(rate.low <= truth && truth <= rate.high);
        CHECK(rate.high < 1.05 * rate.low);
    }
}

/* The first outage of a cycle and four that follow it are no five of Poisson's. */
TEST(estimate, outages_that_come_in_clusters_count_less)
{
    struct estimate_sums sums;
    estimate_begin(&sums, "s", ESTIMATE_CRUDE);
    estimate_add_pair(&sums, 1, 100, 1);
    estimate_add_pair(&sums, 3, 200, 5);
    const struct interval poisson = interval_poisson(6, 300, .95);
    const struct interval rate = estimate_of(&sums, .95).rate;
    CHECK(fabs(rate.high - 6 / 300. - (poisson.high - 6 / 300.) * sqrt(5)) < 1e-12);
    CHECK(rate.low == 0);
    /* Twenty machines with one crew: outages vary 2.4 times as much as Poisson's. */
    struct spec_fleet fleet = fleet_of(&(struct setting){20, 15, 1, 0, 0, 0}, SPEC_ESTIMATOR_CRUDE);
    fleet.life.a = 20 * HOUR;
    const struct estimate_sums seen = run(&fleet, 7, 1);
    const struct interval wide = estimate_of(&seen, .95).rate;
    const struct interval narrow = interval_poisson((uint64_t)seen.outages, seen.hours, .95);
    const double wider = (wide.high - wide.low) / (narrow.high - narrow.low);
    CHECK(wider > 1.5);
    CHECK(wider < 3);
}

TEST(estimate, heavy_cycles_and_few_cycles_are_never_enough)
{
    struct estimate_sums sums;
    estimate_begin(&sums, "s", ESTIMATE_IS);
    for (uint32_t i = 0; i < 1000; i++) {
        estimate_add_weighted(&sums, 1 + i % 7, 1);
        estimate_add_length(&sums, 100);
    }
    CHECK(estimate_is_enough(&sums, .1, .95));
    CHECK(!estimate_is_enough(&sums, .01, .95));
    estimate_add_weighted(&sums, 300, 1);
    const struct estimate estimate = estimate_of(&sums, .95);
    CHECK(estimate.weight_share > .05);
    CHECK(estimate.effective < 200);
    CHECK(!estimate_is_enough(&sums, 1, .95));
    estimate_begin(&sums, "s", ESTIMATE_EXACT);
    sums.unavailability = .5;
    CHECK(estimate_is_enough(&sums, .1, .95));
}

TEST(estimate, replications_are_functions_of_their_seed)
{
    struct setting setting = {5, 3, 1, 0, 10, 10};
    static const enum spec_estimator estimators[] = {SPEC_ESTIMATOR_CRUDE, SPEC_ESTIMATOR_IS,
                                                     SPEC_ESTIMATOR_RESTART};
    for (uint32_t i = 0; i < ARRAY_COUNT(estimators); i++) {
        const struct spec_fleet fleet = fleet_of(&setting, estimators[i]);
        struct estimate_sums sums[3];
        uint64_t digests[3];
        uint64_t events[3];
        struct err err = {0};
        for (uint32_t k = 0; k < 3; k++) {
            CHECK(estimate_run(&fleet, k == 2 ? 8 : 7, &sums[k], &digests[k], &events[k], &err));
        }
        CHECK(digests[0] == digests[1] && events[0] == events[1]);
        CHECK(sums[0].down == sums[1].down && sums[0].hours == sums[1].hours);
        CHECK(digests[0] != digests[2] && sums[0].down != sums[2].down);
    }
}

TEST(estimate, variants_with_the_same_chances_differ_by_little_noise)
{
    /* Failover of 10 s and of 30 s, three machines: the difference per seed, against its noise. */
    double left[2];
    double right[2];
    for (uint32_t i = 0; i < 2; i++) {
        struct setting setting = {3, 2, 0, 0, 0, 10};
        struct spec_fleet fleet = fleet_of(&setting, SPEC_ESTIMATOR_CRUDE);
        fleet.life.a = 9 * HOUR;
        const struct estimate_sums one = run(&fleet, 1 + i, 1);
        service.failover_ns = 30 * (int64_t)NS_PER_S;
        const struct estimate_sums two = run(&fleet, 1 + i, 1);
        left[i] = estimate_of(&two, .95).unavailability;
        right[i] = estimate_of(&one, .95).unavailability;
    }
    const double noise = fabs(left[0] - left[1]);
    const double gain = fabs((left[0] - right[0]) - (left[1] - right[1]));
    CHECK(left[0] > right[0] && left[1] > right[1]);
    CHECK(gain < noise / 5);
}

/* ------------------------------------------------------------------------------- seed paths */

struct told {
    uint64_t events;
    uint64_t downs;
    bool was_up;
    int64_t last_ns;
};

static void on_event(void *context, const struct fleet *fleet, const struct fleet_event *event,
                     bool is_up)
{
    struct told *told = context;
    CHECK(event->time_ns == fleet->now_ns && fleet->now_ns >= told->last_ns);
    told->events++;
    told->downs += told->was_up && !is_up ? 1 : 0;
    told->was_up = is_up;
    told->last_ns = fleet->now_ns;
}

TEST(estimate, the_worst_trajectory_can_be_had_again_from_its_path)
{
    static const struct setting some[] = {
        {3, 1, 0, 0, 0, 0}, {5, 3, 1, 0, 10, 10}, {6, 1, 0, 3, 0, 0}};
    for (uint32_t i = 0; i < ARRAY_COUNT(some); i++) {
        const struct spec_fleet fleet = fleet_of(&some[i], SPEC_ESTIMATOR_RESTART);
        for (uint64_t seed = 40; seed < 42; seed++) {
            const struct estimate_sums sums = run(&fleet, seed, 1);
            struct estimate_path path;
            struct estimate_trajectory trajectory;
            struct err err = {0};
            struct told told = {.was_up = true};
            REQUIRE(sums.worst_path[0] != '\0');
            REQUIRE(estimate_path_parse(sums.worst_path, &path, &err));
            CHECK(path.seed == seed);
            REQUIRE(estimate_replay(&fleet, 0, &path, on_event, &told, &trajectory, &err));
            CHECK(trajectory.digest == sums.worst_digest);
            CHECK((double)trajectory.outage_ns / HOUR == sums.worst_h);
            CHECK(told.events == trajectory.events && told.downs > 0);
            CHECK(told.last_ns == trajectory.end_ns);
            CHECK(trajectory.whole_ns <= trajectory.outage_from_ns);
        }
    }
}

TEST(estimate, every_branch_of_a_path_is_another_trajectory)
{
    struct setting setting = {3, 1, 0, 0, 0, 0};
    const struct spec_fleet fleet = fleet_of(&setting, SPEC_ESTIMATOR_RESTART);
    static const char *const paths[] = {"42/3", "42/4", "43/3", "42/3/0", "42/3/1", "42/3/2"};
    uint64_t digests[ARRAY_COUNT(paths)];
    for (uint32_t i = 0; i < ARRAY_COUNT(paths); i++) {
        struct estimate_path path;
        struct estimate_trajectory trajectory = {0};
        struct err err = {0};
        CHECK(estimate_path_parse(paths[i], &path, &err));
        CHECK(estimate_replay(&fleet, 0, &path, NULL, NULL, &trajectory, &err));
        digests[i] = trajectory.digest;
        for (uint32_t k = 0; k < i; k++) {
            CHECK(digests[k] != digests[i]);
        }
    }
}

TEST(estimate, a_path_that_is_none_is_refused)
{
    static const char *const bad[] = {
        "", "42", "42/", "x/1", "42/3/", "42/-1", "42/3x", "42/99999999999", "/3"};
    struct estimate_path path;
    struct err err = {0};
    for (uint32_t i = 0; i < ARRAY_COUNT(bad); i++) {
        CHECK(!estimate_path_parse(bad[i], &path, &err));
        CHECK_EQUAL(err.code, ERR_INPUT);
        err = (struct err){0};
    }
    CHECK(estimate_path_parse("0x2a/3/0/1", &path, &err));
    CHECK(path.seed == 42 && path.depth == 3 && path.branches[2] == 1);
    struct setting setting = {3, 1, 0, 0, 0, 0};
    const struct spec_fleet fleet = fleet_of(&setting, SPEC_ESTIMATOR_RESTART);
    struct estimate_trajectory trajectory;
    static const char *const missing[] = {"42/1000", "42/3/4000000", "42/3/0/4000000"};
    for (uint32_t i = 0; i < ARRAY_COUNT(missing); i++) {
        CHECK(estimate_path_parse(missing[i], &path, &err));
        CHECK(!estimate_replay(&fleet, 0, &path, NULL, NULL, &trajectory, &err));
        CHECK(strstr(err.text, "never made") != NULL);
        err = (struct err){0};
    }
}

/* --------------------------------------------------------------------------------- refusals */

TEST(estimate, what_an_estimator_cannot_do_it_says)
{
    struct setting setting = {3, 2, 0, 0, 0, 10};
    struct estimate_sums sums;
    uint64_t digest;
    uint64_t events;
    struct spec_fleet fleet = fleet_of(&setting, SPEC_ESTIMATOR_EXACT);
    struct err err = {0};
    fleet.maintenance_every_ns = 100 * HOUR;
    fleet.maintenance_ns = HOUR;
    CHECK(!estimate_run(&fleet, 1, &sums, &digest, &events, &err));
    CHECK(strstr(err.text, "exponential") != NULL);
    fleet.estimator = SPEC_ESTIMATOR_IS;
    CHECK(!estimate_run(&fleet, 1, &sums, &digest, &events, &err));
    fleet = fleet_of(&setting, SPEC_ESTIMATOR_RESTART);
    fleet.correlation = RNG_ALWAYS / 10;
    CHECK(!estimate_run(&fleet, 1, &sums, &digest, &events, &err));
    fleet.estimator = SPEC_ESTIMATOR_EXACT; /* a failover and a still picture */
    CHECK(!estimate_run(&fleet, 1, &sums, &digest, &events, &err));
    service.failover_ns = 0;
    CHECK(estimate_run(&fleet, 1, &sums, &digest, &events, &err));
    CHECK(sums.method == ESTIMATE_BETA_BINOMIAL);
    enum estimate_method method;
    CHECK(!estimate_method_find("guess", &method));
    CHECK(estimate_method_find("restart", &method) && method == ESTIMATE_RESTART);
}

/* What running it would say, without running it. */
static bool is_refused(const struct spec_fleet *fleet, const char *why)
{
    struct err err = {0};
    const bool is_refused = !estimate_check(fleet, &err);
    if (is_refused && strstr(err.text, why) == NULL) {
        printf("  '%s' instead of '%s'\n", err.text, why);
    }
    return is_refused && err.code == ERR_INPUT && strstr(err.text, why) != NULL;
}

TEST(estimate, what_cannot_be_estimated_is_known_before)
{
    struct setting setting = {3, 2, 1, 0, 0, 0};
    struct err err = {0};
    struct spec_fleet fleet = fleet_of(&setting, SPEC_ESTIMATOR_EXACT);
    CHECK(estimate_check(&fleet, &err));
    REQUIRE(dist_weibull_of_mean(&fleet.life, 99 * HOUR, 700, &err));
    CHECK(is_refused(&fleet, "exponential laws"));
    fleet.estimator = SPEC_ESTIMATOR_IS;
    CHECK(is_refused(&fleet, "importance sampling needs exponential laws"));
    fleet.estimator = SPEC_ESTIMATOR_AUTO;
    CHECK(estimate_check(&fleet, &err));
    fleet.crews = 0; /* the binomial law */
    fleet.estimator = SPEC_ESTIMATOR_EXACT;
    CHECK(estimate_check(&fleet, &err));
    fleet.correlation = RNG_ALWAYS / 10;
    CHECK(estimate_check(&fleet, &err));
    fleet.estimator = SPEC_ESTIMATOR_DECOMPOSE;
    CHECK(is_refused(&fleet, "still picture"));
    fleet.estimator = SPEC_ESTIMATOR_AUTO;
    fleet.crews = 2;
    CHECK(is_refused(&fleet, "goes with machines alone"));
    struct setting large = {40, 21, 0, 12, 10, 10};
    fleet = fleet_of(&large, SPEC_ESTIMATOR_EXACT);
    CHECK(is_refused(&fleet, "more than 3000 states"));
    fleet.estimator = SPEC_ESTIMATOR_CRUDE;
    CHECK(estimate_check(&fleet, &err));
}

TEST(estimate, auto_says_why)
{
    char why[ESTIMATE_WHY_SIZE];
    struct err err = {0};
    struct setting setting = {3, 2, 1, 0, 0, 0};
    struct spec_fleet fleet = fleet_of(&setting, SPEC_ESTIMATOR_AUTO);
    CHECK(estimate_choose(&fleet, why) == SPEC_ESTIMATOR_EXACT);
    CHECK_TEXT(why, "all laws are exponential, and the chain has no more than 3000 states");
    REQUIRE(dist_weibull_of_mean(&fleet.life, 99 * HOUR, 700, &err));
    CHECK(estimate_choose(&fleet, why) == SPEC_ESTIMATOR_RESTART);
    CHECK_TEXT(why, "some laws are not exponential, so it is no Markov chain");
    fleet.crews = 0;
    CHECK(estimate_choose(&fleet, why) == SPEC_ESTIMATOR_EXACT);
    CHECK_TEXT(why, "machines are independent, so only the means of their laws matter");
    fleet.maintenance_every_ns = 100 * HOUR;
    fleet.maintenance_ns = HOUR;
    CHECK(estimate_choose(&fleet, why) == SPEC_ESTIMATOR_RESTART);
    CHECK_TEXT(why, "maintenance is planned, so it is no Markov chain");
    struct setting large = {40, 21, 0, 12, 10, 10};
    fleet = fleet_of(&large, SPEC_ESTIMATOR_AUTO);
    CHECK(estimate_choose(&fleet, why) == SPEC_ESTIMATOR_IS);
    CHECK_TEXT(why, "the exact model has more than 3000 states");
    CHECK(estimate_choose(&fleet, NULL) == SPEC_ESTIMATOR_IS);
}

TEST(estimate, a_placement_is_drawn_or_told_by_the_closed_form)
{
    struct spec_service ring = {.name = "ring", .needed = 1};
    struct spec_fleet fleet = {.is_asked = true,
                               .machines = 1000,
                               .services = &ring,
                               .service_count = 1,
                               .estimator = SPEC_ESTIMATOR_CRUDE,
                               .placement = {.is_asked = true,
                                             .policy = SPEC_PLACEMENT_WINDOW,
                                             .nodes = 1000,
                                             .lost = 10,
                                             .replicas = 3,
                                             .scatter = 10,
                                             .trials = 20000}};
    struct estimate_sums sums;
    struct estimate_sums other;
    struct err err = {0};
    uint64_t digests[2] = {0};
    uint64_t events = 0;
    REQUIRE(estimate_run(&fleet, 1, &sums, &digests[0], &events, &err));
    REQUIRE(estimate_run(&fleet, 2, &other, &digests[1], &events, &err));
    CHECK(digests[0] != digests[1]);
    CHECK_EQUAL(events, 20000);
    estimate_merge(&sums, &other);
    struct estimate estimate = estimate_of(&sums, .95);
    CHECK_EQUAL(estimate.events, 40000);
    CHECK(estimate.interval.low < .0296 && .0296 < estimate.interval.high);
    CHECK_TEXT(estimate.interval_method, "Clopper-Pearson");
    fleet.estimator = SPEC_ESTIMATOR_EXACT;
    REQUIRE(estimate_run(&fleet, 1, &sums, &digests[0], &events, &err));
    CHECK(estimate_is_exact(sums.method) && sums.method == ESTIMATE_COPYSETS);
    CHECK(fabs(sums.unavailability - .03198) < 5e-6); /* overlapping sets taken as independent */
    /* Without a hit there is a one-sided bound: 1 - .05^(1/1000). */
    estimate_begin(&sums, "ring", ESTIMATE_TRIALS);
    estimate_add_trials(&sums, 0, 1000);
    estimate = estimate_of(&sums, .95);
    CHECK(estimate.is_bound && fabs(estimate.interval.high - .00299125) < 1e-8);
    fleet.placement.scatter = 1;
    CHECK(!estimate_run(&fleet, 1, &sums, &digests[0], &events, &err));
    const struct estimate_path path = {.seed = 1, .depth = 1};
    struct estimate_trajectory trajectory;
    CHECK(!estimate_replay(&fleet, 0, &path, NULL, NULL, &trajectory, &err));
    CHECK(strstr(err.text, "no trajectories") != NULL);
}

/* -------------------------------------------------------------------------------- coverage */

/* In how many of `seeds` replications does the interval of 95 % hold the truth? */
static uint32_t coverage(const struct setting *setting, enum spec_estimator estimator,
                         uint32_t seeds, uint32_t merged)
{
    const struct spec_fleet fleet = fleet_of(setting, estimator);
    const double truth = truth_of(&fleet).unavailability;
    uint32_t covered = 0;
    for (uint32_t i = 0; i < seeds; i++) {
        const struct estimate_sums sums = run(&fleet, 1000 + i * merged, merged);
        const struct estimate estimate = estimate_of(&sums, .95);
        covered += estimate.interval.low <= truth && truth <= estimate.interval.high ? 1 : 0;
    }
    return covered;
}

TEST(estimate, intervals_hold_the_truth_as_often_as_they_say)
{
    struct setting majority = {3, 2, 0, 0, 0, 0};
    struct setting often = {2, 2, 0, 0, 0, 0};
    struct setting all = {9, 5, 1, 3, 10, 10};
    uint32_t crude = coverage(&often, SPEC_ESTIMATOR_CRUDE, 4, 1);
    uint32_t is = coverage(&majority, SPEC_ESTIMATOR_IS, 40, 1);
    uint32_t heavy = coverage(&all, SPEC_ESTIMATOR_IS, 40, 1);
    uint32_t restart = coverage(&majority, SPEC_ESTIMATOR_RESTART, 30, 1);
    CHECK(crude >= 3); /* over 200 seeds: `make bench B=coverage` */
    CHECK(is >= 35);
    CHECK(heavy >= 35);
    CHECK(restart >= 25);
}
