/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * squall tip: the smallest trigger that sticks, by bisection in each seed. The sizes are a grid as
 * fine as the tolerance, so a step of the search is a cell, its run is in the results file, and a
 * search that was interrupted, or is asked again with more seeds, finds what it has run before. All
 * seeds are searched side by side; streams are named, so a seed meets the same arrivals at every
 * size, and what sticks sticks for every larger one. That is checked where it is cheap
 * (analysis/experiment.h) and said when it is not so. */
#include "sim/cli/experiment.h"

#include "sim/base/base.h"
#include "sim/base/units.h"

#include <stdlib.h>
#include <string.h>

#define STEPS     100 /* 1 % of the range */
#define STEPS_MAX 4999
#define SHOWN_MAX 40 /* seeds in a list */

static const char doc[] =
    "Finds the smallest trigger that sticks, in each seed by bisection, and sets it beside what "
    "theory expects. A trigger sticks when goodput is back neither in the run nor in one twice as "
    "long, and the load is served without it.\v"
    "SCENARIO needs a 'metastability' block. The size of the trigger is the duration of the first "
    "one unless PATH names another key. FROM must not stick and TO must; without them the range "
    "comes from theory. With --load it is done at each load, else at that of the scenario.\n\n"
    "Examples:\n"
    "  squall tip mm30-retries --trigger 0.5s..2s\n"
    "  squall tip hotos-retries --set client.retry.maxAttempts=2 \\\n"
    "       --set time.limit=60s --load 156/s..285/s/10 \\\n"
    "       --trigger 0.9s..1.6s --tolerance 2ms --seeds 1\n\n"
    "Results and report are in out/NAME-tip; `squall report out/NAME-tip` draws it again. Exit "
    "status: 0 done, 2 usage or scenario error, 3 not found in every seed, 4 nondeterminism, 5 "
    "squall's own failure, 130 interrupted.";

enum { KEY_TOLERANCE = EXPERIMENT_KEY_OWN };

static const struct argp_option options[] = {
    EXPERIMENT_LOAD("loads (default: that of the scenario)"),
    EXPERIMENT_TRIGGER("[PATH=]FROM..TO", "sizes to search, such as 0.5s..5s"),
    {"tolerance", KEY_TOLERANCE, "SHARE|SIZE", 0,
     "distance of the sizes: of the range, such as 1% (the default), or as it is, such as 5ms", 0},
    EXPERIMENT_ARMS,
    {0},
};

struct arguments {
    struct experiment_options options;
    const char *tolerance;
};

/* The search in one seed at one load. */
struct search {
    struct bisection bisection;
    uint64_t seed_index;
    uint32_t load;
    bool is_running;
    bool is_unstable; /* its control arm fails */
};

struct tip {
    struct experiment *experiment;
    const struct experiment_axis *loads; /* NULL: only that of the scenario */
    const struct experiment_axis *sizes;
    uint32_t load_count;
    struct search *searches; /* of a load, all seeds; then of the next */
    uint64_t search_count;
    uint64_t seed_count;
    uint64_t first_open; /* all before it are over */
    uint32_t live_max;   /* searches under way: few, so that control arms are found again */
};

static error_t parse(int key, char *argument, struct argp_state *state)
{
    struct arguments *arguments = state->input;
    if (key != KEY_TOLERANCE) {
        return experiment_parse(key, argument, state);
    }
    arguments->tolerance = argument;
    return 0;
}

/* -------------------------------------------------------------------------------------- search */

static bool next(void *context, uint32_t *cell, uint64_t *seed_index)
{
    struct tip *tip = context;
    while (tip->first_open < tip->search_count &&
           tip->searches[tip->first_open].bisection.end != BISECTION_OPEN) {
        tip->first_open++;
    }
    uint32_t live = 0;
    for (uint64_t i = tip->first_open; i < tip->search_count && live < tip->live_max; i++) {
        struct search *search = &tip->searches[i];
        uint32_t index;
        live += search->bisection.end == BISECTION_OPEN ? 1 : 0;
        if (search->is_running || !bisection_next(&search->bisection, &index)) {
            continue;
        }
        search->is_running = true;
        *cell = search->load * tip->sizes->count + index;
        *seed_index = search->seed_index;
        return true;
    }
    return false;
}

