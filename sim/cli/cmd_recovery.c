/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * squall recovery: how long does it take to come back from one and the same trigger, the closer the
 * load is to the hidden capacity? One cell for each load (and for each size of the trigger, when
 * several are asked for), all seeds in each, the four arms for each run: what is not back in the
 * run is run for twice as long, and what is not back then is censored, for it would have taken
 * longer. The median of the seeds is that of Kaplan and Meier, which neither leaves those out nor
 * takes their time for their recovery.
 *
 * Theory: the closed form where it holds (one retry, a full outage longer than the time-out), else
 * the fluid. Both grow without bound at the hidden capacity. */
#include "sim/cli/experiment.h"

#include "analysis/recovery.h"
#include "sim/base/base.h"

#include <string.h>

#define LOADS      26
#define TRIGGERS   4
#define CURVE      240 /* points of a curve of theory */
#define SERIES_MAX 6
#define PER_1000S  1000.0

static const char doc[] =
    "Shows how long a system takes to come back from a trigger, over the load: it grows without "
    "bound towards the hidden capacity.\v"
    "SCENARIO needs a 'metastability' block. Time counts from the end of the trigger to the first "
    "healthy stretch ('for' of the block). What is not back in twice the run is censored: it takes "
    "longer. Median: Kaplan-Meier over the seeds, with its 95% interval. Without --load, where "
    "theory can read the scenario: 26 loads from an eighth of the hidden capacity to a tenth above "
    "it. --trigger: another duration of the scenario's first trigger, or several.\n\n"
    "Examples:\n"
    "  squall recovery hotos-retries --set client.retry.maxAttempts=2 \\\n"
    "                  --load 20/s..145/s/26 --trigger 10s\n"
    "  squall recovery mm30-retries --trigger 2s,5s,10s --set time.limit=200s\n\n"
    "Results and report are in out/NAME-recovery. Exit status: 0 done, 2 usage or scenario error, "
    "3 "
    "a run told nothing, 4 nondeterminism, 5 squall's own failure, 130 interrupted.";

static const struct argp_option options[] = {
    EXPERIMENT_LOAD("loads, such as 20/s..145/s/26"),
    EXPERIMENT_TRIGGER("[PATH=]VALUE[,VALUE...]",
                       "sizes of the trigger, such as 10s (default: as the scenario has it)"),
    {0},
};

struct recovery {
    struct experiment *experiment;
    uint32_t trigger_count;        /* cells of one load */
    struct recovery_point *points; /* of all cells */
};

/* ------------------------------------------------------------------------------------ measuring */

struct reading {
    struct vec times; /* struct lifetime */
    struct recovery_point *point;
};

static bool on_run(void *context, const struct results_row *row)
{
    struct reading *reading = context;
    const struct results_value *values = row->values;
    bool is_back = values[1].type != RESULTS_NULL;
    double looked_s = values[2].real / 1e9;
    if (strcmp(values[0].text, "unstable") == 0) {
        reading->point->unstable++;
    } else if (!is_back && !(looked_s > 0)) {
        reading->point->silent++;
    } else {
        struct lifetime *time = vec_push(&reading->times);
        *time = (struct lifetime){is_back ? values[1].real / 1e9 : looked_s, !is_back};
    }
    return true;
}

static bool measure_point(struct recovery *recovery, uint32_t cell, struct err *err)
{
    static const char sql[] =
        "SELECT ifnull(m.verdict,''), m.recovery_ns, m.censored_ns FROM run r LEFT JOIN "
        "metastability m USING(run_id) WHERE r.cell_id=?1 ORDER BY r.seed";
    struct experiment *experiment = recovery->experiment;
    struct recovery_point *point = &recovery->points[cell];
    struct reading reading = {.point = point};
    struct predict_request request;
    char id[24];
    *point = (struct recovery_point){.predicted_s = __builtin_nan("")};
    vec_init(&reading.times, sizeof(struct lifetime), UINT32_MAX);
    snprintf(id, sizeof(id), "%lld", (long long)experiment->outcome.cell_ids[cell]);
    const char *const parameters[] = {id};
    bool is_fine = results_query(experiment->results, sql, parameters, 1, on_run, &reading, err);
    struct survival *steps =
        arena_alloc_array(&experiment->arena, reading.times.count + 1, sizeof(struct survival));
    recovery_judge(point, reading.times.items, reading.times.count, steps);
    if (experiment_request(experiment, cell, &request)) {
        point->predicted_s = recovery_predict(&request);
    }
    vec_release(&reading.times);
    return is_fine;
}

