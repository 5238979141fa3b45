/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Plans: cells, labels, overrides, seeds, and the identity of the work. */
#include "sim/input/plan.h"

#include "tests/unit/harness.h"
#include "tests/unit/input_catalog.h"

#include <stdio.h>
#include <stdlib.h>

static struct diag diag;
static struct scenario *scenario;
static struct plan plan;
static bool is_built;

static const char body[] = "squall: 1\nname: t\nsystem: {model: raft, nodes: 3}\n"
                           "load: {a: {rate: 1/s}}\n"
                           "client: {retry: {preset: grpc, maxAttempts: 9}}\nseeds: 1..50\n";

static bool build(const char *extra, const char *const *sets, uint32_t set_count, const char *seeds,
                  bool is_quick)
{
    char text[4096];
    snprintf(text, sizeof(text), "%s%s", body, extra);
    diag_init(&diag);
    is_built = false;
    scenario = scenario_parse("t.yaml", text, strlen(text), &test_catalog, &diag);
    if (scenario != NULL) {
        struct plan_options options = {
            .sets = sets, .set_count = set_count, .seeds = seeds, .is_quick = is_quick};
        is_built = plan_build(&plan, scenario, &options, &diag);
        CHECK_EQUAL(is_built, diag.count == 0);
    }
    return is_built;
}

static void release(void)
{
    if (is_built) {
        plan_release(&plan);
    }
    scenario_free(scenario);
    diag_release(&diag);
}

static void check_refused(const char *extra, const char *const *sets, uint32_t set_count,
                          const char *seeds, const char *part)
{
    CHECK(!build(extra, sets, set_count, seeds, false));
    if (diag.kept == 0 || strstr(diag.entries[0].text, part) == NULL) {
        CHECK_TEXT(diag.kept == 0 ? "" : diag.entries[0].text, part);
    }
    release();
}

TEST(plan, without_a_sweep_there_is_one_cell)
{
    REQUIRE(build("", NULL, 0, NULL, false));
    CHECK_TEXT(plan.name, "t");
    CHECK_EQUAL(plan.cell_count, 1);
    CHECK_TEXT(plan.cells[0].label, "");
    CHECK_TEXT(plan.cells[0].params_json, "{}");
    CHECK_EQUAL(plan.cells[0].set_count, 0);
    CHECK_EQUAL(plan.cells[0].replicas, 3);
    CHECK_EQUAL(plan.seed_count, 50);
    CHECK_EQUAL(strlen(plan.id.hex), 64);
    release();
}

TEST(plan, the_last_axis_turns_fastest)
{
    REQUIRE(build("sweep: {system.nodes: [1, 3, 5], client.retry.preset: [none, naive]}\n", NULL, 0,
                  NULL, false));
    REQUIRE(plan.cell_count == 6);
    static const char *const labels[] = {"nodes=1 preset=none", "nodes=1 preset=naive",
                                         "nodes=3 preset=none", "nodes=3 preset=naive",
                                         "nodes=5 preset=none", "nodes=5 preset=naive"};
    for (uint32_t index = 0; index < 6; index++) {
        CHECK_TEXT(plan.cells[index].label, labels[index]);
        CHECK_EQUAL(plan.cells[index].replicas, 1 + index / 2 * 2);
        /* The preset begins anew: the file's nine attempts are not for other presets. */
        CHECK_EQUAL(plan.cells[index].spec.loads[0].client.attempts_max,
                    index % 2 == 0 ? 1 : UINT32_MAX);
    }
    CHECK_TEXT(plan.cells[5].params_json,
               "{\"system.nodes\": 5, \"client.retry.preset\": \"naive\"}");
    CHECK_EQUAL(plan.cells[5].set_count, 2);
    CHECK_TEXT(plan.cells[5].sets[0], "system.nodes=5");
    CHECK_TEXT(plan.cells[5].sets[1], "client.retry.preset=naive");
    release();
}

/* What is expected of the cells of nodes [1, 3, 5]. */
static bool build_expecting(const char *verdicts, const char *const *sets, uint32_t set_count)
{
    char extra[512];
    snprintf(extra, sizeof(extra),
             "faults: [{name: f, kind: NodeChaos, action: pause, at: 5s, duration: 1s}]\n"
             "metastability: {}\nexpect: {verdicts: %s}\nsweep: {system.nodes: [1, 3, 5]}\n",
             verdicts);
    return build(extra, sets, set_count, NULL, false);
}

TEST(plan, expected_verdicts_are_told_by_parts_of_labels)
{
    static const uint32_t stable = 1 << SPEC_VERDICT_STABLE;
    static const uint32_t metastable = 1 << SPEC_VERDICT_METASTABLE;
    static const uint32_t permanent = 1 << SPEC_VERDICT_PERMANENT;
    REQUIRE(build_expecting("{metastable: [nodes=3, nodes=5], permanent: nodes=5, stable: all}",
                            NULL, 0));
    CHECK_EQUAL(plan.cells[0].spec.verdicts_expected, stable);
    CHECK_EQUAL(plan.cells[1].spec.verdicts_expected, metastable);
    CHECK_EQUAL(plan.cells[2].spec.verdicts_expected, metastable | permanent);
    CHECK(plan.cells[0].spec.expect_share == UINT64_C(1) << 32);
    release();
    REQUIRE(build_expecting("{unstable: nodes=3, share: 75%}", NULL, 0));
    CHECK_EQUAL(plan.cells[0].spec.verdicts_expected, 0);
    CHECK_EQUAL(plan.cells[1].spec.verdicts_expected, 1 << SPEC_VERDICT_UNSTABLE);
    CHECK(plan.cells[0].spec.expect_share == UINT64_C(3) << 30);
    release();
}

