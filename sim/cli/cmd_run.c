/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * squall run: the command that people type. Plan, campaign, thresholds, summary; one scenario
 * after the other. */
#include "sim/cli/cli.h"

#include "sim/base/base.h"
#include "sim/base/text.h"
#include "sim/cli/campaign.h"
#include "sim/cli/folder.h"
#include "sim/cli/summary.h"

#include <argp.h>
#include <stdlib.h>
#include <string.h>

static const char doc[] =
    "Runs the seeds of scenarios, judges every run, and writes out/NAME/results.sqlite.\v"
    "What the results file holds already is not run again: an interrupted campaign goes on where "
    "it stopped.\n\n"
    "SEEDS: 42, 0x2a, 1..1000, 1000@1 (count@first), and lists of these.\n"
    "Exit status: 0 held, 1 a check failed, 2 usage or scenario error, 3 unknown, 4 "
    "nondeterminism, 5 squall's own "
    "failure, 99 only thresholds crossed, 130 interrupted (everything so far is kept).";

enum {
    KEY_SET = 256,
    KEY_BUDGET,
    KEY_FAIL_FAST,
    KEY_RESTART,
    KEY_RESUME,
    KEY_RECHECK,
    KEY_SERIES,
    KEY_QUICK,
    KEY_LABEL
};

static const struct argp_option options[] = {
    {"seed", 's', "SEEDS", 0, "seeds to run instead of the scenario's", 0},
    {"seeds", 's', NULL, OPTION_ALIAS | OPTION_HIDDEN, NULL, 0},
    {"jobs", 'j', "N", 0, "worker processes (default: one a processor)", 0},
    {"set", KEY_SET, "PATH=VALUE", 0, "override a key of the scenario", 0},
    {"time-budget", KEY_BUDGET, "DURATION", 0, "start no more runs after this real time", 0},
    {"fail-fast", KEY_FAIL_FAST, "N", OPTION_ARG_OPTIONAL, "stop after N failing runs (default 1)",
     0},
    {"restart", KEY_RESTART, NULL, 0, "throw the old results away", 0},
    {"resume", KEY_RESUME, NULL, 0, "keep old results and run what is missing (the default)", 0},
    {"recheck", KEY_RECHECK, "PERCENT", 0,
     "run so many of the seeds twice and compare (default 5%)", 0},
    {"keep-series", KEY_SERIES, "failing|all|none", 0,
     "whose time series to keep (default failing, and the first seeds)", 0},
    {"out", 'o', "DIR", 0, "folder for results.sqlite (default out/NAME)", 0},
    {"quick", KEY_QUICK, NULL, 0, "only the first ten seeds", 0},
    {"label", KEY_LABEL, "KEY=VALUE", 0, "only scenarios with this label", 0},
    {"quiet", 'q', NULL, 0, "no progress, only the verdict", 0},
    {0},
};

struct arguments {
    const char *sets[64];
    uint32_t set_count;
    const char *seeds;
    uint32_t jobs;
    int64_t deadline_ns;
    uint64_t fail_fast;
    bool is_restart;
    bool is_quick;
    bool is_quiet;
    uint32_t recheck;
    enum judge_windows windows;
    const char *out;
    const char *label;
    char **files;
    const char *command_line;
};

static uint32_t parse_percent(struct argp_state *state, const char *text)
{
    char *end;
    long value = strtol(text, &end, 10);
    if (end == text || value < 0 || value > 100 || (*end != '\0' && strcmp(end, "%") != 0)) {
        argp_error(state, "'%s' is not a percentage such as 5%%", text);
    }
    return (uint32_t)value;
}

static enum judge_windows parse_series(struct argp_state *state, const char *text)
{
    static const char *const words[] = {"none", "failing", "all"};
    for (uint32_t i = 0; i < ARRAY_COUNT(words); i++) {
        if (strcmp(words[i], text) == 0) {
            return (enum judge_windows)i;
        }
    }
    argp_error(state, "--keep-series takes failing, all or none, not '%s'", text);
    return JUDGE_WINDOWS_FAILING;
}

