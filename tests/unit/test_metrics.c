/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Windows, availability and recovery against numbers worked out by hand, and the judge around them.
 */
#include "tests/unit/judge_fixture.h"

static struct fixture f;

/* An operation intended at `start` that completes after `latency`; both in ms. Events must come in
 * order of time, so operations here do not overlap. */
static void operate(int64_t start_ms, int64_t latency_ms, enum sq_outcome outcome)
{
    f.now = (start_ms - 1) * NS_PER_MS;
    uint64_t id = fixture_invoke(&f, SQ_KV_READ, 1, 0);
    f.now = (start_ms + latency_ms - 1) * NS_PER_MS;
    fixture_complete(&f, id, outcome, 0);
}

/* One OK operation of 1 ms every `step` ms in [from, until). */
static void load(int64_t from_ms, int64_t until_ms, int64_t step_ms)
{
    for (int64_t at = from_ms; at < until_ms; at += step_ms) {
        operate(at == 0 ? 1 : at, 1, SQ_OUTCOME_OK);
    }
}

static enum verdict finish_at(int64_t ms)
{
    f.now = ms * NS_PER_MS;
    return fixture_finish(&f);
}

static void start(void)
{
    fixture_init(&f, 3);
    judge_keep_windows(f.judge, JUDGE_WINDOWS_ALL);
}

TEST(metrics, windows_count_what_happened_in_them)
{
    start();
    fixture_begin(&f);
    operate(10, 20, SQ_OUTCOME_OK);
    operate(50, 70, SQ_OUTCOME_OK); /* completes in the second window */
    operate(130, 5, SQ_OUTCOME_FAIL);
    operate(140, 5, SQ_OUTCOME_INFO);
    operate(150, 10, SQ_OUTCOME_OK);
    operate(170, 30, SQ_OUTCOME_OK); /* completes in the third */
    finish_at(250);
    REQUIRE(f.result.windows.count == 3);
    const struct result_window *windows = f.result.windows.items;
    CHECK_EQUAL(windows[0].offered, 2);
    CHECK_EQUAL(windows[0].ok, 1);
    CHECK_EQUAL(windows[0].in_flight, 1);
    CHECK_EQUAL(windows[0].p50_ns, 20 * NS_PER_MS);
    CHECK_EQUAL(windows[1].offered, 4);
    CHECK_EQUAL(windows[1].attempts, 4);
    CHECK_EQUAL(windows[1].ok, 2);
    CHECK_EQUAL(windows[1].failed, 1);
    CHECK_EQUAL(windows[1].info, 1);
    CHECK_EQUAL(windows[1].p50_ns, 10 * NS_PER_MS);
    CHECK_EQUAL(windows[1].p99_ns, 70 * NS_PER_MS);
    CHECK_EQUAL(windows[2].t_ns, 200 * NS_PER_MS);
    CHECK_EQUAL(windows[2].duration_ns, 50 * NS_PER_MS);
    CHECK_EQUAL(windows[2].ok, 1);
    CHECK_EQUAL(f.result.offered, 6);
    CHECK_EQUAL(f.result.attempts, 6);
    CHECK_EQUAL(f.result.ok, 4);
    CHECK_EQUAL(f.result.failed, 1);
    CHECK_EQUAL(f.result.info, 1);
    CHECK_EQUAL(f.result.latency.count, 4);
    CHECK_EQUAL(f.result.latency.minimum, 10 * NS_PER_MS);
    fixture_release(&f);
}

TEST(metrics, a_window_without_answers_has_no_latency)
{
    start();
    fixture_begin(&f);
    operate(10, 5, SQ_OUTCOME_FAIL);
    finish_at(100);
    REQUIRE(f.result.windows.count == 1);
    const struct result_window *window = f.result.windows.items;
    CHECK_EQUAL(window->p50_ns, -1);
    CHECK_EQUAL(window->p99_ns, -1);
    fixture_release(&f);
}

