/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The verdict of the four arms: its logic on series made by hand, the arms on real worlds (the same
 * randomness in each, and nothing but the relief in a probe), and the way of a verdict into the
 * results file. */
#include "analysis/judge.h"
#include "analysis/metastability.h"
#include "analysis/results.h"
#include "sim/base/base.h"
#include "sim/base/hash.h"
#include "sim/base/units.h"
#include "sim/world.h"
#include "tests/unit/harness.h"
#include "tests/unit/input_catalog.h"
#include "tests/unit/planned.h"

#include <math.h>
#include <stdlib.h>
#include <unistd.h>

/* ------------------------------------------------------------------------------ series made by
 * hand */

#define LIMIT_S       60
#define TRIGGER_END_S 20

/* 100 operations a second; every arm is a list of (until, percent answered in time). */
struct step {
    int64_t until_s;
    uint32_t percent;
};

static struct spec_fault trigger_fault = {.name = "outage", .is_trigger = true};
static struct spec_load steady = {.name = "steady"};
static struct run_spec spec;

static void set_up(void)
{
    trigger_fault = (struct spec_fault){.name = "outage", .is_trigger = true};
    spec = (struct run_spec){
        .warmup_ns = 5 * NS_PER_S,
        .limit_ns = LIMIT_S * NS_PER_S,
        .window_ns = NS_PER_S,
        .faults = &trigger_fault,
        .fault_count = 1,
        .loads = &steady,
        .load_count = 1,
        .metastability = {.is_asked = true,
                          .probe = SPEC_PROBE_RETRIES_OFF,
                          .probe_ns = 20 * NS_PER_S,
                          .ratio_millionths = 950000,
                          .timeouts_max = (UINT64_C(1) << 32) / 100,
                          .hold_ns = 5 * NS_PER_S,
                          .within_ns = 20 * NS_PER_S},
    };
}

/* A run of `seconds` in which the trigger struck at 10 s and ended at TRIGGER_END_S. */
static void make_run(struct run_result *run, const struct step *steps, int64_t seconds)
{
    result_clear(run);
    for (int64_t s = 0; s < seconds; s++) {
        while (s >= steps->until_s) {
            steps++;
        }
        struct result_window *window = vec_push(&run->windows);
        window->t_ns = s * NS_PER_S;
        window->duration_ns = NS_PER_S;
        window->offered = 100;
        window->judged = 100;
        window->good = steps->percent;
        window->ok = steps->percent;
        window->attempts = steps->percent >= 95 ? 100 : 300;
        window->timeouts = steps->percent >= 95 ? 0 : 200;
    }
    struct result_fault *fault = vec_push(&run->faults);
    result_copy_text(fault->name, sizeof(fault->name), "outage");
    fault->start_ns = 10 * NS_PER_S;
    fault->end_ns = TRIGGER_END_S * NS_PER_S;
    run->fault_total = 1;
    run->digest = (uint64_t)seconds;
}

static const struct step always_well[] = {{1000, 100}};
static const struct step never_back[] = {{10, 100}, {1000, 0}};

/* Runs the driver on arms by hand: index = enum run_arm; NULL: it must not be asked for. */
static void judge(const struct step *const arms[ARM_COUNT], struct run_result *result)
{
    static const int64_t seconds[] = {LIMIT_S, 2 * LIMIT_S, 2 * LIMIT_S, LIMIT_S + 20 + 20 + 10};
    struct run_result run;
    result_init(&run);
    make_run(result, arms[ARM_TRIGGER], seconds[ARM_TRIGGER]);
    metastability_add_arm(&spec, ARM_TRIGGER, result, result);
    enum run_arm arm;
    while (metastability_next(result, &arm)) {
        CHECK(arms[arm] != NULL);
        make_run(&run, arms[arm] != NULL ? arms[arm] : never_back, seconds[arm]);
        metastability_add_arm(&spec, arm, &run, result);
    }
    metastability_decide(&spec, result);
    for (uint32_t i = 0; i < ARM_COUNT; i++) {
        CHECK_EQUAL(result_arm_find(result, (enum run_arm)i) != NULL, arms[i] != NULL);
    }
    result_release(&run);
}

TEST(metastability, what_comes_back_in_time_is_stable_and_runs_two_arms)
{
    static const struct step back[] = {{10, 100}, {27, 10}, {1000, 100}};
    struct run_result result;
    result_init(&result);
    set_up();
    judge((const struct step *const[]){back, always_well, NULL, NULL}, &result);
    CHECK_EQUAL(result.metastability, METASTABILITY_STABLE);
    CHECK_EQUAL(result.verdict, VERDICT_PASS);
    CHECK_EQUAL(metastability_outcome(&result)->after_ns, 7 * NS_PER_S);
    CHECK_EQUAL(result.violations.count, 0);
    CHECK(!result.is_metastable);
    result_release(&result);
}