TEST(plan, an_expected_verdict_of_no_cell_is_refused)
{
    CHECK(!build_expecting("{stable: [nodes=1, nodes=7]}", NULL, 0));
    REQUIRE(diag.kept == 1);
    CHECK(strstr(diag.entries[0].text, "no cell of the sweep has 'nodes=7'") != NULL);
    release();
    static const char *const sets[] = {"system.nodes=1"};
    CHECK(build_expecting("{stable: nodes=1, metastable: nodes=3}", sets, 1));
    release();
    CHECK(!build_expecting("{}", NULL, 0));
    release();
    CHECK(!build_expecting("{stable: all, share: 0%}", NULL, 0));
    release();
    check_refused("expect: {verdicts: {stable: all}}\n", NULL, 0, NULL,
                  "verdicts are of scenarios with 'metastability'");
}

TEST(plan, a_gate_is_for_the_cells_that_must_be_stable)
{
    static const char text[] =
        "faults: [{name: f, kind: NodeChaos, action: pause, at: 5s, duration: 1s}]\n"
        "metastability: {gate: {accept: 2%%, reject: 50%%}}\n%s"
        "sweep: {system.nodes: [1, 3]}\n";
    char extra[512];
    snprintf(extra, sizeof(extra), text, "expect: {verdicts: {metastable: nodes=3}}\n");
    REQUIRE(build(extra, NULL, 0, NULL, false));
    CHECK_EQUAL(plan.cells[0].spec.verdicts_expected, 1 << SPEC_VERDICT_STABLE);
    CHECK_EQUAL(plan.cells[1].spec.verdicts_expected, 1 << SPEC_VERDICT_METASTABLE);
    CHECK(plan.cells[0].spec.metastability.has_gate);
    CHECK(plan.cells[0].spec.metastability.gate_reject == UINT64_C(1) << 31);
    CHECK_EQUAL(plan.cells[0].spec.metastability.gate_error, 42949673); /* 1 % of 2^32 */
    release();
    snprintf(extra, sizeof(extra), text, "expect: {violated: [metastable]}\n");
    check_refused(extra, NULL, 0, NULL, "which cells are not stable");
}

TEST(plan, a_gate_tells_a_small_share_from_a_larger_one)
{
    static const char *const bad[] = {"{accept: 10%, reject: 1%}",
                                      "{accept: 5%, reject: 5%}",
                                      "{accept: 0%}",
                                      "{reject: 100%}",
                                      "{error: 0%}",
                                      "{error: 50%}"};
    for (uint32_t i = 0; i < ARRAY_COUNT(bad); i++) {
        char extra[512];
        snprintf(extra, sizeof(extra),
                 "faults: [{name: f, kind: NodeChaos, action: pause, at: 5s, duration: 1s}]\n"
                 "metastability: {gate: %s}\n",
                 bad[i]);
        check_refused(extra, NULL, 0, NULL, i < 4 ? "0% < accept < reject < 100%" : "above 0%");
    }
}

TEST(plan, a_threshold_of_what_is_metastable_needs_the_four_arms)
{
    static const char asked[] = "thresholds: {metastable: \"rate < 1%\"}\n";
    char extra[512];
    check_refused(asked, NULL, 0, NULL, "add 'metastability'");
    snprintf(extra, sizeof(extra),
             "faults: [{name: f, kind: NodeChaos, action: pause, at: 5s, duration: 1s}]\n"
             "metastability: {}\n%s",
             asked);
    REQUIRE(build(extra, NULL, 0, NULL, false));
    release();
}

TEST(plan, a_threshold_of_an_unknown_service_suggests_a_known_one)
{
    static const char *const fleet = "availability: {life: 99h, repair: 1h, services: [{name: "
                                     "writes}, {name: reads, needed: any}]}\n";
    static const struct {
        const char *what;
        const char *metric;
        const char *value;
        const char *part;
    } cases[] = {
        {"fleet", "downtime{service:reds}", "1h", "'reds'; did you mean 'reads'?"},
        {"fleet", "downtime{service:zzzzzz}", "1h", "'zzzzzz'; write for example 'writes'"},
        {"fleet", "downtime{service:reads,against:exact}", "1h", "is asked of unavailability"},
        {"placement", "loss{service:copyset}", "1%", "no placement has the name 'copyset'; did"},
        {"", "loss{service:x}", "1%", "availability.placement"},
        {"", "downtime{service:x}", "1h", "availability.life"},
    };
    for (uint32_t i = 0; i < ARRAY_COUNT(cases); i++) {
        char extra[512];
        snprintf(extra, sizeof(extra), "%sthresholds: {\"%s\": \"value < %s\"}\n",
                 strcmp(cases[i].what, "fleet") == 0 ? fleet
                 : cases[i].what[0] != '\0' ? "availability: {placement: {policy: copysets}}\n"
                                            : "",
                 cases[i].metric, cases[i].value);
        check_refused(extra, NULL, 0, NULL, cases[i].part);
    }
}

