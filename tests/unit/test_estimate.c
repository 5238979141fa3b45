/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Estimators against the exact chain and against closed forms: the truth must lie in the interval
 * (one of 99 %, since there are many), and the interval must be short. Seeds are fixed, so a
 * failure is a change and not bad luck. How often intervals of 95 % hold the truth is a test of its
 * own; tests/bench measures the price. */
#include "analysis/estimate.h"

#include "analysis/estimators.h"
#include "sim/base/base.h"
#include "sim/base/units.h"
#include "tests/unit/harness.h"

#include <math.h>
#include <stdio.h>

#define HOUR (INT64_C(3600) * NS_PER_S)

struct setting {
    uint32_t machines;
    uint32_t needed;
    uint32_t crews;
    uint32_t groups;
    uint32_t shock_permille;
    uint32_t failover_s;
};

static struct spec_service service;

static struct spec_fleet fleet_of(const struct setting *setting, enum spec_estimator estimator)
{
    service = (struct spec_service){.name = "s",
                                    .needed = setting->needed,
                                    .failover_ns = setting->failover_s * (int64_t)NS_PER_S};
    return (struct spec_fleet){
        .is_asked = true,
        .machines = setting->machines,
        .life = {.kind = DIST_EXPONENTIAL, .a = 99 * HOUR},
        .repair = {.kind = DIST_EXPONENTIAL, .a = HOUR},
        .crews = setting->crews,
        .shock_share = RNG_ALWAYS * setting->shock_permille / 1000,
        .group_name = "rack",
        .group_count = setting->groups,
        .group_life = {.kind = DIST_EXPONENTIAL, .a = 999 * HOUR},
        .group_repair = {.kind = DIST_EXPONENTIAL, .a = HOUR},
        .services = &service,
        .service_count = 1,
        .estimator = estimator,
    };
}

/* `runs` replications, put together. */
static struct estimate_sums run(const struct spec_fleet *fleet, uint64_t first, uint32_t runs)
{
    struct estimate_sums sums = {0};
    for (uint32_t i = 0; i < runs; i++) {
        struct estimate_sums one;
        struct err err = {0};
        uint64_t digest = 0;
        uint64_t events = 0;
        CHECK(estimate_run(fleet, first + i, &one, &digest, &events, &err));
        CHECK_TEXT(err.text, "");
        CHECK(events > 0 || fleet->estimator <= SPEC_ESTIMATOR_EXACT);
        if (i == 0) {
            sums = one;
        } else {
            estimate_merge(&sums, &one);
        }
    }
    return sums;
}

static bool holds(const struct estimate_sums *sums, double truth, double half_width)
{
    const struct estimate wide = estimate_of(sums, .99);
    const struct estimate usual = estimate_of(sums, .95);
    bool is_fine = wide.interval.low <= truth && truth <= wide.interval.high &&
                   usual.half_width <= half_width && usual.hits >= 30;
    if (!is_fine) {
        printf("  %s: %.5g instead of %.5g, half-width %.3g, %d hits\n",
               estimate_method_name(sums->method), usual.unavailability, truth, usual.half_width,
               (int)usual.hits);
    }
    return is_fine;
}

static struct fleet_exact truth_of(const struct spec_fleet *fleet)
{
    struct fleet_model model;
    struct fleet_exact exact = {0};
    struct err err = {0};
    CHECK(estimate_model(fleet, 0, &model, &err));
    CHECK(fleet_exact(&model, &exact, &err));
    return exact;
}

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
        if (settings[i].machines >= 9 || settings[i].shock_permille == 1) {
            continue; /* rare shocks are no level that it could split at */
        }
        const struct spec_fleet fleet = fleet_of(&settings[i], SPEC_ESTIMATOR_RESTART);
        const struct estimate_sums sums = run(&fleet, 1, 3);
        CHECK(holds(&sums, truth_of(&fleet).unavailability, .45));
    }
}

TEST(estimate, splitting_says_where_a_few_replications_are_all_there_is)
{
    struct setting shocks = {5, 1, 0, 0, 1, 0}; /* nearly all time down is of a dozen shocks */
    const struct spec_fleet fleet = fleet_of(&shocks, SPEC_ESTIMATOR_RESTART);
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
    estimate_begin(&sums, "s", ESTIMATE_CRUDE);
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
    struct estimate wide = estimate;
    estimate_widen(&wide);
    CHECK(fabs(wide.half_width / estimate.half_width - 2.24 / 1.96) < 1e-12);
    CHECK(wide.interval.low == 0);
    CHECK(!estimate_is_enough(&sums, 100, .95)); /* three cycles */
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