TEST(metastability, what_comes_back_late_is_found_by_the_doubled_arm)
{
    static const struct step slow[] = {{10, 100}, {90, 0}, {1000, 100}};
    struct run_result result;
    result_init(&result);
    set_up();
    judge((const struct step *const[]){slow, always_well, slow, NULL}, &result);
    CHECK_EQUAL(result.metastability, METASTABILITY_STABLE);
    CHECK_EQUAL(metastability_outcome(&result)->after_ns, 70 * NS_PER_S);
    CHECK_EQUAL(result_arm_find(&result, ARM_TRIGGER)->outcome, ARM_STUCK);
    result_release(&result);
}

TEST(metastability, stuck_until_relieved_is_metastable)
{
    static const struct step relieved[] = {{10, 100}, {65, 0}, {1000, 100}};
    struct run_result result;
    result_init(&result);
    set_up();
    judge((const struct step *const[]){never_back, always_well, never_back, relieved}, &result);
    CHECK_EQUAL(result.metastability, METASTABILITY_METASTABLE);
    CHECK(result.is_metastable);
    CHECK_EQUAL(result.verdict, VERDICT_FAIL);
    CHECK_TEXT(result.reason, "metastable");
    REQUIRE(result.violations.count == 1);
    const struct result_violation *violation = vec_at(&result.violations, 0);
    CHECK_TEXT(violation->check, "metastable");
    CHECK_EQUAL(violation->time_ns, TRIGGER_END_S * NS_PER_S);
    const struct result_arm *arm = metastability_outcome(&result);
    CHECK_EQUAL(arm->arm, ARM_DOUBLED);
    CHECK_EQUAL(arm->after_ns, RESULT_RECOVERY_NEVER);
    CHECK_EQUAL(arm->looked_ns, 100 * NS_PER_S);
    CHECK(metastability_ratio(arm) == 0);
    CHECK(metastability_amplification(arm) == 3);
    CHECK_EQUAL(result_arm_find(&result, ARM_PROBE)->after_ns, 0);
    result_release(&result);
}

TEST(metastability, stuck_in_spite_of_relief_is_permanent)
{
    struct run_result result;
    result_init(&result);
    set_up();
    judge((const struct step *const[]){never_back, always_well, never_back, never_back}, &result);
    CHECK_EQUAL(result.metastability, METASTABILITY_PERMANENT);
    CHECK(!result.is_metastable);
    CHECK_TEXT(result.reason, "permanent");
    result_release(&result);
}

TEST(metastability, what_falls_back_after_the_relief_is_undecided)
{
    static const struct step relapse[] = {{10, 100}, {65, 0}, {80, 100}, {1000, 0}};
    struct run_result result;
    result_init(&result);
    set_up();
    judge((const struct step *const[]){never_back, always_well, never_back, relapse}, &result);
    CHECK_EQUAL(result.metastability, METASTABILITY_UNDECIDED);
    CHECK_EQUAL(result_arm_find(&result, ARM_PROBE)->outcome, ARM_DEGRADED);
    CHECK_EQUAL(result.verdict, VERDICT_UNKNOWN);
    result_release(&result);
}

TEST(metastability, a_relief_too_short_for_the_backlog_decides_nothing)
{
    struct run_result result;
    struct run_result run;
    result_init(&result);
    result_init(&run);
    set_up();
    make_run(&result, never_back, LIMIT_S);
    metastability_add_arm(&spec, ARM_TRIGGER, &result, &result);
    make_run(&run, always_well, 2 * LIMIT_S);
    metastability_add_arm(&spec, ARM_CONTROL, &run, &result);
    make_run(&run, never_back, 2 * LIMIT_S);
    metastability_add_arm(&spec, ARM_DOUBLED, &run, &result);
    make_run(&run, never_back, LIMIT_S + 50);
    struct result_window *last = vec_at(&run.windows, LIMIT_S + 19);
    last->unwanted = 1;
    metastability_add_arm(&spec, ARM_PROBE, &run, &result);
    metastability_decide(&spec, &result);
    CHECK_EQUAL(result_arm_find(&result, ARM_PROBE)->outcome, ARM_DRAINING);
    CHECK_EQUAL(result.metastability, METASTABILITY_UNDECIDED);
    result_release(&run);
    result_release(&result);
}

