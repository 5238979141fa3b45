/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Episodes: what is derived from a scenario and a class of transitions, and what comes out of them
 * with a SQLite that dies and, where it is there, with libraft. */
#include "analysis/episode.h"
#include "analysis/judge.h"
#include "sim/base/units.h"
#include "sim/fleet.h"
#include "sim/world.h"
#include "tests/unit/harness.h"
#include "tests/unit/planned.h"

#include <math.h>
#include <stdlib.h>

static const char text[] =
    "squall: 1\n"
    "name: episodes\n"
    "time: {warmup: 2s, limit: 10s}\n"
    "system: {model: MODEL, nodes: 5, options: {OPTIONS}}\n"
    "load: {all: {executor: constant-arrival-rate, rate: 20/s, workload: {recordCount: 10}}}\n"
    "client: {deadline: 300ms, timeout: 100ms, retry: {maxAttempts: 4, backoff: fixed, "
    "initialBackoff: 20ms}}\n"
    "checks: [{always: {consistency: linearizable}}]\n"
    "availability:\n"
    "  life: {mean: 99h, distribution: exponential}\n"
    "  repair: {mean: 1h, distribution: exponential}\n"
    "  groups: {count: 2, life: {mean: 999h, distribution: exponential}, repair: {mean: 1h, "
    "distribution: exponential}}\n"
    "  estimator: decompose\n"
    "  episodes: {settle: 4s, phase: 1s, window: 8s}\n"
    "  validate: {life: 20s, repair: 5s, duration: 100s}\n";

struct episodes_planned {
    struct planned of;
    struct arena arena;
};

static bool open_with(struct episodes_planned *planned, const char *model, const char *options,
                      uint32_t nodes)
{
    char yaml[sizeof(text) + 128];
    char setting[32];
    const char *place = strstr(text, "MODEL");
    const char *other = strstr(text, "OPTIONS");
    snprintf(yaml, sizeof(yaml), "%.*s%s%.*s%s%s", (int)(place - text), text, model,
             (int)(other - place - 5), place + 5, options, other + 7);
    snprintf(setting, sizeof(setting), "system.nodes=%u", (unsigned)nodes);
    const char *sets[] = {setting, nodes < 2 ? "availability.groups.count=1" : "name=episodes"};
    struct plan_options plan_options = {.sets = sets, .set_count = 2};
    arena_init(&planned->arena);
    return planned_open(&planned->of, yaml, &plan_options, &planned_catalog);
}

static void close_plan(struct episodes_planned *planned)
{
    planned_close(&planned->of);
    arena_release(&planned->arena);
}

static const struct run_spec *spec_of(const struct episodes_planned *planned)
{
    return &planned->of.plan.cells[0].spec;
}

static struct episode plan_one(const struct episodes_planned *planned, const char *name,
                               uint64_t seed, uint32_t number)
{
    struct decompose_class class_;
    struct episode episode;
    CHECK(decompose_class_parse(name, &class_));
    CHECK(episode_is_possible(spec_of(planned), &class_));
    episode_plan(spec_of(planned), EPISODE_MAIN, seed, &class_, number, &episode);
    return episode;
}

static uint32_t size_of(uint64_t mask)
{
    return (uint32_t)__builtin_popcountll(mask);
}

/* Runs an episode and judges it. */
static struct result_episode act(struct episodes_planned *planned, const struct episode *episode)
{
    struct run_spec derived;
    struct run_result result;
    struct client_view view;
    struct result_episode row;
    struct world *world = world_new();
    struct judge *judge = judge_new();
    result_init(&result);
    client_view_init(&view);
    episode_derive(spec_of(planned), episode, &planned->arena, &derived);
    judge_begin(judge, &derived, episode->seed);
    world_reset(world, &derived, episode->seed, judge_observer(judge));
    world_run(world, INT64_MAX, UINT64_MAX);
    world_finish(world);
    struct judge_end end = {.digest = world_digest(world),
                            .events = world->sched.stats.fired,
                            .sim_ns = world_now(world)};
    judge_finish(judge, &end, &result);
    client_view_read(&view, world->history.operations.items, world->history.operations.count,
                     derived.load_count);
    episode_judge(spec_of(planned), episode, &result, &view, &row);
    client_view_release(&view);
    result_release(&result);
    judge_free(judge);
    world_free(world);
    return row;
}

