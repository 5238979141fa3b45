/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The sum of a decomposition against the exact chain with leaders, its classes against the rates of
 * that chain, and its interval against sampling. Machines live 99 h and are repaired in 1 h. */
#include "analysis/decompose.h"
#include "analysis/fleet_exact.h"
#include "sim/base/base.h"
#include "tests/unit/harness.h"

#include <math.h>
#include <stdlib.h>

#define HOUR_NS INT64_C(3600000000000)

static struct dist law_of(enum dist_kind kind, int64_t hours)
{
    return (struct dist){.kind = kind, .a = hours * HOUR_NS, .c = 700};
}

struct fleet_fixture {
    struct spec_service service;
    struct spec_fleet spec;
    struct decompose_fleet fleet;
    struct decompose_sums sums[DECOMPOSE_CLASSES_MAX];
    struct decompose_steady steady;
    struct decompose_estimate estimate;
    struct err err;
};

static struct fleet_fixture *fixture_of(uint32_t machines)
{
    struct fleet_fixture *fixture = calloc(1, sizeof(*fixture));
    ASSERT(fixture != NULL);
    fixture->service = (struct spec_service){.name = "majority", .needed = machines / 2 + 1};
    fixture->spec = (struct spec_fleet){
        .is_asked = true,
        .machines = machines,
        .life = law_of(DIST_EXPONENTIAL, 99),
        .repair = law_of(DIST_EXPONENTIAL, 1),
        .services = &fixture->service,
        .service_count = 1,
        .estimator = SPEC_ESTIMATOR_DECOMPOSE,
        .confidence_millionths = 950000,
    };
    return fixture;
}

static bool solve(struct fleet_fixture *fixture)
{
    return decompose_fleet(&fixture->spec, 0, true, 1, &fixture->fleet, &fixture->err);
}

static const struct decompose_class *find(const struct fleet_fixture *fixture, const char *name)
{
    for (uint32_t i = 0; i < fixture->fleet.class_count; i++) {
        char own[DECOMPOSE_NAME_SIZE];
        decompose_class_name(&fixture->fleet.classes[i], own);
        if (strcmp(own, name) == 0) {
            return &fixture->fleet.classes[i];
        }
    }
    return NULL;
}

static double rate_of(const struct fleet_fixture *fixture, enum decompose_kind kind)
{
    double rate = 0;
    for (uint32_t i = 0; i < fixture->fleet.class_count; i++) {
        rate += fixture->fleet.classes[i].kind == kind ? fixture->fleet.classes[i].rate : 0;
    }
    return rate;
}

static void add_episode(struct decompose_sums *sums, double outage_h, double up_h,
                        bool is_recovered)
{
    const struct decompose_episode episode = {outage_h, up_h, fmax(outage_h, 0), is_recovered};
    decompose_add(sums, &episode);
}

static bool is_near(double value, double expected, double relative)
{
    bool is_fine = fabs(value - expected) <= relative * fabs(expected);
    if (!is_fine) {
        printf("  %.9g instead of %.9g\n", value, expected);
    }
    return is_fine;
}

/* Two episodes of each class: the mean is `outage_h` where a leader has to be found, else nothing.
 */
static void act_out(struct fleet_fixture *fixture, double outage_h)
{
    for (uint32_t i = 0; i < fixture->fleet.class_count; i++) {
        enum decompose_kind kind = fixture->fleet.classes[i].kind;
        bool is_sought = kind == DECOMPOSE_LEADER_LOST || kind == DECOMPOSE_QUORUM_BACK;
        add_episode(&fixture->sums[i], is_sought ? .5 * outage_h : 0, 1, true);
        add_episode(&fixture->sums[i], is_sought ? 1.5 * outage_h : 0, 1, true);
    }
    decompose_combine(&fixture->fleet, fixture->sums, &fixture->steady, 1, &fixture->estimate);
}

static void check_against_chain(double failover_s, double relative)
{
    for (uint32_t n = 1; n <= 10; n++) {
        struct fleet_fixture *fixture = fixture_of(n);
        struct fleet_exact exact;
        struct fleet_model model = {.machines = n,
                                    .needed = n / 2 + 1,
                                    .fail_per_h = 1.0 / 99,
                                    .repair_per_h = 1,
                                    .failover_h = failover_s / 3600};
        REQUIRE(solve(fixture));
        REQUIRE(fleet_exact(&model, &exact, &fixture->err));
        act_out(fixture, failover_s / 3600);
        CHECK(is_near(fixture->estimate.unavailability, exact.unavailability, relative));
        CHECK(is_near(fixture->estimate.outages_per_h, exact.outages_per_h, 5e-3));
        free(fixture);
    }
}

