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

#include "analysis/hysteresis.h"
#include "sim/base/base.h"
#include "sim/base/units.h"
#include "sim/cli/predict.h"
#include "sim/cli/runner.h"
#include "sim/cli/staircase.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define LEVELS      27
#define DWELL_LEAST (20 * NS_PER_S)
#define DWELL_ROUND (5 * NS_PER_S)
#define RATIO_USUAL INT64_C(900000)
#define MILLION     1e6
#define PER_1000S   1000.0
#define CONFIDENCE  0.95

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

enum { KEY_LOAD = 256, KEY_DWELL, KEY_RATIO, KEY_TABLE };

static const struct argp_option options[] = {
    {"load", KEY_LOAD, "[PATH=]FROM..TO[/COUNT]", 0, "levels, such as 50/s..310/s/27", 0},
    {"dwell", KEY_DWELL, "TIME", 0, "time at each level", 0},
    {"ratio", KEY_RATIO, "SHARE", 0, "of good operations, below which it has tipped (default 90%)",
     0},
    {"table", KEY_TABLE, NULL, 0, "print every level", 0},
    {0},
};

struct arguments {
    struct experiment_options options;
    const char *load;
    int64_t dwell_ns; /* 0: from theory */
    int64_t ratio_millionths;
    bool has_table;
};

/* One cell: means over the seeds of each step, and what each seed's loop is. */
struct branch {
    const struct cell *cell;
    struct predict_request request;
    bool has_theory;
    struct hysteresis_step *steps; /* means */
    struct interval *intervals;    /* of the goodput of each step */
    double *tipping;               /* of the seeds that were measured, rising; infinite: none */
    double *back;                  /* the same; 0: never */
    double area;                   /* mean */
    uint32_t seeds;                /* measured */
    uint32_t cut;                  /* of which a series is not whole */
    uint32_t left;                 /* that were not back at the end */
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
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &arguments->options;
        return 0;
    case KEY_LOAD:
        arguments->load = argument;
        return 0;
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
        return ARGP_ERR_UNKNOWN;
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
    const char *text = stairs->arguments->load;
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

static struct hysteresis_system system_of(const struct predict_system *system)
{
    return (struct hysteresis_system){system->capacity_per_s, system->timeout_s,
                                      system->queue_limit, mean_field_hidden_capacity(system)};
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
            struct hysteresis_system system = system_of(&request.system);
            needed_s = fmax(needed_s, hysteresis_settling_s(&stairs->ramp, &system));
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

static int compare_doubles(const void *left, const void *right)
{
    const double a = *(const double *)left;
    const double b = *(const double *)right;
    return a < b ? -1 : a > b;
}

/* Means over the seeds; `all` has the steps of each. */
static void average(const struct staircase *stairs, const struct hysteresis_step *all,
                    struct branch *branch)
{
    uint32_t steps = hysteresis_steps(&stairs->ramp);
    double *values =
        arena_alloc_array(&stairs->experiment->arena, branch->seeds + 1, sizeof(*values));
    for (uint32_t i = 0; i < steps; i++) {
        struct hysteresis_step *mean = &branch->steps[i];
        *mean = all[i];
        double *const fields[] = {&mean->share,    &mean->sends,       &mean->in_flight,
                                  &mean->variance, &mean->correlation, &mean->goodput_per_s};
        for (uint32_t k = 0; k < ARRAY_COUNT(fields); k++) {
            ptrdiff_t offset = (const char *)fields[k] - (const char *)mean;
            uint32_t count = 0;
            for (uint32_t seed = 0; seed < branch->seeds; seed++) {
                const char *from = (const char *)&all[seed * steps + i] + offset;
                memcpy(&values[count], from, sizeof(double));
                count += isnan(values[count]) ? 0 : 1;
            }
            struct mean of = mean_of(values, count, CONFIDENCE);
            *fields[k] = of.mean;
            branch->intervals[i] = of.interval;
        }
    }
}

static bool measure_branch(struct staircase *stairs, uint32_t index, struct err *err)
{
    struct experiment *experiment = stairs->experiment;
    struct branch *branch = &stairs->branches[index];
    const struct plan *plan = &experiment->opened.plan;
    uint32_t steps = hysteresis_steps(&stairs->ramp);
    double ratio = (double)stairs->arguments->ratio_millionths / MILLION;
    struct hysteresis_step *all =
        arena_alloc_array(&experiment->arena, plan->seed_count * steps, sizeof(*all));
    struct vec windows;
    bool is_fine = true;
    vec_init(&windows, sizeof(struct result_window), RESULT_WINDOWS_MAX);
    for (uint64_t i = 0; i < plan->seed_count && is_fine; i++) {
        struct hysteresis_step *own = &all[branch->seeds * steps];
        is_fine = load_windows(experiment, index, plan_seed(plan, i), &windows, err);
        if (!is_fine || !hysteresis_measure(&stairs->ramp, &windows, own)) {
            branch->cut++;
            continue;
        }
        struct hysteresis_loop loop = hysteresis_judge(&stairs->ramp, own, ratio);
        branch->tipping[branch->seeds] =
            isnan(loop.tipping_per_s) ? (double)INFINITY : loop.tipping_per_s;
        branch->back[branch->seeds] = isnan(loop.return_per_s) ? 0 : loop.return_per_s;
        branch->area += loop.area;
        branch->left += loop.is_back ? 0 : 1;
        branch->seeds++;
    }
    vec_release(&windows);
    if (is_fine && branch->seeds > 0) {
        branch->area /= branch->seeds;
        average(stairs, all, branch);
        qsort(branch->tipping, branch->seeds, sizeof(double), compare_doubles);
        qsort(branch->back, branch->seeds, sizeof(double), compare_doubles);
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
        *branch = (struct branch){
            .cell = &plan->cells[i],
            .steps = arena_alloc_array(arena, steps, sizeof(*branch->steps)),
            .intervals = arena_alloc_array(arena, steps, sizeof(*branch->intervals)),
            .tipping = arena_alloc_array(arena, plan->seed_count, sizeof(double)),
            .back = arena_alloc_array(arena, plan->seed_count, sizeof(double)),
        };
        branch->has_theory = read_cell(branch->cell, &branch->request);
        is_fine = measure_branch(stairs, i, err);
    }
    return is_fine;
}

/* ------------------------------------------------------------------------------------- printing */

static double median(const double *sorted, uint32_t count)
{
    return sorted[(count - 1) / 2];
}

/* "310/s", "none" */
static const char *format_load(double load, char *out, size_t size)
{
    if (load > 0 && !isinf(load)) {
        snprintf(out, size, "%.6g/s", load);
    } else {
        snprintf(out, size, "none");
    }
    return out;
}

/* The highest level below the hidden capacity: where it is back at the latest; 0: there is none. */
static double return_level(const struct staircase *stairs, const struct branch *branch)
{
    double hidden = mean_field_hidden_capacity(&branch->request.system);
    double found = 0;
    for (uint32_t i = 0; i < stairs->ramp.level_count; i++) {
        double load = (double)stairs->ramp.levels[i] / PER_1000S;
        found = load < HYSTERESIS_CLOSE * hidden ? load : found;
    }
    return found;
}

/* How many levels lie between the two loads. */
static uint32_t levels_between(const struct hysteresis_ramp *ramp, double left, double right)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < ramp->level_count; i++) {
        double load = (double)ramp->levels[i] / PER_1000S;
        count += (load > left) != (load > right) ? 1 : 0;
    }
    return count;
}