/* ------------------------------------------------------------------------------------ deriving */

TEST(episode, a_loss_has_so_many_down_before_it_and_so_many_candidates)
{
    struct episodes_planned planned;
    REQUIRE(open_with(&planned, "primary-backup", "", 5));
    for (uint32_t number = 0; number < 50; number++) {
        struct episode episode = plan_one(&planned, "leader-lost:4-3", 1, number);
        CHECK_EQUAL(size_of(episode.down), 1);
        CHECK_EQUAL(size_of(episode.lost), 4);
        CHECK_EQUAL(episode.lost_count, 1);
        CHECK_EQUAL(episode.back, 0);
        CHECK_EQUAL(episode.down & episode.lost, 0);
        CHECK(episode.at_ns >= 6 * NS_PER_S);
        CHECK(episode.at_ns < 7 * NS_PER_S);
    }
    close_plan(&planned);
}

TEST(episode, phases_and_victims_are_spread)
{
    struct episodes_planned planned;
    uint64_t downs = 0;
    int64_t first = INT64_MAX;
    int64_t last = 0;
    REQUIRE(open_with(&planned, "primary-backup", "", 5));
    for (uint32_t number = 0; number < 50; number++) {
        struct episode episode = plan_one(&planned, "machine-back:4-5", 1, number);
        CHECK_EQUAL(size_of(episode.back), 1);
        CHECK_EQUAL(episode.down | episode.lost, 0);
        downs |= episode.back;
        first = episode.at_ns < first ? episode.at_ns : first;
        last = episode.at_ns > last ? episode.at_ns : last;
    }
    CHECK_EQUAL(downs, 31);
    CHECK(last - first > NS_PER_S / 2);
    close_plan(&planned);
}

TEST(episode, the_seed_the_class_and_the_number_are_its_name)
{
    struct episodes_planned planned;
    REQUIRE(open_with(&planned, "primary-backup", "", 5));
    struct episode one = plan_one(&planned, "leader-lost:5-4", 1, 0);
    struct episode same = plan_one(&planned, "leader-lost:5-4", 1, 0);
    struct episode other_seed = plan_one(&planned, "leader-lost:5-4", 2, 0);
    struct episode other_number = plan_one(&planned, "leader-lost:5-4", 1, 1);
    struct episode other_class = plan_one(&planned, "follower-lost:5-4", 1, 0);
    CHECK_EQUAL(one.seed, same.seed);
    CHECK_EQUAL(one.at_ns, same.at_ns);
    CHECK(one.seed != other_seed.seed);
    CHECK(one.seed != other_number.seed);
    CHECK(one.seed != other_class.seed);
    struct episode pilot;
    struct episode pilot_of_two;
    episode_plan(spec_of(&planned), EPISODE_PILOT, 1, &one.class_, 0, &pilot);
    episode_plan(spec_of(&planned), EPISODE_PILOT, 2, &one.class_, 0, &pilot_of_two);
    CHECK(pilot.seed != one.seed);
    CHECK_EQUAL(pilot.seed, pilot_of_two.seed);
    close_plan(&planned);
}

TEST(episode, a_group_is_lost_as_one)
{
    struct episodes_planned planned;
    bool has_left = false;
    bool has_right = false;
    REQUIRE(open_with(&planned, "primary-backup", "", 5));
    for (uint32_t number = 0; number < 50; number++) {
        struct episode episode = plan_one(&planned, "group-lost:5-3", 1, number);
        CHECK_EQUAL(episode.lost, 0xa); /* only the group of 1 and 3 has two members */
        CHECK_EQUAL(episode.down, 0);
        CHECK_EQUAL(episode.lost_count, 2);
        episode = plan_one(&planned, "group-lost:4-2", 1, number);
        CHECK_EQUAL(size_of(episode.lost), 2);
        CHECK_EQUAL(size_of(episode.down), 1);
        CHECK(episode.lost == 0xa || (episode.lost | episode.down) == 0x15);
        has_left |= episode.lost == 0xa;
        has_right |= episode.lost != 0xa;
        episode = plan_one(&planned, "machine-back:2-5", 1, number);
        CHECK_EQUAL(episode.back, 0x15);
    }
    CHECK(has_left);
    CHECK(has_right);
    close_plan(&planned);
}