/* The published demos that collapse without their trigger. */
TEST(metastability, a_control_that_collapses_is_unstable_whatever_the_trigger_does)
{
    static const struct step collapses[] = {{100, 100}, {1000, 20}};
    struct run_result result;
    result_init(&result);
    set_up();
    judge((const struct step *const[]){never_back, collapses, NULL, NULL}, &result);
    CHECK_EQUAL(result.metastability, METASTABILITY_UNSTABLE);
    CHECK(!result.is_metastable);
    CHECK_TEXT(result.reason, "unstable");
    judge((const struct step *const[]){always_well, collapses, NULL, NULL}, &result);
    CHECK_EQUAL(result.metastability, METASTABILITY_UNSTABLE);
    result_release(&result);
}

/* The outcome of a verdict where another, or this one, is expected. */
static void expect_of(uint32_t verdicts, enum verdict verdict, const char *message)
{
    static const struct step relieved[] = {{10, 100}, {65, 0}, {1000, 100}};
    struct run_result result;
    result_init(&result);
    set_up();
    spec.verdicts_expected = verdicts;
    judge((const struct step *const[]){never_back, always_well, never_back, relieved}, &result);
    CHECK_EQUAL(result.metastability, METASTABILITY_METASTABLE);
    CHECK(result.is_metastable);
    CHECK_EQUAL(result.verdict, verdict);
    const struct result_check *row = vec_at(&result.checks, 0);
    CHECK_TEXT(row->name, "verdict");
    CHECK_EQUAL(row->is_violated, verdict == VERDICT_FAIL);
    CHECK_EQUAL(result.violations.count, verdict == VERDICT_FAIL ? 1 : 0);
    if (verdict == VERDICT_FAIL && result.violations.count == 1) {
        const struct result_violation *violation = vec_at(&result.violations, 0);
        CHECK_TEXT(violation->check, "verdict");
        CHECK(strstr(violation->message, message) == violation->message);
    }
    result_release(&result);
}

TEST(metastability, a_verdict_that_is_expected_passes_and_another_one_fails)
{
    expect_of(1 << SPEC_VERDICT_METASTABLE, VERDICT_PASS, "");
    expect_of(1 << SPEC_VERDICT_METASTABLE | 1 << SPEC_VERDICT_STABLE, VERDICT_PASS, "");
    expect_of(1 << SPEC_VERDICT_STABLE | 1 << SPEC_VERDICT_PERMANENT, VERDICT_FAIL,
              "metastable, and stable or permanent was expected: for 100s after the trigger");
}

TEST(metastability, coming_back_fails_where_something_else_is_expected)
{
    struct run_result result;
    result_init(&result);
    set_up();
    spec.verdicts_expected = 1 << SPEC_VERDICT_UNSTABLE;
    judge((const struct step *const[]){always_well, always_well, NULL, NULL}, &result);
    CHECK_EQUAL(result.verdict, VERDICT_FAIL);
    CHECK_TEXT(result.reason, "verdict");
    CHECK(strstr(((const struct result_violation *)vec_at(&result.violations, 0))->message,
                 "stable, and unstable was expected: goodput is back") != NULL);
    result_release(&result);
}

TEST(metastability, a_weak_second_does_not_make_a_control_unstable)
{
    static const struct step hiccup[] = {{50, 100}, {51, 60}, {119, 100}, {1000, 90}};
    struct run_result result;
    result_init(&result);
    set_up();
    judge((const struct step *const[]){always_well, hiccup, NULL, NULL}, &result);
    CHECK_EQUAL(result.metastability, METASTABILITY_STABLE);
    result_release(&result);
}

TEST(metastability, a_store_at_seventy_percent_is_neither_back_nor_stuck)
{
    static const struct step weak[] = {{10, 100}, {1000, 70}};
    struct run_result result;
    result_init(&result);
    set_up();
    judge((const struct step *const[]){weak, always_well, weak, NULL}, &result);
    CHECK_EQUAL(result.metastability, METASTABILITY_UNDECIDED);
    result_release(&result);
}

TEST(metastability, a_good_spell_that_does_not_last_is_no_recovery)
{
    static const struct step spell[] = {{10, 100}, {22, 0}, {30, 100}, {1000, 0}};
    struct run_result result;
    result_init(&result);
    set_up();
    judge((const struct step *const[]){spell, always_well, spell, never_back}, &result);
    CHECK_EQUAL(result.metastability, METASTABILITY_PERMANENT);
    CHECK_EQUAL(result_arm_find(&result, ARM_TRIGGER)->outcome, ARM_STUCK);
    result_release(&result);
}

