/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The verdict of a validation, on sums that are made up: three machines whose fail-overs take 2 s
 * or 3 s, and clients who see so much more or less than the sum of the episodes says. */
#include "analysis/decompose_store.h"
#include "analysis/episode.h"
#include "sim/base/base.h"
#include "sim/base/units.h"
#include "tests/unit/harness.h"

#include <math.h>
#include <stdlib.h>

struct verdict_fixture {
    struct spec_service service;
    struct spec_fleet spec;
    struct decompose_report report;
    struct decompose_fleet fast;
    struct decompose_sums sums[DECOMPOSE_CLASSES_MAX];
    struct decompose_estimate estimate;
    struct estimate_sums said;
    double value; /* what the sum says */
    double coincidence;
};

static void add_episodes(struct decompose_sums *sums, double low_s, double high_s)
{
    const struct decompose_episode low = {low_s / 3600, 0, low_s / 3600, true};
    const struct decompose_episode high = {high_s / 3600, 0, high_s / 3600, true};
    for (uint32_t i = 0; i < 50; i++) {
        decompose_add(sums, &low);
        decompose_add(sums, &high);
    }
}

static struct verdict_fixture *open_fixture(void)
{
    struct verdict_fixture *fixture = calloc(1, sizeof(*fixture));
    struct decompose_steady steady = {0};
    struct err err = {0};
    ASSERT(fixture != NULL);
    const int64_t hour_ns = 3600 * NS_PER_S;
    fixture->service = (struct spec_service){.name = "majority", .needed = 2};
    fixture->spec = (struct spec_fleet){
        .is_asked = true,
        .machines = 3,
        .life = {.kind = DIST_EXPONENTIAL, .a = 99 * hour_ns},
        .repair = {.kind = DIST_EXPONENTIAL, .a = hour_ns},
        .services = &fixture->service,
        .service_count = 1,
        .estimator = SPEC_ESTIMATOR_DECOMPOSE,
        .confidence_millionths = 950000,
        .episodes = {.validate_ns = hour_ns,
                     .validate_life_ns = 300 * NS_PER_S,
                     .validate_repair_ns = 60 * NS_PER_S},
    };
    struct decompose_report *report = &fixture->report;
    report->has_leader = true;
    ASSERT(decompose_fleet(&fixture->spec, 0, true, 0, &report->fleet, &err));
    for (uint32_t i = 0; i < report->fleet.class_count; i++) {
        const bool is_leader = report->fleet.classes[i].kind == DECOMPOSE_LEADER_LOST;
        add_episodes(&report->sums[i], is_leader ? 2 : 0, is_leader ? 3 : .001);
    }
    const struct spec_fleet fast = decompose_accelerated(&fixture->spec);
    ASSERT(decompose_fleet(&fast, 0, true, 0, &fixture->fast, &err));
    decompose_translate(&report->fleet, report->sums, &fixture->fast, fixture->sums);
    decompose_combine(&fixture->fast, fixture->sums, &steady, .01, &fixture->estimate);
    estimate_begin(&fixture->said, "majority" DECOMPOSE_VALIDATION, ESTIMATE_DECOMPOSE);
    decompose_deliver(&fixture->estimate, &fixture->said);
    fixture->value = fixture->estimate.unavailability;
    fixture->coincidence = decompose_coincidence(&fast, &fixture->fast, fixture->sums);
    return fixture;
}

/* So many cycles of two minutes in which clients see such shares, with little scatter. */
static struct decompose_validation judge(const struct verdict_fixture *fixture, double plain,
                                         double controlled, uint32_t cycles)
{
    struct estimate_sums sums[3] = {fixture->said};
    struct decompose_validation validation;
    estimate_begin(&sums[1], "majority" DECOMPOSE_VALIDATION, ESTIMATE_CRUDE);
    estimate_begin(&sums[2], "majority" DECOMPOSE_CONTROLLED, ESTIMATE_CRUDE);
    for (uint32_t i = 0; i < cycles; i++) {
        const double hours = 1 / 30.0;
        const double scatter = i % 2 == 0 ? .99 : 1.01;
        estimate_add_pair(&sums[1], plain * hours * scatter, hours, 1);
        estimate_add_pair(&sums[2], controlled * hours * scatter, hours, 1);
        sums[1].simulated_h += hours;
    }
    CHECK(decompose_validation(&fixture->spec, &fixture->report, sums, ARRAY_COUNT(sums), 1,
                               &validation));
    return validation;
}