TEST(episode, a_group_may_be_of_any_kind_and_a_shock_takes_one_where_groups_have_shocks)
{
    struct episodes_planned planned;
    REQUIRE(open_with(&planned, "primary-backup", "", 5));
    struct run_spec spec = *spec_of(&planned);
    struct decompose_class lost;
    struct decompose_class shock;
    struct episode episode;
    uint32_t seen = 0;
    uint32_t others = 0;
    REQUIRE(decompose_class_parse("group-lost:5-3", &lost));
    REQUIRE(decompose_class_parse("shock:5-3", &shock));
    spec.fleet.groups[1] = (struct spec_fleet_groups){.name = "power", .count = 3};
    for (uint32_t number = 0; number < 50; number++) {
        episode_plan(&spec, EPISODE_MAIN, 1, &lost, number, &episode);
        seen |= episode.lost == 0xa ? 1 : episode.lost == 0x9 ? 2 : episode.lost == 0x12 ? 4 : 8;
        episode_plan(&spec, EPISODE_MAIN, 1, &shock, number, &episode);
        others += episode.lost_count == 2 && episode.lost == 0x1f ? 1 : 0; /* any two of all */
    }
    CHECK_EQUAL(seen, 7);
    CHECK_EQUAL(others, 50);
    spec.fleet.groups[1].shock_share = RNG_ALWAYS / 10;
    seen = 0;
    for (uint32_t number = 0; number < 50; number++) {
        episode_plan(&spec, EPISODE_MAIN, 1, &shock, number, &episode);
        seen |= episode.lost == 0xa ? 1 : episode.lost == 0x9 ? 2 : episode.lost == 0x12 ? 4 : 8;
    }
    CHECK_EQUAL(seen & 8, 0);
    CHECK_EQUAL(seen & 6, 6);
    close_plan(&planned);
}

TEST(episode, its_spec_asks_nothing_and_lasts_long_enough)
{
    struct episodes_planned planned;
    struct run_spec derived;
    REQUIRE(open_with(&planned, "primary-backup", "", 5));
    const struct run_spec *spec = spec_of(&planned);
    struct episode episode = plan_one(&planned, "leader-lost:4-3", 1, 0);
    episode_derive(spec, &episode, &planned.arena, &derived);
    CHECK_EQUAL(derived.check_count, 0);
    CHECK_EQUAL(derived.limit_ns, episode.at_ns + 8 * NS_PER_S + 300 * NS_PER_MS);
    CHECK_EQUAL(derived.fault_count, 2);
    CHECK_EQUAL(derived.faults[1].selector.role, SQ_ROLE_LEADER);
    CHECK_EQUAL(derived.faults[1].at_ns, episode.at_ns);
    CHECK(derived.loads[0].duration_ns > derived.limit_ns);
    CHECK_EQUAL(spec->fault_count, 0); /* the scenario's own is not touched */
    close_plan(&planned);
}

TEST(episode, machines_that_are_not_there_cannot_be_lost)
{
    struct episodes_planned planned;
    struct decompose_class class_;
    REQUIRE(open_with(&planned, "primary-backup", "", 5));
    CHECK(decompose_class_parse("leader-lost:6-5", &class_));
    CHECK(!episode_is_possible(spec_of(&planned), &class_));
    close_plan(&planned);
}

/* -------------------------------------------------------------------------------------- running */

TEST(episode, the_same_one_has_the_same_digest_and_outage)
{
    struct episodes_planned planned;
    REQUIRE(open_with(&planned, "sqlite-single", "", 1));
    struct episode episode = plan_one(&planned, "quorum-back:0-1", 3, 1);
    struct result_episode one = act(&planned, &episode);
    struct result_episode two = act(&planned, &episode);
    CHECK(one.has_struck);
    CHECK(one.is_recovered);
    CHECK_EQUAL(one.digest, two.digest);
    CHECK_EQUAL(one.outage_ns, two.outage_ns);
    struct episode other = plan_one(&planned, "quorum-back:0-1", 4, 1);
    CHECK(act(&planned, &other).digest != one.digest);
    close_plan(&planned);
}