static error_t parse(int key, char *argument, struct argp_state *state)
{
    struct arguments *arguments = state->input;
    switch (key) {
    case 's':
        arguments->seeds = argument;
        return 0;
    case 'j':
        arguments->jobs = parse_jobs(state, argument);
        return 0;
    case KEY_SET:
        add_setting(state, arguments->sets, ARRAY_COUNT(arguments->sets), &arguments->set_count,
                    argument);
        return 0;
    case KEY_BUDGET:
        arguments->deadline_ns = parse_deadline(state, argument);
        return 0;
    case KEY_FAIL_FAST:
        arguments->fail_fast = argument == NULL ? 1 : parse_count(state, argument, UINT64_MAX);
        return 0;
    case KEY_RESTART:
    case KEY_RESUME:
        arguments->is_restart = key == KEY_RESTART;
        return 0;
    case KEY_RECHECK:
        arguments->recheck = parse_percent(state, argument);
        return 0;
    case KEY_SERIES:
        arguments->windows = parse_series(state, argument);
        return 0;
    case 'o':
        arguments->out = argument;
        return 0;
    case KEY_QUICK:
        arguments->is_quick = true;
        return 0;
    case KEY_LABEL:
        arguments->label = argument;
        return 0;
    case 'q':
        arguments->is_quiet = true;
        return 0;
    case ARGP_KEY_ARGS:
        arguments->files = state->argv + state->next;
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "no scenario given");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* Does this library take part? An expectation may hold for one version of the code under test
 * only. */
static bool is_skipped(const struct plan *plan)
{
    const struct run_spec *spec = &plan->cells[0].spec;
    if (spec->expect_library == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < spec->group_count; i++) {
        if (strstr(spec->groups[i].model->version, spec->expect_library) != NULL) {
            return false;
        }
    }
    printf("%s: skipped: its expectation is about %s, this build has %s\n", plan->name,
           spec->expect_library, spec->groups[0].model->version);
    return true;
}

static bool has_label(const struct opened *opened, const char *label)
{
    const char *equals = strchr(label, '=');
    char key[128];
    snprintf(key, sizeof(key), "%.*s",
             (int)(equals == NULL ? strlen(label) : (size_t)(equals - label)), label);
    const char *value = scenario_label(opened->scenario, key);
    return value != NULL && (equals == NULL || strcmp(value, equals + 1) == 0);
}

static void print_head(const struct plan *plan)
{
    const struct spec_group *group = &plan->cells[0].spec.groups[0];
    printf("%s  %s (%s)  %u %s × %llu %s\n", plan->name, group->model_name, group->model->version,
           plan->cell_count, plan->cell_count == 1 ? "cell" : "cells",
           (unsigned long long)plan->seed_count, plan->seed_count == 1 ? "seed" : "seeds");
    fflush(stdout);
}

static const char *why_spared(const struct plan *plan)
{
    return plan->cells[0].spec.metastability.has_gate
               ? "metastability.gate has decided"
               : "estimates are as precise as availability.precision asks";
}

static int judge_outcome(const struct campaign_outcome *outcome, const struct arguments *arguments,
                         const struct plan *plan, int status)
{
    unsigned long long missing = outcome->missing;
    if (outcome->is_interrupted) {
        printf("  interrupted: %llu %s missing; the same command goes on with them\n", missing,
               missing == 1 ? "run is" : "runs are");
        return exit_worse(status, EXIT_INTERRUPTED);
    }
    if (missing > 0 && !arguments->is_quiet) {
        printf("  %llu %s not started (%s); the same command goes on with them\n", missing,
               missing == 1 ? "run was" : "runs were",
               outcome->is_late ? "time budget" : "fail-fast");
    }
    if (outcome->spared > 0 && !arguments->is_quiet) {
        printf("  %llu runs were not needed: %s\n", (unsigned long long)outcome->spared,
               why_spared(plan));
    }
    if (outcome->skipped > 0 && !arguments->is_quiet) {
        printf("  %llu of the runs were done before; --restart throws them away\n",
               (unsigned long long)outcome->skipped);
    }
    return status;
}

static const char *verdict_word(int status)
{
    switch (status) {
    case EXIT_HELD:
        return "PASS";
    case EXIT_CHECK_FAILED:
        return "FAIL";
    case EXIT_UNKNOWN:
        return "UNKNOWN";
    case EXIT_NONDETERMINISM:
        return "NONDETERMINISM";
    case EXIT_INTERRUPTED:
        return "INTERRUPTED";
    case EXIT_THRESHOLD:
        return "THRESHOLDS CROSSED";
    case EXIT_USAGE:
        return "WRONG INPUT";
    default:
        return "ERROR";
    }
}

static int run_plan(struct results *results, struct plan *plan, const struct arguments *arguments,
                    const char *path)
{
    struct campaign_options campaign = {
        .sets = arguments->sets,
        .set_count = arguments->set_count,
        .jobs = arguments->jobs,
        .deadline_ns = arguments->deadline_ns,
        .fail_fast = arguments->fail_fast,
        .recheck_percent = arguments->recheck,
        .windows = arguments->windows,
        .is_quiet = arguments->is_quiet,
        .command_line = arguments->command_line,
    };
    struct campaign_outcome outcome;
    struct err err = {0};
    struct summary_options summary = {arguments->sets, arguments->set_count, arguments->out,
                                      arguments->is_quiet};
    int status = EXIT_HELD;
    if (!campaign_run(results, plan, &campaign, &outcome, &err) ||
        !summary_print(results, plan, outcome.cell_ids, &summary, stdout, &status, &err)) {
        return fail(&err);
    }
    status = judge_outcome(&outcome, arguments, plan, status);
    if (arguments->is_quiet) {
        printf("%s: %s (exit %d)\n", plan->name, verdict_word(status), status);
        return status;
    }
    char digest[17];
    if (!results_digest(results, digest, &err)) {
        return fail(&err);
    }
    printf("  results  %s  digest %s   report: squall report %s\n%s (exit %d)\n", path, digest,
           arguments->out != NULL ? arguments->out : plan->name, verdict_word(status), status);
    return status;
}

static int run_one(struct opened *opened, const struct arguments *arguments)
{
    struct plan *plan = &opened->plan;
    if (is_skipped(plan)) {
        return EXIT_HELD;
    }
    if (!arguments->is_quiet) {
        print_head(plan);
    }
    char folder[2048];
    char path[4096];
    snprintf(folder, sizeof(folder), arguments->out != NULL ? "%s" : "out/%s",
             arguments->out != NULL ? arguments->out : plan->name);
    struct err err = {0};
    struct results *results = folder_open(folder, arguments->is_restart, path, sizeof(path), &err);
    if (results == NULL) {
        return fail(&err);
    }
    int status = run_plan(results, plan, arguments, path);
    if (!results_close(results, &err)) {
        status = exit_worse(status, fail(&err));
    }
    if (arguments->out == NULL) {
        folder_link_latest(plan->name);
    }
    return status;
}

/* One of the scenarios of the command line. */
struct entry {
    struct opened opened;
    int status;     /* of opening it */
    bool is_wanted; /* it has the label that was asked for, or could not be opened */
};

static void open_one(struct entry *entry, const char *file, const struct arguments *arguments)
{
    struct plan_options plan_options = {.sets = arguments->sets,
                                        .set_count = arguments->set_count,
                                        .seeds = arguments->seeds,
                                        .is_quick = arguments->is_quick};
    entry->status = open_plan(&entry->opened, file, &plan_options);
    entry->is_wanted = entry->status != EXIT_HELD || arguments->label == NULL ||
                       has_label(&entry->opened, arguments->label);
}

/* All scenarios, until one is interrupted, or fails with --fail-fast. All are opened before the
 * first runs: errors come early, and models configure their libraries before a results file uses
 * the same library. */
static int run_all(const struct arguments *arguments)
{
    struct vec entries; /* struct entry */
    vec_init(&entries, sizeof(struct entry), UINT32_MAX);
    for (char **file = arguments->files; *file != NULL; file++) {
        open_one(vec_push(&entries), *file, arguments);
    }
    int status = EXIT_HELD;
    uint32_t total = 0;
    uint32_t held = 0;
    bool is_over = false;
    for (uint32_t i = 0; i < entries.count; i++) {
        struct entry *entry = vec_at(&entries, i);
        bool is_run = entry->is_wanted && !is_over;
        int one = is_run && entry->status == EXIT_HELD ? run_one(&entry->opened, arguments)
                                                       : entry->status;
        status = exit_worse(status, one);
        total += entry->is_wanted ? 1 : 0;
        held += is_run && one == EXIT_HELD ? 1 : 0;
        is_over |= one == EXIT_INTERRUPTED ||
                   (one == EXIT_CHECK_FAILED && arguments->fail_fast != UINT64_MAX);
        if (entry->status == EXIT_HELD) {
            close_plan(&entry->opened);
        }
    }
    bool is_several = entries.count > 1;
    vec_release(&entries);
    if (total == 0) {
        fprintf(stderr, "squall: no scenario has the label '%s'\n", arguments->label);
        return EXIT_USAGE;
    }
    if (is_several) {
        printf("%u of %u scenarios held: %s (exit %d)\n", held, total, verdict_word(status),
               status);
    }
    return status;
}

int cmd_run(int argc, char **argv)
{
    static const struct argp argp = {options, parse, "SCENARIO...", doc, NULL, NULL, NULL};
    struct text command_line;
    text_init(&command_line);
    add_command_line(&command_line, "run", argv);
    struct arguments arguments = {
        .jobs = jobs_usual(),
        .deadline_ns = INT64_MAX,
        .fail_fast = UINT64_MAX,
        .recheck = 5,
        .windows = JUDGE_WINDOWS_FAILING,
        .command_line = text_of(&command_line),
    };
    argp_parse(&argp, argc, argv, 0, NULL, &arguments);
    int status = run_all(&arguments);
    text_release(&command_line);
    return status;
}