TEST(decompose, ten_seconds_of_failover_are_right_to_three_in_a_hundred_thousand)
{
    check_against_chain(10, 3e-5);
}

TEST(decompose, five_minutes_of_failover_are_right_to_fifteen_in_ten_thousand)
{
    check_against_chain(300, 1.5e-3);
}

/* Machines that fail every five minutes, as in a validation. */
static void check_coincidence(uint32_t n, double failover_s)
{
    struct fleet_fixture *fixture = fixture_of(n);
    struct fleet_exact exact;
    const double hour = 3600;
    struct fleet_model model = {.machines = n,
                                .needed = n / 2 + 1,
                                .fail_per_h = hour / 300,
                                .repair_per_h = hour / 60,
                                .failover_h = failover_s / hour};
    fixture->spec.life.a = 300 * HOUR_NS / 3600;
    fixture->spec.repair.a = 60 * HOUR_NS / 3600;
    REQUIRE(solve(fixture));
    REQUIRE(fleet_exact(&model, &exact, &fixture->err));
    act_out(fixture, failover_s / hour);
    const double wrong = fabs(fixture->estimate.unavailability - exact.unavailability);
    const double bound = decompose_coincidence(&fixture->spec, &fixture->fleet, fixture->sums);
    CHECK(wrong <= bound);
    CHECK(bound <= (n <= 2 ? 1.1 : 15) * wrong); /* for one and two machines it is the answer */
    free(fixture);
}

TEST(decompose, what_failures_that_come_together_are_worth_is_known)
{
    for (uint32_t n = 1; n <= 10; n++) {
        check_coincidence(n, 1);
        check_coincidence(n, 2.5);
        check_coincidence(n, 10);
    }
}

TEST(decompose, the_floor_is_the_rate_of_one_machine_times_the_failover)
{
    struct fleet_fixture *fixture = fixture_of(9);
    REQUIRE(solve(fixture));
    act_out(fixture, 10.0 / 3600);
    CHECK(is_near(fixture->estimate.unavailability, 2.806e-5 + 1.22e-8, 1e-2));
    CHECK(is_near(rate_of(fixture, DECOMPOSE_LEADER_LOST), 1.0 / 99, 1e-4));
    CHECK(
        is_near(rate_of(fixture, DECOMPOSE_FOLLOWER_LOST) + rate_of(fixture, DECOMPOSE_LEADER_LOST),
                9 * .99 / 99, 1e-4));
    free(fixture);
}

TEST(decompose, classes_have_the_rates_of_the_chain)
{
    struct fleet_fixture *fixture = fixture_of(5);
    REQUIRE(solve(fixture));
    const struct decompose_class *lost = find(fixture, "quorum-lost:3-2");
    const struct decompose_class *back = find(fixture, "quorum-back:2-3");
    REQUIRE(lost != NULL);
    REQUIRE(back != NULL);
    CHECK(is_near(lost->rate * 8766, .25775, 1e-4));
    CHECK(is_near(back->rate, lost->rate, 1e-9));
    CHECK(is_near(fixture->fleet.down, 9.8506e-6, 1e-6));
    CHECK(find(fixture, "leader-lost:3-2") == NULL);
    CHECK(find(fixture, "machine-back:1-2") == NULL);
    CHECK_EQUAL(fixture->fleet.class_count, 8);
    free(fixture);
}

TEST(decompose, a_single_crew_takes_the_chain_and_agrees_with_it)
{
    struct fleet_fixture *fixture = fixture_of(5);
    fixture->spec.crews = 1;
    REQUIRE(solve(fixture));
    CHECK(is_near(fixture->fleet.down, 5.994483e-5, 1e-6));
    CHECK(is_near(fixture->fleet.outages_per_h * 8766, .51497, 1e-4));
    free(fixture);
}

