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

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* In time-outs. */
#define TIMES_LEAST  60.0
#define TIMES_MOST   5000.0
#define TIMES_STUCK  100.0
#define TIMES_QUIET  300.0
#define TIMES_END    10.0 /* judged at the end of a run */
#define FREEZE_USUAL 5.0

#define WELL         0.9
#define DOWN         0.5
#define LOAD_RATIO   1.0025 /* between neighbours of a search over loads */
#define LOAD_CLOSE   0.99
#define SIZES_MAX    4000
#define SIZE_STEP    0.001 /* time-outs */
#define SIZE_HIGHEST 10.0  /* time-outs, where theory sees none tip */

struct simulation {
    struct stand stand;
    const struct predict_request *request;
    uint32_t seeds;
    double timeout_s;
    double hidden;
    double freeze_s;   /* tips every load above the hidden capacity */
    double patience_s; /* after a freeze that long */
    double wait_s;     /* after a trigger whose size is searched */
    double *values;    /* of the search in progress */
    bool is_cut;
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
        return INFINITY;
    case BISECTION_OPEN:
    case BISECTION_FAILED:
        return NAN;
    }
    UNREACHABLE();
}

/* Rising loads, each LOAD_RATIO times the one before. */
static uint32_t set_loads(struct simulation *simulation, double low, double high)
{
    uint32_t count = (uint32_t)(log(high / low) / log(LOAD_RATIO)) + 2;
    count = count > SIZES_MAX ? SIZES_MAX : count;
    for (uint32_t i = 0; i < count; i++) {
        simulation->values[i] = low * pow(high / low, (double)i / (count - 1));
    }
    return count;
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
        run_of(simulation, load, simulation->freeze_s, simulation->patience_s, seed);
    return outcome_of(simulation, &run);
}

static enum bisection_answer ask_quiet(struct simulation *simulation, double load, uint64_t seed)
{
    struct stand_run run = run_of(simulation, load, 0, TIMES_QUIET * simulation->timeout_s, seed);
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
    struct stand_run run =
        run_of(simulation, simulation->request->load_per_s, size, simulation->wait_s, seed);
    run.trigger = simulation->request->trigger;
    run.trigger.duration_s = size;
    run.has_trigger = size > 0;
    return outcome_of(simulation, &run);
}

/* ------------------------------------------------------------------------------------ the lines */

/* The freeze of the search for the hidden capacity, and how long to wait after it. */
static void prepare(struct simulation *simulation)
{
    const struct predict_request *request = simulation->request;
    const struct predict_system *system = &request->system;
    static const struct fluid_trigger freeze = {0, 1, 0};
    double T = simulation->timeout_s;
    simulation->hidden = mean_field_hidden_capacity(system);
    double above = 1.01 * simulation->hidden;
    double tips = above < system->capacity_per_s
                      ? fluid_tipping_duration(system, above, freeze, request->budget_burst)
                      : (double)INFINITY;
    simulation->freeze_s = isinf(tips) ? FREEZE_USUAL * T : 1.5 * tips;
    struct fluid_trigger same = freeze;
    same.duration_s = simulation->freeze_s;
    double below = LOAD_CLOSE * simulation->hidden;
    double back = 0;
    if (below > 0) {
        struct fluid_run run = fluid_through(system, below, same, request->budget_burst);
        back = run.end == FLUID_RECOVERED ? fmax(run.late_until_s, run.empty_at_s) : 0;
    }
    simulation->patience_s = fmin(1.3 * back + TIMES_LEAST * T, TIMES_MOST * T);
}

static void add_hidden(struct simulation *simulation, struct text *text)
{
    struct beside_figure figure = {.name = "hidden capacity",
                                   .unit = BESIDE_RATE,
                                   .predicted = simulation->hidden,
                                   .note = beside_limit(simulation->request, BESIDE_HIDDEN)};
    double found[STAND_SEEDS_MAX];
    double capacity = simulation->request->system.capacity_per_s;
    if (simulation->hidden <= 0) {
        return;
    }
    for (uint32_t i = 0; i < simulation->seeds; i++) {
        uint32_t count = set_loads(simulation, simulation->hidden / 4, capacity);
        found[i] = search(simulation, count, ask_load, i + 1);
        found[i] = isinf(found[i]) ? capacity : found[i];
    }
    beside_summarise(&figure, found, simulation->seeds);
    beside_add_figure(text, &figure);
}