static void print_theory(const struct staircase *stairs, const struct branch *branch, double back)
{
    if (!branch->has_theory) {
        printf("    theory     says nothing of this scenario\n");
        return;
    }
    const struct predict_system *system = &branch->request.system;
    double level = return_level(stairs, branch);
    char saddle[32];
    char returns[32];
    printf("    theory     tips from %s on (saddle-node), returns at %s (hidden capacity %.6g/s)\n",
           format_load(mean_field_saddle_node(system), saddle, sizeof(saddle)),
           format_load(level, returns, sizeof(returns)), mean_field_hidden_capacity(system));
    if (level > 0 && back > 0) {
        uint32_t apart = levels_between(&stairs->ramp, level, back);
        printf("    difference %u level%s of the return\n", apart, apart == 1 ? "" : "s");
    }
}

static void print_range(const double *sorted, uint32_t count)
{
    char low[32];
    char high[32];
    if (count > 1 && sorted[0] < sorted[count - 1]) {
        printf(" (%s to %s over %u seeds)", format_load(sorted[0], low, sizeof(low)),
               format_load(sorted[count - 1], high, sizeof(high)), count);
    }
}

static void print_branch(const struct staircase *stairs, const struct branch *branch)
{
    char tips[32];
    char back[32];
    printf("\n  %s\n", branch->cell->label[0] == '\0' ? "all" : branch->cell->label);
    if (branch->seeds == 0) {
        printf("    no run has a whole series\n");
        return;
    }
    double tipping = median(branch->tipping, branch->seeds);
    double returns = median(branch->back, branch->seeds);
    printf("    tips at    %s", format_load(tipping, tips, sizeof(tips)));
    print_range(branch->tipping, branch->seeds);
    printf("\n    returns at %s", isinf(tipping) ? "-" : format_load(returns, back, sizeof(back)));
    print_range(branch->back, branch->seeds);
    printf("\n    loop area  %.6g (1/s)^2\n", branch->area);
    print_theory(stairs, branch, returns);
    if (branch->left > 0) {
        printf("    %u of %u seeds were not back at the lowest level\n", branch->left,
               branch->seeds);
    }
    if (branch->cut > 0) {
        printf("    %u runs have no whole series (cut by a limit, or a window of the series is "
               "longer than half a dwell)\n",
               branch->cut);
    }
}