TEST(metrics, the_warm_up_is_in_the_series_only)
{
    start();
    f.spec.warmup_ns = 1500 * NS_PER_MS;
    fixture_begin(&f);
    load(0, 3500, 100);
    finish_at(3500);
    CHECK_EQUAL(f.result.offered, 20);
    CHECK_EQUAL(f.result.ok, 20);
    CHECK_EQUAL(f.result.measured_ns, 2000 * NS_PER_MS);
    CHECK_EQUAL(f.result.up_ns, 2000 * NS_PER_MS);
    CHECK_EQUAL(f.result.windows.count, 35);
    fixture_release(&f);
}

TEST(metrics, a_window_is_up_when_enough_succeeded)
{
    start();
    f.spec.availability.success_min = RNG_ALWAYS / 2;
    fixture_begin(&f);
    load(0, 1000, 100);
    load(1000, 1500, 100);
    for (int64_t at = 1500; at < 2000; at += 100) {
        operate(at, 1, SQ_OUTCOME_FAIL);
    }
    load(2000, 2400, 100);
    for (int64_t at = 2400; at < 3000; at += 100) {
        operate(at, 1, SQ_OUTCOME_INFO);
    }
    finish_at(3000);
    CHECK_EQUAL(f.result.measured_ns, 3 * NS_PER_S);
    CHECK_EQUAL(f.result.up_ns, 2 * NS_PER_S); /* half is enough, four tenths are not */
    const struct result_window *windows = f.result.windows.items;
    CHECK(windows[5].is_up);
    CHECK(windows[15].is_up);
    CHECK(!windows[25].is_up);
    fixture_release(&f);
}

TEST(metrics, a_window_is_down_when_answers_are_slow)
{
    start();
    f.spec.availability.p99_max_ns = 50 * NS_PER_MS;
    fixture_begin(&f);
    load(0, 1000, 100);
    operate(1000, 60, SQ_OUTCOME_OK);
    load(1100, 2000, 100);
    finish_at(2000);
    CHECK_EQUAL(f.result.measured_ns, 2 * NS_PER_S);
    CHECK_EQUAL(f.result.up_ns, NS_PER_S);
    fixture_release(&f);
}

/* A closed loop asks nothing while it waits: silence with an open operation goes on being what it
 * was. */
TEST(metrics, silence_while_clients_wait_is_not_evidence_of_health)
{
    start();
    fixture_begin(&f);
    load(0, 1000, 100);
    operate(1100, 2500, SQ_OUTCOME_INFO); /* nothing else until 3.6 s */
    load(4000, 5000, 100);
    finish_at(5000);
    CHECK_EQUAL(f.result.measured_ns, 5 * NS_PER_S);
    CHECK_EQUAL(f.result.up_ns, 2 * NS_PER_S);
    fixture_release(&f);
}

TEST(metrics, silence_without_waiting_clients_is_no_evidence_at_all)
{
    start();
    fixture_begin(&f);
    load(0, 1000, 100);
    load(3000, 4000, 100);
    finish_at(4000);
    CHECK_EQUAL(f.result.measured_ns, 2 * NS_PER_S);
    CHECK_EQUAL(f.result.up_ns, 2 * NS_PER_S);
    fixture_release(&f);
}

TEST(metrics, what_the_end_of_the_run_cuts_off_is_not_held_against_the_system)
{
    start();
    fixture_begin(&f);
    load(0, 2000, 100);
    f.now = 1999 * NS_PER_MS;
    uint64_t young = fixture_invoke(&f, SQ_KV_READ, 1, 0);
    f.now = 2004 * NS_PER_MS;
    fixture_complete(&f, young, SQ_OUTCOME_INFO, 0);
    fixture_finish(&f);
    CHECK_EQUAL(f.result.up_ns, 2 * NS_PER_S);
    CHECK_EQUAL(f.result.measured_ns, 2 * NS_PER_S);
    fixture_release(&f);
}