TEST(plan, a_threshold_may_be_of_some_cells)
{
    REQUIRE(build("thresholds: {\"amplification{cell:nodes=3}\": \"value > 2\", latency: \"avg < "
                  "1s\"}\nsweep: {system.nodes: [1, 3]}\n",
                  NULL, 0, NULL, false));
    for (uint32_t index = 0; index < 2; index++) {
        const struct run_spec *spec = &plan.cells[index].spec;
        REQUIRE(spec->threshold_count == 2);
        CHECK_TEXT(spec->thresholds[0].metric, "amplification");
        CHECK_EQUAL(spec->thresholds[0].is_elsewhere, index == 0);
        CHECK(!spec->thresholds[1].is_elsewhere);
    }
    release();
    check_refused("thresholds: {\"latency{cell:nodes=4}\": \"avg < 1s\"}\n", NULL, 0, NULL,
                  "no cell of the sweep has 'nodes=4'");
    check_refused("thresholds: {\"latency{cell:nodes=4,name:x}\": \"avg < 1s\"}\n", NULL, 0, NULL,
                  "'latency' takes no tags but cell:");
    check_refused("thresholds: {\"latency{name:x,cell:n}\": \"avg < 1s\"}\n", NULL, 0, NULL,
                  "'latency' takes no tags but cell:");
}

TEST(plan, a_threshold_may_be_of_the_difference_to_another_cell)
{
    REQUIRE(build("thresholds: {\"availability{cell:nodes=3, than: nodes=5}\": \"rate > -1%\"}\n"
                  "sweep: {load.a.rate: [1/s, 2/s], system.nodes: [1, 3, 5]}\n",
                  NULL, 0, NULL, false));
    for (uint32_t index = 0; index < 6; index++) {
        const struct spec_threshold *threshold = &plan.cells[index].spec.thresholds[0];
        CHECK_TEXT(threshold->metric, "availability");
        CHECK_TEXT(threshold->text, "availability{ than: nodes=5}");
        CHECK_TEXT(threshold->than, "nodes=5");
        CHECK_EQUAL(threshold->is_elsewhere, index % 3 != 1);
        CHECK(threshold->is_elsewhere || threshold->than_cell == index + 1);
    }
    release();
    static const char *const sets[] = {"system.nodes=3"}; /* the other one is left out */
    REQUIRE(build("thresholds: {\"availability{cell:nodes=3,than:nodes=5}\": \"rate > -1%\"}\n"
                  "sweep: {load.a.rate: [1/s, 2/s], system.nodes: [1, 3, 5]}\n",
                  sets, 1, NULL, false));
    CHECK(plan.cells[0].spec.thresholds[0].is_elsewhere);
    release();
}

static void check_than(const char *metric, const char *expression, const char *rest,
                       const char *part)
{
    char extra[1024];
    snprintf(extra, sizeof(extra), "thresholds: {\"%s\": \"%s\"}\n%s", metric, expression, rest);
    check_refused(extra, NULL, 0, NULL, part);
}

TEST(plan, differences_that_nobody_can_tell_are_refused)
{
    static const char nodes[] = "sweep: {system.nodes: [1, 3]}\n";
    static const char fleet[] = "availability: {life: {mean: 99h}, repair: 1h, estimator: %s}\n"
                                "sweep: {availability.crews: [1, 2]}\n";
    char estimated[256];
    check_than("availability{cell:nodes=1,than:nodes=4}", "rate > -1%", nodes,
               "no cell of the sweep has 'nodes=4'");
    check_than("availability{cell:rate=1/s,than:nodes=3}", "rate > -1%",
               "sweep: {load.a.rate: [1/s, 2/s], system.nodes: [1, 3]}\n",
               "the cell 'rate=1/s nodes=3' has both");
    check_than("availability{cell:nodes=5,than:s=3}", "rate > -1%",
               "sweep: {system.nodes: [5, 3, 30]}\n",
               "'nodes=5' may be held against 'nodes=3' or 'nodes=30'");
    check_refused("sweep: {thresholds: [{success: \"rate > 1%\"}, {success: \"rate > 2%\", "
                  "\"availability{cell:#2,than:x}\": \"rate > -1%\"}]}\n",
                  NULL, 0, NULL, "no other cell of the sweep has 'x' in its label");
    check_than("availability{than:nodes=3}", "rate > -1%", nodes, "the first less the second");
    check_than("availability{cell:nodes=1,than:}", "rate > -1%", nodes, "the first less");
    check_than("latency{cell:nodes=1,than:nodes=3}", "avg < 1s", nodes,
               "'than:' is for the difference of availability, unavailability{service:...} or "
               "downtime{service:...}");
    check_than("availability{cell:nodes=1}", "rate > -1%", nodes, "only a difference ('than:')");
    snprintf(estimated, sizeof(estimated), fleet, "exact");
    check_than("downtime{service:majority,cell:crews=1,than:crews=2}", "value > 0s", estimated,
               "have no seeds in common");
    snprintf(estimated, sizeof(estimated), fleet, "crude");
    check_than("availability{cell:crews=1,than:crews=2}", "rate > -1%", estimated,
               "the cells of a fleet have no runs to compare");
    check_than("unavailability{service:majority,cell:crews=1,than:crews=2,against:exact}",
               "value > 0", estimated, "'against:' a ratio to theory");
    check_than("downtime{service:none,cell:crews=1,than:crews=2}", "value > 0s", estimated,
               "availability.services has no 'none'");
}

