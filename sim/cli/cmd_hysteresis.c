/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * squall hysteresis: the load climbs a staircase and comes down again, one run for each seed. Where
 * does goodput go, where does it come back, and how large is the loop between the two? Theory,
 * where it can read the scenario, says it beforehand: a server goes at the saddle-node at the
 * latest, and comes back at the first level below its hidden capacity.
 *
 * Cells of the scenario's own sweep are climbed side by side: loops of one retry and of two are two
 * pictures of one report. */
#include "sim/cli/experiment.h"

#include "analysis/hysteresis_text.h"
#include "sim/base/base.h"
#include "sim/base/units.h"
#include "sim/cli/predict.h"
#include "sim/cli/runner.h"
#include "sim/cli/staircase.h"

#include <errno.h>
#include <string.h>

#define LEVELS      27
#define DWELL_LEAST (20 * NS_PER_S)
#define DWELL_ROUND (5 * NS_PER_S)
#define RATIO_USUAL INT64_C(900000)
#define MILLION     1e6
#define PER_1000S   1000.0

static const char doc[] =
    "Shows how far a load must fall before a system comes back: goodput while the load climbs a "
    "staircase and comes down again.\v"
    "Faults, loads that are triggers, and checks are left out; the load is replaced by the ramp. "
    "Each level lasts --dwell and is measured in its second half. Tips: the first level on the way "
    "up at which the share of operations that are answered within one time-out is below --ratio. "
    "Returns: the first level on the way down at which it is back. Without --load, where theory "
    "can read the scenario: 27 levels from a third of the hidden capacity to a little above the "
    "capacity. Without --dwell: twice what theory says that the queue needs to fill and to drain, "
    "at least 20s.\n\n"
    "Examples:\n"
    "  squall hysteresis hysteresis --load 50/s..310/s/27\n"
    "  squall hysteresis mine.yaml --load load.web.rate=10/s..90/s/17 --dwell 60s\n\n"
    "Results and report are in out/NAME-hysteresis. Exit status: 0 done, 2 usage or scenario "
    "error, "
    "3 a run was cut short, 4 nondeterminism, 5 squall's own failure, 130 interrupted.";

enum { KEY_DWELL = EXPERIMENT_KEY_OWN, KEY_RATIO, KEY_TABLE };

static const struct argp_option options[] = {
    EXPERIMENT_LOAD("levels, such as 50/s..310/s/27"),
    {"dwell", KEY_DWELL, "TIME", 0, "time at each level", 0},
    {"ratio", KEY_RATIO, "SHARE", 0, "of good operations, below which it has tipped (default 90%)",
     0},
    {"table", KEY_TABLE, NULL, 0, "print every level", 0},
    {0},
};

struct arguments {
    struct experiment_options options;
    int64_t dwell_ns; /* 0: from theory */
    int64_t ratio_millionths;
    bool has_table;
};

struct branch {
    struct predict_request request;
    bool has_theory;
    struct hysteresis_branch loop;
};

struct staircase {
    struct experiment *experiment;
    const struct arguments *arguments;
    struct hysteresis_ramp ramp;
    struct branch *branches;
    uint32_t branch_count;
};

static error_t parse(int key, char *argument, struct argp_state *state)
{
    struct arguments *arguments = state->input;
    struct err err = {0};
    switch (key) {
    case KEY_DWELL:
        if (!units_duration(argument, &arguments->dwell_ns, &err)) {
            argp_error(state, "--dwell: %s", err.text);
        }
        if (arguments->dwell_ns < NS_PER_MS) {
            argp_error(state, "--dwell: '%s' is shorter than 1ms", argument);
        }
        return 0;
    case KEY_RATIO:
        if (!units_ratio(argument, &arguments->ratio_millionths, &err)) {
            argp_error(state, "--ratio: %s", err.text);
        }
        if (arguments->ratio_millionths < 1 || arguments->ratio_millionths > (int64_t)MILLION) {
            argp_error(state, "--ratio: '%s' is not above 0%% and at most 100%%", argument);
        }
        return 0;
    case KEY_TABLE:
        arguments->has_table = true;
        return 0;
    default:
        return experiment_parse(key, argument, state);
    }
}

/* ------------------------------------------------------------------------------------- the ramp */

/* From a third of the hidden capacity to a little above the capacity. */
static struct experiment_default levels_of_theory(struct staircase *stairs)
{
    struct experiment_default found = experiment_load_default(stairs->experiment, LEVELS);
    const struct predict_system *system = &stairs->experiment->request.system;
    if (found.to > 0) {
        int64_t whole = (int64_t)(PER_1000S * system->capacity_per_s) / 30 / 1000 * 1000;
        whole = whole > 0 ? whole : 1;
        found.from = whole > found.from ? found.from : whole * (found.from / 3 / whole + 1);
        found.to = whole * ((int64_t)(PER_1000S * system->capacity_per_s) / whole + 1);
    }
    return found;
}