TEST(episode, what_the_quorum_explains_is_no_outage)
{
    struct episodes_planned planned;
    int64_t sum = 0;
    REQUIRE(open_with(&planned, "sqlite-single", "", 1));
    for (uint32_t number = 0; number < 5; number++) {
        struct episode episode = plan_one(&planned, "quorum-lost:1-0", 3, number);
        struct result_episode row = act(&planned, &episode);
        CHECK(row.has_struck);
        CHECK(row.is_recovered); /* nobody asks for that */
        CHECK_EQUAL(row.recovery_ns, RESULT_RECOVERY_NEVER);
        CHECK_EQUAL(row.up_ns, 300 * NS_PER_MS);
        CHECK_EQUAL(row.steady_down_ns, 0);
        CHECK(row.steady_ns > 3 * NS_PER_S);
        sum += row.outage_ns;
    }
    CHECK(llabs(sum / 5) < 200 * NS_PER_MS);
    close_plan(&planned);
}

TEST(episode, nobody_leads_nobody_is_struck)
{
    struct episodes_planned planned;
    REQUIRE(open_with(&planned, "server", "", 2)); /* all of them lead */
    struct episode episode = plan_one(&planned, "follower-lost:2-1", 3, 0);
    struct result_episode row = act(&planned, &episode);
    CHECK(!row.has_struck);
    CHECK_EQUAL(row.outage_ns, 0);
    close_plan(&planned);
}

#ifdef HAVE_RAFT
#define QUICK "electionTimeout: 300ms, heartbeatTimeout: 50ms"

TEST(episode, losing_the_leader_costs_an_election_and_losing_a_follower_nothing)
{
    struct episodes_planned planned;
    REQUIRE(open_with(&planned, "raft", QUICK, 5));
    struct episode leader = plan_one(&planned, "leader-lost:5-4", 3, 0);
    struct episode follower = plan_one(&planned, "follower-lost:5-4", 3, 0);
    struct result_episode lost = act(&planned, &leader);
    struct result_episode kept = act(&planned, &follower);
    CHECK(lost.has_struck);
    CHECK(lost.is_recovered);
    CHECK(lost.outage_ns > 100 * NS_PER_MS);
    CHECK(lost.outage_ns < 3 * NS_PER_S);
    CHECK(lost.recovery_ns >= lost.outage_ns - 300 * NS_PER_MS);
    CHECK(kept.has_struck);
    CHECK(kept.is_recovered);
    CHECK(kept.outage_ns < 100 * NS_PER_MS);
    close_plan(&planned);
}

TEST(episode, what_does_not_come_back_in_the_window_is_a_finding)
{
    struct episodes_planned planned;
    REQUIRE(open_with(&planned, "raft", "electionTimeout: 20s, heartbeatTimeout: 50ms", 3));
    struct run_spec *spec = &planned.of.plan.cells[0].spec;
    spec->warmup_ns = 60 * NS_PER_S; /* the first election */
    spec->fleet.episodes.settle_ns = 4 * NS_PER_S;
    struct episode episode = plan_one(&planned, "leader-lost:3-2", 3, 0);
    struct result_episode row = act(&planned, &episode);
    CHECK(row.has_struck);
    CHECK(!row.is_recovered);
    CHECK_EQUAL(row.recovery_ns, RESULT_RECOVERY_NEVER);
    close_plan(&planned);
}
#endif

/* ------------------------------------------------------------------------------------ validation
 */