static bool measure(struct recovery *recovery, struct err *err)
{
    struct experiment *experiment = recovery->experiment;
    uint32_t cells = experiment->opened.plan.cell_count;
    recovery->points = arena_alloc_array(&experiment->arena, cells, sizeof(*recovery->points));
    bool is_fine = true;
    for (uint32_t i = 0; i < cells && is_fine; i++) {
        is_fine = measure_point(recovery, i, err);
    }
    return is_fine;
}

/* ------------------------------------------------------------------------------------- printing */

static const char *label_of(const struct recovery *recovery, uint32_t trigger)
{
    const struct experiment *experiment = recovery->experiment;
    return experiment->axis_count > 1 ? experiment->axes[1].values[trigger] : "";
}

static void add_place(struct text *text, const struct recovery *recovery, const char *load,
                      const char *trigger)
{
    text_printf(text, "  %12s", load);
    if (recovery->trigger_count > 1) {
        text_printf(text, "  %8s", trigger);
    }
}

static void print_all(const struct recovery *recovery)
{
    const struct experiment *experiment = recovery->experiment;
    const struct experiment_axis *loads = &experiment->axes[0];
    double worst = 0;
    uint32_t compared = 0;
    struct text text;
    text_init(&text);
    add_place(&text, recovery, "load", "trigger");
    recovery_add_head(&text);
    for (uint32_t i = 0; i < loads->count * recovery->trigger_count; i++) {
        uint32_t trigger = i / loads->count;
        uint32_t load = i % loads->count;
        const struct recovery_point *point =
            &recovery->points[load * recovery->trigger_count + trigger];
        add_place(&text, recovery, loads->values[load], label_of(recovery, trigger));
        recovery_add_point(&text, point);
        double difference = recovery_difference(point);
        worst = difference > worst ? difference : worst;
        compared += difference >= 0 ? 1 : 0;
    }
    printf("\n%s", text_of(&text));
    text_release(&text);
    if (compared > 0) {
        printf("\n  largest difference to theory %.4gs, over %u points that are back\n", worst,
               compared);
    }
    if (experiment->has_theory) {
        printf("  hidden capacity %.6g/s, where theory has it take for ever\n",
               mean_field_hidden_capacity(&experiment->request.system));
    }
}

/* ----------------------------------------------------------------------------------- the report */

/* Theory between the loads, as far as it can be read off a cell with another load. */
static void add_curve(struct recovery *recovery, uint32_t trigger)
{
    const struct interval none = {__builtin_nan(""), __builtin_nan("")};
    struct experiment *experiment = recovery->experiment;
    const struct experiment_axis *loads = &experiment->axes[0];
    struct predict_request request;
    size_t length = strlen(loads->path);
    bool is_rate =
        loads->unit == AXIS_RATE && length > 5 && strcmp(loads->path + length - 5, ".rate") == 0;
    if (!is_rate || !experiment_request(experiment, trigger, &request)) {
        return;
    }
    double first = loads->numbers[0];
    double last = loads->numbers[loads->count - 1];
    double hidden = mean_field_hidden_capacity(&request.system);
    double end = last < hidden ? last : hidden;
    for (uint32_t i = 0; i < CURVE && end > first; i++) {
        request.load_per_s = recovery_load(first, end, i, CURVE);
        double seconds = recovery_predict(&request);
        if (seconds < 1e12) {
            experiment_point(experiment, "predicted", request.load_per_s, seconds, none,
                             label_of(recovery, trigger));
        }
    }
    experiment_point(experiment, "hidden", hidden, __builtin_nan(""), none,
                     label_of(recovery, trigger));
}