TEST(metastability, without_a_trigger_that_struck_and_ended_nothing_is_said)
{
    struct run_result result;
    struct run_result run;
    result_init(&result);
    result_init(&run);
    set_up();
    make_run(&result, always_well, LIMIT_S);
    ((struct result_fault *)vec_at(&result.faults, 0))->end_ns = INT64_MAX;
    metastability_add_arm(&spec, ARM_TRIGGER, &result, &result);
    CHECK_EQUAL(result_arm_find(&result, ARM_TRIGGER)->outcome, ARM_CUT);
    make_run(&result, always_well, LIMIT_S);
    vec_clear(&result.faults);
    result.fault_total = 0;
    metastability_add_arm(&spec, ARM_TRIGGER, &result, &result);
    CHECK_EQUAL(result_arm_find(&result, ARM_TRIGGER)->outcome, ARM_CUT);
    make_run(&run, always_well, 2 * LIMIT_S);
    metastability_add_arm(&spec, ARM_CONTROL, &run, &result);
    run.is_cut = true;
    metastability_add_arm(&spec, ARM_DOUBLED, &run, &result);
    metastability_decide(&spec, &result);
    CHECK_EQUAL(result.metastability, METASTABILITY_UNDECIDED);
    result_release(&run);
    result_release(&result);
}

/* ------------------------------------------------------------------------------------- real worlds
 */

/* A deterministic server of 100/s at 60 with one retry: above its hidden capacity of 50/s. A spike
 * and a pause of the server are the trigger; the load stands before and behind the spike. */
#define STORM                                                                                      \
    "squall: 1\nname: storm\ntime: {warmup: 5s, limit: 60s, window: 500ms}\n"                      \
    "system:\n  model: server\n  nodes: 1\n"                                                       \
    "  options: {serviceTime: 10ms, serviceLaw: deterministic, queueLimit: 0}\n"                   \
    "  host: {queue: {limit: 1000000}, cpu: {perMessage: 0s, perByte: 0ns, perTimer: 0s}}\n"       \
    "network: {default: {latency: 0s}, clients: {latency: 200us, jitter: 100us}}\n"                \
    "load:\n"                                                                                      \
    "  early: {rate: 30/s, arrivals: poisson, workload: {recordCount: 100}}\n"                     \
    "  spike: {rate: 300/s, startTime: 15s, duration: 4s, workload: {recordCount: 100}}\n"         \
    "  late: {rate: 30/s, arrivals: poisson, workload: {recordCount: 100}}\n"                      \
    "client: {deadline: none, timeout: 500ms, retry: {maxAttempts: 2, backoff: none}}\n"           \
    "faults:\n"                                                                                    \
    "  - {name: pause, kind: NodeChaos, action: pause, mode: all, at: 16s, duration: 2s}\n"

static const char storm[] = STORM "metastability: {probe: restart, within: 20s}\n";
static const char storm_plain[] = STORM;
static const char storm_shed[] =
    STORM "metastability: {trigger: [spike, pause], probe: {kind: shed, to: 25%, for: 60s}}\n";
static const char storm_off[] =
    STORM "metastability: {trigger: [spike, pause], probe: {kind: retries-off, for: 20s}}\n";

static bool plan_open(struct planned *planned, const char *yaml)
{
    return planned_open(planned, yaml, NULL, &planned_catalog);
}

struct lab {
    struct world *world;
    struct judge *judge;
    uint64_t seed;
};

static void run_arm(struct lab *lab, const struct run_spec *arm, struct run_result *result)
{
    judge_begin(lab->judge, arm, lab->seed);
    world_reset(lab->world, arm, lab->seed, judge_observer(lab->judge));
    world_run(lab->world, INT64_MAX, UINT64_MAX);
    world_finish(lab->world);
    struct judge_end end = {.digest = world_digest(lab->world), .sim_ns = world_now(lab->world)};
    judge_finish(lab->judge, &end, result);
}

static void lab_open(struct lab *lab, uint64_t seed)
{
    *lab = (struct lab){world_new(), judge_new(), seed};
    judge_keep_windows(lab->judge, JUDGE_WINDOWS_ALL);
}

static void lab_close(struct lab *lab)
{
    world_free(lab->world);
    judge_free(lab->judge);
}

/* The verdict on one seed of a scenario. */
static void judge_storm(const char *yaml, uint64_t seed, struct run_result *result)
{
    struct planned planned;
    REQUIRE(plan_open(&planned, yaml));
    const struct run_spec *whole = &planned.plan.cells[0].spec;
    struct lab lab;
    struct arena arena;
    struct run_result run;
    enum run_arm arm;
    lab_open(&lab, seed);
    arena_init(&arena);
    result_init(&run);
    run_arm(&lab, whole, result);
    metastability_add_arm(whole, ARM_TRIGGER, result, result);
    while (metastability_next(result, &arm)) {
        struct run_spec *derived = arena_alloc(&arena, sizeof(*derived));
        metastability_derive(whole, arm, &arena, derived);
        run_arm(&lab, derived, &run);
        metastability_add_arm(whole, arm, &run, result);
    }
    metastability_decide(whole, result);
    lab_close(&lab);
    result_release(&run);
    arena_release(&arena);
    planned_close(&planned);
}