/* At the edge a run may swing for longer than twice its time, neither well nor stuck: it did not
 * come back, and that is the question here. */
static void on_verdict(void *context, uint32_t cell, uint64_t seed_index,
                       enum metastability verdict, enum arm_outcome doubled)
{
    struct tip *tip = context;
    uint32_t load = cell / tip->sizes->count;
    struct search *search = &tip->searches[(uint64_t)load * tip->seed_count + seed_index];
    ASSERT(search->is_running);
    search->is_running = false;
    search->is_unstable |= verdict == METASTABILITY_UNSTABLE;
    enum bisection_answer answer = BISECTION_TELLS_NOTHING;
    if (verdict == METASTABILITY_STABLE) {
        answer = BISECTION_RECOVERS;
    } else if (verdict != METASTABILITY_UNSTABLE &&
               (doubled == ARM_STUCK || doubled == ARM_DEGRADED)) {
        answer = BISECTION_STICKS;
    }
    bisection_tell(&search->bisection, answer);
}

/* ------------------------------------------------------------------------------------- results */

/* The tipping size; infinite beyond the ends of the range; NaN: not found. */
static double size_of(const struct tip *tip, const struct search *search)
{
    const double *sizes = tip->sizes->numbers;
    switch (search->bisection.end) {
    case BISECTION_FOUND:
        return (sizes[search->bisection.low] + sizes[search->bisection.high]) / 2;
    case BISECTION_BELOW:
        return -__builtin_inf();
    case BISECTION_ABOVE:
        return __builtin_inf();
    case BISECTION_OPEN:
    case BISECTION_FAILED:
        break;
    }
    return __builtin_nan("");
}

static const char *note_of(const struct search *search)
{
    switch (search->bisection.end) {
    case BISECTION_FOUND:
        return search->bisection.is_contradicted ? "not monotone" : "";
    case BISECTION_BELOW:
        return "sticks at the smallest";
    case BISECTION_ABOVE:
        return "does not stick at the largest";
    case BISECTION_OPEN:
        return "not finished";
    case BISECTION_FAILED:
        break;
    }
    return search->is_unstable ? "fails without the trigger" : "undecided";
}

static int compare_doubles(const void *left, const void *right)
{
    double a = *(const double *)left;
    double b = *(const double *)right;
    return a < b ? -1 : a > b ? 1 : 0;
}

/* What all seeds of a load say. */
struct summary {
    uint64_t told;  /* searches that found it, or that it lies beyond an end */
    uint64_t found; /* between the ends */
    uint64_t contradicted;
    struct mean median;
    double smallest;
    double largest;
    double predicted; /* NaN: theory says nothing */
    double with_service;
};

static struct summary summarise(const struct tip *tip, uint32_t load)
{
    double *sizes = arena_alloc_array(&tip->experiment->arena, tip->seed_count, sizeof(*sizes));
    struct summary summary = {.predicted = __builtin_nan(""), .with_service = __builtin_nan("")};
    for (uint64_t i = 0; i < tip->seed_count; i++) {
        const struct search *search = &tip->searches[load * tip->seed_count + i];
        double size = size_of(tip, search);
        if (size == size) {
            sizes[summary.told++] = size;
        }
        summary.found += search->bisection.end == BISECTION_FOUND ? 1 : 0;
        summary.contradicted += search->bisection.is_contradicted ? 1 : 0;
    }
    sort_stable(sizes, (uint32_t)summary.told, sizeof(*sizes), compare_doubles);
    if (summary.told > 0) {
        summary.median = quantile_of_sorted(sizes, summary.told, 0.5, 0.95);
        summary.smallest = sizes[0];
        summary.largest = sizes[summary.told - 1];
    }
    static const char duration[] = ".duration";
    size_t length = strlen(tip->sizes->path);
    bool is_duration = length > strlen(duration) &&
                       strcmp(tip->sizes->path + length - strlen(duration), duration) == 0;
    if (is_duration && tip->experiment->has_theory) {
        summary.predicted = experiment_tipping_duration(tip->experiment, load * tip->sizes->count,
                                                        &summary.with_service);
    }
    return summary;
}