static void add_saddle(struct simulation *simulation, struct text *text)
{
    const struct predict_system *system = &simulation->request->system;
    struct beside_figure figure = {.name = "saddle-node",
                                   .unit = BESIDE_RATE,
                                   .predicted = mean_field_saddle_node(system),
                                   .note = beside_limit(simulation->request, BESIDE_SADDLE)};
    double found[STAND_SEEDS_MAX];
    if (figure.predicted <= 0) {
        return;
    }
    for (uint32_t i = 0; i < simulation->seeds; i++) {
        uint32_t count =
            set_loads(simulation, 0.7 * figure.predicted, 1.2 * system->capacity_per_s);
        found[i] = search(simulation, count, ask_quiet, i + 1);
    }
    beside_summarise(&figure, found, simulation->seeds);
    beside_add_figure(text, &figure);
}

/* The freeze that tells whether this load is vulnerable: twice the shortest that should tip it. */
static double freeze_for_load(const struct simulation *simulation)
{
    static const struct fluid_trigger freeze = {0, 1, 0};
    const struct predict_request *request = simulation->request;
    double tips = fluid_tipping_duration(&request->system, request->load_per_s, freeze,
                                         request->budget_burst);
    return isinf(tips) ? simulation->freeze_s : 2 * tips;
}

/* How often each class came out; the sends of the stuck runs go into `sends`. */
static enum predict_class class_of(struct simulation *simulation, uint64_t seed, double *sends)
{
    double load = simulation->request->load_per_s;
    double T = simulation->timeout_s;
    *sends = NAN;
    if (ask_quiet(simulation, load, seed) == BISECTION_STICKS) {
        return PREDICT_UNSTABLE;
    }
    double after_s = load < simulation->hidden ? simulation->patience_s : TIMES_STUCK * T;
    struct stand_run run = run_of(simulation, load, freeze_for_load(simulation), after_s, seed);
    if (outcome_of(simulation, &run) != BISECTION_STICKS) {
        return PREDICT_STABLE;
    }
    *sends = stand_sends(&simulation->stand, run.limit_s - 3 * TIMES_END * T, run.limit_s);
    return PREDICT_VULNERABLE;
}

static double stuck_sends(const struct predict_request *request)
{
    struct mean_field_root roots[MEAN_FIELD_ROOTS_MAX];
    uint32_t count = mean_field_roots(&request->system, request->load_per_s, roots);
    const struct mean_field_root *last = &roots[count - 1];
    return last->is_stable && last->timeout_share > 0.5 ? last->attempts_per_s / request->load_per_s
                                                        : (double)NAN;
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
    beside_add_words(
        text, name, predict_class_name(mean_field_class(&request->system, request->load_per_s)),
        predict_class_name((enum predict_class)best), beside_limit(request, BESIDE_CLASS));
    struct beside_figure figure = {.name = "sends when stuck",
                                   .unit = BESIDE_NUMBER,
                                   .predicted = stuck_sends(request),
                                   .note = beside_limit(request, BESIDE_SENDS)};
    beside_summarise(&figure, sends, simulation->seeds);
    if (!isnan(figure.simulated)) {
        beside_add_figure(text, &figure);
    }
}

/* With one mean service in the time-out, where it is short but not negligible. */
static double predict_tipping(const struct predict_request *request)
{
    struct predict_system system = request->system;
    double service = system.servers / system.capacity_per_s;
    if (service < system.timeout_s / 2 && system.queue_limit <= 0) {
        system.timeout_s -= service;
        system.retry_delay_s += service;
    }
    return fluid_tipping_duration(&system, request->load_per_s, request->trigger,
                                  request->budget_burst);
}

/* How long the longest trigger of the search is watched. */
static double wait_after(const struct predict_request *request, double size)
{
    struct fluid_trigger trigger = request->trigger;
    double T = request->system.timeout_s;
    trigger.duration_s = size;
    struct fluid_run run =
        fluid_through(&request->system, request->load_per_s, trigger, request->budget_burst);
    double back = run.end == FLUID_RECOVERED ? run.late_until_s : 0;
    return fmin(1.3 * back + TIMES_STUCK * T, TIMES_MOST * T);
}

