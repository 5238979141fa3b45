/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The cells of an experiment are cells of a plan like any other: the scenario's text stays as it
 * is, so all points share one row of `scenario`, and another range in the same folder finds the
 * points again that both have. A sweep of the scenario's own would be a further axis that no
 * picture shows; it must be fixed by --set or be one of the axes.
 *
 * Cells that differ in nothing but the trigger get the same key, by which a worker runs the control
 * arm once for all of them (arms.h): it is the same run.
 *
 * Doubles here are for axes of pictures and for theory; what is run is written as text and read by
 * the language. */
#include "sim/cli/experiment.h"

#include "reports/report.h"
#include "sim/base/base.h"
#include "sim/base/hash.h"
#include "sim/base/map.h"
#include "sim/base/units.h"
#include "sim/cli/folder.h"
#include "sim/cli/predict.h"
#include "sim/cli/runner.h"

#include <stdlib.h>
#include <string.h>

#define POINTS_MAX      100000
#define RECHECK_PERCENT 1

/* -------------------------------------------------------------------------------- command line */

enum { KEY_SET = 512, KEY_BUDGET, KEY_RESTART, KEY_QUICK };

static const struct argp_option options_of_all[] = {
    {"seeds", 's', "SEEDS", 0, "seeds of each point, instead of the scenario's", 1},
    {"seed", 's', NULL, OPTION_ALIAS | OPTION_HIDDEN, NULL, 1},
    {"jobs", 'j', "N", 0, "worker processes (default: one a processor)", 1},
    {"set", KEY_SET, "PATH=VALUE", 0, "override a key of the scenario", 1},
    {"time-budget", KEY_BUDGET, "DURATION", 0, "start no more runs after this real time", 1},
    {"restart", KEY_RESTART, NULL, 0, "throw the old results away", 1},
    {"out", 'o', "DIR", 0, "folder for results and report (default out/NAME-COMMAND)", 1},
    {"quick", KEY_QUICK, NULL, 0, "only the first ten seeds", 1},
    {"quiet", 'q', NULL, 0, "no progress", 1},
    {0},
};