/* Where the first complaint is, and what it says. */
static void check_unheeded(const char *extra, uint32_t line, uint32_t column, const char *part)
{
    REQUIRE(!build(extra, NULL, 0, NULL, false));
    CHECK_EQUAL(diag.entries[0].place.line, line);
    CHECK_EQUAL(diag.entries[0].place.column, column);
    CHECK(strstr(diag.entries[0].text, part) != NULL);
    release();
}

TEST(plan, episodes_that_no_cell_heeds_are_refused)
{
#define FLEET "availability:\n  life: {mean: 99h}\n  repair: 1h\n"
    check_unheeded(FLEET "  estimator: exact\n  episodes: {count: 8}\n", 11, 13,
                   "'episodes' is heeded by the estimator 'decompose' only, and this fleet");
    check_unheeded(FLEET "  validate: {duration: 1h, life: 60s, repair: 10s}\n", 10, 13,
                   "'validate' is heeded by the estimator 'decompose' only, and this fleet");
    check_unheeded(FLEET "  episodes: {count: 8}\nsweep: {availability.estimator: [exact, is]}\n",
                   10, 13, "and no cell of the sweep has it");
    CHECK(build(FLEET "  episodes: {count: 8}\n"
                      "sweep: {availability.estimator: [exact, decompose]}\n",
                NULL, 0, NULL, false));
    release();
    static const char *const sets[] = {"availability.estimator=exact"};
    CHECK(build(FLEET "  episodes: {count: 8}\n  estimator: decompose\n", sets, 1, NULL, false));
    release();
#undef FLEET
}

TEST(plan, a_precision_of_exact_fleets_is_refused)
{
#define FLEET "availability: {life: {mean: 99h}, repair: 1h, precision: {halfWidth: 5%}"
    check_unheeded(FLEET ", estimator: exact}\n", 7, 58, "'precision' is of estimates");
    CHECK(build(FLEET "}\n", NULL, 0, NULL, false));
    release();
    CHECK(build(FLEET "}\nsweep: {availability.estimator: [exact, is]}\n", NULL, 0, NULL, false));
    release();
#undef FLEET
}

TEST(plan, a_bound_of_pushback_that_no_cell_heeds_is_refused)
{
#define BOUND                                                                                      \
    "load: {b: {rate: 1/s, client: {retry: {maxAttempts: 2, backoff: fixed, "                      \
    "initialBackoff: 1s, pushbackMax: 3s}}}}\n"
#define BODY "squall: 1\nname: t\nsystem: {model: raft, nodes: 3}\n"
    static const struct {
        const char *text;
        uint32_t complaints;
    } rows[] = {
        {BODY BOUND, 1},
        {BODY BOUND "sweep: {load.b.client.retry.pushback: [exact, bounded]}\n", 0},
        {BODY BOUND "sweep: {load.b.client.retry.pushback: [exact, ignore]}\n", 1},
        {BODY "load: {b: {rate: 1/s}}\nclient: {retry: {preset: aws-standard-2026, pushback: "
              "ignore}}\n",
         0},
    };
    for (uint32_t i = 0; i < ARRAY_COUNT(rows); i++) {
        struct plan_options options = {0};
        diag_init(&diag);
        scenario =
            scenario_parse("t.yaml", rows[i].text, strlen(rows[i].text), &test_catalog, &diag);
        REQUIRE(scenario != NULL);
        is_built = plan_build(&plan, scenario, &options, &diag);
        CHECK_EQUAL(diag.count, rows[i].complaints);
        CHECK(diag.count == 0 ||
              strstr(diag.entries[0].text, "heeded with 'pushback: bounded' only") != NULL);
        release();
    }
#undef BODY
#undef BOUND
}

TEST(plan, a_limit_on_fleets_of_a_size_that_no_cell_has_is_refused)
{
#define FLEET                                                                                      \
    "availability: {life: {mean: 99h}, repair: 1h, estimator: exact}\n"                            \
    "thresholds: {\"unavailability{service:majority,machines:5}\": [\"value > 0\"]}\n"
    check_unheeded(FLEET, 8, 62, "no cell of the sweep has 5 machines");
    CHECK(build(FLEET "sweep: {system.nodes: [3, 5]}\n", NULL, 0, NULL, false));
    release();
    static const char *const sets[] = {"system.nodes=1"};
    CHECK(build(FLEET, sets, 1, NULL, false));
    release();
#undef FLEET
}

TEST(plan, a_time_to_recover_that_is_longer_than_the_run_is_refused)
{
#define TRIGGER                                                                                    \
    "time: {limit: 40s}\nmetastability: {within: 20s}\nfaults:\n"                                  \
    "  - {name: f, kind: NodeChaos, action: pause, at: 15s, duration: 10s}\n"
    check_unheeded(TRIGGER, 8, 25, "only 15s are left of time.limit after the trigger");
    static const char *const sets[] = {"faults.f.duration=11s"};
    CHECK(build(TRIGGER, sets, 1, NULL, false));
    release();
    CHECK(build("metastability: {within: 20s}\ntime: {limit: 45s}\nfaults: [{name: f, kind: "
                "NodeChaos, action: pause, at: 15s, duration: 10s}]\n",
                NULL, 0, NULL, false));
    release();
#undef TRIGGER
}

TEST(plan, labels_grow_where_they_collide)
{
    REQUIRE(build("sweep: {network.default.latency: [1ms, 2ms], network.clients.latency: [1ms, "
                  "2ms], system.nodes: [1]}\n",
                  NULL, 0, NULL, false));
    CHECK_TEXT(plan.cells[1].label, "default.latency=1ms clients.latency=2ms nodes=1");
    release();
}