/* Shares are computed with as such, and shown as people write them. */
static double scale_of(const struct experiment_axis *axis)
{
    return axis->unit == AXIS_PERCENT ? 100 : 1;
}

static const char *unit_of(const struct experiment_axis *axis)
{
    return axis->unit == AXIS_PERCENT ? "%" : experiment_unit(axis);
}

/* "1.459s", "23.5000%", "< 0.5s", "-". */
static const char *format_size(const struct tip *tip, double size, char *out, size_t room)
{
    const char *unit = unit_of(tip->sizes);
    const double scale = scale_of(tip->sizes);
    const double *sizes = tip->sizes->numbers;
    if (size != size) {
        snprintf(out, room, "-");
    } else if (size < sizes[0]) {
        snprintf(out, room, "< %.4g%s", scale * sizes[0], unit);
    } else if (size > sizes[tip->sizes->count - 1]) {
        snprintf(out, room, "> %.4g%s", scale * sizes[tip->sizes->count - 1], unit);
    } else {
        snprintf(out, room, "%.4f%s", scale * size, unit);
    }
    return out;
}

static void print_theory(double predicted, double median, const char *unit)
{
    char text[32] = "";
    bool is_known = predicted == predicted;
    bool is_finite = is_known && predicted < 1e12;
    if (is_finite) {
        snprintf(text, sizeof(text), "%.4f%s", predicted, unit);
    }
    printf("  %-9s", is_finite ? text : is_known ? "never" : "");
    text[0] = '\0';
    if (is_finite && median > -1e12 && median < 1e12) {
        snprintf(text, sizeof(text), "%+.2f%%", 100 * (median / predicted - 1));
    }
    printf(" %-8s", text);
}

static void print_summary(const struct tip *tip, uint32_t load, const struct summary *summary,
                          int width)
{
    char median[32] = "-";
    char low[32];
    char high[32];
    const char *unit = experiment_unit(tip->sizes);
    if (tip->loads != NULL) {
        printf("  %*s", width, tip->loads->values[load]);
    } else {
        printf("  %*s", width, "");
    }
    printf("  %5llu of %-5llu", (unsigned long long)summary->found,
           (unsigned long long)tip->seed_count);
    if (summary->told == 0) {
        printf("  %-9s  %-20s", median, "");
    } else {
        char interval[80] = "too few seeds";
        bool has_interval = summary->median.interval.low >= summary->smallest &&
                            summary->median.interval.high <= summary->largest;
        if (has_interval) {
            snprintf(interval, sizeof(interval), "[%s, %s]",
                     format_size(tip, summary->median.interval.low, low, sizeof(low)),
                     format_size(tip, summary->median.interval.high, high, sizeof(high)));
        }
        printf("  %-9s  %-20s", format_size(tip, summary->median.mean, median, sizeof(median)),
               interval);
    }
    double value = summary->told > 0 ? summary->median.mean : __builtin_inf();
    print_theory(summary->predicted, value, unit);
    print_theory(summary->with_service, value, unit);
    printf("%s\n", summary->contradicted > 0 ? " not monotone in some seeds" : "");
}

static void print_seeds(const struct tip *tip)
{
    const struct plan *plan = &tip->experiment->opened.plan;
    char size[32];
    for (uint64_t i = 0; i < tip->search_count && i < SHOWN_MAX; i++) {
        const struct search *search = &tip->searches[i];
        printf("  seed %-20llu %-10s %s\n", (unsigned long long)plan_seed(plan, search->seed_index),
               format_size(tip, size_of(tip, search), size, sizeof(size)), note_of(search));
    }
    if (tip->search_count > SHOWN_MAX) {
        printf("  ... and %llu more, in report/data/tip.csv\n",
               (unsigned long long)(tip->search_count - SHOWN_MAX));
    }
    printf("\n");
}

