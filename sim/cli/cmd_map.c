/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * squall map: which triggers stick at which load? One cell for each (load, size of the trigger),
 * all seeds in each, the verdict of the four arms for each run; then the share that sticks, the
 * size at which half of the runs do, the class of each load, and the loads at which the class
 * changes, beside what theory says of the same scenario. */
#include "sim/cli/experiment.h"

#include "sim/base/base.h"

#include <string.h>

#define LOADS    20
#define TRIGGERS 20
#define COLUMNS  80 /* more sizes than this are not shown as characters */

static const char doc[] =
    "Draws which triggers stick at which load: the share of seeds that do not come back, over the "
    "load and the size of the trigger.\v"
    "SCENARIO needs a 'metastability' block. Each point is a cell that all seeds are run in; runs "
    "of the same load and seed share their control arm. The axes are keys of the scenario: by "
    "default the rate of the first load that is no trigger, and the duration of the first trigger. "
    "Ranges that are not given come from theory, where it can read the scenario: from below the "
    "hidden capacity to the capacity, and up to three times the longest trigger that it expects to "
    "tip. COUNT is 20 when not given.\n\n"
    "Examples:\n"
    "  squall map mm30-retries --load 130/s..300/s/12 --trigger 0.2s..4s/12\n"
    "  squall map hotos-retries --set client.retry.maxAttempts=2 --set time.limit=60s\n"
    "  squall map mine.yaml --load load.web.rate=10/s..90/s/9 \\\n"
    "                       --trigger faults.slow.factor=2..20/10\n\n"
    "Results and report are in out/NAME-map; `squall report out/NAME-map` draws it again. Exit "
    "status: 0 done, 2 usage or scenario error, 3 not every point told anything, 4 "
    "nondeterminism, 5 squall's own failure, 130 interrupted.";

static const struct argp_option options[] = {
    EXPERIMENT_LOAD("loads, such as 150/s..290/s/20"),
    EXPERIMENT_TRIGGER("[PATH=]FROM..TO[/COUNT]", "sizes of the trigger, such as 0.5s..5s/20"),
    EXPERIMENT_ARMS,
    {0},
};

/* One load. */
struct row {
    enum region region;
    struct tipping tipping;
    double predicted;    /* size; infinite: none sticks; NaN: theory says nothing */
    double with_service; /* the same with one service taken off the time-out */
};

struct map_view {
    struct experiment *experiment;
    const struct experiment_axis *loads;
    const struct experiment_axis *sizes;
    struct tally *tallies; /* of all cells */
    struct row *rows;
    enum region *regions; /* of all rows */
};

/* -------------------------------------------------------------------------------------- theory */

/* Of a trigger whose size is no duration: between the last size that theory sees come back and the
 * first that it does not; -infinite: already the first does not. */
static double predict_by_cells(const struct map_view *map, uint32_t load)
{
    double before = __builtin_nan("");
    for (uint32_t i = 0; i < map->sizes->count; i++) {
        struct predict_request request;
        uint32_t cell = load * map->sizes->count + i;
        if (!experiment_request(map->experiment, cell, &request)) {
            return __builtin_nan("");
        }
        struct fluid_run run = fluid_through(&request.system, request.load_per_s, request.trigger,
                                             request.budget_burst);
        if (run.end != FLUID_RECOVERED) {
            return i == 0 ? -__builtin_inf() : (before + map->sizes->numbers[i]) / 2;
        }
        before = map->sizes->numbers[i];
    }
    return __builtin_inf();
}

static void predict(const struct map_view *map, uint32_t load, struct row *row)
{
    static const char duration[] = ".duration";
    const char *path = map->sizes->path;
    size_t length = strlen(path);
    row->predicted = __builtin_nan("");
    row->with_service = __builtin_nan("");
    bool is_duration =
        length > strlen(duration) && strcmp(path + length - strlen(duration), duration) == 0;
    if (!map->experiment->has_theory) {
        return;
    }
    if (is_duration) {
        row->predicted = experiment_tipping_duration(map->experiment, load * map->sizes->count,
                                                     &row->with_service);
    } else {
        row->predicted = predict_by_cells(map, load);
    }
}

/* --------------------------------------------------------------------------------------- rows */

static const struct tally *row_of(const struct map_view *map, uint32_t load)
{
    return &map->tallies[load * map->sizes->count];
}