static const char *const rates[] = {"1/s", "2/s", "3/s"};
static const char *const nodes[] = {"1", "5"};

/* Builds with axes of an experiment. */
static bool build_axes(const char *extra, const struct plan_axis *axes, uint32_t count)
{
    char text[4096];
    snprintf(text, sizeof(text), "%s%s", body, extra);
    diag_init(&diag);
    is_built = false;
    scenario = scenario_parse("t.yaml", text, strlen(text), &test_catalog, &diag);
    if (scenario != NULL) {
        struct plan_options options = {.axes = axes, .axis_count = count};
        is_built = plan_build(&plan, scenario, &options, &diag);
    }
    return is_built;
}

TEST(plan, axes_that_are_given_come_behind_the_sweep)
{
    static const struct plan_axis axes[] = {{"load.a.rate", rates, 3}};
    REQUIRE(build_axes("sweep: {system.nodes: [1, 3]}\n", axes, 1));
    REQUIRE(plan.cell_count == 6);
    CHECK_TEXT(plan.cells[0].label, "nodes=1 rate=1/s");
    CHECK_TEXT(plan.cells[5].label, "nodes=3 rate=3/s");
    CHECK_EQUAL(plan.cells[5].spec.loads[0].rate_per_1000s, 3000);
    CHECK_TEXT(plan.cells[5].sets[1], "load.a.rate=3/s");
    release();
}

TEST(plan, an_axis_that_is_given_takes_the_place_of_one_of_the_sweep)
{
    static const struct plan_axis axes[] = {{"load.a.rate", rates, 2}, {"system.nodes", nodes, 2}};
    REQUIRE(build_axes("sweep: {system.nodes: [1, 3, 5, 7]}\n", axes, 2));
    REQUIRE(plan.cell_count == 4);
    CHECK_TEXT(plan.cells[1].label, "rate=1/s nodes=5");
    CHECK_TEXT(plan.cells[3].label, "rate=2/s nodes=5");
    release();
}

TEST(plan, axes_that_are_given_may_leave_out_cells_that_something_is_expected_of)
{
    static const struct plan_axis axes[] = {{"system.nodes", nodes, 2}};
    REQUIRE(build_axes("faults: [{name: f, kind: NodeChaos, action: pause, at: 5s, duration: 1s}]\n"
                       "metastability: {gate: {}}\n"
                       "expect: {verdicts: {metastable: nodes=3, stable: all}}\n"
                       "thresholds: {\"amplification{cell:nodes=3}\": \"value > 2\"}\n"
                       "sweep: {system.nodes: [1, 3]}\n",
                       axes, 1));
    REQUIRE(plan.cell_count == 2);
    CHECK_EQUAL(plan.cells[0].spec.verdicts_expected, 1 << SPEC_VERDICT_STABLE);
    CHECK_EQUAL(plan.cells[1].spec.verdicts_expected, 1 << SPEC_VERDICT_STABLE);
    CHECK(plan.cells[1].spec.thresholds[0].is_elsewhere);
    CHECK(!plan.cells[0].spec.metastability.has_gate); /* an experiment counts all seeds */
    release();
}

TEST(plan, the_same_scenario_with_other_axes_is_the_same_work)
{
    static const struct plan_axis one[] = {{"load.a.rate", rates, 1}};
    static const struct plan_axis more[] = {{"load.a.rate", rates, 3}};
    REQUIRE(build_axes("", one, 1));
    struct sha256 id = plan.id;
    release();
    REQUIRE(build_axes("", more, 1));
    CHECK_TEXT(plan.id.hex, id.hex);
    release();
}

TEST(plan, an_axis_that_does_not_fit_is_refused)
{
    static const struct plan_axis unknown[] = {{"load.b.rate", rates, 2}};
    static const struct plan_axis wrong[] = {{"system.nodes", rates, 2}};
    CHECK(!build_axes("", unknown, 1));
    CHECK(diag.kept > 0);
    release();
    CHECK(!build_axes("", wrong, 1));
    CHECK(diag.kept > 0);
    release();
}

TEST(plan, an_axis_may_hold_lists)
{
    REQUIRE(build("sweep: {client.retry.retryOn: [[timeout], [timeout, crash]]}\n", NULL, 0, NULL,
                  false));
    CHECK_TEXT(plan.cells[1].label, "retryOn=[timeout, crash]");
    CHECK_TEXT(plan.cells[1].params_json, "{\"client.retry.retryOn\": \"[timeout, crash]\"}");
    CHECK_TEXT(plan.cells[1].sets[0], "client.retry.retryOn=[timeout, crash]");
    release();
}

TEST(plan, structures_are_in_labels_by_name_or_by_number_or_not_at_all)
{
    REQUIRE(build("sweep:\n  thresholds: [{goodput: [\"rate > 1/s\"]}, "
                  "{goodput: [\"rate > 2/s\"]}]\n",
                  NULL, 0, NULL, false));
    CHECK_TEXT(plan.cells[0].label, "thresholds=#1:goodput");
    CHECK_TEXT(plan.cells[1].label, "thresholds=#2:goodput");
    CHECK_TEXT(plan.cells[1].sets[0], "thresholds={goodput: [\"rate > 2/s\"]}");
    release();
    REQUIRE(build("sweep:\n  thresholds: [{goodput: [\"rate > 1/s\"]}, "
                  "{goodput: [\"rate > 2/s\"]}]\n  system.nodes: [1, 3]\n"
                  "zip: {both: [thresholds, system.nodes]}\n",
                  NULL, 0, NULL, false));
    CHECK_TEXT(plan.cells[1].label, "nodes=3");
    release();
    REQUIRE(build("availability: {life: {mean: 99h}, repair: {mean: 1h}}\nsweep:\n"
                  "  availability.services:\n    - [{name: any, needed: any}]\n"
                  "    - [{name: all, needed: 1}, {name: most, needed: majority}]\n",
                  NULL, 0, NULL, false));
    CHECK_TEXT(plan.cells[0].label, "services=any");
    CHECK_TEXT(plan.cells[1].label, "services=all+most");
    release();
}