static bool read_levels(struct staircase *stairs, struct err *err)
{
    struct arena *arena = &stairs->experiment->arena;
    const struct spec_load *load = staircase_load(stairs->experiment->spec);
    if (load == NULL) {
        return err_set(err, ERR_INPUT, "the scenario has no load but triggers");
    }
    struct experiment_default usual = levels_of_theory(stairs);
    struct axis axis = {0};
    const char *text = stairs->arguments->options.load;
    if (text == NULL && usual.to == 0) {
        return err_set(err, ERR_INPUT,
                       "theory cannot read this scenario's capacity: give --load FROM..TO[/COUNT]");
    }
    bool is_read =
        text != NULL ? axis_parse(text, LEVELS, arena, &axis, err)
                     : axis_range(AXIS_RATE, usual.from, usual.to, usual.count, arena, &axis, err);
    if (!is_read) {
        return err_wrap(err, "--load");
    }
    const char *path = arena_printf(arena, "load.%s.rate", load->name);
    if (axis.path != NULL && strcmp(axis.path, path) != 0) {
        return err_set(err, ERR_INPUT, "--load: the ramp is of '%s', not of '%s'", path, axis.path);
    }
    if (axis.unit != AXIS_RATE || axis.count < 2 || axis.count > HYSTERESIS_LEVELS_MAX) {
        return err_set(err, ERR_INPUT, "--load: 2 to %d rates, such as 50/s..310/s/27",
                       HYSTERESIS_LEVELS_MAX);
    }
    stairs->ramp.levels = axis.steps;
    stairs->ramp.level_count = axis.count;
    return true;
}

/* What theory says of a cell of the scenario; false: nothing. */
static bool read_cell(const struct cell *cell, struct predict_request *request)
{
    struct text notes;
    struct err err = {0};
    *request = (struct predict_request){.system = {.servers = 1, .budget = -1},
                                        .trigger = {.load_factor = 1}};
    text_init(&notes);
    bool is_read = predict_from_spec(&cell->spec, request, &notes, &err) &&
                   request->system.capacity_per_s > 0 && request->system.timeout_s > 0 &&
                   predict_system_is_valid(&request->system);
    text_release(&notes);
    return is_read;
}

/* Chooses the dwell, or warns about one that is too short; and about queues without an end. */
static void settle(struct staircase *stairs)
{
    const struct plan *plan = &stairs->experiment->base.plan;
    double needed_s = 0;
    bool is_endless = false;
    for (uint32_t i = 0; i < plan->cell_count; i++) {
        struct predict_request request;
        if (read_cell(&plan->cells[i], &request)) {
            struct hysteresis_system system = hysteresis_system_of(&request.system);
            double own_s = hysteresis_settling_s(&stairs->ramp, &system);
            needed_s = own_s > needed_s ? own_s : needed_s;
            is_endless |= request.system.queue_limit <= 0;
        }
    }
    int64_t needed_ns = (int64_t)(2 * needed_s * (double)NS_PER_S);
    char dwell[32];
    char enough[32];
    int64_t whole = (needed_ns + DWELL_ROUND - 1) / DWELL_ROUND * DWELL_ROUND;
    whole = whole > DWELL_LEAST ? whole : DWELL_LEAST;
    stairs->ramp.dwell_ns = stairs->arguments->dwell_ns > 0 ? stairs->arguments->dwell_ns : whole;
    if (stairs->ramp.dwell_ns < needed_ns) {
        printf("  warning: in half a dwell of %s the queue cannot fill and drain as theory says it "
               "must; --dwell %s is enough\n",
               units_format_duration(stairs->ramp.dwell_ns, dwell, sizeof(dwell)),
               units_format_duration(whole, enough, sizeof(enough)));
    }
    if (is_endless) {
        printf("  warning: the queue has no limit; the backlog of the way up must be worked off on "
               "the way down, which hides the load of return. --set system.options.queueLimit=N "
               "with N above capacity times time-out shows it\n");
    }
}

/* ------------------------------------------------------------------------------------ measuring */

static bool on_window(void *context, const struct results_row *row)
{
    struct vec *windows = context;
    const struct results_value *values = row->values;
    struct result_window *window = vec_push(windows);
    *window = (struct result_window){
        .t_ns = values[0].integer,
        .duration_ns = values[1].integer,
        .offered = (uint32_t)values[2].integer,
        .attempts = (uint32_t)values[3].integer,
        .in_flight = (uint32_t)values[4].integer,
        .judged = (uint32_t)values[5].integer,
        .good = (uint32_t)values[6].integer,
    };
    return true;
}