TEST(metastability, a_real_storm_is_metastable_and_its_control_holds)
{
    struct run_result result;
    result_init(&result);
    judge_storm(storm, 1, &result);
    CHECK_EQUAL(result.metastability, METASTABILITY_METASTABLE);
    REQUIRE(result.arms.count == 4);
    CHECK_EQUAL(result_arm_find(&result, ARM_CONTROL)->outcome, ARM_HELD);
    CHECK_EQUAL(result_arm_find(&result, ARM_PROBE)->outcome, ARM_RECOVERED);
    const struct result_arm *doubled = metastability_outcome(&result);
    CHECK(metastability_ratio(doubled) < 0.01);
    CHECK(fabs(metastability_amplification(doubled) - 2) < 0.05);
    CHECK(metastability_useless(doubled) > 0.99);
    CHECK_EQUAL(doubled->since_ns, 19 * NS_PER_S);
    judge_storm(storm_shed, 1, &result);
    CHECK_EQUAL(result.metastability, METASTABILITY_METASTABLE);
    result_release(&result);
}

TEST(metastability, a_relief_too_short_for_a_real_backlog_is_seen)
{
    struct run_result result;
    result_init(&result);
    judge_storm(storm_off, 1, &result);
    CHECK_EQUAL(result.metastability, METASTABILITY_UNDECIDED);
    REQUIRE(result_arm_find(&result, ARM_PROBE) != NULL);
    CHECK_EQUAL(result_arm_find(&result, ARM_PROBE)->outcome, ARM_DRAINING);
    result_release(&result);
}

TEST(metastability, asking_for_a_verdict_changes_nothing_of_the_run)
{
    struct planned with;
    struct planned without;
    struct run_result asked;
    struct run_result plain;
    struct lab lab;
    REQUIRE(plan_open(&with, storm));
    REQUIRE(plan_open(&without, storm_plain));
    result_init(&asked);
    result_init(&plain);
    lab_open(&lab, 3);
    run_arm(&lab, &with.plan.cells[0].spec, &asked);
    run_arm(&lab, &without.plan.cells[0].spec, &plain);
    CHECK(asked.digest == plain.digest);
    CHECK(!without.plan.cells[0].spec.metastability.is_asked);
    lab_close(&lab);
    result_release(&asked);
    result_release(&plain);
    planned_close(&with);
    planned_close(&without);
}

/* Operations of one load as they were asked for. */
struct wish {
    int64_t intended;
    uint64_t key;
    uint64_t kind;
};

static void collect(struct lab *lab, const struct run_spec *arm, uint32_t load, struct vec *wishes)
{
    struct run_result result;
    result_init(&result);
    run_arm(lab, arm, &result);
    vec_clear(wishes);
    const struct history *history = &lab->world->history;
    for (uint32_t i = 0; i < history->operations.count; i++) {
        const struct sq_operation *operation = vec_at(&history->operations, i);
        if (operation->load == load) {
            struct wish wish = {operation->intended, operation->key, operation->kind};
            vec_append(wishes, &wish);
        }
    }
    result_release(&result);
}

/* Common random numbers: without its trigger, twice as long, relieved, the steady loads want the
 * same operations at the same instants. */
TEST(metastability, arrivals_and_keys_are_the_same_in_all_arms)
{
    struct planned planned;
    struct lab lab;
    struct arena arena;
    struct vec first;
    struct vec other;
    REQUIRE(plan_open(&planned, storm_off));
    const struct run_spec *whole = &planned.plan.cells[0].spec;
    arena_init(&arena);
    vec_init(&first, sizeof(struct wish), UINT32_MAX);
    vec_init(&other, sizeof(struct wish), UINT32_MAX);
    lab_open(&lab, 5);
    for (uint32_t load = 0; load < 3; load += 2) {
        collect(&lab, whole, load, &first);
        CHECK(first.count > 1500);
        for (uint32_t i = 1; i < ARM_COUNT; i++) {
            struct run_spec *arm = arena_alloc(&arena, sizeof(*arm));
            metastability_derive(whole, (enum run_arm)i, &arena, arm);
            collect(&lab, arm, load, &other);
            REQUIRE(other.count > first.count);
            CHECK(memcmp(first.items, other.items, first.count * sizeof(struct wish)) == 0);
        }
    }
    struct run_spec control;
    metastability_derive(whole, ARM_CONTROL, &arena, &control);
    collect(&lab, &control, 1, &other);
    CHECK_EQUAL(other.count, 0);
    CHECK_EQUAL(control.fault_count, 0);
    lab_close(&lab);
    vec_release(&first);
    vec_release(&other);
    arena_release(&arena);
    planned_close(&planned);
}