TEST(plan, labels_tell_structures_of_one_name_apart)
{
    REQUIRE(build("availability: {life: {mean: 99h}, repair: {mean: 1h}}\nsweep:\n"
                  "  availability.services:\n    - [{name: s, needed: any}]\n"
                  "    - [{name: s, needed: majority}]\n    - [{name: t, needed: any}]\n",
                  NULL, 0, NULL, false));
    CHECK_TEXT(plan.cells[0].label, "services=s#1");
    CHECK_TEXT(plan.cells[1].label, "services=s#2");
    CHECK_TEXT(plan.cells[2].label, "services=t");
    release();
    REQUIRE(build("availability: {life: {mean: 99h}, repair: {mean: 1h}}\nsweep:\n"
                  "  availability.services:\n    - [{name: s, needed: any}]\n"
                  "    - [{name: s, needed: majority}]\n  system.nodes: [1, 3]\n"
                  "zip: {both: [availability.services, system.nodes]}\n",
                  NULL, 0, NULL, false));
    CHECK_TEXT(plan.cells[1].label, "services=s nodes=3");
    release();
    /* A value may come again where it is zipped with others. */
    REQUIRE(build("sweep: {network.default.latency: [1ms, 2ms, 2ms], system.nodes: [1, 1, 3]}\n"
                  "zip: {both: [network.default.latency, system.nodes]}\n",
                  NULL, 0, NULL, false));
    CHECK_TEXT(plan.cells[1].label, "latency=2ms nodes=1");
    CHECK_TEXT(plan.cells[2].label, "latency=2ms nodes=3");
    release();
}

TEST(plan, a_cells_sets_pick_that_cell)
{
    static const char sweep[] =
        "sweep: {system.nodes: [1, 3], client.retry.preset: [none, naive]}\n";
    REQUIRE(build(sweep, NULL, 0, NULL, false));
    char *canonical = strdup(plan.cells[2].spec.canonical);
    char *first = strdup(plan.cells[2].sets[0]);
    char *second = strdup(plan.cells[2].sets[1]);
    release();
    const char *sets[] = {first, second};
    REQUIRE(build(sweep, sets, 2, NULL, false));
    CHECK_EQUAL(plan.cell_count, 1);
    CHECK_TEXT(plan.cells[0].label, "nodes=3 preset=none");
    CHECK_TEXT(plan.cells[0].spec.canonical, canonical);
    release();
    free(canonical);
    free(first);
    free(second);
}

TEST(plan, an_override_beside_an_axis_holds_in_every_cell)
{
    static const char *const sets[] = {"client.retry.maxAttempts=7", "system.nodes=5"};
    REQUIRE(build("sweep: {client.retry.preset: [none, naive]}\n", sets, 2, NULL, false));
    REQUIRE(plan.cell_count == 2);
    CHECK_EQUAL(plan.cells[0].spec.loads[0].client.attempts_max, 7);
    CHECK_EQUAL(plan.cells[1].spec.loads[0].client.attempts_max, 7);
    CHECK_EQUAL(plan.cells[1].replicas, 5);
    release();
}

TEST(plan, an_override_that_takes_a_key_away_takes_its_axis_away)
{
    static const char sweep[] =
        "sweep: {client.retry.maxAttempts: [4, 5, 6], system.nodes: [1, 3]}\n";
    static const char *const sets[] = {"client.retry.maxAttempts=null"};
    REQUIRE(build(sweep, sets, 1, NULL, false));
    CHECK_EQUAL(plan.cell_count, 2);
    CHECK_TEXT(plan.cells[1].label, "nodes=3");
    CHECK(plan.cells[0].spec.loads[0].client.attempts_max < 9);
    CHECK(strstr(plan.canonical, "maxAttempts: [") == NULL);
    CHECK(strstr(plan.canonical, "sweep") != NULL);
    release();
    static const char *const both[] = {"client.retry.maxAttempts=null", "system.nodes=null"};
    REQUIRE(build(sweep, both, 2, NULL, false));
    CHECK_EQUAL(plan.cell_count, 1);
    CHECK_TEXT(plan.cells[0].label, "");
    CHECK(strstr(plan.canonical, "sweep") == NULL);
    release();
}

TEST(plan, the_id_is_that_of_the_work_and_not_of_the_seeds)
{
    static const char sweep[] = "sweep: {system.nodes: [1, 3]}\n";
    REQUIRE(build(sweep, NULL, 0, NULL, false));
    struct sha256 first = plan.id;
    release();
    REQUIRE(build(sweep, NULL, 0, "1000@7", false));
    CHECK_TEXT(plan.id.hex, first.hex);
    CHECK_EQUAL(plan.seed_count, 1000);
    release();
    static const char *const sets[] = {"time.limit=99s"};
    REQUIRE(build(sweep, sets, 1, NULL, false));
    CHECK(strcmp(plan.id.hex, first.hex) != 0);
    release();
    static const char *const fixed[] = {"system.nodes=3"};
    REQUIRE(build(sweep, fixed, 1, NULL, false));
    CHECK(strcmp(plan.id.hex, first.hex) != 0);
    release();
}