static void judge_rows(struct map_view *map)
{
    for (uint32_t i = 0; i < map->loads->count; i++) {
        struct row *row = &map->rows[i];
        row->region = region_of(row_of(map, i), map->sizes->count);
        if (row->region == REGION_UNSTABLE) { /* it tips by itself */
            row->tipping = tipping_of(NULL, NULL, 0);
        } else {
            row->tipping = tipping_of(map->sizes->numbers, row_of(map, i), map->sizes->count);
        }
        predict(map, i, row);
        map->regions[i] = row->region;
    }
}

static const char *method_name(enum tipping_method method)
{
    static const char *const names[] = {"none", "all", "fit", "between"};
    return names[method];
}

static void add_points(const struct map_view *map)
{
    struct experiment *experiment = map->experiment;
    const struct interval none = {__builtin_nan(""), __builtin_nan("")};
    for (uint32_t i = 0; i < map->loads->count; i++) {
        const struct row *row = &map->rows[i];
        double load = map->loads->numbers[i];
        experiment_point(experiment, "tipping", load, row->tipping.half, row->tipping.interval,
                         method_name(row->tipping.method));
        experiment_point(experiment, "region", load, row->region, none, region_name(row->region));
        if (row->predicted == row->predicted) {
            experiment_point(experiment, "predicted-tipping", load, row->predicted, none, "");
            experiment_point(experiment, "predicted-tipping-service", load, row->with_service, none,
                             "");
        }
    }
}

/* ------------------------------------------------------------------------------------- printing */

/* '.' nothing sticks, 1 .. 9 tenths, '#' everything, 'u' unstable, '?' not told. */
static char mark_of(const struct tally *tally)
{
    uint64_t told = tally_told(tally);
    uint64_t all = told + tally->unstable + tally->undecided;
    if (all == 0) {
        return ' ';
    }
    if (2 * tally->unstable >= all) {
        return 'u';
    }
    if (2 * told < all) {
        return '?';
    }
    if (tally->stuck == 0) {
        return '.';
    }
    if (tally->stuck == told) {
        return '#';
    }
    uint64_t tenths = (10 * tally->stuck + told / 2) / told;
    return (char)('0' + (tenths < 1 ? 1 : tenths > 9 ? 9 : tenths));
}

static void print_theory(double predicted, const char *unit)
{
    char text[32] = "";
    if (predicted > 1e12) {
        snprintf(text, sizeof(text), "never");
    } else if (predicted < -1e12) {
        snprintf(text, sizeof(text), "below");
    } else if (predicted == predicted) {
        snprintf(text, sizeof(text), "%.3f%s", predicted, unit);
    }
    printf("  %-8s", text);
}

static void print_tipping(const struct row *row, const char *unit)
{
    char text[64];
    switch (row->tipping.method) {
    case TIPPING_NONE:
        snprintf(text, sizeof(text), "-");
        break;
    case TIPPING_ALL:
        snprintf(text, sizeof(text), "below");
        break;
    case TIPPING_FIT:
    case TIPPING_BETWEEN:
        snprintf(text, sizeof(text), "%.3f%s [%.3f, %.3f]", row->tipping.half, unit,
                 row->tipping.interval.low, row->tipping.interval.high);
        break;
    }
    printf("  %-24s", text);
    print_theory(row->predicted, unit);
    print_theory(row->with_service, unit);
    printf("  %s\n", region_name(row->region));
}

static int longest_value(const struct experiment_axis *axis)
{
    size_t longest = 0;
    for (uint32_t i = 0; i < axis->count; i++) {
        size_t length = strlen(axis->values[i]);
        longest = length > longest ? length : longest;
    }
    return (int)longest;
}

static void print_head(const struct map_view *map, bool has_cells, int width)
{
    const struct plan *plan = &map->experiment->opened.plan;
    const struct experiment_axis *sizes = map->sizes;
    printf("%s: %u loads (%s) × %u triggers (%s), %llu seeds each\n\n", plan->name,
           map->loads->count, map->loads->path, sizes->count, sizes->path,
           (unsigned long long)plan->seed_count);
    const char *last = sizes->values[sizes->count - 1];
    int room = (int)(has_cells ? sizes->count : 0);
    int between = room - (int)strlen(sizes->values[0]) - (int)strlen(last);
    if (!has_cells) {
        printf("  %*s", width, "load");
    } else if (between >= 1) {
        printf("  %*s  %s%*s%s", width, "load", sizes->values[0], between, "", last);
    } else {
        printf("  %*s  %-*s", width, "load", room, "P");
    }
    bool has_theory = map->experiment->has_theory;
    printf("  %-24s  %-8s  %-8s  %s\n", "P = 0.5 at", has_theory ? "theory" : "",
           has_theory ? "-service" : "", "class");
}