/* A server of 100/s at 60/s that answers everything in time, and `faults`. */
static const char *calm(char *text, size_t size, const char *faults, const char *rest)
{
    snprintf(text, size,
             "squall: 1\nname: calm\ntime: {warmup: 5s, limit: 60s, window: 500ms}\n"
             "system:\n  model: server\n  nodes: 1\n"
             "  options: {serviceTime: 10ms, serviceLaw: deterministic}\n"
             "  host: {cpu: {perMessage: 0s, perByte: 0ns, perTimer: 0s}}\n"
             "load: {one: {rate: 40/s}, two: {rate: 20/s}}\n"
             "client: {deadline: none, timeout: 500ms, retry: {maxAttempts: 2, backoff: none}}\n"
             "%s%s",
             faults, rest);
    return text;
}

static uint64_t digest_of(struct lab *lab, const struct run_spec *arm, int64_t until_ns)
{
    world_reset(lab->world, arm, lab->seed, NULL);
    world_run(lab->world, until_ns, UINT64_MAX);
    return world_digest(lab->world);
}

/* Whatever a fault does to processors, loads or policies, its control arm is the run without it,
 * event for event, and what arrives anyhow is the same in the arm with it. */
TEST(metastability, every_kind_of_trigger_is_left_out_without_a_trace)
{
    static const char *const triggers[] = {
        "kind: StressChaos, action: capacity, factor: 20%, mode: all",
        "kind: LoadChaos, factor: 180%",
        "kind: LoadChaos, factor: 20%, loads: [two]",
        "kind: ClientChaos, client: {timeout: 20ms, retry: {maxAttempts: 9}}",
        "kind: NodeChaos, action: pause, mode: rolling, interval: 1s",
    };
    for (uint32_t i = 0; i < ARRAY_COUNT(triggers); i++) {
        char text[2048];
        char faults[512];
        struct planned with;
        struct planned without;
        struct lab lab;
        struct arena arena;
        struct run_spec control;
        struct vec first;
        struct vec other;
        snprintf(faults, sizeof(faults), "faults:\n  - {name: it, %s, at: 10s, duration: 4s}\n",
                 triggers[i]);
        REQUIRE(plan_open(&with, calm(text, sizeof(text), faults, "metastability: {}\n")));
        REQUIRE(plan_open(&without, calm(text, sizeof(text), "", "")));
        const struct run_spec *whole = &with.plan.cells[0].spec;
        arena_init(&arena);
        vec_init(&first, sizeof(struct wish), UINT32_MAX);
        vec_init(&other, sizeof(struct wish), UINT32_MAX);
        lab_open(&lab, 7);
        metastability_derive(whole, ARM_CONTROL, &arena, &control);
        CHECK_EQUAL(control.fault_count, 0);
        uint64_t plain = digest_of(&lab, &without.plan.cells[0].spec, 50 * NS_PER_S);
        CHECK(digest_of(&lab, &control, 50 * NS_PER_S) == plain);
        CHECK(digest_of(&lab, whole, 50 * NS_PER_S) != plain);
        collect(&lab, whole, 0, &first);
        collect(&lab, &control, 0, &other);
        uint32_t found = 0;
        for (uint32_t at = 0; at < first.count && found < other.count; at++) {
            found += memcmp(vec_at(&first, at), vec_at(&other, found), sizeof(struct wish)) == 0;
        }
        CHECK(first.count > 2000);
        CHECK(found > 2000); /* of those of the first minute all are there */
        lab_close(&lab);
        vec_release(&first);
        vec_release(&other);
        arena_release(&arena);
        planned_close(&with);
        planned_close(&without);
    }
}

/* A verdict of a storm that each of them sets off. */
TEST(metastability, capacity_and_load_are_triggers_and_a_policy_may_be_the_end)
{
    static const struct {
        const char *faults;
        enum metastability verdict;
    } rows[] = {
        {"  - {name: it, kind: StressChaos, action: capacity, factor: 20%, mode: all, at: 10s, "
         "duration: 3s}\n",
         METASTABILITY_METASTABLE},
        {"  - {name: it, kind: StressChaos, action: capacity, factor: 20%, mode: all, at: 10s, "
         "duration: 200ms}\n",
         METASTABILITY_STABLE},
        {"  - {name: it, kind: LoadChaos, factor: 300%, at: 10s, duration: 3s}\n",
         METASTABILITY_METASTABLE},
        {"  - {name: it, kind: LoadChaos, factor: 120%, at: 10s, duration: 3s}\n",
         METASTABILITY_STABLE},
        {"  - {name: it, kind: LoadChaos, factor: 300%, at: 10s, duration: 3s}\n"
         "  - {name: end, kind: ClientChaos, client: {retry: {maxAttempts: 1}}, at: 20s, duration: "
         "forever}\n",
         METASTABILITY_STABLE},
    };
    for (uint32_t i = 0; i < ARRAY_COUNT(rows); i++) {
        char text[2048];
        char faults[1024];
        struct run_result result;
        result_init(&result);
        snprintf(faults, sizeof(faults), "faults:\n%s", rows[i].faults);
        judge_storm(calm(text, sizeof(text), faults,
                         "metastability: {trigger: it, within: 20s, probe: restart}\n"),
                    3, &result);
        CHECK_EQUAL(result.metastability, rows[i].verdict);
        result_release(&result);
    }
}