TEST(metrics, the_audit_is_not_measured)
{
    start();
    struct spec_load loads[1] = {
        {.name = "clients", .duration_ns = INT64_MAX, .client = {.timeout_ns = NS_PER_S}}};
    f.spec.loads = loads;
    f.spec.load_count = 1;
    f.spec.limit_ns = NS_PER_S;
    fixture_begin(&f);
    load(0, 1000, 100);
    f.now = 1100 * NS_PER_MS;
    uint64_t id = f.operation_count++;
    f.operations[id] = (struct sq_operation){.id = id,
                                             .load = 1,
                                             .kind = SQ_KV_READ,
                                             .intended = f.now,
                                             .invoked = f.now,
                                             .invoke_order = f.order++};
    f.observer->on_invoke(f.observer->context, &f.operations[id]);
    f.observer->on_attempt(f.observer->context, &f.operations[id], f.now);
    fixture_complete(&f, id, SQ_OUTCOME_OK, 0);
    finish_at(1200);
    CHECK_EQUAL(f.result.offered, 10);
    CHECK_EQUAL(f.result.ok, 10);
    CHECK_EQUAL(f.result.measured_ns, NS_PER_S);
    CHECK_EQUAL(f.result.windows.count, 10);
    fixture_release(&f);
}

/* ------------------------------------------------------------------------------------- recovery */

static void start_recovery(void)
{
    start();
    f.checks[0] = (struct spec_check){.word = SPEC_EVENTUALLY,
                                      .name = "recovers",
                                      .ratio_millionths = 900000,
                                      .within_ns = 3 * NS_PER_S};
    f.spec.check_count = 1;
    fixture_begin(&f);
    load(0, 2000, 10);
}

static void strike(int64_t from_ms, int64_t until_ms)
{
    f.now = from_ms * NS_PER_MS;
    fixture_fault(&f, 0, from_ms * NS_PER_MS, INT64_MAX);
    f.now = until_ms * NS_PER_MS;
    fixture_fault(&f, 0, from_ms * NS_PER_MS, until_ms * NS_PER_MS);
}

TEST(metrics, recovery_counts_from_the_end_of_the_last_fault)
{
    start_recovery();
    strike(2000, 3000);
    load(3000, 3600, 100);
    load(3600, 7000, 10);
    CHECK_EQUAL(finish_at(7000), VERDICT_PASS);
    CHECK_EQUAL(f.result.baseline_per_1000s, 100000);
    /* The first second with 90 operations or more is the one that starts at 3.6 s: 3.5 s would have
     * 91. */
    CHECK_EQUAL(f.result.recovery_ns, 500 * NS_PER_MS);
    CHECK_EQUAL(f.result.fault_total, 1);
    const struct result_check *row = vec_at(&f.result.checks, 0);
    CHECK_EQUAL(row->comparisons, 1);
    fixture_release(&f);
}

TEST(metrics, goodput_that_stays_away_is_a_violation)
{
    start_recovery();
    strike(2000, 3000);
    load(3000, 8000, 100);
    CHECK_EQUAL(finish_at(8000), VERDICT_FAIL);
    const struct result_violation *first = result_first_violation(&f.result);
    REQUIRE(first != NULL);
    CHECK_TEXT(first->message,
               "goodput was 100.0/s before the first fault and at best 10.0/s within 3s of the end "
               "of the last one");
    CHECK_EQUAL(first->time_ns, 6 * NS_PER_S);
    CHECK_EQUAL(f.result.recovery_ns, RESULT_RECOVERY_NEVER);
    fixture_release(&f);
}

TEST(metrics, goodput_that_comes_back_too_late_is_a_violation_with_a_recovery_time)
{
    start_recovery();
    strike(2000, 3000);
    load(3000, 7000, 100);
    load(7000, 9000, 10);
    CHECK_EQUAL(finish_at(9000), VERDICT_FAIL);
    CHECK_EQUAL(f.result.recovery_ns, 3900 * NS_PER_MS);
    fixture_release(&f);
}

TEST(metrics, too_little_time_after_the_fault_is_unknown)
{
    start_recovery();
    strike(2000, 3000);
    load(3000, 4000, 100);
    CHECK_EQUAL(finish_at(4000), VERDICT_UNKNOWN);
    CHECK_TEXT(f.result.reason, "recovers");
    fixture_release(&f);
}

