/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * squall predict --simulate: what the prediction speaks about, run. Each line of the comparison is
 * a question that runs can answer:
 *
 *   hidden capacity   the highest load that comes back from a freeze that tips every higher one
 *   class             does the load hold without a trigger, and come back from such a freeze?
 *   tipping trigger   the shortest of the trigger's kind after which it does not come back
 *   recovery time     after the trigger of the scenario
 *   sends when stuck  attempts for each operation
 *   saddle-node       the lowest load that collapses without any trigger
 *
 * Thresholds are found by the bisection of `squall tip` (analysis/experiment.h), seed by seed, with
 * the same arrivals on either side of it. Runs are long enough for what theory expects: the slowest
 * recovery that must be told from none at all is that one percent below the hidden capacity. */
#include "sim/cli/predict.h"

#include "analysis/experiment.h"
#include "analysis/predict_beside.h"
#include "sim/base/base.h"
#include "sim/cli/stand.h"

#include <stdlib.h>
#include <string.h>

#define TIMES_END 10.0 /* time-outs at the end of a run by which it is judged */
#define WELL      0.9
#define DOWN      0.5

struct simulation {
    struct stand stand;
    const struct predict_request *request;
    struct beside_plan plan;
    uint32_t seeds;
    double timeout_s;
    double *values; /* of the search in progress */
    bool is_cut;
    bool is_clockwork; /* every seed is the same */
};

typedef enum bisection_answer (*question)(struct simulation *simulation, double value,
                                          uint64_t seed);

/* Midway between the last value that recovers and the first that sticks; the first, or infinite,
 * when all of them do, or none. NaN: a run told nothing. */
static double search(struct simulation *simulation, uint32_t count, question ask, uint64_t seed)
{
    struct bisection bisection;
    uint32_t index;
    bisection_init(&bisection, count);
    while (bisection_next(&bisection, &index)) {
        bisection_tell(&bisection, ask(simulation, simulation->values[index], seed));
    }
    switch (bisection.end) {
    case BISECTION_FOUND:
        return (simulation->values[bisection.low] + simulation->values[bisection.high]) / 2;
    case BISECTION_BELOW:
        return simulation->values[0];
    case BISECTION_ABOVE:
        return __builtin_inf();
    case BISECTION_OPEN:
    case BISECTION_FAILED:
        return __builtin_nan("");
    }
    UNREACHABLE();
}

static struct stand_run run_of(const struct simulation *simulation, double load, double freeze_s,
                               double after_s, uint64_t seed)
{
    double before_s = STAND_BEFORE * simulation->timeout_s;
    return (struct stand_run){
        .load_per_s = load,
        .has_trigger = freeze_s > 0,
        .trigger = {0, 1, freeze_s},
        .limit_s = before_s + freeze_s + after_s,
        .seed = seed,
    };
}

/* Does it answer well at its end? */
static enum bisection_answer outcome_of(struct simulation *simulation, const struct stand_run *run)
{
    if (!stand_run(&simulation->stand, run)) {
        simulation->is_cut = true;
        return BISECTION_TELLS_NOTHING;
    }
    double end_s = run->limit_s;
    double share =
        stand_goodput(&simulation->stand, end_s - TIMES_END * simulation->timeout_s, end_s);
    return share >= WELL ? BISECTION_RECOVERS : BISECTION_STICKS;
}

static enum bisection_answer ask_load(struct simulation *simulation, double load, uint64_t seed)
{
    struct stand_run run =
        run_of(simulation, load, simulation->plan.freeze_s, simulation->plan.patience_s, seed);
    return outcome_of(simulation, &run);
}

static enum bisection_answer ask_quiet(struct simulation *simulation, double load, uint64_t seed)
{
    struct stand_run run = run_of(simulation, load, 0, BESIDE_QUIET * simulation->timeout_s, seed);
    enum bisection_answer answer = outcome_of(simulation, &run);
    double end_s = run.limit_s;
    double share =
        stand_goodput(&simulation->stand, end_s - 2 * TIMES_END * simulation->timeout_s, end_s);
    return answer == BISECTION_TELLS_NOTHING ? answer
           : share < DOWN                    ? BISECTION_STICKS
                                             : BISECTION_RECOVERS;
}