TEST(plan, the_canonical_text_makes_the_same_plan)
{
    REQUIRE(build("sweep: {system.nodes: [1, 3], client.retry.preset: [none, grpc]}\n", NULL, 0,
                  NULL, false));
    struct sha256 id = plan.id;
    char *canonical = strdup(plan.canonical);
    char *cell = strdup(plan.cells[3].spec.canonical);
    CHECK(strstr(cell, "sweep") == NULL);
    CHECK(strstr(canonical, "seeds") == NULL);
    release();
    diag_init(&diag);
    scenario = scenario_parse("t.yaml", canonical, strlen(canonical), &test_catalog, &diag);
    struct plan_options options = {.seeds = "1"};
    is_built = scenario != NULL && plan_build(&plan, scenario, &options, &diag);
    diag_print(&diag, stdout);
    CHECK(is_built);
    if (is_built) {
        CHECK_TEXT(plan.id.hex, id.hex);
        CHECK_TEXT(plan.canonical, canonical);
        CHECK_TEXT(plan.cells[3].spec.canonical, cell);
    }
    release();
    free(cell);
    free(canonical);
}

TEST(plan, quick_takes_the_first_seeds)
{
    REQUIRE(build("", NULL, 0, "5,100..103,1000@200", true));
    CHECK_EQUAL(plan.seed_count, PLAN_QUICK_SEEDS);
    CHECK_EQUAL(plan_seed(&plan, 0), 5);
    CHECK_EQUAL(plan_seed(&plan, 1), 100);
    CHECK_EQUAL(plan_seed(&plan, 4), 103);
    CHECK_EQUAL(plan_seed(&plan, 5), 200);
    CHECK_EQUAL(plan_seed(&plan, 9), 204);
    release();
    REQUIRE(build("", NULL, 0, "1..3", true));
    CHECK_EQUAL(plan.seed_count, 3);
    release();
}

TEST(plan, wrong_plans_are_refused)
{
    static const char *const bad_path[] = {"system.nods=5"};
    static const char *const bad_value[] = {"system.nodes=many"};
    static const char *const no_effect[] = {"client.retry={preset: none}"};
    check_refused("", bad_path, 1, NULL, "did you mean 'nodes'?");
    check_refused("", bad_value, 1, NULL, "whole number");
    check_refused("", NULL, 0, "1..x", "not a list of seeds");
    check_refused("sweep: {client.retry.preset: [none, grpc]}\n", no_effect, 1, NULL,
                  "the cells 'preset=none' and 'preset=grpc' are the same");
    check_refused("sweep: {system.nodes: [3, 3]}\n", NULL, 0, NULL, "are the same");
    check_refused("sweep: {system.nodes: [1, 0]}\n", NULL, 0, NULL, "at least 1");
    check_refused("sweep: {system.nodes: [1, 99]}\n", bad_path, 1, NULL, "at most 64");
}

TEST(plan, a_combination_that_is_wrong_is_found)
{
    /* Each value is fine with the first one of the other axis. */
    check_refused("sweep: {time.limit: [60s, 7s], time.warmup: [5s, 8s]}\n", NULL, 0, NULL,
                  "the warm-up is not shorter than the run");
}

TEST(plan, cells_have_a_limit)
{
    char sweep[2048] = "sweep: {";
    for (int axis = 0; axis < 3; axis++) {
        static const char *const paths[] = {"client.count", "load.a.client.count",
                                            "system.host.cores"};
        char *end = sweep + strlen(sweep);
        end += sprintf(end, "%s: [", paths[axis]);
        for (int value = 1; value <= 22; value++) {
            end += sprintf(end, "%d%s", value, value < 22 ? ", " : "], ");
        }
    }
    strcat(sweep, "}\n");
    check_refused(sweep, NULL, 0, NULL, "more than 10000 cells");
}

/* ------------------------------------------------------------------------------- seeds */

static bool parse(const char *text, uint64_t *count)
{
    struct arena arena;
    arena_init(&arena);
    struct seed_range *ranges = NULL;
    uint32_t range_count = 0;
    struct err err = {0};
    bool is_fine = seeds_parse(text, &arena, &ranges, &range_count, count, &err);
    CHECK_EQUAL(is_fine, err.code == ERR_NONE);
    arena_release(&arena);
    return is_fine;
}

TEST(seeds, lists_of_seeds_are_read)
{
    uint64_t count = 0;
    CHECK(parse("42", &count) && count == 1);
    CHECK(parse("0x2a", &count) && count == 1);
    CHECK(parse("1..1000", &count) && count == 1000);
    CHECK(parse("1000@1", &count) && count == 1000);
    CHECK(parse("1,5, 7..9 ,0x10", &count) && count == 6);
    CHECK(parse("18446744073709551615", &count) && count == 1);
    CHECK(parse("0", &count) && count == 1);
    CHECK(parse("0..9", &count) && count == 10);
    CHECK(parse("0x0000000000000010..0x1f", &count) && count == 16);
}