TEST(metrics, a_fault_that_is_still_there_is_unknown)
{
    start_recovery();
    fixture_fault(&f, 0, 2 * NS_PER_S, INT64_MAX);
    load(2000, 9000, 100);
    CHECK_EQUAL(finish_at(9000), VERDICT_UNKNOWN);
    fixture_release(&f);
}

TEST(metrics, a_fault_without_end_is_over_once_it_has_struck)
{
    start();
    struct spec_fault faults[1] = {{.name = "stall", .has_no_end = true}};
    f.spec.faults = faults;
    f.spec.fault_count = 1;
    f.checks[0] = (struct spec_check){.word = SPEC_EVENTUALLY,
                                      .name = "recovers",
                                      .ratio_millionths = 900000,
                                      .within_ns = 3 * NS_PER_S};
    f.spec.check_count = 1;
    fixture_begin(&f);
    load(0, 2000, 10);
    fixture_fault(&f, 0, 2 * NS_PER_S, INT64_MAX);
    load(2000, 6000, 10);
    CHECK_EQUAL(finish_at(6000), VERDICT_PASS);
    CHECK_EQUAL(f.result.recovery_ns, 0);
    fixture_release(&f);
}

TEST(metrics, without_a_fault_there_is_nothing_to_recover_from)
{
    start_recovery();
    CHECK_EQUAL(finish_at(2000), VERDICT_PASS);
    CHECK_EQUAL(f.result.recovery_ns, RESULT_RECOVERY_NO_FAULT);
    const struct result_check *row = vec_at(&f.result.checks, 0);
    CHECK_EQUAL(row->comparisons, 0);
    fixture_release(&f);
}

TEST(metrics, without_goodput_before_the_fault_recovery_cannot_be_claimed)
{
    start();
    f.checks[0] = (struct spec_check){.word = SPEC_EVENTUALLY,
                                      .name = "recovers",
                                      .ratio_millionths = 900000,
                                      .within_ns = 3 * NS_PER_S};
    f.spec.check_count = 1;
    fixture_begin(&f);
    strike(1000, 2000);
    load(2000, 8000, 10);
    CHECK_EQUAL(finish_at(8000), VERDICT_FAIL);
    fixture_release(&f);
}

/* ---------------------------------------------------------------------------------------- judge */

TEST(judge, a_limit_that_was_reached_is_unknown_and_not_compared_nothing)
{
    fixture_start(&f, 3, "raft.election-safety");
    struct judge_end end = {.sim_ns = NS_PER_S, .limit = "event-limit"};
    judge_finish(f.judge, &end, &f.result);
    CHECK_EQUAL(f.result.verdict, VERDICT_UNKNOWN);
    CHECK_TEXT(f.result.reason, "event-limit");
    CHECK_EQUAL(f.result.violations.count, 0);
    fixture_release(&f);
}

TEST(judge, a_violation_weighs_more_than_a_limit)
{
    fixture_start(&f, 3, "raft.election-safety");
    fixture_see(&f, 0, SQ_SEE_LEADER, 1, 0, 0);
    fixture_see(&f, 1, SQ_SEE_LEADER, 1, 0, 0);
    struct judge_end end = {.sim_ns = f.now, .limit = "cpu-limit"};
    judge_finish(f.judge, &end, &f.result);
    CHECK_EQUAL(f.result.verdict, VERDICT_FAIL);
    fixture_release(&f);
}

static void two_leaders(void)
{
    fixture_see(&f, 0, SQ_SEE_LEADER, 1, 0, 0);
    fixture_see(&f, 1, SQ_SEE_LEADER, 1, 0, 0);
}

TEST(judge, a_known_defect_does_not_fail_the_run)
{
    fixture_init(&f, 3);
    fixture_add_check(&f, SPEC_ALWAYS, "raft.election-safety");
    f.known[0] = (struct spec_known){.check = "raft.election-safety", .library = "madeup 1."};
    f.spec.known_count = 1;
    fixture_begin(&f);
    two_leaders();
    CHECK_EQUAL(fixture_finish(&f), VERDICT_PASS);
    REQUIRE(f.result.violations.count == 1);
    const struct result_violation *violation = vec_at(&f.result.violations, 0);
    CHECK(violation->is_known);
    CHECK(result_first_violation(&f.result) == NULL);
    const struct result_check *row = vec_at(&f.result.checks, 0);
    CHECK(row->is_known);
    CHECK(!row->is_violated);
    fixture_release(&f);
}

