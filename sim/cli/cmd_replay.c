/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * squall replay: one seed again, exactly. Its digest is compared with the one that results.sqlite
 * remembers; it can be stopped at an instant or just before the failure, and traced. */
#include "sim/cli/cli.h"

#include "analysis/metastability.h"
#include "analysis/results.h"
#include "sim/base/base.h"
#include "sim/base/text.h"
#include "sim/base/units.h"
#include "sim/cli/arms.h"
#include "sim/cli/campaign.h"
#include "sim/cli/crash.h"
#include "sim/cli/episodes.h"
#include "sim/cli/replay_path.h"
#include "sim/cli/runner.h"
#include "sim/cli/trace_text.h"

#include <argp.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TAIL       40
#define ARMS_TIMES 10 /* all arms last no longer than so many runs */

static const char doc[] =
    "Runs one seed of a scenario again and judges it. The same seed always gives the same run.\v"
    "Exit status 0: it passes; 1: a check fails; 3: unknown; 4: the digest differs from the stored "
    "or expected one.";

enum {
    KEY_UNTIL = 256,
    KEY_STOP,
    KEY_TRACE,
    KEY_FROM,
    KEY_HASH,
    KEY_RECORD,
    KEY_SLOT,
    KEY_FILL,
    KEY_SET,
    KEY_ARM,
    KEY_SERVICE,
    KEY_EPISODE
};

static const struct argp_option options[] = {
    {"seed", 's', "SEED", 0,
     "the seed: 42 or 0x2a (default 1); 42/3/0/1: a trajectory of the estimator restart", 0},
    {"seeds", 's', NULL, OPTION_ALIAS | OPTION_HIDDEN, NULL, 0},
    {"set", KEY_SET, "PATH=VALUE", 0, "override a key of the scenario", 0},
    {"cell", 'c', "LABEL", 0, "which cell of a sweep, by its label", 0},
    {"arm", KEY_ARM, "ARM", 0,
     "only this arm of a scenario with 'metastability': trigger, control, doubled or probe", 0},
    {"episode", KEY_EPISODE, "CLASS[#N]", 0,
     "only this episode of a scenario with the estimator decompose: leader-lost:5-4#2", 0},
    {"service", KEY_SERVICE, "NAME", 0,
     "with a trajectory: which service of the fleet it was split for (default the first)", 0},
    {"until", KEY_UNTIL, "TIME|EVENT", 0,
     "stop at a virtual time (\"12.5s\") or after so many events (\"120000\")", 0},
    {"stop-before-failure", KEY_STOP, NULL, 0,
     "stop before the event that breaks the first check; show the last events", 0},
    {"trace", KEY_TRACE, "text|none", 0, "print every event", 0},
    {"from", KEY_FROM, "TIME", 0, "with --trace: leave out what comes before", 0},
    {"expect-hash", KEY_HASH, "DIGEST", 0,
     "fail with status 4 unless the digest is this (16 hexadecimal digits)", 0},
    {"out", 'o', "DIR", 0, "where results.sqlite is (default out/NAME)", 0},
    {"record", KEY_RECORD, "FILE", 0, "write all trace records to FILE", 0},
    {"heap-slot", KEY_SLOT, "N", OPTION_HIDDEN, "address range of node memory", 0},
    {"heap-fill", KEY_FILL, "BYTE", OPTION_HIDDEN, "what node memory is filled with", 0},
    {0},
};

struct arguments {
    const char *scenario;
    const char *label; /* of the cell; NULL: the first one */
    uint32_t cell;
    enum run_arm arm;
    bool has_arm;
    struct decompose_class episode;
    uint32_t episode_number;
    bool has_episode;
    const char *sets[64];
    uint32_t set_count;
    uint64_t seed;
    const char *path; /* of a trajectory; NULL: none */
    const char *service;
    int64_t until_ns;
    uint64_t until_event;
    bool is_stopping;
    bool is_traced;
    int64_t from_ns;
    const char *expected;
    const char *out;
    const char *record;
    uint32_t heap_slot;
    int heap_fill;
};