/* Of all operations as far as they have come, and the number of events: the digest of the run has
 * the numbers of faults in it, and a restart is one fault more. */
static uint64_t state_at(struct lab *lab, const struct run_spec *arm, int64_t until_ns)
{
    world_reset(lab->world, arm, lab->seed, NULL);
    world_run(lab->world, until_ns, UINT64_MAX);
    const struct vec *operations = &lab->world->history.operations;
    uint64_t state = lab->world->sched.stats.fired;
    for (uint32_t i = 0; i < operations->count; i++) {
        const struct sq_operation *one = vec_at(operations, i);
        state = hash_mix(state, hash_mix((uint64_t)one->intended, (uint64_t)one->completed));
        state = hash_mix(state, hash_mix(one->attempts, one->result));
    }
    return state;
}

TEST(metastability, a_probe_starts_from_the_very_state_that_was_stuck)
{
    static const char *const scenarios[] = {storm, storm_shed, storm_off};
    for (uint32_t i = 0; i < ARRAY_COUNT(scenarios); i++) {
        struct planned planned;
        struct lab lab;
        struct arena arena;
        REQUIRE(plan_open(&planned, scenarios[i]));
        const struct run_spec *whole = &planned.plan.cells[0].spec;
        struct run_spec doubled;
        struct run_spec probe;
        arena_init(&arena);
        lab_open(&lab, 2);
        metastability_derive(whole, ARM_DOUBLED, &arena, &doubled);
        metastability_derive(whole, ARM_PROBE, &arena, &probe);
        int64_t before = whole->limit_ns - 1;
        uint64_t trigger = state_at(&lab, whole, before);
        CHECK(state_at(&lab, &doubled, before) == trigger);
        CHECK(state_at(&lab, &probe, before) == trigger);
        lab_close(&lab);
        arena_release(&arena);
        planned_close(&planned);
    }
}

/* What a relief does, between its instants and only there. */
TEST(metastability, a_relief_holds_back_retries_or_operations_and_nothing_else)
{
    struct planned planned;
    struct lab lab;
    struct arena arena;
    struct run_result result;
    REQUIRE(plan_open(&planned, storm_off));
    const struct run_spec *whole = &planned.plan.cells[0].spec;
    struct run_spec probe;
    arena_init(&arena);
    result_init(&result);
    lab_open(&lab, 2);
    metastability_derive(whole, ARM_PROBE, &arena, &probe);
    run_arm(&lab, &probe, &result);
    uint32_t again = 0;
    for (uint32_t i = 0; i < lab.world->history.operations.count; i++) {
        const struct sq_operation *one = vec_at(&lab.world->history.operations, i);
        bool is_relieved = one->intended >= 60 * NS_PER_S && one->intended < 79 * NS_PER_S;
        CHECK(!is_relieved || one->attempts == 1);
        again += one->intended > 81 * NS_PER_S && one->attempts == 2;
    }
    CHECK(again > 100);
    probe.relief = (struct spec_relief){.from_ns = 60 * NS_PER_S,
                                        .until_ns = 80 * NS_PER_S,
                                        .is_shed = true,
                                        .shed_to = (UINT64_C(1) << 32) / 4};
    run_arm(&lab, &probe, &result);
    uint64_t meanwhile = 0;
    uint64_t after = 0;
    for (uint32_t i = 0; i < result.windows.count; i++) {
        const struct result_window *window = vec_at(&result.windows, i);
        meanwhile +=
            window->t_ns >= 60 * NS_PER_S && window->t_ns < 80 * NS_PER_S ? window->offered : 0;
        after +=
            window->t_ns >= 80 * NS_PER_S && window->t_ns < 100 * NS_PER_S ? window->offered : 0;
    }
    CHECK(meanwhile > 220 && meanwhile < 380); /* a quarter of 1200 */
    CHECK(after > 1050 && after < 1350);
    lab_close(&lab);
    result_release(&result);
    arena_release(&arena);
    planned_close(&planned);
}

/* -------------------------------------------------------------------------------- language and
 * file */