static void add_points(const struct tip *tip, uint32_t load, const struct summary *summary)
{
    struct experiment *experiment = tip->experiment;
    const struct interval none = {__builtin_nan(""), __builtin_nan("")};
    double x = tip->loads != NULL ? tip->loads->numbers[load] : experiment->request.load_per_s;
    const struct plan *plan = &experiment->opened.plan;
    for (uint64_t i = 0; i < tip->seed_count; i++) {
        const struct search *search = &tip->searches[load * tip->seed_count + i];
        bool is_found = search->bisection.end == BISECTION_FOUND;
        struct interval between = none;
        if (is_found) {
            between = (struct interval){tip->sizes->numbers[search->bisection.low],
                                        tip->sizes->numbers[search->bisection.high]};
        }
        const char *note = arena_printf(&experiment->arena, "0x%016llx %s",
                                        (unsigned long long)plan_seed(plan, i), note_of(search));
        experiment_point(experiment, "tip", x, size_of(tip, search), between, note);
    }
    if (summary->told > 0) {
        experiment_point(experiment, "median", x, summary->median.mean, summary->median.interval,
                         "");
        experiment_point(experiment, "range", x, summary->median.mean,
                         (struct interval){summary->smallest, summary->largest}, "");
    }
    if (summary->predicted == summary->predicted) {
        experiment_point(experiment, "predicted-tipping", x, summary->predicted, none, "");
        experiment_point(experiment, "predicted-tipping-service", x, summary->with_service, none,
                         "");
    }
}

static int show(const struct tip *tip)
{
    const struct experiment *experiment = tip->experiment;
    const struct plan *plan = &experiment->opened.plan;
    bool has_theory = experiment->has_theory;
    printf("%s: smallest %s that sticks, between %s and %s within %.4g%s\n\n", plan->name,
           tip->sizes->path, tip->sizes->values[0], tip->sizes->values[tip->sizes->count - 1],
           scale_of(tip->sizes) *
               (tip->sizes->numbers[tip->sizes->count - 1] - tip->sizes->numbers[0]) /
               (tip->sizes->count - 1) / 2,
           unit_of(tip->sizes));
    if (tip->loads == NULL) {
        print_seeds(tip);
    }
    int width = tip->loads != NULL ? 9 : 1;
    printf("  %*s  %-14s  %-9s  %-20s  %-18s  %-18s\n", width, tip->loads != NULL ? "load" : "",
           "  found", "median", "95%", has_theory ? "theory" : "",
           has_theory ? "less one service" : "");
    uint64_t silent = 0;
    for (uint32_t i = 0; i < tip->load_count; i++) {
        struct summary summary = summarise(tip, i);
        print_summary(tip, i, &summary, width);
        add_points(tip, i, &summary);
        silent += tip->seed_count - summary.found;
    }
    if (experiment->theory.length > 0) {
        printf("\n  %s:\n%s", has_theory ? "what theory is about" : "theory says nothing",
               text_of(&experiment->theory));
    }
    printf("\n");
    return silent == 0 ? EXIT_HELD : EXIT_UNKNOWN;
}

/* -------------------------------------------------------------------------------------- command */

