/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A laboratory for the model `server`: a scenario of one server and one load with the values that a
 * test cares about, read by the input layer, run in a real world; links and messages take no time.
 * Afterwards the operations of the run are there to be looked at. */
#ifndef SQUALL_TESTS_UNIT_SERVER_LAB_H
#define SQUALL_TESTS_UNIT_SERVER_LAB_H

#include "models/models.h"
#include "analysis/threshold.h"

#include "sim/base/base.h"
#include "sim/base/units.h"
#include "sim/input/plan.h"
#include "sim/world.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

struct lab_options {
    const char *server; /* "serviceTime: 10ms, discipline: lifo" */
    uint32_t cores;     /* 0: 1 */
    const char *rate;   /* "100/s", evenly spaced */
    const char *load;   /* instead of it */
    bool is_poisson;
    double limit_s;
    double timeout_s;   /* 0: an hour */
    uint32_t attempts;  /* 0: 1 */
    const char *groups; /* instead of the one server: lines under `system` */
    double pause_at_s;  /* pause_s 0: none */
    double pause_s;
    const char *freeze; /* what happens then instead: "kind: StressChaos, action: ..." */
    void (*strike)(struct world *world); /* called at strike_s, NULL: nothing is */
    double strike_s;
    const char *faults; /* instead of the pause: items of the list */
    uint64_t seed;
    const struct sq_model *extra; /* a model of the test's own, beside the built-in ones */
};

struct lab {
    struct scenario *scenario;
    struct plan plan;
    struct world *world;
    const struct sq_operation *operations;
    uint32_t count;
};

static inline const struct sq_model *lab_find_model(void *context, const char *name,
                                                    const char *base, struct err *err)
{
    (void)base;
    const struct sq_model *extra = context;
    if (extra != NULL && strcmp(extra->name, name) == 0) {
        return extra;
    }
    for (uint32_t i = 0; models_builtin[i] != NULL; i++) {
        if (strcmp(models_builtin[i]->name, name) == 0) {
            return models_builtin[i];
        }
    }
    err_set(err, ERR_INPUT, "no model '%s' in this build", name);
    return NULL;
}

#define LAB_HOST                                                                                   \
    "host: {cores: %u, queue: {limit: 100000000}, cpu: {perMessage: 0s, perByte: 0ns, "            \
    "perOperation: 0s, perTimer: 0s}}"

static inline void lab_print(char *text, size_t size, const struct lab_options *options)
{
    char system[2048];
    char pause[256] = "";
    if (options->groups != NULL) {
        snprintf(system, sizeof(system), "%s", options->groups);
    } else {
        snprintf(system, sizeof(system),
                 "system:\n  model: server\n  nodes: 1\n  options: {%s}\n  " LAB_HOST "\n",
                 options->server, options->cores > 0 ? options->cores : 1);
    }
    if (options->pause_s > 0) {
        snprintf(pause, sizeof(pause),
                 "faults:\n  - {name: freeze, %s, mode: all, at: %.0fus, duration: %.0fus}\n",
                 options->freeze != NULL ? options->freeze : "kind: NodeChaos, action: pause",
                 options->pause_at_s * 1e6, options->pause_s * 1e6);
    }
    if (options->faults != NULL) {
        snprintf(pause, sizeof(pause), "faults:\n%s", options->faults);
    }
    char load[512];
    snprintf(load, sizeof(load),
             "{executor: constant-arrival-rate, rate: %s, arrivals: %s, workload: {recordCount: 1, "
             "readProportion: 100%%, updateProportion: 0%%}}",
             options->rate != NULL ? options->rate : "1/s",
             options->is_poisson ? "poisson" : "uniform");
    snprintf(text, size,
             "squall: 1\nname: lab\ntime: {warmup: 0s, limit: %.0fms}\n%s"
             "network: {default: {latency: 0s, bandwidth: unlimited}, clients: {latency: 0s, "
             "bandwidth: unlimited}}\nload: {all: %s}\n"
             "client: {deadline: none, timeout: %.0fns, lateAnswers: ignore, "
             "retry: {maxAttempts: %u, backoff: none, retryOn: [timeout, overloaded]}}\n%s",
             options->limit_s * 1e3, system, options->load != NULL ? options->load : load,
             options->timeout_s > 0 ? options->timeout_s * 1e9 : 3.6e12,
             options->attempts > 0 ? options->attempts : 1, pause);
}

/* Runs it; false (and messages on stderr) when the scenario is wrong. */
static inline bool lab_run(struct lab *lab, struct lab_options options,
                           const struct sq_observer *observer)
{
    static const char *const no_names[] = {"linearizable", NULL};
    const struct catalog catalog = {(void *)(uintptr_t)options.extra, lab_find_model, no_names,
                                    no_names, threshold_check};
    char text[8192];
    lab_print(text, sizeof(text), &options);
    struct diag diag;
    diag_init(&diag);
    struct plan_options plan_options = {0};
    *lab = (struct lab){0};
    lab->scenario = scenario_parse("lab.yaml", text, strlen(text), &catalog, &diag);
    bool is_fine =
        lab->scenario != NULL && plan_build(&lab->plan, lab->scenario, &plan_options, &diag);
    diag_print(&diag, stderr);
    diag_release(&diag);
    if (!is_fine) {
        return false;
    }
    lab->world = world_new();
    world_reset(lab->world, &lab->plan.cells[0].spec, options.seed, observer);
    if (options.strike != NULL) {
        world_run(lab->world, (int64_t)(options.strike_s * 1e9), UINT64_MAX);
        options.strike(lab->world);
    }
    world_run(lab->world, INT64_MAX, UINT64_MAX);
    lab->count = lab->world->history.operations.count;
    lab->operations = lab->count > 0 ? vec_at(&lab->world->history.operations, 0) : NULL;
    return true;
}

static inline void lab_free(struct lab *lab)
{
    if (lab->world != NULL) {
        world_free(lab->world);
        plan_release(&lab->plan);
    }
    scenario_free(lab->scenario);
}

static inline double lab_sojourn_s(const struct sq_operation *operation)
{
    return (double)(operation->completed - operation->intended) / 1e9;
}

/* Share of the operations intended in [from, to) that succeeded. */
static inline double lab_goodput(const struct lab *lab, double from_s, double to_s)
{
    uint32_t good = 0;
    uint32_t all = 0;
    for (uint32_t i = 0; i < lab->count; i++) {
        const struct sq_operation *operation = &lab->operations[i];
        double at_s = (double)operation->intended / 1e9;
        if (at_s >= from_s && at_s < to_s) {
            all++;
            good += operation->outcome == SQ_OUTCOME_OK ? 1 : 0;
        }
    }
    return all > 0 ? (double)good / all : 0;
}

#endif