TEST(judge, a_known_defect_of_another_version_fails_the_run)
{
    fixture_init(&f, 3);
    fixture_add_check(&f, SPEC_ALWAYS, "raft.election-safety");
    f.known[0] = (struct spec_known){.check = "raft.election-safety", .library = "madeup 2."};
    f.spec.known_count = 1;
    fixture_begin(&f);
    two_leaders();
    CHECK_EQUAL(fixture_finish(&f), VERDICT_FAIL);
    fixture_release(&f);
}

TEST(judge, after_a_known_defect_only_listed_checks_are_excused)
{
    fixture_init(&f, 3);
    fixture_add_check(&f, SPEC_ALWAYS, "raft.election-safety");
    fixture_add_check(&f, SPEC_ALWAYS, "state-machine-agreement");
    fixture_add_check(&f, SPEC_ALWAYS, "raft.no-stray-message");
    f.known[0] = (struct spec_known){.check = "raft.election-safety", .library = "madeup"};
    f.known[1] = (struct spec_known){.check = "state-machine-agreement", .library = "another"};
    f.spec.known_count = 2;
    fixture_begin(&f);
    two_leaders();
    fixture_see(&f, 0, SQ_SEE_APPLY, 1, 1, 0);
    fixture_see(&f, 1, SQ_SEE_APPLY, 1, 2, 0);
    CHECK(judge_first_violation(f.judge) == NULL);
    fixture_see(&f, 0, SQ_SEE_STRAY, 9, 0, 0);
    CHECK_EQUAL(fixture_finish(&f), VERDICT_FAIL);
    CHECK_TEXT(f.result.reason, "raft.no-stray-message");
    CHECK_EQUAL(f.result.violations.count, 3);
    fixture_release(&f);
}

TEST(judge, an_invariant_of_the_model_fails_the_run_under_its_name)
{
    fixture_init(&f, 3);
    fixture_begin(&f);
    f.observer->on_always(f.observer->context, 1, 5, 6, "queue-is-sorted", "3 after 4");
    f.observer->on_always(f.observer->context, 2, 7, 8, "queue-is-sorted", "again");
    CHECK_EQUAL(fixture_finish(&f), VERDICT_FAIL);
    CHECK_TEXT(f.result.reason, "queue-is-sorted");
    REQUIRE(f.result.violations.count == 1);
    const struct result_violation *violation = vec_at(&f.result.violations, 0);
    CHECK_TEXT(violation->message, "3 after 4");
    CHECK_TEXT(violation->node_name, "n2");
    fixture_release(&f);
}

TEST(judge, probes_are_counted_and_those_asked_for_are_listed)
{
    fixture_init(&f, 3);
    fixture_add_check(&f, SPEC_SOMETIMES, "raft.leader-changed");
    fixture_add_check(&f, SPEC_SOMETIMES, "never-seen");
    fixture_begin(&f);
    fixture_see(&f, 0, SQ_SEE_LEADER, 1, 0, 0);
    fixture_see(&f, 1, SQ_SEE_LEADER, 2, 0, 0);
    f.observer->on_sometimes(f.observer->context, 0, 1, "rare-branch");
    fixture_fault(&f, 0, NS_PER_MS, INT64_MAX);
    fixture_fault(&f, 0, NS_PER_MS, 2 * NS_PER_MS);
    CHECK_EQUAL(fixture_finish(&f), VERDICT_PASS);
    REQUIRE(f.result.probes.count == 4);
    const struct result_probe *probes = f.result.probes.items;
    CHECK_TEXT(probes[0].name, "fault.struck");
    CHECK_EQUAL(probes[0].hits, 1);
    CHECK(!probes[0].is_asked);
    CHECK_TEXT(probes[1].name, "never-seen");
    CHECK_EQUAL(probes[1].hits, 0);
    CHECK(probes[1].is_asked);
    CHECK_TEXT(probes[2].name, "raft.leader-changed");
    CHECK_EQUAL(probes[2].hits, 1);
    CHECK_TEXT(probes[3].name, "rare-branch");
    fixture_release(&f);
}