static uint64_t parse_number(struct argp_state *state, const char *text)
{
    struct err err = {0};
    uint64_t value = 0;
    if (!units_u64(text, &value, &err)) {
        argp_error(state, "%s", err.text);
    }
    return value;
}

static int64_t parse_time(struct argp_state *state, const char *text)
{
    struct err err = {0};
    int64_t ns = 0;
    if (!units_duration(text, &ns, &err)) {
        argp_error(state, "%s", err.text);
    }
    return ns;
}

/* A seed, or the path of a trajectory. */
static void parse_seed(struct argp_state *state, struct arguments *arguments, const char *text)
{
    arguments->path = strchr(text, '/') != NULL ? text : NULL;
    arguments->seed = arguments->path == NULL ? parse_number(state, text) : 0;
}

static void parse_arm(struct argp_state *state, const char *text)
{
    struct arguments *arguments = state->input;
    if (!arms_find(text, &arguments->arm)) {
        argp_error(state, "--arm takes 'trigger', 'control', 'doubled' or 'probe', not '%s'", text);
    }
    arguments->has_arm = true;
}

static void parse_trace(struct argp_state *state, const char *text)
{
    struct arguments *arguments = state->input;
    if (strcmp(text, "text") != 0 && strcmp(text, "none") != 0) {
        argp_error(state, "--trace takes 'text' or 'none', not '%s'", text);
    }
    arguments->is_traced = text[0] == 't';
}

static void parse_episode(struct argp_state *state, const char *text)
{
    struct arguments *arguments = state->input;
    if (!episodes_parse(text, &arguments->episode, &arguments->episode_number)) {
        argp_error(state,
                   "--episode takes a class of transitions and a number, as in "
                   "leader-lost:5-4#2, not '%s'",
                   text);
    }
    arguments->has_episode = true;
}

/* A trajectory is one of clocks alone: it has none of the parts of a run. */
static void check_together(struct argp_state *state, const struct arguments *arguments)
{
    const char *other = arguments->has_episode      ? "--episode"
                        : arguments->has_arm        ? "--arm"
                        : arguments->is_stopping    ? "--stop-before-failure"
                        : arguments->record != NULL ? "--record"
                        : arguments->until_ns != INT64_MAX || arguments->until_event != UINT64_MAX
                            ? "--until"
                            : NULL;
    if (arguments->path != NULL && other != NULL) {
        argp_error(
            state,
            "--seed %s is the path of a trajectory of a fleet: %s is about a run, of one seed",
            arguments->path, other);
    }
}