TEST(decompose, without_a_leader_losses_are_not_told_apart)
{
    struct fleet_fixture *fixture = fixture_of(3);
    REQUIRE(solve(fixture));
    const double both =
        rate_of(fixture, DECOMPOSE_LEADER_LOST) + rate_of(fixture, DECOMPOSE_FOLLOWER_LOST);
    REQUIRE(decompose_fleet(&fixture->spec, 0, false, 1, &fixture->fleet, &fixture->err));
    CHECK(is_near(rate_of(fixture, DECOMPOSE_MACHINE_LOST), both, 1e-12));
    CHECK_EQUAL(rate_of(fixture, DECOMPOSE_LEADER_LOST) * 1e9, 0);
    free(fixture);
}

TEST(decompose, shocks_and_groups_are_classes_of_their_own)
{
    struct fleet_fixture *fixture = fixture_of(5);
    fixture->spec.shock_share = RNG_ALWAYS / 10;
    fixture->spec.groups[0].name = "rack";
    fixture->spec.groups[0].count = 3;
    fixture->spec.groups[0].life = law_of(DIST_EXPONENTIAL, 1000);
    fixture->spec.groups[0].repair = law_of(DIST_EXPONENTIAL, 4);
    REQUIRE(solve(fixture));
    CHECK(is_near(rate_of(fixture, DECOMPOSE_SHOCK), .1 / 99, .05));
    /* Three racks of 2, 2 and 1: each leaves a majority when all else is up. */
    CHECK(is_near(rate_of(fixture, DECOMPOSE_GROUP_LOST), 3.0 / 1000, .1));
    CHECK(find(fixture, "group-lost:5-3") != NULL);
    CHECK(find(fixture, "machine-back:3-5") != NULL);
    free(fixture);
}

TEST(decompose, simulated_rates_are_near_the_exact_ones)
{
    struct fleet_fixture *exact = fixture_of(3);
    struct fleet_fixture *walked = fixture_of(3);
    exact->spec.crews = 2;
    walked->spec.crews = 2;
    walked->spec.maintenance_every_ns = 1000000 * HOUR_NS; /* hardly ever, but no Markov chain */
    walked->spec.maintenance_ns = HOUR_NS;
    REQUIRE(solve(exact));
    REQUIRE(solve(walked));
    CHECK(walked->fleet.down_error > 0);
    CHECK(fabs(walked->fleet.down - exact->fleet.down) < 4 * walked->fleet.down_error);
    CHECK(is_near(rate_of(walked, DECOMPOSE_LEADER_LOST), rate_of(exact, DECOMPOSE_LEADER_LOST),
                  .02));
    CHECK(
        is_near(rate_of(walked, DECOMPOSE_QUORUM_BACK), rate_of(exact, DECOMPOSE_QUORUM_BACK), .2));
    free(exact);
    free(walked);
}

/* The estimate of so many seeds, each with its own sample of the fleet. */
static struct estimate estimate_of_seeds(struct fleet_fixture *fixture, uint64_t first,
                                         uint32_t seeds)
{
    struct estimate_sums total;
    for (uint32_t i = 0; i < seeds; i++) {
        struct estimate_sums one;
        ASSERT(decompose_fleet(&fixture->spec, 0, true, first + i, &fixture->fleet, &fixture->err));
        memset(fixture->sums, 0, sizeof(fixture->sums));
        act_out(fixture, 0.001);
        estimate_begin(&one, "majority", ESTIMATE_DECOMPOSE);
        decompose_deliver(&fixture->estimate, &one);
        if (i == 0) {
            total = one;
        } else {
            estimate_merge(&total, &one);
        }
    }
    return estimate_of(&total, .95);
}