static void add_tipping(struct simulation *simulation, struct text *text)
{
    const struct predict_request *request = simulation->request;
    double T = simulation->timeout_s;
    struct beside_figure figure = {.name = "tipping trigger",
                                   .unit = BESIDE_TIPS,
                                   .predicted = predict_tipping(request),
                                   .scale = T,
                                   .note = beside_limit(request, BESIDE_TIPPING)};
    double found[STAND_SEEDS_MAX];
    double highest = isinf(figure.predicted) ? SIZE_HIGHEST * T : 2 * figure.predicted;
    simulation->wait_s = wait_after(request, highest);
    double steps = fmin(SIZES_MAX - 1, ceil(highest / (SIZE_STEP * T)));
    uint32_t count = steps < 2 ? 3 : (uint32_t)steps + 1;
    for (uint32_t i = 0; i < simulation->seeds; i++) {
        for (uint32_t k = 0; k < count; k++) {
            simulation->values[k] = highest * k / (count - 1);
        }
        found[i] = search(simulation, count, ask_size, i + 1);
    }
    beside_summarise(&figure, found, simulation->seeds);
    beside_add_figure(text, &figure);
}

static void add_recovery(struct simulation *simulation, struct text *text)
{
    const struct predict_request *request = simulation->request;
    double T = simulation->timeout_s;
    struct fluid_run fluid = fluid_through(&request->system, request->load_per_s, request->trigger,
                                           request->budget_burst);
    char name[64];
    char duration[32];
    snprintf(name, sizeof(name), "back after %s",
             predict_format_time(request->trigger.duration_s, duration, sizeof(duration)));
    struct beside_figure figure = {.name = name,
                                   .unit = BESIDE_TIME,
                                   .predicted = fluid.end == FLUID_UNDECIDED ? (double)NAN
                                                                             : fluid.late_until_s,
                                   .note = beside_limit(request, BESIDE_RECOVERY)};
    double wait =
        isfinite(figure.predicted) ? 1.5 * figure.predicted + TIMES_LEAST * T : 2 * TIMES_STUCK * T;
    double found[STAND_SEEDS_MAX];
    for (uint32_t i = 0; i < simulation->seeds; i++) {
        struct stand_run run = run_of(simulation, request->load_per_s, request->trigger.duration_s,
                                      fmin(wait, TIMES_MOST * T), i + 1);
        run.trigger = request->trigger;
        bool is_whole = stand_run(&simulation->stand, &run);
        simulation->is_cut = simulation->is_cut || !is_whole;
        found[i] = is_whole ? stand_recovery_s(&simulation->stand, &run) : (double)NAN;
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

static void compare(struct simulation *simulation, struct text *text)
{
    const struct predict_request *request = simulation->request;
    bool has_load = request->load_per_s > 0;
    bool is_unstable =
        has_load && mean_field_class(&request->system, request->load_per_s) == PREDICT_UNSTABLE;
    text_add(text, "\n");
    beside_add_head(text);
    prepare(simulation);
    add_hidden(simulation, text);
    add_saddle(simulation, text);
    if (has_load) {
        add_class(simulation, text);
    }
    if (has_load && !is_unstable) {
        add_tipping(simulation, text);
    }
    if (has_load && !is_unstable && request->trigger.duration_s > 0) {
        add_recovery(simulation, text);
    }
    text_printf(text, "%u runs, %s\n", simulation->stand.runs,
                simulation->seeds > 1 ? "the median over the seeds beside their range"
                                      : "nothing in them is left to chance, so one seed is all");
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
        .request = request, .seeds = seeds, .timeout_s = request->system.timeout_s};
    bool is_open = opened != NULL ? stand_open(&simulation.stand, opened, err)
                                  : stand_open_system(&simulation.stand, request, "", err);
    if (!is_open) {
        return false;
    }
    simulation.values = calloc(SIZES_MAX, sizeof(double));
    ASSERT(simulation.values != NULL);
    if (is_clockwork(&simulation.stand, request)) {
        simulation.seeds = 1;
    }
    compare(&simulation, text);
    free(simulation.values);
    stand_close(&simulation.stand);
    return true;
}