static void print_rows(const struct map_view *map)
{
    bool has_cells = map->sizes->count <= COLUMNS;
    int width = longest_value(map->loads);
    width = width < 4 ? 4 : width;
    print_head(map, has_cells, width);
    const char *unit = experiment_unit(map->sizes);
    for (uint32_t i = map->loads->count; i > 0; i--) {
        printf("  %*s", width, map->loads->values[i - 1]);
        printf(has_cells ? "  " : "");
        for (uint32_t k = 0; k < map->sizes->count && has_cells; k++) {
            putchar(mark_of(&row_of(map, i - 1)[k]));
        }
        print_tipping(&map->rows[i - 1], unit);
    }
    printf("\n  P = 0.5 at: by logistic regression with its 95%% interval where the runs of a load "
           "overlap, else between\n  the two neighbouring sizes that differ\n");
    if (map->experiment->has_theory) {
        printf("  theory: the fluid; -service: with one mean service taken off the time-out\n");
    }
    if (has_cells) {
        printf("  share of seeds that stick: . none, 1-9 tenths, # all; u: fails without the "
               "trigger, ?: not told\n");
    }
}

/* "150/s .. 160/s", "above 290/s", "150/s or below". */
static void format_bracket(const struct map_view *map, struct bracket bracket, char *out,
                           size_t size)
{
    const char *unit = experiment_unit(map->loads);
    bool has_low = bracket.low == bracket.low;
    bool has_high = bracket.high == bracket.high;
    if (has_low && has_high) {
        snprintf(out, size, "%.6g%s .. %.6g%s", bracket.low, unit, bracket.high, unit);
    } else if (has_low) {
        snprintf(out, size, "above %.6g%s", bracket.low, unit);
    } else if (has_high) {
        snprintf(out, size, "below %.6g%s", bracket.high, unit);
    } else {
        snprintf(out, size, "not seen");
    }
}

/* How far theory is from what was seen. */
static void print_difference(struct bracket bracket, double theory)
{
    bool has_both = bracket.low == bracket.low && bracket.high == bracket.high;
    if (bracket.low == bracket.low && theory < bracket.low) {
        printf("  theory is %.2g%% below", 100 * (1 - theory / bracket.low));
    } else if (bracket.high == bracket.high && theory > bracket.high) {
        printf("  theory is %.2g%% above", 100 * (theory / bracket.high - 1));
    } else {
        printf("  %s", has_both ? "theory lies between" : "theory agrees");
    }
}

struct capacity {
    const char *series;
    const char *title;
    enum region least;
    double theory;
};

static void print_capacity(const struct map_view *map, const struct capacity *capacity)
{
    char text[96];
    bool is_monotone;
    struct bracket bracket = bracket_of(map->loads->numbers, map->regions, map->loads->count,
                                        capacity->least, &is_monotone);
    bool has_theory = capacity->theory == capacity->theory;
    format_bracket(map, bracket, text, sizeof(text));
    printf("  %-20s simulated %-22s", capacity->title, text);
    if (has_theory && map->loads->unit == AXIS_RATE) {
        printf("  theory %.6g/s", capacity->theory);
        print_difference(bracket, capacity->theory);
    }
    printf("%s\n", is_monotone ? "" : "  (not monotone: a load above it is better again)");
    experiment_point(map->experiment, capacity->series, __builtin_nan(""),
                     has_theory ? capacity->theory : __builtin_nan(""),
                     (struct interval){bracket.low, bracket.high},
                     is_monotone ? "" : "not monotone");
}

/* Below the hidden capacity everything comes back, but close to it only after longer than a run
 * shows: what theory says is slow is then counted as stuck. */