/* How many sizes: so that two neighbours are no further apart than the tolerance. */
static bool count_sizes(struct experiment *experiment, const struct arguments *arguments,
                        uint32_t *count, struct err *err)
{
    *count = STEPS + 1;
    if (arguments->tolerance == NULL) {
        return true;
    }
    struct axis tolerance;
    if (!axis_parse(arguments->tolerance, 2, &experiment->arena, &tolerance, err)) {
        return err_wrap(err, "--tolerance");
    }
    if (tolerance.count != 1 || tolerance.path != NULL || tolerance.steps[0] <= 0) {
        return err_set(err, ERR_INPUT, "--tolerance: '%s' is no share or size above 0",
                       arguments->tolerance);
    }
    int64_t range = 1000000;
    if (tolerance.unit != AXIS_PERCENT) {
        struct experiment_default otherwise = experiment_search_default(experiment, 2);
        struct axis axis = {.unit = otherwise.unit};
        range = otherwise.to - otherwise.from;
        if (arguments->options.trigger != NULL) {
            if (!axis_parse(arguments->options.trigger, 2, &experiment->arena, &axis, err)) {
                return err_wrap(err, "--trigger");
            }
            range = axis.steps[axis.count - 1] - axis.steps[0];
        }
        if (axis.unit != tolerance.unit) {
            return err_set(err, ERR_INPUT, "--tolerance: '%s' has another unit than the trigger",
                           arguments->tolerance);
        }
    }
    int64_t steps = (range + tolerance.steps[0] - 1) / tolerance.steps[0];
    if (steps > STEPS_MAX) {
        return err_set(err, ERR_INPUT, "--tolerance: '%s' is too fine: more than %d sizes",
                       arguments->tolerance, STEPS_MAX + 1);
    }
    *count = (uint32_t)(steps < 1 ? 1 : steps) + 1;
    return true;
}

static bool add_axes(struct experiment *experiment, const struct arguments *arguments,
                     struct err *err)
{
    struct experiment_default loads = experiment_load_default(experiment, 10);
    uint32_t count;
    if (arguments->options.load != NULL &&
        !experiment_add_axis(experiment, "load", arguments->options.load, &loads, err)) {
        return false;
    }
    if (!count_sizes(experiment, arguments, &count, err)) {
        return false;
    }
    struct experiment_default sizes = experiment_search_default(experiment, count);
    if (!experiment_add_axis(experiment, "trigger", arguments->options.trigger, &sizes, err)) {
        return false;
    }
    return experiment->axes[experiment->axis_count - 1].count >= 2 ||
           err_set(err, ERR_INPUT, "--trigger: a search needs a range, FROM..TO");
}

static void prepare(struct tip *tip)
{
    struct experiment *experiment = tip->experiment;
    tip->loads = experiment->axis_count == 2 ? &experiment->axes[0] : NULL;
    tip->sizes = &experiment->axes[experiment->axis_count - 1];
    tip->load_count = tip->loads != NULL ? tip->loads->count : 1;
    tip->seed_count = experiment->opened.plan.seed_count;
    tip->search_count = tip->load_count * tip->seed_count;
    tip->live_max = 2 * experiment->options->jobs + 2;
    tip->searches =
        arena_alloc_array(&experiment->arena, tip->search_count, sizeof(*tip->searches));
    for (uint64_t i = 0; i < tip->search_count; i++) {
        bisection_init(&tip->searches[i].bisection, tip->sizes->count);
        tip->searches[i].load = (uint32_t)(i / tip->seed_count);
        tip->searches[i].seed_index = i % tip->seed_count;
    }
}

static int run(struct experiment *experiment, void *arguments)
{
    struct err err = {0};
    struct tip tip = {.experiment = experiment};
    if (!add_axes(experiment, arguments, &err)) {
        return fail(&err);
    }
    int status = experiment_open(experiment);
    if (status != EXIT_HELD) {
        return status;
    }
    prepare(&tip);
    struct campaign_source source = {
        .next = next,
        .on_verdict = on_verdict,
        .context = &tip,
        .expected = tip.search_count * bisection_runs_max(tip.sizes->count),
    };
    status = experiment_run(experiment, &source);
    if (status == EXIT_INTERNAL || status == EXIT_USAGE) {
        return status;
    }
    status = exit_worse(status, show(&tip));
    return exit_worse(status, experiment_report(experiment));
}

int cmd_tip(int argc, char **argv)
{
    static const struct experiment_command command = {
        .kind = "tip", .doc = doc, .options = options, .parse = parse, .run = run};
    struct arguments arguments = {0};
    return experiment_command(&command, &arguments, argc, argv);
}