TEST(episode, machines_fail_and_come_back_as_the_fleet_says)
{
    struct episodes_planned planned;
    struct run_spec derived;
    struct client_view view;
    struct estimate_sums crude;
    struct estimate_sums controlled;
    REQUIRE(open_with(&planned, "sqlite-single", "", 1));
    const uint64_t seed = episode_validation_seed(5);
    episode_validation_derive(spec_of(&planned), seed, &planned.arena, &derived);
    CHECK(derived.injected != NULL);
    CHECK(derived.limit_ns >= 102 * NS_PER_S + 300 * NS_PER_MS);
    CHECK(derived.limit_ns <= 402 * NS_PER_S + 300 * NS_PER_MS);
    struct world *world = world_new();
    world_reset(world, &derived, seed, NULL);
    world_run(world, INT64_MAX, UINT64_MAX);
    world_finish(world);
    client_view_init(&view);
    client_view_read(&view, world->history.operations.items, world->history.operations.count, 1);
    estimate_begin(&crude, "", ESTIMATE_CRUDE);
    estimate_begin(&controlled, "", ESTIMATE_CRUDE);
    episode_validation_judge(&derived, seed, .2, &view, &crude, &controlled);
    /* The same fleet by itself, without its first cycle. */
    struct fleet fleet;
    double down_h = 0;
    uint32_t cycles = 0;
    double last_down_h = 0;
    double first_down_h = 0;
    bool was_whole = true;
    fleet_begin(&fleet, derived.injected, seed);
    for (bool is_over = false; !is_over;) {
        down_h +=
            fleet_available(&fleet) == 0 ? (double)(fleet_next(&fleet) - fleet.now_ns) / 3.6e12 : 0;
        fleet_step(&fleet);
        const bool is_end = fleet_is_whole(&fleet) && !was_whole;
        cycles += is_end ? 1 : 0;
        first_down_h = is_end && cycles == 1 ? down_h : first_down_h;
        last_down_h = is_end ? down_h : last_down_h;
        was_whole = fleet_is_whole(&fleet);
        is_over = is_end && fleet.now_ns >= 100 * NS_PER_S;
    }
    CHECK_EQUAL(derived.limit_ns, fleet.now_ns + 2 * NS_PER_S + 300 * NS_PER_MS);
    CHECK(cycles >= 2);
    CHECK_EQUAL(crude.count, cycles - 1);
    /* A boot takes no time here, and one operation in 50 ms sees nearly all of it. */
    CHECK(fabs(crude.down - last_down_h + first_down_h) * 3600 < .4 * cycles);
    CHECK(fabs(controlled.down - .2 * controlled.hours) * 3600 < .4 * cycles);
    client_view_release(&view);
    world_free(world);
    close_plan(&planned);
}

/* Nobody asks, so nobody sees anything: what is left is how well the time without a quorum is known
 * from runs that end somewhere. */
TEST(episode, how_a_validation_ends_favours_nothing)
{
    struct episodes_planned planned;
    struct run_spec derived;
    struct client_view view;
    struct estimate_sums crude;
    struct estimate_sums controlled;
    struct decompose_fleet *fleet = calloc(1, sizeof(*fleet));
    struct err err = {0};
    REQUIRE(fleet != NULL);
    REQUIRE(open_with(&planned, "sqlite-single", "", 1));
    const struct spec_fleet fast = decompose_accelerated(&spec_of(&planned)->fleet);
    REQUIRE(decompose_fleet(&fast, 0, false, 0, fleet, &err));
    client_view_init(&view);
    estimate_begin(&crude, "", ESTIMATE_CRUDE);
    estimate_begin(&controlled, "", ESTIMATE_CRUDE);
    for (uint64_t i = 0; i < 4000; i++) {
        const uint64_t seed = episode_validation_seed(i);
        arena_reset(&planned.arena);
        episode_validation_derive(spec_of(&planned), seed, &planned.arena, &derived);
        episode_validation_judge(&derived, seed, fleet->down, &view, &crude, &controlled);
    }
    CHECK_EQUAL(crude.down * 1e9, 0);
    const struct estimate estimate = estimate_of(&controlled, .9999);
    CHECK(fabs(estimate.half_width * estimate.unavailability) < .05 * fleet->down);
    CHECK(fabs(estimate.half_width) > 1); /* nothing is within it */
    free(fleet);
    client_view_release(&view);
    close_plan(&planned);
}

TEST(episode, a_fleet_that_is_never_whole_validates_nothing_and_costs_no_more)
{
    struct episodes_planned planned;
    struct run_spec derived;
    struct client_view view;
    struct estimate_sums crude;
    struct estimate_sums controlled;
    REQUIRE(open_with(&planned, "primary-backup", "", 5));
    struct run_spec *spec = &planned.of.plan.cells[0].spec;
    spec->fleet.episodes.validate_life_ns = NS_PER_S;
    spec->fleet.episodes.validate_repair_ns = 1000 * NS_PER_S;
    const uint64_t seed = episode_validation_seed(1);
    episode_validation_derive(spec, seed, &planned.arena, &derived);
    CHECK_EQUAL(derived.limit_ns, 102 * NS_PER_S + 300 * NS_PER_MS);
    client_view_init(&view);
    estimate_begin(&crude, "", ESTIMATE_CRUDE);
    estimate_begin(&controlled, "", ESTIMATE_CRUDE);
    episode_validation_judge(&derived, seed, .2, &view, &crude, &controlled);
    CHECK_EQUAL(crude.count, 0);
    CHECK_EQUAL(crude.simulated_h, 0);
    client_view_release(&view);
    close_plan(&planned);
}