static void warn_of_slow(const struct map_view *map, uint32_t load)
{
    struct predict_request request;
    uint32_t cell = (load + 1) * map->sizes->count - 1;
    const struct tally *last = &row_of(map, load)[map->sizes->count - 1];
    if (last->stuck == 0 || !experiment_request(map->experiment, cell, &request)) {
        return;
    }
    struct fluid_run run =
        fluid_through(&request.system, request.load_per_s, request.trigger, request.budget_burst);
    const struct run_spec *spec = &map->experiment->opened.plan.cells[cell].spec;
    double limit_s = 2 * (double)spec->limit_ns / 1e9;
    if (run.end == FLUID_RECOVERED && run.late_until_s > 0.25 * limit_s) {
        text_printf(&map->experiment->theory,
                    "  - at %s goodput should be back %.0f s after the longest trigger, which runs "
                    "of %.0f s may not show: raise time.limit\n",
                    map->loads->values[load], run.late_until_s, limit_s);
    }
}

static void print_capacities(const struct map_view *map)
{
    const struct experiment *experiment = map->experiment;
    struct capacity hidden = {"hidden-capacity", "hidden capacity", REGION_VULNERABLE,
                              __builtin_nan("")};
    struct capacity advertised = {"advertised-capacity", "advertised capacity", REGION_UNSTABLE,
                                  __builtin_nan("")};
    struct predict_request request;
    if (experiment->has_theory && experiment_request(experiment, 0, &request)) {
        hidden.theory = mean_field_hidden_capacity(&request.system);
        advertised.theory = mean_field_saddle_node(&request.system);
    }
    printf("\n");
    print_capacity(map, &hidden);
    print_capacity(map, &advertised);
    for (uint32_t i = 0; i < map->loads->count && experiment->has_theory; i++) {
        warn_of_slow(map, i);
    }
    if (experiment->theory.length > 0) {
        printf("  %s:\n%s", experiment->has_theory ? "what theory is about" : "theory says nothing",
               text_of(&experiment->theory));
    }
    printf("\n");
}

/* ------------------------------------------------------------------------------------- command */

/* Of all runs that were wanted: did each point tell something? */
static int judge_map(const struct map_view *map)
{
    uint32_t silent = 0;
    for (uint32_t i = 0; i < map->loads->count * map->sizes->count; i++) {
        const struct tally *tally = &map->tallies[i];
        silent += tally_told(tally) + tally->unstable == 0 ? 1 : 0;
    }
    if (silent > 0) {
        printf("  %u points tell nothing: no run of theirs was decided\n", silent);
    }
    return silent > 0 ? EXIT_UNKNOWN : EXIT_HELD;
}

static int show(struct experiment *experiment)
{
    uint32_t cells = experiment->opened.plan.cell_count;
    uint32_t loads = experiment->axes[0].count;
    struct map_view map = {
        .experiment = experiment,
        .loads = &experiment->axes[0],
        .sizes = &experiment->axes[1],
        .tallies = arena_alloc_array(&experiment->arena, cells, sizeof(struct tally)),
        .rows = arena_alloc_array(&experiment->arena, loads, sizeof(struct row)),
        .regions = arena_alloc_array(&experiment->arena, loads, sizeof(enum region)),
    };
    struct err err = {0};
    if (!experiment_tally(experiment, map.tallies, &err)) {
        return fail(&err);
    }
    judge_rows(&map);
    add_points(&map);
    print_rows(&map);
    print_capacities(&map);
    int status = judge_map(&map);
    return exit_worse(status, experiment_report(experiment));
}

static int run(struct experiment *experiment, void *arguments)
{
    const struct experiment_options *given = arguments;
    struct err err = {0};
    struct experiment_default loads = experiment_load_default(experiment, LOADS);
    if (!experiment_add_axis(experiment, "load", given->load, &loads, &err)) {
        return fail(&err);
    }
    struct experiment_default sizes = experiment_trigger_default(experiment, TRIGGERS);
    if (!experiment_add_axis(experiment, "trigger", given->trigger, &sizes, &err)) {
        return fail(&err);
    }
    int status = experiment_open(experiment);
    if (status != EXIT_HELD) {
        return status;
    }
    status = experiment_run(experiment, NULL);
    if (status == EXIT_INTERNAL || status == EXIT_USAGE) {
        return status;
    }
    return exit_worse(status, show(experiment));
}

int cmd_map(int argc, char **argv)
{
    static const struct experiment_command command = {
        .kind = "map", .doc = doc, .options = options, .parse = experiment_parse, .run = run};
    struct experiment_options given = {0};
    return experiment_command(&command, &given, argc, argv);
}