TEST(decompose, more_seeds_know_a_simulated_fleet_better)
{
    struct fleet_fixture *exact = fixture_of(3);
    struct fleet_fixture *walked = fixture_of(3);
    struct decompose_fleet mean;
    uint64_t seeds[16];
    uint32_t covered = 0;
    walked->spec.maintenance_every_ns = 1000000 * HOUR_NS; /* hardly ever, but no Markov chain */
    walked->spec.maintenance_ns = HOUR_NS;
    CHECK(decompose_is_simulated(&walked->spec));
    CHECK(!decompose_is_simulated(&exact->spec));
    REQUIRE(solve(exact));
    act_out(exact, 0.001);
    const double truth = exact->estimate.unavailability;
    const struct estimate one = estimate_of_seeds(walked, 1, 1);
    const struct estimate sixteen = estimate_of_seeds(walked, 1, 16);
    CHECK(one.unavailability != estimate_of_seeds(walked, 2, 1).unavailability);
    CHECK(sixteen.half_width < one.half_width / 2.5);
    CHECK(sixteen.half_width > one.half_width / 6);
    for (uint32_t i = 0; i < 40; i++) {
        const struct estimate two = estimate_of_seeds(walked, 100 + 2 * i, 2);
        covered += two.interval.low <= truth && truth <= two.interval.high ? 1 : 0;
    }
    CHECK(covered >= 34); /* of 40 at 95 %: less has a chance of 1 in 300 */
    for (uint32_t i = 0; i < ARRAY_COUNT(seeds); i++) {
        seeds[i] = 1 + i;
    }
    REQUIRE(decompose_fleet_mean(&walked->spec, 0, true, seeds, ARRAY_COUNT(seeds), &mean,
                                 &walked->err));
    CHECK(is_near(mean.down, sixteen.unavailability - truth + exact->fleet.down, .02));
    CHECK(mean.down_error < .05 * mean.down);
    free(exact);
    free(walked);
}

TEST(decompose, a_correlation_has_no_transitions)
{
    struct fleet_fixture *fixture = fixture_of(3);
    fixture->spec.correlation = RNG_ALWAYS / 100;
    CHECK(!solve(fixture));
    CHECK_EQUAL(fixture->err.code, ERR_INPUT);
    free(fixture);
}

TEST(decompose, names_of_classes_are_read_back)
{
    struct decompose_class class_ = {0};
    char name[DECOMPOSE_NAME_SIZE];
    static const char *const good[] = {"leader-lost:5-4", "follower-lost:64-63", "group-lost:9-6",
                                       "quorum-lost:3-2", "shock:3-0",           "quorum-back:1-2",
                                       "machine-back:2-3"};
    static const char *const bad[] = {"",
                                      "leader-lost",
                                      "leader-lost:4-5",
                                      "machine-back:3-2",
                                      "leader-lost:3-3",
                                      "leader-lost:05-4",
                                      "leader-lost:5-4x",
                                      "leader-lost:65-64",
                                      "leader:5-4"};
    for (uint32_t i = 0; i < ARRAY_COUNT(good); i++) {
        CHECK(decompose_class_parse(good[i], &class_));
        decompose_class_name(&class_, name);
        CHECK_TEXT(name, good[i]);
    }
    for (uint32_t i = 0; i < ARRAY_COUNT(bad); i++) {
        CHECK(!decompose_class_parse(bad[i], &class_));
    }
}

TEST(decompose, what_did_not_recover_is_counted_and_not_averaged)
{
    struct fleet_fixture *fixture = fixture_of(3);
    REQUIRE(solve(fixture));
    act_out(fixture, .01);
    const double before = fixture->estimate.unavailability;
    add_episode(&fixture->sums[0], 1000, 1, false);
    decompose_combine(&fixture->fleet, fixture->sums, &fixture->steady, 1, &fixture->estimate);
    CHECK(is_near(fixture->estimate.unavailability, before, 1e-15));
    CHECK_EQUAL(fixture->estimate.stuck, 1);
    free(fixture);
}

TEST(decompose, a_class_without_episodes_widens_the_upper_end)
{
    struct fleet_fixture *fixture = fixture_of(3);
    REQUIRE(solve(fixture));
    const struct decompose_class *leader = find(fixture, "leader-lost:3-2");
    REQUIRE(leader != NULL);
    act_out(fixture, .01);
    CHECK(fixture->estimate.unknown == 0);
    fixture->sums[leader - fixture->fleet.classes] = (struct decompose_sums){0};
    decompose_combine(&fixture->fleet, fixture->sums, &fixture->steady, .25, &fixture->estimate);
    CHECK(is_near(fixture->estimate.unknown, leader->rate * .25, 1e-12));
    struct estimate_sums sums;
    estimate_begin(&sums, "majority", ESTIMATE_DECOMPOSE);
    decompose_deliver(&fixture->estimate, &sums);
    struct estimate estimate = estimate_of(&sums, .95);
    CHECK(estimate.interval.high - estimate.unavailability > leader->rate * .25);
    free(fixture);
}