TEST(judge, a_retry_after_the_time_out_is_seen_and_an_earlier_one_is_not)
{
    fixture_init(&f, 3);
    struct spec_load loads[1] = {
        {.name = "clients", .duration_ns = INT64_MAX, .client = {.timeout_ns = 100 * NS_PER_MS}}};
    f.spec.loads = loads;
    f.spec.load_count = 1;
    fixture_begin(&f);
    uint64_t id = fixture_invoke(&f, SQ_KV_READ, 1, 0);
    f.now += 50 * NS_PER_MS;
    f.observer->on_attempt(f.observer->context, &f.operations[id], f.now);
    fixture_complete(&f, id, SQ_OUTCOME_OK, 0);
    fixture_finish(&f);
    CHECK_EQUAL(f.result.probes.count, 0);
    fixture_begin(&f);
    id = fixture_invoke(&f, SQ_KV_READ, 1, 0);
    f.now += 100 * NS_PER_MS;
    f.observer->on_attempt(f.observer->context, &f.operations[id], f.now);
    fixture_complete(&f, id, SQ_OUTCOME_OK, 0);
    fixture_finish(&f);
    REQUIRE(f.result.probes.count == 1);
    const struct result_probe *probe = vec_at(&f.result.probes, 0);
    CHECK_TEXT(probe->name, "client.retried-after-timeout");
    fixture_release(&f);
}

static uint32_t told;
static void count_violation(void *context, const struct result_violation *violation)
{
    (void)context;
    CHECK_TEXT(violation->check, "raft.election-safety");
    told++;
}

TEST(judge, tells_of_a_violation_inside_the_event_that_shows_it)
{
    fixture_start(&f, 3, "raft.election-safety");
    told = 0;
    judge_on_violation(f.judge, count_violation, NULL);
    fixture_see(&f, 0, SQ_SEE_LEADER, 1, 0, 0);
    CHECK_EQUAL(told, 0);
    fixture_see(&f, 1, SQ_SEE_LEADER, 1, 0, 0);
    CHECK_EQUAL(told, 1);
    fixture_see(&f, 2, SQ_SEE_LEADER, 1, 0, 0);
    CHECK_EQUAL(told, 1);
    fixture_finish(&f);
    fixture_release(&f);
}

TEST(judge, keeps_the_series_of_runs_that_do_not_pass)
{
    fixture_start(&f, 3, "raft.election-safety");
    fixture_see(&f, 0, SQ_SEE_LEADER, 1, 0, 0);
    fixture_finish(&f);
    CHECK_EQUAL(f.result.windows.count, 0);
    fixture_begin(&f);
    two_leaders();
    fixture_finish(&f);
    CHECK(f.result.windows.count > 0);
    judge_keep_windows(f.judge, JUDGE_WINDOWS_NONE);
    fixture_begin(&f);
    two_leaders();
    fixture_finish(&f);
    CHECK_EQUAL(f.result.windows.count, 0);
    fixture_release(&f);
}

TEST(judge, every_check_has_a_name_and_a_description)
{
    for (uint32_t i = 0; checks_names[i] != NULL; i++) {
        CHECK(checks_description(checks_names[i]) != NULL);
        CHECK(i == 0 || strcmp(checks_names[i - 1], checks_names[i]) < 0);
        fixture_start(&f, 1, checks_names[i]);
        fixture_life(&f, 0, SQ_LIFE_BOOT);
        fixture_finish(&f);
        CHECK_EQUAL(f.result.checks.count, 1);
        fixture_release(&f);
    }
    for (uint32_t i = 0; checks_probes[i] != NULL; i++) {
        CHECK(checks_description(checks_probes[i]) != NULL);
    }
    CHECK(checks_description("recovers") != NULL);
    CHECK(checks_description("no-such-check") == NULL);
}