static error_t parse(int key, char *argument, struct argp_state *state)
{
    struct arguments *arguments = state->input;
    switch (key) {
    case 's':
        parse_seed(state, arguments, argument);
        return 0;
    case KEY_SERVICE:
        arguments->service = argument;
        return 0;
    case KEY_SET:
        add_setting(state, arguments->sets, ARRAY_COUNT(arguments->sets), &arguments->set_count,
                    argument);
        return 0;
    case 'c':
        arguments->label = argument;
        return 0;
    case KEY_ARM:
        parse_arm(state, argument);
        return 0;
    case KEY_EPISODE:
        parse_episode(state, argument);
        return 0;
    case KEY_UNTIL:
        if (strspn(argument, "0123456789") == strlen(argument)) {
            arguments->until_event = parse_number(state, argument);
        } else {
            arguments->until_ns = parse_time(state, argument);
        }
        return 0;
    case KEY_STOP:
        arguments->is_stopping = true;
        return 0;
    case KEY_TRACE:
        parse_trace(state, argument);
        return 0;
    case KEY_FROM:
        arguments->from_ns = parse_time(state, argument);
        return 0;
    case KEY_HASH:
        if (strspn(argument, "0123456789abcdef") != 16 || argument[16] != '\0') {
            argp_error(state, "--expect-hash takes 16 hexadecimal digits, not '%s'", argument);
        }
        arguments->expected = argument;
        return 0;
    case 'o':
        arguments->out = argument;
        return 0;
    case KEY_RECORD:
        arguments->record = argument;
        return 0;
    case KEY_SLOT:
        arguments->heap_slot = (uint32_t)parse_number(state, argument);
        return 0;
    case KEY_FILL:
        arguments->heap_fill = (int)parse_number(state, argument);
        return 0;
    case ARGP_KEY_ARG:
        if (state->arg_num > 0) {
            argp_usage(state);
        }
        arguments->scenario = argument;
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "no scenario given");
        return 0;
    case ARGP_KEY_END:
        check_together(state, arguments);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* What is looked for in results.sqlite. */
struct memory {
    const struct cell *cell;
    const char *const *sets; /* what makes the stored scenario this cell */
    uint32_t set_count;
    char hex[17];
};

/* Does the normalised scenario `yaml` describe this very cell? A campaign with other overrides has
 * runs of the same name, label and seed that are none of this one. */
static bool describes(const char *yaml, const struct memory *memory)
{
    const struct cell *cell = memory->cell;
    struct diag diag;
    diag_init(&diag);
    bool is_same = false;
    struct scenario *scenario =
        scenario_parse(cell->spec.file, yaml, strlen(yaml), catalog_get(), &diag);
    struct plan plan;
    struct plan_options plan_options = {.sets = memory->sets, .set_count = memory->set_count};
    if (scenario != NULL && plan_build(&plan, scenario, &plan_options, &diag)) {
        is_same = strcmp(plan.cells[0].spec.canonical, cell->spec.canonical) == 0;
        plan_release(&plan);
    }
    scenario_free(scenario);
    diag_release(&diag);
    return is_same;
}

static bool take_digest(void *context, const struct results_row *row)
{
    struct memory *memory = context;
    if (describes(row->values[1].text, memory) &&
        strtoull(row->values[0].text, NULL, 16) != RUNNER_NO_DIGEST) {
        snprintf(memory->hex, sizeof(memory->hex), "%s", row->values[0].text);
        return false;
    }
    return true;
}

#define OF_RUN                                                                                     \
    " JOIN cell c USING(cell_id) JOIN scenario s USING(scenario_id) JOIN build b USING(build_id) " \
    "WHERE s.name=?1 AND r.seed=?3 AND b.version=?4 AND r.verdict<>'error' AND "
#define BY_LABEL "c.label=?2"
/* Cells of experiments are made by settings that stand on the replay line, one a line in ?2. */
#define BY_SETTINGS                                                                                \
    "EXISTS (SELECT 1 FROM cell_param p WHERE p.cell_id=c.cell_id) AND NOT EXISTS (SELECT 1 FROM " \
    "cell_param p WHERE p.cell_id=c.cell_id AND "                                                  \
    "instr(?2, char(10)||p.name||'='||p.value||char(10))=0)"
#define RUN_SQL     "SELECT r.trace_hash, s.yaml FROM run r" OF_RUN
#define ARM_SQL     "SELECT a.trace_hash, s.yaml FROM arm a JOIN run r USING(run_id)" OF_RUN
#define EPISODE_SQL "SELECT e.trace_hash, s.yaml FROM episode e JOIN run r USING(run_id)" OF_RUN
#define OF_ARM      " AND a.arm=?5"
#define OF_EPISODE  " AND e.class||'#'||e.number=?5"
/* By label, and of an experiment. */
static const char *const run_sql[] = {RUN_SQL BY_LABEL, RUN_SQL BY_SETTINGS};
static const char *const arm_sql[] = {ARM_SQL BY_LABEL OF_ARM, ARM_SQL BY_SETTINGS OF_ARM};
static const char *const episode_sql[] = {EPISODE_SQL BY_LABEL OF_EPISODE,
                                          EPISODE_SQL BY_SETTINGS OF_EPISODE};

/* Looks for the run among the cells of the sweep, and then among those of an experiment. */
static bool find_digest(const struct arguments *arguments, struct results *results,
                        struct memory *memory, const char *name, struct err *err)
{
    char seed[32];
    snprintf(seed, sizeof(seed), "0x%016llx", (unsigned long long)arguments->seed);
    char episode[EPISODE_LABEL_SIZE];
    episodes_label(&arguments->episode, arguments->episode_number, episode);
    const bool is_part = arguments->arm != ARM_TRIGGER || arguments->has_episode;
    const char *const *sql = arguments->has_episode ? episode_sql : is_part ? arm_sql : run_sql;
    const uint32_t count = is_part ? 5 : 4;
    const char *parameters[] = {name, memory->cell->label, seed, build_version(),
                                arguments->has_episode ? episode : arm_name(arguments->arm)};
    memory->sets = memory->cell->sets;
    memory->set_count = memory->cell->set_count;
    bool is_fine = results_query(results, sql[0], parameters, count, take_digest, memory, err);
    if (!is_fine || memory->hex[0] != '\0' || arguments->set_count == 0) {
        return is_fine;
    }
    struct text settings;
    text_init(&settings);
    for (uint32_t i = 0; i < arguments->set_count; i++) {
        text_printf(&settings, "\n%s\n", arguments->sets[i]);
    }
    parameters[1] = text_of(&settings);
    memory->sets = arguments->sets;
    memory->set_count = arguments->set_count;
    is_fine = results_query(results, sql[1], parameters, count, take_digest, memory, err);
    text_release(&settings);
    return is_fine;
}

/* The digest that results.sqlite remembers for this run, "" when it has none. */
static void stored_digest(const struct arguments *arguments, struct opened *opened, char hex[17])
{
    hex[0] = '\0';
    char path[4096];
    if (arguments->out != NULL) {
        snprintf(path, sizeof(path), "%s/results.sqlite", arguments->out);
    } else {
        snprintf(path, sizeof(path), "out/%s/results.sqlite", opened->plan.name);
    }
    struct err err = {0};
    if (access(path, R_OK) != 0) {
        return;
    }
    struct results *results = results_open(path, RESULTS_READ, &err);
    if (results == NULL) {
        fprintf(stderr, "squall: nothing to compare with: %s\n", err.text);
        return;
    }
    struct memory memory = {.cell = &opened->plan.cells[arguments->cell]};
    if (!find_digest(arguments, results, &memory, opened->plan.name, &err)) {
        fprintf(stderr, "squall: nothing to compare with: %s\n", err.text);
    }
    memcpy(hex, memory.hex, sizeof(memory.hex));
    results_close(results, &err);
}

static int judge_digest(const char *hex, const char *other, const char *whose)
{
    if (strcmp(hex, other) == 0) {
        printf("  digest is the %s one\n", whose);
        return EXIT_HELD;
    }
    printf("  NONDETERMINISM: the %s digest is %s\n", whose, other);
    return EXIT_NONDETERMINISM;
}

/* What became of the episode. */
static void tell_episode(const struct run_spec *spec, const struct episode *episode,
                         const struct world *world, const struct run_result *result)
{
    struct client_view view;
    struct result_episode row;
    char at[32];
    client_view_init(&view);
    client_view_read(&view, world->history.operations.items, world->history.operations.count,
                     spec->load_count);
    episode_judge(spec, episode, result, &view, &row);
    client_view_release(&view);
    printf("  episode %s#%u: ", row.class_, (unsigned)row.number);
    if (!row.has_struck) {
        printf("there was nobody to strike\n");
        return;
    }
    printf("transition at %s, outage %.6f s, %s\n",
           units_format_duration(row.at_ns, at, sizeof(at)), (double)row.outage_ns / 1e9,
           row.is_recovered ? "recovered" : "NOT RECOVERED");
}

static int tell(const struct arguments *arguments, struct opened *opened,
                const struct run_result *result, bool is_whole)
{
    char hex[17];
    char stored[17];
    char until[32];
    snprintf(hex, sizeof(hex), "%016llx", (unsigned long long)result->digest);
    bool is_arm = arguments->has_arm;
    printf("%s seed 0x%016llx%s%s: %s%s%s\n", opened->plan.name,
           (unsigned long long)arguments->seed, is_arm ? ", arm " : "",
           is_arm ? arm_name(arguments->arm) : "",
           is_whole ? verdict_name(result->verdict) : "stopped",
           result->reason[0] != '\0' ? ", " : "", result->reason);
    printf("  digest %s, %llu events", hex, (unsigned long long)result->events);
    if (result->estimates.count == 0) {
        printf(", until %s, %llu operations offered, %llu ok",
               units_format_duration(result->sim_ns, until, sizeof(until)),
               (unsigned long long)result->offered, (unsigned long long)result->ok);
    }
    putchar('\n');
    print_violations(&result->violations);
    if (!is_whole) {
        return arguments->expected != NULL ? judge_digest(hex, arguments->expected, "expected")
                                           : EXIT_HELD;
    }
    int status = result->verdict == VERDICT_PASS      ? EXIT_HELD
                 : result->verdict == VERDICT_UNKNOWN ? EXIT_UNKNOWN
                                                      : EXIT_CHECK_FAILED;
    if (arguments->expected != NULL) {
        status = exit_worse(status, judge_digest(hex, arguments->expected, "expected"));
    }
    stored_digest(arguments, opened, stored);
    if (stored[0] != '\0') {
        status = exit_worse(status, judge_digest(hex, stored, "stored"));
    }
    return status;
}

/* Where to stop so that the first violation has not happened yet. */
static bool find_failure(struct runner *runner, const struct arguments *arguments,
                         const struct cell *cell, int64_t *until_ns, uint64_t *until_event)
{
    struct run_result result;
    result_init(&result);
    runner_run(runner, cell, arguments->seed, &result);
    const struct result_violation *first = result_first_violation(&result);
    bool is_found = first != NULL;
    if (is_found && first->event != RESULT_EVENT_NONE && first->event > 0) {
        *until_event = first->event - 1;
    } else if (is_found) {
        *until_ns = first->time_ns - 1;
    }
    if (is_found) {
        printf("first violation: %s: %s\n", first->check, first->message);
    }
    result_release(&result);
    return is_found;
}

/* A run of runner.h's kind, for arms_run. */
static void run_arm(void *context, const struct run_spec *spec, struct run_result *result)
{
    struct runner *runner = context;
    runner_begin_spec(runner, runner->cell, spec, runner->seed);
    world_run(runner->world, INT64_MAX, UINT64_MAX);
    const struct cell *cell = runner->cell;
    runner_finish(runner, 0, result);
    runner->cell = cell;
}

/* The other arms, and the verdict. */
static void judge_arms(struct runner *runner, struct arms *arms, const struct cell *cell,
                       struct run_result *result)
{
    runner->cell = cell;
    arms_run(arms, &cell->spec, result, run_arm, runner);
    runner->cell = NULL;
    for (uint32_t i = 0; i < result->arms.count; i++) {
        const struct result_arm *arm = vec_at(&result->arms, i);
        printf("  arm %-8s %-10s %5.1f%% answered in time, %.2f sends for each operation, digest "
               "%016llx\n",
               arm_name(arm->arm), arm_outcome_name(arm->outcome), 100 * metastability_goodput(arm),
               metastability_amplification(arm), (unsigned long long)arm->digest);
    }
    printf("  verdict %s\n", metastability_name(result->metastability));
}

/* Lets the run be printed or recorded, as asked. */
static bool open_trace(struct trace_text *trace, const struct arguments *arguments,
                       struct world *world, struct err *err)
{
    if (!arguments->is_traced && arguments->record == NULL) {
        return true;
    }
    trace->out = arguments->is_traced ? stdout : NULL;
    trace->from_ns = arguments->from_ns;
    trace->records = arguments->record != NULL ? fopen(arguments->record, "wb") : NULL;
    if (arguments->record != NULL && trace->records == NULL) {
        return err_set(err, ERR_SYSTEM, "cannot write '%s': %s", arguments->record,
                       strerror(errno));
    }
    trace_sink_add(&world->trace, &trace->sink);
    return true;
}

/* The spec of what is to be run, and its seed; false: the scenario has no such thing. */
static bool derive(const struct arguments *arguments, struct opened *opened,
                   struct run_spec *derived, struct episode *episode, uint64_t *seed)
{
    const struct run_spec *spec = &opened->plan.cells[arguments->cell].spec;
    *derived = *spec;
    *seed = arguments->seed;
    if (arguments->has_episode && (arguments->is_stopping || arguments->has_arm)) {
        fprintf(stderr, "squall: --episode goes with neither --arm nor --stop-before-failure\n");
        return false;
    }
    if (arguments->arm == ARM_PROBE && spec->metastability.is_asked &&
        spec->metastability.probe == SPEC_PROBE_NONE) {
        fprintf(stderr, "squall: '%s' has no probe arm: its probe is 'none'\n",
                arguments->scenario);
        return false;
    }
    if (arguments->has_episode) {
        const bool is_asked =
            spec->fleet.is_asked && spec->fleet.estimator == SPEC_ESTIMATOR_DECOMPOSE;
        if (!is_asked || !episode_is_possible(spec, &arguments->episode)) {
            fprintf(stderr, "squall: '%s' has no such episode: %s\n", arguments->scenario,
                    is_asked ? "it has fewer machines"
                             : "its estimator of 'availability' is not decompose");
            return false;
        }
        episode_plan(spec, EPISODE_MAIN, arguments->seed, &arguments->episode,
                     arguments->episode_number, episode);
        episode_derive(spec, episode, &opened->plan.arena, derived);
        *seed = episode->seed;
    } else if (spec->metastability.is_asked) {
        metastability_derive(spec, arguments->arm, &opened->plan.arena, derived);
    } else if (arguments->arm != ARM_TRIGGER) {
        fprintf(stderr, "squall: '%s' has no arms: it does not ask for 'metastability'\n",
                arguments->scenario);
        return false;
    }
    return true;
}

static int replay(struct arguments *arguments, struct opened *opened)
{
    const struct run_spec *spec = &opened->plan.cells[arguments->cell].spec;
    struct run_spec derived;
    struct episode episode;
    uint64_t seed;
    if (!derive(arguments, opened, &derived, &episode, &seed)) {
        return EXIT_USAGE;
    }
    struct runner runner;
    runner_init(&runner, arguments->sets, arguments->set_count);
    runner.world->cpu_clock_ns = NULL; /* tracing is slow: time.cpuLimit is for campaigns */
    runner.world->heap_slot = arguments->heap_slot;
    runner.world->heap_fill = arguments->heap_fill;
    const struct cell *cell = &opened->plan.cells[arguments->cell];
    struct arms arms;
    arms_init(&arms);
    struct trace_text trace;
    trace_text_init(&trace, runner.world);
    bool is_whole = arguments->until_ns == INT64_MAX && arguments->until_event == UINT64_MAX;
    bool is_judged = spec->metastability.is_asked && !arguments->has_arm &&
                     !arguments->has_episode && is_whole && !arguments->is_stopping &&
                     !arguments->is_traced && arguments->record == NULL;
    judge_keep_windows(runner.judge, is_judged ? JUDGE_WINDOWS_ALL : JUDGE_WINDOWS_NONE);
    crash_watch(&runner, derived.cpu_limit_ns * (is_judged ? ARMS_TIMES : 1));
    if (arguments->is_stopping) {
        if (!find_failure(&runner, arguments, cell, &arguments->until_ns,
                          &arguments->until_event)) {
            printf("nothing to stop before: no check fails\n");
            arguments->is_stopping = false;
        } else {
            is_whole = false;
        }
    }
    struct err err = {0};
    if (!open_trace(&trace, arguments, runner.world, &err)) {
        crash_unwatch();
        runner_release(&runner);
        arms_release(&arms);
        return fail(&err);
    }
    struct run_result result;
    result_init(&result);
    runner_begin_spec(&runner, cell, &derived, seed);
    world_run(runner.world, arguments->until_ns, arguments->until_event);
    if (arguments->is_stopping) {
        trace_text_tail(runner.world, TAIL, stdout);
    }
    runner_finish(&runner, 0, &result);
    if (is_judged) {
        judge_arms(&runner, &arms, cell, &result);
    }
    crash_unwatch();
    int status = tell(arguments, opened, &result, is_whole);
    if (arguments->has_episode && is_whole) {
        tell_episode(spec, &episode, runner.world, &result);
    }
    if (trace.records != NULL && fclose(trace.records) != 0) {
        err_set(&err, ERR_SYSTEM, "cannot write '%s': %s", arguments->record, strerror(errno));
        status = fail(&err);
    }
    trace.records = NULL; /* the end of the world is traced as well */
    trace.out = NULL;
    result_release(&result);
    runner_release(&runner);
    arms_release(&arms);
    return status;
}

/* An estimate has no events that could be traced one by one: its record is what they come to. */
static bool record_estimate(const char *path, const struct run_result *result, struct err *err)
{
    const struct trace_record record = {.word = result->digest, .extra = result->events};
    FILE *file = fopen(path, "wb");
    bool is_fine = file != NULL && fwrite(&record, sizeof(record), 1, file) == 1;
    is_fine = file != NULL && fclose(file) == 0 && is_fine;
    return is_fine || err_set(err, ERR_SYSTEM, "cannot write '%s': %s", path, strerror(errno));
}

static int replay_estimate(const struct arguments *arguments, struct opened *opened)
{
    const struct cell *cell = &opened->plan.cells[arguments->cell];
    if (arguments->path != NULL) {
        const struct replay_path path = {.text = arguments->path,
                                         .service = arguments->service,
                                         .folder = arguments->out,
                                         .expected = arguments->expected,
                                         .is_traced = arguments->is_traced,
                                         .from_ns = arguments->from_ns};
        return replay_trajectory(&opened->plan, cell, &path);
    }
    struct run_result result;
    result_init(&result);
    runner_estimate(&cell->spec, arguments->seed, &result);
    for (uint32_t i = 0; i < result.estimates.count; i++) {
        replay_print_estimate(cell, vec_at(&result.estimates, i));
    }
    int status = tell(arguments, opened, &result, true);
    struct err err = {0};
    if (arguments->record != NULL && !record_estimate(arguments->record, &result, &err)) {
        status = fail(&err);
    }
    result_release(&result);
    return status;
}

static int choose_cell(struct arguments *arguments, const struct opened *opened)
{
    const struct plan *plan = &opened->plan;
    if (arguments->label == NULL) {
        if (plan->cell_count > 1) {
            fprintf(stderr,
                    "squall: '%s' sweeps over %u cells; this is the first of them, --cell '%s'\n",
                    arguments->scenario, plan->cell_count, plan->cells[0].label);
        }
        return EXIT_HELD;
    }
    for (uint32_t i = 0; i < plan->cell_count; i++) {
        if (strcmp(plan->cells[i].label, arguments->label) == 0) {
            arguments->cell = i;
            return EXIT_HELD;
        }
    }
    fprintf(stderr, "squall: no cell '%s' in '%s'; there are:\n", arguments->label,
            arguments->scenario);
    for (uint32_t i = 0; i < plan->cell_count; i++) {
        fprintf(stderr, "  %s\n", plan->cells[i].label);
    }
    return EXIT_USAGE;
}

int cmd_replay(int argc, char **argv)
{
    static const struct argp argp = {options, parse, "SCENARIO", doc, NULL, NULL, NULL};
    struct arguments arguments = {
        .seed = 1, .until_ns = INT64_MAX, .until_event = UINT64_MAX, .heap_fill = -1};
    argp_parse(&argp, argc, argv, 0, NULL, &arguments);
    struct opened opened;
    struct plan_options plan_options = {.sets = arguments.sets, .set_count = arguments.set_count};
    int status = open_plan(&opened, arguments.scenario, &plan_options);
    if (status != EXIT_HELD) {
        return status;
    }
    status = choose_cell(&arguments, &opened);
    if (status == EXIT_HELD) {
        const bool is_estimate =
            arguments.path != NULL ||
            (!arguments.has_episode && runner_is_estimate(&opened.plan.cells[arguments.cell].spec));
        status = is_estimate ? replay_estimate(&arguments, &opened) : replay(&arguments, &opened);
    }
    close_plan(&opened);
    return status;
}