TEST(seeds, what_is_no_list_of_seeds_is_refused)
{
    static const char *const texts[] = {
        "",
        ",",
        "1,",
        ",1",
        "1,,2",
        "x",
        "1..",
        "..5",
        "5..1",
        "0@1",
        "5@",
        "@5",
        "-1",
        "1.5",
        "1..2..3",
        "1@2@3",
        "1 2",
        "1,1",
        "1..5,5..9",
        "10@1,5",
        "18446744073709551616",
        "2@18446744073709551615",
        "0..18446744073709551615",
        "0..9223372036854775807",
        "9223372036854775807@0,9223372036854775808..9223372036854775900",
    };
    uint64_t count = 0;
    for (uint32_t index = 0; index < ARRAY_COUNT(texts); index++) {
        if (parse(texts[index], &count)) {
            CHECK_TEXT("accepted", texts[index]);
        }
    }
}

#define ZIPPED                                                                                     \
    "sweep: {system.nodes: [1, 3], client.timeout: [100ms, 200ms, 300ms], load.a.rate: [1/s, "     \
    "2/s], client.deadline: [1s, 2s, 3s]}\n"

TEST(plan, zipped_axes_turn_together_in_the_place_of_the_first)
{
    REQUIRE(
        build(ZIPPED "zip: {patience: [client.timeout, client.deadline]}\n", NULL, 0, NULL, false));
    static const char *const labels[] = {
        "nodes=1 timeout=100ms rate=1/s deadline=1s", "nodes=1 timeout=100ms rate=2/s deadline=1s",
        "nodes=1 timeout=200ms rate=1/s deadline=2s", "nodes=1 timeout=200ms rate=2/s deadline=2s",
        "nodes=1 timeout=300ms rate=1/s deadline=3s", "nodes=1 timeout=300ms rate=2/s deadline=3s",
        "nodes=3 timeout=100ms rate=1/s deadline=1s"};
    REQUIRE(plan.cell_count == 12);
    for (uint32_t i = 0; i < 7; i++) {
        CHECK_TEXT(plan.cells[i].label, labels[i]);
    }
    const struct spec_client *client = &plan.cells[4].spec.loads[0].client;
    CHECK_EQUAL(client->timeout_ns, 300000000);
    CHECK_EQUAL(client->deadline_ns, INT64_C(3000000000));
    CHECK(strstr(plan.cells[4].spec.canonical, "zip:") == NULL);
    CHECK(strstr(plan.canonical, "patience: [client.timeout, client.deadline]") != NULL);
    release();
}

TEST(plan, several_zips_are_axes_each)
{
    REQUIRE(build("sweep: {client.timeout: [1ms, 2ms], load.a.rate: [1/s, 2/s, 3/s], "
                  "client.deadline: [1s, 2s], system.nodes: [1, 2, 3]}\n"
                  "zip: {a: [client.timeout, client.deadline], b: [load.a.rate, system.nodes]}\n",
                  NULL, 0, NULL, false));
    REQUIRE(plan.cell_count == 6);
    CHECK_TEXT(plan.cells[1].label, "timeout=1ms rate=2/s deadline=1s nodes=2");
    CHECK_TEXT(plan.cells[5].label, "timeout=2ms rate=3/s deadline=2s nodes=3");
    release();
}

/* The line that replays a cell sets every axis; so may a user set one of those that are zipped. */
TEST(plan, an_override_picks_from_a_zip_or_takes_an_axis_out_of_it)
{
    static const char *const all[] = {"system.nodes=1", "client.timeout=200ms", "load.a.rate=2/s",
                                      "client.deadline=2s"};
    REQUIRE(
        build(ZIPPED "zip: {patience: [client.timeout, client.deadline]}\n", all, 4, NULL, false));
    REQUIRE(plan.cell_count == 1);
    CHECK_TEXT(plan.cells[0].label, "nodes=1 timeout=200ms rate=2/s deadline=2s");
    release();
    static const char *const row[] = {"client.deadline=2s"};
    REQUIRE(
        build(ZIPPED "zip: {patience: [client.timeout, client.deadline]}\n", row, 1, NULL, false));
    REQUIRE(plan.cell_count == 4);
    CHECK_TEXT(plan.cells[3].label, "nodes=3 timeout=200ms rate=2/s deadline=2s");
    CHECK(strstr(plan.canonical, "client.timeout: [200ms]") != NULL);
    release();
    static const char *const one[] = {"client.timeout=50ms"};
    REQUIRE(
        build(ZIPPED "zip: {patience: [client.timeout, client.deadline]}\n", one, 1, NULL, false));
    REQUIRE(plan.cell_count == 12);
    CHECK_TEXT(plan.cells[2].label, "nodes=1 timeout=50ms rate=1/s deadline=3s");
    release();
}

TEST(plan, what_is_zipped_must_be_swept_and_of_one_length)
{
    check_refused(ZIPPED "zip: {a: [client.timeout, client.dedline]}\n", NULL, 0, NULL,
                  "did you mean 'client.deadline'");
    check_refused(ZIPPED "zip: {a: [client.timeout, system.nodes]}\n", NULL, 0, NULL,
                  "'system.nodes' has 2 values and 'client.timeout' 3");
    check_refused("zip: {a: [client.timeout]}\n", NULL, 0, NULL, "is no axis of the sweep");
    check_refused(ZIPPED "zip: {a: [client.timeout, client.deadline], b: [client.timeout]}\n", NULL,
                  0, NULL, "zipped twice");
    check_refused(ZIPPED "zip: [client.timeout, client.deadline]\n", NULL, 0, NULL,
                  "a map of names");
}