static enum bisection_answer ask_size(struct simulation *simulation, double size, uint64_t seed)
{
    struct stand_run run = run_of(simulation, simulation->request->load_per_s, size,
                                  simulation->plan.tipping_wait_s, seed);
    run.trigger = simulation->request->trigger;
    run.trigger.duration_s = size;
    run.has_trigger = size > 0;
    return outcome_of(simulation, &run);
}

/* ------------------------------------------------------------------------------------ the lines */

static void add_hidden(struct simulation *simulation, struct text *text)
{
    struct beside_figure figure = {.name = "hidden capacity",
                                   .unit = BESIDE_RATE,
                                   .predicted = simulation->plan.hidden_per_s,
                                   .note = beside_limit(simulation->request, BESIDE_HIDDEN)};
    double found[STAND_SEEDS_MAX];
    double capacity = simulation->request->system.capacity_per_s;
    if (figure.predicted <= 0) {
        return;
    }
    for (uint32_t i = 0; i < simulation->seeds; i++) {
        uint32_t count = beside_loads(figure.predicted / 4, capacity, simulation->values);
        found[i] = search(simulation, count, ask_load, i + 1);
        found[i] = found[i] > capacity ? capacity : found[i];
    }
    beside_summarise(&figure, found, simulation->seeds);
    beside_add_figure(text, &figure);
}

static void add_saddle(struct simulation *simulation, struct text *text)
{
    double capacity = simulation->request->system.capacity_per_s;
    struct beside_figure figure = {.name = "saddle-node",
                                   .unit = BESIDE_RATE,
                                   .predicted = simulation->plan.saddle_per_s,
                                   .note = beside_limit(simulation->request, BESIDE_SADDLE)};
    double found[STAND_SEEDS_MAX];
    if (figure.predicted <= 0) {
        return;
    }
    for (uint32_t i = 0; i < simulation->seeds; i++) {
        uint32_t count = beside_loads(0.7 * figure.predicted, 1.2 * capacity, simulation->values);
        found[i] = search(simulation, count, ask_quiet, i + 1);
    }
    beside_summarise(&figure, found, simulation->seeds);
    beside_add_figure(text, &figure);
}

/* How often each class came out; the sends of the stuck runs go into `sends`. */
static enum predict_class class_of(struct simulation *simulation, uint64_t seed, double *sends)
{
    const struct beside_plan *plan = &simulation->plan;
    double load = simulation->request->load_per_s;
    *sends = __builtin_nan("");
    if (ask_quiet(simulation, load, seed) == BISECTION_STICKS) {
        return PREDICT_UNSTABLE;
    }
    struct stand_run run = run_of(simulation, load, plan->class_freeze_s, plan->class_wait_s, seed);
    if (outcome_of(simulation, &run) != BISECTION_STICKS) {
        return PREDICT_STABLE;
    }
    *sends = stand_sends(&simulation->stand, run.limit_s - 3 * TIMES_END * simulation->timeout_s,
                         run.limit_s);
    return PREDICT_VULNERABLE;
}

static void add_class(struct simulation *simulation, struct text *text)
{
    const struct predict_request *request = simulation->request;
    uint32_t counts[3] = {0, 0, 0};
    double sends[STAND_SEEDS_MAX];
    for (uint32_t i = 0; i < simulation->seeds; i++) {
        counts[class_of(simulation, i + 1, &sends[i])]++;
    }
    uint32_t best = 0;
    for (uint32_t i = 1; i < 3; i++) {
        best = counts[i] > counts[best] ? i : best;
    }
    char name[64];
    snprintf(name, sizeof(name), "class of %.6g/s", request->load_per_s);
    beside_add_words(text, name, predict_class_name(simulation->plan.class),
                     predict_class_name((enum predict_class)best),
                     beside_limit(request, BESIDE_CLASS));
    struct beside_figure figure = {.name = "sends when stuck",
                                   .unit = BESIDE_NUMBER,
                                   .predicted = simulation->plan.sends,
                                   .note = beside_limit(request, BESIDE_SENDS)};
    beside_summarise(&figure, sends, simulation->seeds);
    if (figure.simulated > 0) {
        beside_add_figure(text, &figure);
    }
}