static void print_number(double value, int width, int digits)
{
    if (isnan(value)) {
        printf(" %*s", width, "-");
    } else {
        printf(" %*.*g", width, digits, value);
    }
}

/* Up and down side by side; the last two columns are the early warning, of operations in flight on
 * the way up. */
static void print_table(const struct staircase *stairs, const struct branch *branch)
{
    uint32_t last = hysteresis_steps(&stairs->ramp) - 1;
    printf("\n    %23s %21s %21s\n", "answered/s", "sends", "in flight, up");
    printf("    %7s %10s %10s %10s %10s %10s %10s\n", "load/s", "up", "down", "up", "down",
           "variance", "lag 1");
    for (uint32_t i = 0; i < stairs->ramp.level_count && branch->seeds > 0; i++) {
        const struct hysteresis_step *up = &branch->steps[i];
        const struct hysteresis_step *down = &branch->steps[last - i];
        const double values[] = {up->goodput_per_s, down->goodput_per_s, up->sends,
                                 down->sends,       up->variance,        up->correlation};
        printf("    %7.6g", up->load_per_s);
        for (uint32_t k = 0; k < ARRAY_COUNT(values); k++) {
            print_number(values[k], 10, k < 2 ? 6 : 3);
        }
        printf("\n");
    }
}

/* ----------------------------------------------------------------------------------- the report */

static void add_figure(struct staircase *stairs, const struct branch *branch, const char *series,
                       double x, struct interval interval)
{
    experiment_point(stairs->experiment, series, x, NAN, interval, branch->cell->label);
}

static void add_points(struct staircase *stairs, const struct branch *branch)
{
    const struct interval none = {NAN, NAN};
    uint32_t last = branch->seeds > 0 ? branch->seeds - 1 : 0;
    for (uint32_t i = 0; i < hysteresis_steps(&stairs->ramp) && branch->seeds > 0; i++) {
        const struct hysteresis_step *step = &branch->steps[i];
        experiment_point(stairs->experiment, step->is_up ? "up" : "down", step->load_per_s,
                         step->goodput_per_s, branch->intervals[i], branch->cell->label);
    }
    for (uint32_t i = 0; i < stairs->ramp.level_count && branch->seeds > 0; i++) {
        const struct hysteresis_step *step = &branch->steps[i];
        const struct interval warning = {step->variance, step->correlation};
        experiment_point(stairs->experiment, "warning", step->load_per_s, step->in_flight, warning,
                         branch->cell->label);
    }
    if (branch->seeds > 0) {
        add_figure(stairs, branch, "tipping", median(branch->tipping, branch->seeds),
                   (struct interval){branch->tipping[0], branch->tipping[last]});
        add_figure(stairs, branch, "return", median(branch->back, branch->seeds),
                   (struct interval){branch->back[0], branch->back[last]});
        add_figure(stairs, branch, "area", branch->area, none);
    }
    if (branch->has_theory) {
        add_figure(stairs, branch, "hidden", mean_field_hidden_capacity(&branch->request.system),
                   none);
        add_figure(stairs, branch, "saddle", mean_field_saddle_node(&branch->request.system), none);
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
    for (uint32_t i = 0; i < stairs->branch_count; i++) {
        struct branch *branch = &stairs->branches[i];
        print_branch(stairs, branch);
        if (stairs->arguments->has_table) {
            print_table(stairs, branch);
        }
        add_points(stairs, branch);
        status = branch->cut > 0 ? exit_worse(status, EXIT_UNKNOWN) : status;
    }
    printf("\n");
    status = exit_worse(status, experiment_report(stairs->experiment));
    return write_scenario(stairs, &err) ? status : exit_worse(status, fail(&err));
}

int cmd_hysteresis(int argc, char **argv)
{
    static const struct argp_child children[] = {{&experiment_argp, 0, NULL, 0}, {0}};
    static const struct argp argp = {options, parse, "SCENARIO", doc, children, NULL, NULL};
    struct arguments arguments = {.ratio_millionths = RATIO_USUAL};
    experiment_options_init(&arguments.options, "squall hysteresis", argv);
    arguments.options.is_series = true;
    argp_parse(&argp, argc, argv, 0, NULL, &arguments);
    struct experiment experiment;
    struct staircase stairs = {.experiment = &experiment, .arguments = &arguments};
    int status = experiment_begin(&experiment, "hysteresis", &arguments.options);
    if (status == EXIT_HELD) {
        status = climb(&stairs, &arguments.options);
        bool has_runs =
            status == EXIT_HELD || status == EXIT_UNKNOWN || status == EXIT_NONDETERMINISM;
        status = has_runs ? conclude(&stairs, status) : status;
        experiment_end(&experiment);
    }
    experiment_options_release(&arguments.options);
    return status;
}