TEST(decompose, what_is_missed_all_the_time_is_counted_once)
{
    struct fleet_fixture *fixture = fixture_of(3);
    REQUIRE(solve(fixture));
    /* One percent of everything fails, in episodes as well, and nothing else happens. */
    for (uint32_t i = 0; i < fixture->fleet.class_count; i++) {
        add_episode(&fixture->sums[i], .01 * .2, .2, true);
        add_episode(&fixture->sums[i], .01 * .2, .2, true);
    }
    fixture->steady = (struct decompose_steady){.hours = 5, .down_h = .05};
    decompose_combine(&fixture->fleet, fixture->sums, &fixture->steady, 1, &fixture->estimate);
    const double down = fixture->fleet.down;
    CHECK(is_near(fixture->estimate.unavailability, down + .01 * (1 - down), 1e-12));
    free(fixture);
}

/* A sample of an exponential law, by its own arithmetic. */
static double draw(struct rng *rng, double mean)
{
    return -mean * log(((double)(rng_u64(rng) >> 11) + .5) * 0x1p-53);
}

/* A fleet of five whose code takes an exponential time of 36 s to find a leader or come back, and
 * exactly so long for other transitions, with some chance; and misses now and then for nothing. */
#define FOUND_H  .01
#define GLITCH_H .01

struct world_fixture {
    struct fleet_fixture *fleet;
    struct rng rng;
    double glitch;     /* chance that another transition costs something */
    double miss;       /* chance that an episode sees something before its transition */
    uint32_t episodes; /* of each class in a seed, but 30 of the leader's */
};

static bool is_sought(enum decompose_kind kind)
{
    return kind == DECOMPOSE_LEADER_LOST || kind == DECOMPOSE_QUORUM_BACK;
}

static double chance(struct rng *rng)
{
    return ((double)(rng_u64(rng) >> 11) + .5) * 0x1p-53;
}

static double truth_of(const struct world_fixture *world)
{
    const struct decompose_fleet *fleet = &world->fleet->fleet;
    const double missed = world->miss * .0001 / .003;
    double truth = fleet->down + missed * (1 - fleet->down);
    for (uint32_t i = 0; i < fleet->class_count; i++) {
        const double mean = is_sought(fleet->classes[i].kind) ? FOUND_H : world->glitch * GLITCH_H;
        truth += fleet->classes[i].rate * mean;
    }
    return truth;
}

/* One seed. */
static struct estimate_sums seed_of(struct world_fixture *world)
{
    struct fleet_fixture *fixture = world->fleet;
    struct decompose_steady steady = {0};
    struct estimate_sums sums;
    memset(fixture->sums, 0, sizeof(fixture->sums));
    for (uint32_t i = 0; i < fixture->fleet.class_count; i++) {
        const enum decompose_kind kind = fixture->fleet.classes[i].kind;
        for (uint32_t e = 0; e < (kind == DECOMPOSE_LEADER_LOST ? 30 : world->episodes); e++) {
            double outage_h = chance(&world->rng) < world->glitch ? GLITCH_H : 0;
            outage_h = is_sought(kind) ? draw(&world->rng, FOUND_H) : outage_h;
            add_episode(&fixture->sums[i], outage_h, 0, true);
            decompose_add_steady(&steady, .003, chance(&world->rng) < world->miss ? .0001 : 0);
        }
    }
    decompose_combine(&fixture->fleet, fixture->sums, &steady, .1, &fixture->estimate);
    estimate_begin(&sums, "majority", ESTIMATE_DECOMPOSE);
    decompose_deliver(&fixture->estimate, &sums);
    return sums;
}

/* How many of 200 campaigns of so many seeds have the truth in their interval; `bare` gets how many
 * would without what identical episodes may hide. */
static uint32_t coverage(struct world_fixture *world, uint32_t seeds, uint32_t *bare)
{
    const double truth = truth_of(world);
    uint32_t covered = 0;
    *bare = 0;
    for (uint32_t round = 0; round < 200; round++) {
        struct estimate_sums total = seed_of(world);
        for (uint32_t seed = 1; seed < seeds; seed++) {
            const struct estimate_sums one = seed_of(world);
            estimate_merge(&total, &one);
        }
        const struct estimate estimate = estimate_of(&total, .95);
        total.weights = 0;
        const struct estimate without = estimate_of(&total, .95);
        covered += estimate.interval.low <= truth && truth <= estimate.interval.high ? 1 : 0;
        *bare += without.interval.low <= truth && truth <= without.interval.high ? 1 : 0;
    }
    return covered;
}