TEST(decompose_store, clients_who_see_what_the_sum_says_agree)
{
    struct verdict_fixture *fixture = open_fixture();
    const struct decompose_validation same = judge(fixture, fixture->value, fixture->value, 3000);
    CHECK(same.is_enough);
    CHECK(same.is_plain);
    CHECK(same.agrees);
    CHECK_EQUAL(same.cycles, 3000);
    CHECK(fabs(same.coincidence - fixture->coincidence) < 1e-12);
    CHECK(fixture->coincidence > 1e-4);
    CHECK(fixture->coincidence < 1e-3);
    free(fixture);
}

TEST(decompose_store, no_more_is_allowed_than_chance_and_coincidence)
{
    struct verdict_fixture *fixture = open_fixture();
    const double value = fixture->value;
    const struct decompose_validation same = judge(fixture, value, value, 3000);
    const double most = hypot(same.controlled_half, same.said_half) + fixture->coincidence;
    CHECK(judge(fixture, value, value + .98 * most, 3000).agrees);
    CHECK(judge(fixture, value, value - .98 * most, 3000).agrees);
    CHECK(!judge(fixture, value, value + 1.02 * most, 3000).agrees);
    CHECK(!judge(fixture, value, value - 1.02 * most, 3000).agrees);
    /* A fail-over that takes half as long again is far outside. */
    CHECK(1.25 / 3600 * fixture->fast.classes[0].rate > most);
    free(fixture);
}

TEST(decompose_store, what_has_no_episode_is_allowed_for_upwards_only)
{
    struct verdict_fixture *fixture = open_fixture();
    const double value = fixture->value;
    const double more = 1.2 * value;
    CHECK(!judge(fixture, value, more, 3000).agrees);
    fixture->said.weight_max = .3 * value;
    CHECK(judge(fixture, value, more, 3000).agrees);
    CHECK(!judge(fixture, value, .8 * value, 3000).agrees);
    free(fixture);
}

TEST(decompose_store, what_identical_episodes_may_hide_excuses_nothing)
{
    struct verdict_fixture *fixture = open_fixture();
    fixture->said.weights = fixture->value; /* as much again, and three times */
    CHECK(!judge(fixture, fixture->value, 1.2 * fixture->value, 3000).agrees);
    free(fixture);
}

TEST(decompose_store, the_luck_of_few_long_repairs_is_that_of_the_fleet)
{
    struct verdict_fixture *fixture = open_fixture();
    const double value = fixture->value;
    /* Cycles that scatter by one in a hundred, but the time without a quorum does not. */
    const struct decompose_validation low = judge(fixture, .7 * value, value, 100);
    CHECK(low.is_plain);
    CHECK(low.agrees);
    CHECK(low.seen_half > .3 * value);
    CHECK(low.seen_half < 1.5 * value);
    CHECK(!judge(fixture, .7 * value, value, 3000).agrees);
    free(fixture);
}

TEST(decompose_store, too_few_cycles_say_nothing)
{
    struct verdict_fixture *fixture = open_fixture();
    const struct decompose_validation few = judge(fixture, fixture->value, fixture->value, 9);
    CHECK(!few.is_enough);
    CHECK(!few.agrees);
    const struct decompose_validation some = judge(fixture, .1, fixture->value, 20);
    CHECK(some.is_enough);
    CHECK(!some.is_plain); /* the quorum goes some eight times in it */
    CHECK(some.agrees);
    struct decompose_validation none;
    CHECK(!decompose_validation(&fixture->spec, &fixture->report, &fixture->said, 1, 1, &none));
    free(fixture);
}

TEST(decompose_store, the_fleet_by_itself_is_without_a_quorum_as_computed)
{
    struct verdict_fixture *fixture = open_fixture();
    const struct spec_fleet fast = decompose_accelerated(&fixture->spec);
    struct estimate_sums alone;
    estimate_begin(&alone, "", ESTIMATE_CRUDE);
    episode_validation_fleet(&fast, 7, 20000, &alone);
    CHECK_EQUAL(alone.count, 20000);
    const struct estimate estimate = estimate_of(&alone, .9999);
    CHECK(estimate.half_width < .1);
    CHECK(estimate.interval.low < fixture->fast.down);
    CHECK(estimate.interval.high > fixture->fast.down);
    free(fixture);
}