static void add_tipping(struct simulation *simulation, struct text *text)
{
    const struct predict_request *request = simulation->request;
    struct beside_figure figure = {.name = "tipping trigger",
                                   .unit = BESIDE_TIPS,
                                   .predicted = simulation->plan.tipping_s,
                                   .scale = simulation->timeout_s,
                                   .note = beside_limit(request, BESIDE_TIPPING)};
    double found[STAND_SEEDS_MAX];
    uint32_t count =
        beside_sizes(simulation->plan.tipping_high_s, simulation->timeout_s, simulation->values);
    for (uint32_t i = 0; i < simulation->seeds; i++) {
        found[i] = search(simulation, count, ask_size, i + 1);
    }
    beside_summarise(&figure, found, simulation->seeds);
    beside_add_figure(text, &figure);
}

static void add_recovery(struct simulation *simulation, struct text *text)
{
    const struct predict_request *request = simulation->request;
    char name[64];
    char duration[32];
    snprintf(name, sizeof(name), "back after %s",
             predict_format_time(request->trigger.duration_s, duration, sizeof(duration)));
    struct beside_figure figure = {.name = name,
                                   .unit = BESIDE_TIME,
                                   .predicted = simulation->plan.back_s,
                                   .note = beside_limit(request, BESIDE_RECOVERY)};
    double found[STAND_SEEDS_MAX];
    for (uint32_t i = 0; i < simulation->seeds; i++) {
        struct stand_run run = run_of(simulation, request->load_per_s, request->trigger.duration_s,
                                      simulation->plan.back_wait_s, i + 1);
        run.trigger = request->trigger;
        bool is_whole = stand_run(&simulation->stand, &run);
        simulation->is_cut = simulation->is_cut || !is_whole;
        found[i] = is_whole ? stand_recovery_s(&simulation->stand, &run) : __builtin_nan("");
    }
    beside_summarise(&figure, found, simulation->seeds);
    beside_add_figure(text, &figure);
}

/* Arrivals and services like clockwork: every seed is the same. */
static bool is_clockwork(const struct stand *stand, const struct predict_request *request)
{
    return request->system.service == PREDICT_CONSTANT &&
           stand->cell->spec.loads[stand->load].arrivals == SPEC_ARRIVALS_UNIFORM;
}

/* Lines come as they are known: some take a while. */
static void show(struct text *text)
{
    fputs(text_of(text), stdout);
    fflush(stdout);
    text_clear(text);
    text_add(text, "");
}

static void compare(struct simulation *simulation, struct text *text)
{
    const struct predict_request *request = simulation->request;
    bool has_load = request->load_per_s > 0;
    bool is_unstable =
        has_load && mean_field_class(&request->system, request->load_per_s) == PREDICT_UNSTABLE;
    text_add(text, "\n");
    beside_add_head(text);
    show(text);
    add_hidden(simulation, text);
    show(text);
    add_saddle(simulation, text);
    show(text);
    if (has_load) {
        add_class(simulation, text);
        show(text);
    }
    if (has_load && !is_unstable) {
        add_tipping(simulation, text);
        show(text);
    }
    if (has_load && !is_unstable && request->trigger.duration_s > 0) {
        add_recovery(simulation, text);
    }
    text_printf(text, "%u runs, %s\n", simulation->stand.runs,
                simulation->is_clockwork ? "nothing in them is left to chance, so one seed is all"
                                         : "the median over the seeds beside their range");
    if (simulation->is_cut) {
        text_add(text, "some runs were cut by a limit of the scenario (time.eventLimit, "
                       "time.cpuLimit) and told nothing\n");
    }
}

bool predict_simulate(struct opened *opened, const struct predict_request *request, uint32_t seeds,
                      struct text *text, struct err *err)
{
    ASSERT(seeds >= 1);
    ASSERT(seeds <= STAND_SEEDS_MAX);
    struct simulation simulation = {
        .request = request,
        .plan = beside_plan_of(request),
        .seeds = seeds,
        .timeout_s = request->system.timeout_s,
    };
    bool is_open = opened != NULL
                       ? stand_open(&simulation.stand, opened, err)
                       : stand_open_system(&simulation.stand, request, "onFull: drop", err);
    if (!is_open) {
        return false;
    }
    simulation.values = calloc(BESIDE_VALUES_MAX, sizeof(double));
    ASSERT(simulation.values != NULL);
    simulation.is_clockwork = is_clockwork(&simulation.stand, request);
    simulation.seeds = simulation.is_clockwork ? 1 : seeds;
    compare(&simulation, text);
    free(simulation.values);
    stand_close(&simulation.stand);
    return true;
}