TEST(decompose, intervals_of_ninety_five_percent_hold_the_truth_so_often)
{
    static const double chances[] = {.3, .5, .7};
    struct world_fixture world = {
        .fleet = fixture_of(5), .rng = rng_keyed(5, 0, 0, 1), .episodes = 15};
    uint32_t bare = 0;
    REQUIRE(solve(world.fleet));
    for (uint32_t i = 0; i < ARRAY_COUNT(chances); i++) {
        world.glitch = chances[i];
        for (uint32_t seeds = 2; seeds <= 8; seeds *= 4) {
            const uint32_t covered = coverage(&world, seeds, &bare);
            CHECK(covered >= 180);
            CHECK(covered <= 196);
        }
    }
    free(world.fleet);
}

/* With three episodes of most classes, which are all alike more often than not. The upper end is on
 * the safe side. */
TEST(decompose, what_identical_episodes_hide_is_held_as_well)
{
    static const struct {
        double glitch;
        double miss;
        bool is_hidden; /* from an interval that believes in no variance */
    } cases[] = {{0, 0, false}, {.01, 0, false}, {.03, 0, true}, {.1, 0, true}, {.03, .1, false}};
    struct world_fixture world = {
        .fleet = fixture_of(5), .rng = rng_keyed(5, 0, 0, 2), .episodes = 3};
    uint32_t bare = 0;
    REQUIRE(solve(world.fleet));
    for (uint32_t i = 0; i < ARRAY_COUNT(cases); i++) {
        world.glitch = cases[i].glitch;
        world.miss = cases[i].miss;
        CHECK(coverage(&world, 8, &bare) >= 180);
        CHECK(coverage(&world, 2, &bare) >= 180);
        CHECK(!cases[i].is_hidden || bare < 160);
    }
    free(world.fleet);
}

TEST(decompose, identical_episodes_are_bounded_by_the_rule_of_three)
{
    struct fleet_fixture *fixture = fixture_of(5);
    struct estimate_sums one;
    struct estimate_sums total;
    REQUIRE(solve(fixture));
    act_out(fixture, .01); /* two episodes each, and nothing but for the leader */
    double fastest = 0;
    for (uint32_t i = 0; i < fixture->fleet.class_count; i++) {
        const struct decompose_class *class_ = &fixture->fleet.classes[i];
        fastest = fmax(fastest, is_sought(class_->kind) ? 0 : class_->rate);
    }
    CHECK(is_near(fixture->estimate.unseen, fastest * .01 / 2, 1e-9));
    estimate_begin(&one, "majority", ESTIMATE_DECOMPOSE);
    decompose_deliver(&fixture->estimate, &one);
    total = one;
    estimate_merge(&total, &one);
    const double hidden = -log(.05) * fastest * .01 / 4; /* four alike in both seeds */
    const struct estimate estimate = estimate_of(&total, .95);
    const double half = estimate.half_width * estimate.unavailability;
    CHECK(is_near(estimate.interval.high - estimate.unavailability - half, hidden, 1e-9));
    struct estimate widened = estimate;
    estimate_widen(&widened);
    CHECK(is_near(widened.interval.high - estimate.unavailability,
                  (half + hidden) * ESTIMATE_SEQUENTIAL, 1e-9));
    free(fixture);
}

TEST(decompose, without_any_outage_the_window_is_what_may_be_hidden)
{
    struct fleet_fixture *fixture = fixture_of(3);
    REQUIRE(solve(fixture));
    act_out(fixture, 0);
    CHECK(fixture->estimate.error == 0);
    CHECK(fixture->estimate.unseen > 0);
    const double before = fixture->estimate.unseen;
    decompose_combine(&fixture->fleet, fixture->sums, &fixture->steady, 2, &fixture->estimate);
    CHECK(is_near(fixture->estimate.unseen, 2 * before, 1e-12));
    free(fixture);
}

TEST(decompose, what_clients_miss_all_the_time_has_an_error)
{
    struct fleet_fixture *fixture = fixture_of(3);
    REQUIRE(solve(fixture));
    act_out(fixture, 0);
    for (uint32_t i = 0; i < 100; i++) {
        decompose_add_steady(&fixture->steady, .01, i == 0 ? .001 : 0);
    }
    decompose_combine(&fixture->fleet, fixture->sums, &fixture->steady, 1, &fixture->estimate);
    /* A single miss: as uncertain as it is large, and that itself on two degrees of freedom. */
    CHECK(is_near(fixture->estimate.error, fixture->estimate.steady, .1));
    CHECK(is_near(fixture->estimate.freedom, 2, 1e-9));
    free(fixture);
}