static void add_points(struct recovery *recovery)
{
    const struct interval none = {__builtin_nan(""), __builtin_nan("")};
    struct experiment *experiment = recovery->experiment;
    for (uint32_t t = 0; t < recovery->trigger_count; t++) {
        for (uint32_t i = 0; i < experiment->axes[0].count; i++) {
            const struct recovery_point *point = &recovery->points[i * recovery->trigger_count + t];
            double load = experiment->axes[0].numbers[i];
            if (recovery_is_back(point)) {
                experiment_point(experiment, "median", load, point->median.mean,
                                 point->median.interval, label_of(recovery, t));
            } else if (recovery_is_censored(point)) {
                experiment_point(experiment, "censored", load, point->looked_s, none,
                                 label_of(recovery, t));
            }
        }
        add_curve(recovery, t);
    }
}

/* ---------------------------------------------------------------------------------- the command */

/* From an eighth of the hidden capacity to a tenth above it. */
static struct experiment_default loads_of_theory(struct experiment *experiment)
{
    struct experiment_default found = experiment_load_default(experiment, LOADS);
    if (found.to > 0) {
        double hidden = mean_field_hidden_capacity(&experiment->request.system);
        int64_t grain = (int64_t)(PER_1000S * hidden / 30);
        grain = grain > 1000 ? grain / 1000 * 1000 : grain > 0 ? grain : 1;
        found.from = 4 * grain;
        found.to = 33 * grain;
        found.count = 30;
    }
    return found;
}

static bool add_axes(struct experiment *experiment, const struct experiment_options *given,
                     struct err *err)
{
    struct experiment_default loads = loads_of_theory(experiment);
    struct experiment_default triggers = experiment_trigger_default(experiment, TRIGGERS);
    if (!experiment_add_axis(experiment, "load", given->load, &loads, err)) {
        return false;
    }
    if (given->trigger == NULL) {
        return true;
    }
    if (!experiment_add_axis(experiment, "trigger", given->trigger, &triggers, err)) {
        return false;
    }
    return experiment->axes[1].count <= SERIES_MAX ||
           err_set(err, ERR_INPUT, "--trigger: at most %d sizes, each is a curve", SERIES_MAX);
}

static int conclude(struct recovery *recovery, int status)
{
    struct err err = {0};
    if (!measure(recovery, &err)) {
        return fail(&err);
    }
    print_all(recovery);
    add_points(recovery);
    for (uint32_t i = 0; i < recovery->experiment->opened.plan.cell_count; i++) {
        status = recovery->points[i].silent > 0 ? exit_worse(status, EXIT_UNKNOWN) : status;
    }
    printf("\n");
    return exit_worse(status, experiment_report(recovery->experiment));
}

static int run(struct experiment *experiment, void *arguments)
{
    struct experiment_options *given = arguments;
    struct recovery recovery = {.experiment = experiment};
    struct err err = {0};
    if (!add_axes(experiment, given, &err)) {
        return fail(&err);
    }
    /* Only now, since it would make a block where there is none. No relief is of interest. */
    if (given->set_count < EXPERIMENT_SETS_MAX) {
        given->sets[given->set_count++] = "metastability.probe=none";
    }
    int status = experiment_open(experiment);
    if (status != EXIT_HELD) {
        return status;
    }
    recovery.trigger_count = experiment->axis_count > 1 ? experiment->axes[1].count : 1;
    if (!given->is_quiet) {
        const struct plan *plan = &experiment->opened.plan;
        printf("%s  %u loads × %u triggers × %llu seeds\n", plan->name, experiment->axes[0].count,
               recovery.trigger_count, (unsigned long long)plan->seed_count);
        fflush(stdout);
    }
    status = experiment_run(experiment, NULL);
    bool has_runs = status == EXIT_HELD || status == EXIT_UNKNOWN || status == EXIT_NONDETERMINISM;
    return has_runs ? conclude(&recovery, status) : status;
}

int cmd_recovery(int argc, char **argv)
{
    static const struct experiment_command command = {
        .kind = "recovery", .doc = doc, .options = options, .parse = experiment_parse, .run = run};
    struct experiment_options given = {0};
    return experiment_command(&command, &given, argc, argv);
}