static error_t parse_all(int key, char *argument, struct argp_state *state)
{
    struct experiment_options *options = state->input;
    switch (key) {
    case 's':
        options->seeds = argument;
        return 0;
    case 'j':
        options->jobs = parse_jobs(state, argument);
        return 0;
    case KEY_SET:
        add_setting(state, options->sets, EXPERIMENT_SETS_MAX, &options->set_count, argument);
        return 0;
    case KEY_BUDGET:
        options->deadline_ns = parse_deadline(state, argument);
        return 0;
    case KEY_RESTART:
        options->is_restart = true;
        return 0;
    case 'o':
        options->out = argument;
        return 0;
    case KEY_QUICK:
        options->is_quick = true;
        return 0;
    case 'q':
        options->is_quiet = true;
        return 0;
    case ARGP_KEY_ARG:
        if (options->scenario != NULL) {
            argp_error(state, "more than one scenario");
        }
        options->scenario = argument;
        return 0;
    case ARGP_KEY_END:
        if (options->scenario == NULL) {
            argp_error(state, "no scenario given");
        }
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static void parse_arms(struct argp_state *state, struct experiment_options *options,
                       const char *text)
{
    bool is_stuck = strcmp(text, "stuck") == 0;
    if (!is_stuck && strcmp(text, "all") != 0) {
        argp_error(state, "--arms takes 'all' or 'stuck', not '%s'", text);
    }
    if (is_stuck) {
        add_setting(state, options->sets, EXPERIMENT_SETS_MAX, &options->set_count,
                    "metastability.probe=none");
    }
}

error_t experiment_parse(int key, char *argument, struct argp_state *state)
{
    struct experiment_options *options = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = options;
        return 0;
    case EXPERIMENT_KEY_LOAD:
        options->load = argument;
        return 0;
    case EXPERIMENT_KEY_TRIGGER:
        options->trigger = argument;
        return 0;
    case EXPERIMENT_KEY_ARMS:
        parse_arms(state, options, argument);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* ---------------------------------------------------------------------------------- beginning */

/* Reads the cell as theory does; what it says of that goes into `notes`. */
static bool read_theory(const struct run_spec *spec, struct predict_request *request,
                        struct text *notes)
{
    *request = (struct predict_request){.system = {.servers = 1, .budget = -1},
                                        .trigger = {.load_factor = 1}};
    struct err err = {0};
    if (!predict_from_spec(spec, request, notes, &err)) {
        text_printf(notes, "  - %s\n", err.text);
        return false;
    }
    return request->system.capacity_per_s > 0 && request->system.timeout_s > 0 &&
           predict_system_is_valid(&request->system);
}

static int plan_experiment(struct experiment *experiment, const struct plan_axis *axes,
                           uint32_t axis_count, struct opened *opened)
{
    const struct experiment_options *options = experiment->options;
    struct plan_options plan = {.sets = options->sets,
                                .set_count = options->set_count,
                                .seeds = options->seeds,
                                .is_quick = options->is_quick,
                                .axes = axes,
                                .axis_count = axis_count};
    return open_plan(opened, options->scenario, &plan);
}

/* EXIT_HELD, else nothing needs to be ended and the user was told. */
static int begin(struct experiment *experiment, const struct experiment_command *command,
                 const struct experiment_options *options)
{
    *experiment = (struct experiment){.command = command, .options = options};
    int status = plan_experiment(experiment, NULL, 0, &experiment->base);
    if (status != EXIT_HELD) {
        return status;
    }
    experiment->spec = &experiment->base.plan.cells[0].spec;
    if (!experiment->spec->metastability.is_asked && !command->is_series) {
        struct err err = {0};
        err_set(&err, ERR_INPUT,
                "'%s' has no 'metastability' block, and without the verdict of the four arms there "
                "is nothing to show; add one, or --set metastability.within=30s",
                options->scenario);
        close_plan(&experiment->base);
        return fail(&err);
    }
    arena_init(&experiment->arena);
    text_init(&experiment->theory);
    vec_init(&experiment->points, sizeof(struct results_point), POINTS_MAX);
    experiment->has_theory =
        read_theory(experiment->spec, &experiment->request, &experiment->theory);
    return EXIT_HELD;
}

static void end(struct experiment *experiment)
{
    struct err err = {0};
    if (!results_close(experiment->results, &err)) {
        fail(&err);
    }
    if (experiment->has_plan) {
        close_plan(&experiment->opened);
    }
    close_plan(&experiment->base);
    vec_release(&experiment->points);
    text_release(&experiment->theory);
    arena_release(&experiment->arena);
}

int experiment_command(const struct experiment_command *command, void *arguments, int argc,
                       char **argv)
{
    static const struct argp all = {options_of_all, parse_all, NULL, NULL, NULL, NULL, NULL};
    const struct argp_child children[] = {{&all, 0, "Options of all experiments:", 1}, {0}};
    const struct argp argp = {command->options, command->parse, "SCENARIO", command->doc,
                              children,         NULL,           NULL};
    struct experiment_options *options = arguments;
    options->jobs = jobs_usual();
    options->deadline_ns = INT64_MAX;
    text_init(&options->command_line);
    add_command_line(&options->command_line, command->kind, argv);
    argp_parse(&argp, argc, argv, 0, NULL, arguments);
    struct experiment experiment;
    int status = begin(&experiment, command, options);
    if (status == EXIT_HELD) {
        status = command->run(&experiment, arguments);
        end(&experiment);
    }
    text_release(&options->command_line);
    return status;
}

/* --------------------------------------------------------------------------------------- axes */

static double number_of(enum axis_unit unit, int64_t step)
{
    switch (unit) {
    case AXIS_NUMBER:
        return (double)step;
    case AXIS_DURATION:
        return (double)step / 1e9;
    case AXIS_RATE:
        return (double)step / 1e3;
    case AXIS_PERCENT:
        return (double)step / 1e6;
    }
    UNREACHABLE();
}

bool experiment_add_axis(struct experiment *experiment, const char *name, const char *text,
                         const struct experiment_default *otherwise, struct err *err)
{
    ASSERT(experiment->axis_count < EXPERIMENT_AXES_MAX);
    struct arena *arena = &experiment->arena;
    struct axis axis = {0};
    if (text == NULL && otherwise->to == 0) {
        return err_set(err, ERR_INPUT,
                       "--%s: no range is known for this scenario; give FROM..TO[/COUNT]", name);
    }
    bool is_read = text != NULL ? axis_parse(text, otherwise->count, arena, &axis, err)
                                : axis_range(otherwise->unit, otherwise->from, otherwise->to,
                                             otherwise->count, arena, &axis, err);
    if (!is_read) {
        return err_wrap(err, "--%s", name);
    }
    axis.path = axis.path == NULL ? otherwise->path : axis.path;
    if (axis.path == NULL) {
        return err_set(err, ERR_INPUT,
                       "--%s: no key of this scenario is meant by itself; give PATH=FROM..TO",
                       name);
    }
    const char **values = arena_alloc_array(arena, axis.count, sizeof(*values));
    double *numbers = arena_alloc_array(arena, axis.count, sizeof(*numbers));
    for (uint32_t i = 0; i < axis.count; i++) {
        char value[32];
        values[i] =
            arena_strdup(arena, axis_format(axis.unit, axis.steps[i], value, sizeof(value)));
        numbers[i] = number_of(axis.unit, axis.steps[i]);
    }
    for (uint32_t i = 0; i < experiment->axis_count; i++) {
        if (strcmp(experiment->axes[i].path, axis.path) == 0) {
            return err_set(err, ERR_INPUT, "--%s: '%s' is the axis --%s already", name, axis.path,
                           experiment->axes[i].name);
        }
    }
    experiment->axes[experiment->axis_count++] = (struct experiment_axis){
        .name = name,
        .path = axis.path,
        .unit = axis.unit,
        .values = values,
        .numbers = numbers,
        .count = axis.count,
    };
    return true;
}

/* Down to a multiple of the largest power of ten that is at most a hundredth of it. */
static int64_t round_off(int64_t steps, bool is_up)
{
    int64_t grain = 1;
    while (grain <= steps / 1000) {
        grain *= 10;
    }
    return (steps + (is_up ? grain - 1 : 0)) / grain * grain;
}

struct experiment_default experiment_load_default(struct experiment *experiment, uint32_t count)
{
    struct experiment_default found = {.unit = AXIS_RATE, .count = count};
    const struct run_spec *spec = experiment->spec;
    for (uint32_t i = 0; i < spec->load_count && found.path == NULL; i++) {
        const struct spec_load *load = &spec->loads[i];
        if (!load->is_trigger && load->rate_per_1000s > 0 && load->stage_count == 0) {
            found.path = arena_printf(&experiment->arena, "load.%s.rate", load->name);
        }
    }
    if (found.path != NULL && experiment->has_theory) {
        const struct predict_system *system = &experiment->request.system;
        double hidden = mean_field_hidden_capacity(system);
        bool is_apart = hidden < 0.9 * system->capacity_per_s;
        double from = is_apart ? 0.9 * hidden : 0.5 * system->capacity_per_s;
        found.from = round_off((int64_t)(1e3 * from), false);
        found.to = round_off((int64_t)(1e3 * system->capacity_per_s), false);
        found.from = found.from < 1 ? 1 : found.from;
    }
    return found;
}

/* The shortest and the longest finite one at the values of the axis "load", or at the load of the
 * scenario; 0: none. */
static struct interval tipping_range(const struct experiment *experiment)
{
    const struct predict_request *request = &experiment->request;
    const struct experiment_axis *loads = NULL;
    for (uint32_t i = 0; i < experiment->axis_count; i++) {
        const struct experiment_axis *axis = &experiment->axes[i];
        loads = strcmp(axis->name, "load") == 0 && axis->unit == AXIS_RATE ? axis : loads;
    }
    struct interval range = {0, 0};
    for (uint32_t i = 0; i < (loads != NULL ? loads->count : 1) && experiment->has_theory; i++) {
        double load = loads != NULL ? loads->numbers[i] : request->load_per_s;
        if (load <= 0) {
            continue;
        }
        double tips =
            fluid_tipping_duration(&request->system, load, request->trigger, request->budget_burst);
        if (tips < 1e6) {
            range.low = range.low == 0 || tips < range.low ? tips : range.low;
            range.high = tips > range.high ? tips : range.high;
        }
    }
    return range;
}

static const char *trigger_name(const struct run_spec *spec, const char **kind)
{
    for (uint32_t i = 0; i < spec->fault_count; i++) {
        const struct spec_fault *fault = &spec->faults[i];
        if (fault->is_trigger && dist_mean(&fault->duration) > 0 && !fault->has_no_end) {
            *kind = "faults";
            return fault->name;
        }
    }
    for (uint32_t i = 0; i < spec->load_count; i++) {
        if (spec->loads[i].is_trigger) {
            *kind = "load";
            return spec->loads[i].name;
        }
    }
    return NULL;
}

struct experiment_default experiment_trigger_default(struct experiment *experiment, uint32_t count)
{
    struct experiment_default found = {.unit = AXIS_DURATION, .count = count};
    const char *kind = "";
    const char *name = trigger_name(experiment->spec, &kind);
    if (name == NULL) {
        return found;
    }
    found.path = arena_printf(&experiment->arena, "%s.%s.duration", kind, name);
    struct interval tips = tipping_range(experiment);
    if (tips.high > 0) {
        found.to = round_off((int64_t)(3e9 * tips.high), true);
        found.from = found.to / count;
    }
    return found;
}

struct experiment_default experiment_search_default(struct experiment *experiment, uint32_t count)
{
    struct experiment_default found = experiment_trigger_default(experiment, count);
    struct interval tips = tipping_range(experiment);
    if (tips.high > 0) {
        found.from = round_off((int64_t)(0.6e9 * tips.low), false);
        found.to = round_off((int64_t)(1.4e9 * tips.high), true);
    }
    return found;
}

/* ---------------------------------------------------------------------------------- the cells */

/* Is this setting of a fault or a load that the control arm does without? Of a load that is left
 * out only rate and duration are without effect. */
static bool is_of_trigger(const struct run_spec *spec, const char *setting)
{
    for (uint32_t i = 0; i < spec->fault_count; i++) {
        const char *name = spec->faults[i].name;
        size_t length = strlen(name);
        if (spec->faults[i].is_trigger && strncmp(setting, "faults.", 7) == 0 &&
            strncmp(setting + 7, name, length) == 0 && setting[7 + length] == '.') {
            return true;
        }
    }
    for (uint32_t i = 0; i < spec->load_count; i++) {
        const char *name = spec->loads[i].name;
        size_t length = strlen(name);
        if (spec->loads[i].is_trigger && strncmp(setting, "load.", 5) == 0 &&
            strncmp(setting + 5, name, length) == 0) {
            return strncmp(setting + 5 + length, ".rate=", 6) == 0 ||
                   strncmp(setting + 5 + length, ".duration=", 10) == 0;
        }
    }
    return false;
}

static void share_controls(struct plan *plan)
{
    for (uint32_t i = 0; i < plan->cell_count; i++) {
        struct cell *cell = &plan->cells[i];
        uint64_t key = 1;
        for (uint32_t k = 0; k < cell->set_count; k++) {
            if (!is_of_trigger(&cell->spec, cell->sets[k])) {
                key = hash_mix(key, hash_text(cell->sets[k]));
            }
        }
        cell->control_key = key == 0 ? 1 : key;
    }
}

static bool is_on(const char *setting, const char *path)
{
    size_t length = strlen(path);
    return strncmp(setting, path, length) == 0 && setting[length] == '=';
}

/* An axis cannot be fixed as well. */
static bool check_sets(const struct experiment *experiment, struct err *err)
{
    for (uint32_t i = 0; i < experiment->options->set_count; i++) {
        const char *setting = experiment->options->sets[i];
        for (uint32_t k = 0; k < experiment->axis_count; k++) {
            const struct experiment_axis *axis = &experiment->axes[k];
            if (is_on(setting, axis->path)) {
                return err_set(err, ERR_INPUT, "--set %s: '%s' is the axis --%s; give it one value",
                               setting, axis->path, axis->name);
            }
        }
    }
    return true;
}

/* A sweep that is neither an axis nor fixed would be hidden in the picture. */
static bool check_sweep(const struct experiment *experiment, struct err *err)
{
    uint32_t count;
    const struct scenario_axis *axes = scenario_axes(experiment->base.scenario, &count);
    for (uint32_t i = 0; i < count; i++) {
        bool is_known = axes[i].value_count == 1;
        for (uint32_t k = 0; k < experiment->axis_count; k++) {
            is_known |= strcmp(experiment->axes[k].path, axes[i].path) == 0;
        }
        for (uint32_t k = 0; k < experiment->options->set_count; k++) {
            is_known |= is_on(experiment->options->sets[k], axes[i].path);
        }
        if (!is_known) {
            return err_set(err, ERR_INPUT,
                           "the scenario sweeps '%s', which is no axis here: choose one value with "
                           "--set %s=VALUE",
                           axes[i].path, axes[i].path);
        }
    }
    return true;
}

int experiment_open(struct experiment *experiment)
{
    struct err err = {0};
    struct plan_axis axes[EXPERIMENT_AXES_MAX];
    for (uint32_t i = 0; i < experiment->axis_count; i++) {
        const struct experiment_axis *axis = &experiment->axes[i];
        axes[i] = (struct plan_axis){axis->path, axis->values, axis->count};
    }
    bool is_fine = check_sets(experiment, &err) &&
                   (experiment->command->is_series || check_sweep(experiment, &err));
    if (!is_fine) {
        return fail(&err);
    }
    int status = plan_experiment(experiment, axes, experiment->axis_count, &experiment->opened);
    if (status != EXIT_HELD) {
        return status;
    }
    experiment->has_plan = true;
    share_controls(&experiment->opened.plan);
    const struct experiment_options *options = experiment->options;
    if (options->out != NULL) {
        snprintf(experiment->folder, sizeof(experiment->folder), "%s", options->out);
    } else {
        snprintf(experiment->folder, sizeof(experiment->folder), "out/%s-%s",
                 experiment->opened.plan.name, experiment->command->kind);
    }
    experiment->results = folder_open(experiment->folder, options->is_restart, experiment->path,
                                      sizeof(experiment->path), &err);
    return experiment->results != NULL ? EXIT_HELD : fail(&err);
}

int experiment_run(struct experiment *experiment, const struct campaign_source *source)
{
    const struct experiment_options *options = experiment->options;
    struct campaign_options campaign = {
        .sets = options->sets,
        .set_count = options->set_count,
        .jobs = options->jobs,
        .deadline_ns = options->deadline_ns,
        .fail_fast = UINT64_MAX,
        .recheck_percent = RECHECK_PERCENT,
        .windows = experiment->command->is_series ? JUDGE_WINDOWS_ALL : JUDGE_WINDOWS_NONE,
        .has_no_windows = !experiment->command->is_series,
        .is_quiet = options->is_quiet,
        .command_line = text_of(&options->command_line),
        .source = source,
    };
    struct err err = {0};
    struct campaign_outcome *outcome = &experiment->outcome;
    int64_t different = 0;
    if (!campaign_run(experiment->results, &experiment->opened.plan, &campaign, outcome, &err) ||
        !results_query_integer(experiment->results, "SELECT count(*) FROM v_nondeterministic", 0,
                               &different, &err)) {
        return fail(&err);
    }
    int status = EXIT_HELD;
    if (outcome->is_interrupted) {
        printf("interrupted; the same command goes on where it stopped\n");
        status = EXIT_INTERRUPTED;
    } else if (outcome->is_late) {
        printf("the time budget is used up; the same command goes on where it stopped\n");
        status = EXIT_UNKNOWN;
    }
    if (different > 0) {
        printf("NONDETERMINISM: %lld runs came out differently when done again\n",
               (long long)different);
        status = exit_worse(status, EXIT_NONDETERMINISM);
    }
    /* A search may come back to what it has run itself. */
    bool is_resumed = outcome->skipped > 0 && (source == NULL || outcome->runs == 0);
    if (is_resumed && !options->is_quiet) {
        printf("%llu of the runs were done before; --restart throws them away\n",
               (unsigned long long)outcome->skipped);
    }
    return status;
}

const char *experiment_unit(const struct experiment_axis *axis)
{
    return axis->unit == AXIS_RATE ? "/s" : axis_unit_name(axis->unit);
}

/* -------------------------------------------------------------------------------------- theory */

bool experiment_request(const struct experiment *experiment, uint32_t cell,
                        struct predict_request *request)
{
    struct text notes;
    text_init(&notes);
    bool is_known = read_theory(&experiment->opened.plan.cells[cell].spec, request, &notes) &&
                    request->load_per_s > 0;
    text_release(&notes);
    return is_known;
}

/* The correction is that of `squall predict`. */
double experiment_tipping_duration(const struct experiment *experiment, uint32_t cell,
                                   double *with_service)
{
    struct predict_request request;
    double nothing = __builtin_nan("");
    *with_service = nothing;
    if (!experiment_request(experiment, cell, &request) ||
        (request.trigger.capacity_factor >= 1 && request.trigger.load_factor <= 1)) {
        return nothing;
    }
    struct predict_system *system = &request.system;
    double tips =
        fluid_tipping_duration(system, request.load_per_s, request.trigger, request.budget_burst);
    double service_s = system->servers / system->capacity_per_s;
    if (service_s < system->timeout_s / 2 && service_s >= system->timeout_s / 1000 &&
        system->queue_limit <= 0) {
        system->timeout_s -= service_s;
        system->retry_delay_s += service_s;
        *with_service = fluid_tipping_duration(system, request.load_per_s, request.trigger,
                                               request.budget_burst);
    }
    return tips;
}

/* ------------------------------------------------------------------------------------ verdicts */

struct tallying {
    struct map cells; /* cell id to index */
    struct tally *tallies;
};

static bool on_verdicts(void *context, const struct results_row *row)
{
    struct tallying *tallying = context;
    const uint64_t *index = map_find(&tallying->cells, (uint64_t)row->values[0].integer);
    if (index == NULL) {
        return true;
    }
    struct tally *tally = &tallying->tallies[*index];
    uint64_t runs = (uint64_t)row->values[3].integer;
    const char *verdict = row->values[1].text;
    bool is_stuck = row->values[2].integer != 0;
    if (strcmp(verdict, "stable") == 0) {
        tally->stable += runs;
    } else if (strcmp(verdict, "unstable") == 0) {
        tally->unstable += runs;
    } else if (is_stuck) {
        tally->stuck += runs;
    } else {
        tally->undecided += runs;
    }
    return true;
}

bool experiment_tally(struct experiment *experiment, struct tally *tallies, struct err *err)
{
    static const char sql[] =
        "SELECT r.cell_id, m.verdict, ifnull(a.outcome='stuck',0), count(*) FROM run r "
        "LEFT JOIN metastability m USING(run_id) "
        "LEFT JOIN arm a ON a.run_id=r.run_id AND a.arm='doubled' GROUP BY 1,2,3";
    const struct plan *plan = &experiment->opened.plan;
    struct tallying tallying = {.tallies = tallies};
    map_init(&tallying.cells);
    for (uint32_t i = 0; i < plan->cell_count; i++) {
        tallies[i] = (struct tally){0};
        if (experiment->outcome.cell_ids[i] != 0) {
            map_put(&tallying.cells, (uint64_t)experiment->outcome.cell_ids[i], i);
        }
    }
    bool is_fine = results_query(experiment->results, sql, NULL, 0, on_verdicts, &tallying, err);
    map_release(&tallying.cells);
    return is_fine;
}

/* ---------------------------------------------------------------------------------- the report */

void experiment_point(struct experiment *experiment, const char *series, double x, double y,
                      struct interval interval, const char *note)
{
    struct results_point *point = vec_push(&experiment->points);
    *point = (struct results_point){series, x, y, interval.low, interval.high, note};
}

static bool store(struct experiment *experiment, struct err *err)
{
    struct results_axis axes[EXPERIMENT_AXES_MAX];
    for (uint32_t i = 0; i < experiment->axis_count; i++) {
        const struct experiment_axis *axis = &experiment->axes[i];
        axes[i] = (struct results_axis){axis->name,   axis->path,    axis_unit_name(axis->unit),
                                        axis->values, axis->numbers, axis->count};
    }
    struct results_experiment row = {
        .kind = experiment->command->kind,
        .scenario_id = experiment->outcome.scenario_id,
        .build_id = experiment->outcome.build_id,
        .seeds = experiment->opened.plan.seed_count,
        .theory = experiment->theory.length == 0 ? "" : text_of(&experiment->theory),
        .axes = axes,
        .axis_count = experiment->axis_count,
        .points = experiment->points.items,
        .point_count = experiment->points.count,
    };
    return results_set_experiment(experiment->results, &row, err) &&
           results_commit(experiment->results, err);
}

static void print_example(const struct experiment *experiment)
{
    const struct plan *plan = &experiment->opened.plan;
    const struct experiment_options *options = experiment->options;
    const char *folder = options->out != NULL ? options->out : experiment->folder;
    printf("  a point   ");
    replay_line(stdout, &plan->cells[plan->cell_count / 2], options->sets, options->set_count,
                folder, plan_seed(plan, 0));
    printf("\n");
}

int experiment_report(struct experiment *experiment)
{
    struct err err = {0};
    char digest[17];
    char folder[4096];
    if (!store(experiment, &err) || !results_digest(experiment->results, digest, &err)) {
        return fail(&err);
    }
    snprintf(folder, sizeof(folder), "%s/report", experiment->folder);
    struct report_options report = {.folder = folder, .format = REPORT_SVG};
    bool is_drawn = report_write(experiment->results, &report, &err);
    printf("  results   %s  digest %s\n", experiment->path, digest);
    if (!experiment->command->is_series) {
        print_example(experiment);
    }
    printf("  report    %s/index.html\n", folder);
    return is_drawn ? EXIT_HELD : fail(&err);
}