static bool load_windows(struct experiment *experiment, uint32_t cell, uint64_t seed,
                         struct vec *windows, struct err *err)
{
    static const char sql[] =
        "SELECT w.t_ns, w.dur_ns, w.offered, w.attempts, w.queue, g.judged, g.good FROM run r "
        "JOIN window w USING(run_id) JOIN window_good g USING(run_id, t_ns) WHERE r.cell_id=?1 AND "
        "r.seed=?2 ORDER BY w.t_ns";
    char id[24];
    char name[24];
    snprintf(id, sizeof(id), "%lld", (long long)experiment->outcome.cell_ids[cell]);
    snprintf(name, sizeof(name), "0x%016llx", (unsigned long long)seed);
    const char *const parameters[] = {id, name};
    vec_clear(windows);
    return results_query(experiment->results, sql, parameters, 2, on_window, windows, err);
}

static bool measure_branch(struct staircase *stairs, uint32_t index, struct err *err)
{
    struct experiment *experiment = stairs->experiment;
    struct hysteresis_branch *loop = &stairs->branches[index].loop;
    const struct plan *plan = &experiment->opened.plan;
    uint32_t steps = hysteresis_steps(&stairs->ramp);
    struct vec windows;
    bool is_fine = true;
    vec_init(&windows, sizeof(struct result_window), RESULT_WINDOWS_MAX);
    for (uint64_t i = 0; i < plan->seed_count && is_fine; i++) {
        is_fine = load_windows(experiment, index, plan_seed(plan, i), &windows, err);
        bool is_whole =
            is_fine && hysteresis_measure(&stairs->ramp, &windows, &loop->all[loop->seeds * steps]);
        loop->seeds += is_whole ? 1 : 0;
        loop->cut += is_whole ? 0 : 1;
    }
    vec_release(&windows);
    if (is_fine && loop->seeds > 0) {
        hysteresis_summarise(loop, (double)stairs->arguments->ratio_millionths / MILLION);
    }
    return is_fine;
}

static bool measure(struct staircase *stairs, struct err *err)
{
    struct experiment *experiment = stairs->experiment;
    struct plan *plan = &experiment->opened.plan;
    struct arena *arena = &experiment->arena;
    uint32_t steps = hysteresis_steps(&stairs->ramp);
    stairs->branch_count = plan->cell_count;
    stairs->branches = arena_alloc_array(arena, plan->cell_count, sizeof(*stairs->branches));
    bool is_fine = true;
    for (uint32_t i = 0; i < plan->cell_count && is_fine; i++) {
        struct branch *branch = &stairs->branches[i];
        *branch = (struct branch){0};
        branch->loop = (struct hysteresis_branch){
            .label = plan->cells[i].label,
            .ramp = &stairs->ramp,
            .all = arena_alloc_array(arena, plan->seed_count * steps, sizeof(*branch->loop.all)),
            .steps = arena_alloc_array(arena, steps, sizeof(*branch->loop.steps)),
            .intervals = arena_alloc_array(arena, steps, sizeof(*branch->loop.intervals)),
            .scratch = arena_alloc_array(arena, 3 * plan->seed_count, sizeof(double)),
        };
        branch->has_theory = read_cell(&plan->cells[i], &branch->request);
        is_fine = measure_branch(stairs, i, err);
    }
    return is_fine;
}

/* ----------------------------------------------------------------------------------- the report */

static void add_figure(struct staircase *stairs, const struct branch *branch, const char *series,
                       double x, struct interval interval)
{
    experiment_point(stairs->experiment, series, x, __builtin_nan(""), interval,
                     branch->loop.label);
}

static void add_points(struct staircase *stairs, const struct branch *branch)
{
    const struct hysteresis_branch *loop = &branch->loop;
    const struct interval none = {__builtin_nan(""), __builtin_nan("")};
    for (uint32_t i = 0; i < hysteresis_steps(&stairs->ramp) && loop->seeds > 0; i++) {
        const struct hysteresis_step *step = &loop->steps[i];
        experiment_point(stairs->experiment, step->is_up ? "up" : "down", step->load_per_s,
                         step->goodput_per_s, loop->intervals[i], loop->label);
    }
    for (uint32_t i = 0; i < stairs->ramp.level_count && loop->seeds > 0; i++) {
        const struct hysteresis_step *step = &loop->steps[i];
        const struct interval warning = {step->variance, step->correlation};
        experiment_point(stairs->experiment, "warning", step->load_per_s, step->in_flight, warning,
                         loop->label);
    }
    if (loop->seeds > 0) {
        add_figure(stairs, branch, "tipping", loop->tipping_median, loop->tipping);
        add_figure(stairs, branch, "return", loop->back_median, loop->back);
        add_figure(stairs, branch, "area", loop->area, none);
    }
    if (branch->has_theory) {
        const struct predict_system *system = &branch->request.system;
        add_figure(stairs, branch, "hidden", mean_field_hidden_capacity(system), none);
        add_figure(stairs, branch, "saddle", mean_field_saddle_node(system), none);
    }
    add_figure(stairs, branch, "dwell", (double)stairs->ramp.dwell_ns / 1e9, none);
}