static void complains(const char *tail, const char *part)
{
    char yaml[4096];
    snprintf(yaml, sizeof(yaml), "%s%s", storm_plain, tail);
    struct diag diag;
    struct arena arena;
    struct run_spec compiled;
    diag_init(&diag);
    arena_init(&arena);
    struct scenario *scenario =
        scenario_parse("t.yaml", yaml, strlen(yaml), &planned_catalog, &diag);
    bool is_fine =
        scenario != NULL && scenario_compile(scenario, NULL, 0, &arena, &compiled, &diag);
    CHECK(!is_fine);
    if (diag.kept == 0 || strstr(diag.entries[0].text, part) == NULL) {
        CHECK_TEXT(diag.kept > 0 ? diag.entries[0].text : "", part);
    }
    scenario_free(scenario);
    arena_release(&arena);
    diag_release(&diag);
}

TEST(metastability, wrong_blocks_are_refused_with_a_reason)
{
    complains("metastability: {trigger: spyke}\n", "did you mean 'spike'");
    complains("metastability: {trigger: [pause, early]}\n", "'early' is no trigger");
    complains("metastability: {recovered: goodput >= 0.9 * baseline}\n", "0.9 * offered");
    complains("metastability: {probe: reboot}\n", "restart");
    complains("metastability: {}\nexpect: {violated: [metastabel]}\n", "'metastable'");
    complains("metastability: {within: 0s}\n", "at least");
    complains("expect: {violated: [metastable]}\n", "add 'metastability'");
    complains("expect: {violated: [metastabel]}\n", "did you mean 'metastable'?");
}

TEST(metastability, a_verdict_needs_a_trigger)
{
    static const char text[] = "squall: 1\nname: calm\nsystem: {model: server, nodes: 1}\n"
                               "load: {a: {rate: 1/s}}\nmetastability: {}\n";
    struct diag diag;
    struct arena arena;
    struct run_spec compiled;
    diag_init(&diag);
    arena_init(&arena);
    struct scenario *scenario =
        scenario_parse("t.yaml", text, strlen(text), &planned_catalog, &diag);
    CHECK(scenario == NULL || !scenario_compile(scenario, NULL, 0, &arena, &compiled, &diag));
    REQUIRE(diag.kept > 0);
    CHECK(strstr(diag.entries[0].text, "there is no trigger") != NULL);
    scenario_free(scenario);
    arena_release(&arena);
    diag_release(&diag);
}

TEST(metastability, a_verdict_and_its_arms_are_rows_of_the_results_file)
{
    static const struct step relieved[] = {{10, 100}, {65, 0}, {1000, 100}};
    char path[] = "/tmp/squall-metastability-XXXXXX";
    int file = mkstemp(path);
    REQUIRE(file >= 0);
    close(file);
    struct run_result result;
    result_init(&result);
    set_up();
    judge((const struct step *const[]){never_back, always_well, never_back, relieved}, &result);
    struct results *results = results_open(path, RESULTS_APPEND, NULL);
    REQUIRE(results != NULL);
    int64_t scenario_id = 0;
    int64_t build_id = 0;
    int64_t cell_id = 0;
    CHECK(results_add_scenario(results, &(struct results_scenario){"s", "name: s", 1}, &scenario_id,
                               NULL));
    CHECK(results_add_build(results, &(struct results_build){"1", NULL, "cc", "{}"}, &build_id,
                            NULL));
    CHECK(results_add_cell(results,
                           &(struct results_cell){scenario_id, build_id, "a=1", -1, NULL, 0},
                           &cell_id, NULL));
    char before[17];
    char after[17];
    CHECK(results_digest(results, before, NULL));
    CHECK(results_add_run(results, cell_id, &result, NULL, NULL, NULL));
    CHECK(results_digest(results, after, NULL));
    CHECK(strcmp(before, after) != 0);
    static const struct {
        const char *sql;
        int64_t value;
    } questions[] = {
        {"SELECT metastable FROM run", 1},
        {"SELECT count(*) FROM arm", 4},
        {"SELECT count(*) FROM arm_window", 60 + 120 + 120 + 110},
        {"SELECT metastable FROM v_metastability", 1},
        {"SELECT censored_ns/1000000000 FROM metastability WHERE recovery_ns IS NULL", 100},
        {"SELECT value FROM metric WHERE name='metastability.amplification'", 3},
        {"SELECT violated FROM check_count WHERE name='metastable'", 1},
        {"SELECT count(*) FROM arm WHERE arm='probe' AND outcome='recovered'", 1},
    };
    for (uint32_t i = 0; i < ARRAY_COUNT(questions); i++) {
        int64_t value = -1;
        CHECK(results_query_integer(results, questions[i].sql, -1, &value, NULL));
        CHECK_EQUAL(value, questions[i].value);
    }
    CHECK(results_close(results, NULL));
    result_release(&result);
    unlink(path);
}