TEST(decompose, episodes_go_where_they_narrow_the_interval)
{
    struct fleet_fixture *fixture = fixture_of(5);
    uint32_t allocation[DECOMPOSE_CLASSES_MAX];
    uint32_t total = 0;
    uint32_t of_alike = 0;
    double least = INFINITY;
    double most = 0;
    REQUIRE(solve(fixture));
    act_out(fixture, .01);
    decompose_allocate(&fixture->fleet, fixture->sums, 1000, allocation);
    for (uint32_t i = 0; i < fixture->fleet.class_count; i++) {
        const struct decompose_class *class_ = &fixture->fleet.classes[i];
        total += allocation[i];
        CHECK(allocation[i] >= 2);
        of_alike += is_sought(class_->kind) ? 0 : allocation[i];
        if (!is_sought(class_->kind) && allocation[i] > 100) {
            least = fmin(least, class_->rate / allocation[i]);
            most = fmax(most, class_->rate / allocation[i]);
        }
    }
    CHECK_EQUAL(total, 1000);
    CHECK_EQUAL(of_alike, (1000 - 2 * 8) / 2 + 2 * 5);
    CHECK(is_near(most, least, .02)); /* none of those that saw nothing hides more than others */
    const struct decompose_class *leader = find(fixture, "leader-lost:5-4");
    REQUIRE(leader != NULL);
    CHECK(allocation[leader - fixture->fleet.classes] > 400);
    decompose_allocate(&fixture->fleet, fixture->sums, 3, allocation);
    CHECK_EQUAL(allocation[0], 2); /* never less, whatever was asked for */
    free(fixture);
}

TEST(decompose, when_all_are_alike_or_none_is_nothing_is_kept_back)
{
    struct fleet_fixture *fixture = fixture_of(1);
    uint32_t allocation[DECOMPOSE_CLASSES_MAX];
    REQUIRE(solve(fixture));
    for (uint32_t pass = 0; pass < 2; pass++) {
        for (uint32_t i = 0; i < fixture->fleet.class_count; i++) {
            add_episode(&fixture->sums[i], 0, 1, true);
            add_episode(&fixture->sums[i], pass, 1, true);
        }
        decompose_allocate(&fixture->fleet, fixture->sums, 40, allocation);
        CHECK_EQUAL(allocation[0], 20); /* quorum-lost and quorum-back */
        CHECK_EQUAL(allocation[1], 20);
    }
    free(fixture);
}

TEST(decompose, without_a_pilot_everybody_gets_the_same)
{
    struct fleet_fixture *fixture = fixture_of(3);
    uint32_t allocation[DECOMPOSE_CLASSES_MAX];
    REQUIRE(solve(fixture));
    decompose_allocate(&fixture->fleet, fixture->sums, 100, allocation);
    for (uint32_t i = 0; i < fixture->fleet.class_count; i++) {
        CHECK_EQUAL(allocation[i], 2);
    }
    free(fixture);
}

TEST(decompose, an_accelerated_fleet_keeps_its_shape)
{
    struct fleet_fixture *fixture = fixture_of(3);
    fixture->spec.life = law_of(DIST_WEIBULL, 99);
    fixture->spec.groups[0].count = 2;
    fixture->spec.groups[0].life = law_of(DIST_EXPONENTIAL, 990);
    fixture->spec.groups[0].repair = law_of(DIST_EXPONENTIAL, 2);
    fixture->spec.episodes.validate_life_ns = 600 * INT64_C(1000000000);
    fixture->spec.episodes.validate_repair_ns = 60 * INT64_C(1000000000);
    struct spec_fleet fast = decompose_accelerated(&fixture->spec);
    CHECK(is_near((double)dist_mean(&fast.life), 600e9, 1e-6));
    CHECK_EQUAL(fast.life.c, fixture->spec.life.c);
    CHECK_EQUAL(dist_mean(&fast.repair), 60 * INT64_C(1000000000));
    CHECK_EQUAL(dist_mean(&fast.groups[0].repair), 120 * INT64_C(1000000000));
    free(fixture);
}