/* ---------------------------------------------------------------------------------- the command */

/* Turns the scenario's load into the ramp. */
static int climb(struct staircase *stairs, struct experiment_options *given)
{
    struct experiment *experiment = stairs->experiment;
    struct err err = {0};
    char dwell[32];
    const char *sets[STAIRCASE_SETS_MAX];
    if (!read_levels(stairs, &err)) {
        return fail(&err);
    }
    settle(stairs);
    uint32_t count = staircase_sets(experiment->spec, &stairs->ramp, experiment->base.scenario,
                                    &experiment->arena, sets);
    if (count == UINT32_MAX || given->set_count + count > EXPERIMENT_SETS_MAX) {
        err_set(&err, ERR_INPUT,
                "the scenario has too many triggers, or --set was given too often");
        return fail(&err);
    }
    memcpy(&given->sets[given->set_count], sets, count * sizeof(*sets));
    given->set_count += count;
    int status = experiment_open(experiment);
    if (status == EXIT_HELD && !given->is_quiet) {
        const struct plan *plan = &experiment->opened.plan;
        printf("%s  %u levels, %.6g/s to %.6g/s and back, %s each  %u %s × %llu %s\n", plan->name,
               stairs->ramp.level_count, (double)stairs->ramp.levels[0] / PER_1000S,
               (double)stairs->ramp.levels[stairs->ramp.level_count - 1] / PER_1000S,
               units_format_duration(stairs->ramp.dwell_ns, dwell, sizeof(dwell)), plan->cell_count,
               plan->cell_count == 1 ? "cell" : "cells", (unsigned long long)plan->seed_count,
               plan->seed_count == 1 ? "seed" : "seeds");
        fflush(stdout);
    }
    return status == EXIT_HELD ? experiment_run(experiment, NULL) : status;
}

/* Writes the scenario of the ramp into the folder: its settings are too long for a command line. */
static bool write_scenario(struct staircase *stairs, struct err *err)
{
    struct experiment *experiment = stairs->experiment;
    const struct plan *plan = &experiment->opened.plan;
    const char *path = arena_printf(&experiment->arena, "%s/staircase.yaml", experiment->folder);
    FILE *file = fopen(path, "w");
    bool is_fine = file != NULL && fputs(plan->canonical, file) >= 0;
    is_fine = file != NULL && fclose(file) == 0 && is_fine;
    if (!is_fine) {
        return err_set(err, ERR_SYSTEM, "cannot write '%s': %s", path, strerror(errno));
    }
    struct cell cell = plan->cells[0];
    cell.spec.file = path;
    printf("  a run     ");
    replay_line(stdout, &cell, NULL, 0, experiment->folder, plan_seed(plan, 0));
    printf("\n");
    return true;
}

static int conclude(struct staircase *stairs, int status)
{
    struct err err = {0};
    if (!measure(stairs, &err)) {
        return fail(&err);
    }
    struct text text;
    text_init(&text);
    for (uint32_t i = 0; i < stairs->branch_count; i++) {
        struct branch *branch = &stairs->branches[i];
        hysteresis_add_branch(&text, &branch->loop, branch->has_theory ? &branch->request : NULL);
        if (stairs->arguments->has_table) {
            hysteresis_add_table(&text, &branch->loop);
        }
        add_points(stairs, branch);
        status = branch->loop.cut > 0 ? exit_worse(status, EXIT_UNKNOWN) : status;
    }
    printf("%s\n", text_of(&text));
    text_release(&text);
    status = exit_worse(status, experiment_report(stairs->experiment));
    return write_scenario(stairs, &err) ? status : exit_worse(status, fail(&err));
}

static int run(struct experiment *experiment, void *arguments)
{
    struct arguments *given = arguments;
    struct staircase stairs = {.experiment = experiment, .arguments = given};
    int status = climb(&stairs, &given->options);
    bool has_runs = status == EXIT_HELD || status == EXIT_UNKNOWN || status == EXIT_NONDETERMINISM;
    return has_runs ? conclude(&stairs, status) : status;
}

int cmd_hysteresis(int argc, char **argv)
{
    static const struct experiment_command command = {.kind = "hysteresis",
                                                      .doc = doc,
                                                      .options = options,
                                                      .parse = parse,
                                                      .is_series = true,
                                                      .run = run};
    struct arguments arguments = {.ratio_millionths = RATIO_USUAL};
    return experiment_command(&command, &arguments, argc, argv);
}
