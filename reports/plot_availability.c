/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Unavailability against the number of replicas, on a logarithmic axis: each decade down is one
 * nine more. (1 minus an availability cannot be plotted: past 16 nines it is 0 in a double.)
 *
 * Beside the measured points stand the two textbook formulas for machines that fail independently:
 * the service is up while any one of n is up (p^n), and while a majority of n is up. Their p is
 * not assumed: it is what the cell with one replica measured, and without such a cell there are no
 * lines. Where the real code lies above the majority line, its elections, time-outs and recoveries
 * cost that much.
 *
 * Zero downtime is never drawn as zero: an arrow hangs down from the bound that the runs support.
 */
#include "reports/plot.h"
#include "reports/statistics.h"

#include "sim/base/base.h"

#include <math.h>
#include <string.h>

#define SERIES_MAX 8
#define WIDTH      960u
#define HEIGHT     560u
#define LEGEND     (WIDTH - 230)
#define FLOOR      1e-12

struct point {
    const struct report_cell *cell;
    struct share_interval interval;
    uint32_t series;
};

struct curves {
    struct point *points;
    uint32_t count;
    const char *series[SERIES_MAX];
    uint32_t series_count;
    double node; /* measured unavailability with one replica; NaN: no such cell */
    int64_t replicas_max;
    int64_t replicas_min;
    double lowest;
    double highest;
    bool has_bounds;
    bool has_values; /* somebody saw an outage */
};

static uint32_t series_of(struct curves *curves, const char *series)
{
    for (uint32_t i = 0; i < curves->series_count; i++) {
        if (strcmp(curves->series[i], series) == 0) {
            return i;
        }
    }
    if (curves->series_count < SERIES_MAX) {
        curves->series[curves->series_count] = series;
        return curves->series_count++;
    }
    return SERIES_MAX;
}

static void load(struct curves *curves, struct report_data *data)
{
    *curves = (struct curves){.node = NAN, .lowest = 1, .replicas_min = INT64_MAX};
    curves->points = arena_alloc_array(&data->arena, data->cell_count, sizeof(*curves->points));
    for (uint32_t i = 0; i < data->cell_count; i++) {
        const struct report_cell *cell = &data->cells[i];
        if (cell->replicas < 1 || cell->replicas > 100 || cell->share.seeds == 0) {
            continue; /* nothing was measured: a cell that was not run, or a fleet by itself */
        }
        uint32_t series = series_of(curves, cell->series);
        if (series < SERIES_MAX) {
            curves->points[curves->count++] = (struct point){.cell = cell, .series = series};
        }
    }
}

static void compute(struct curves *curves)
{
    double trials_per_s = 0; /* the least that a cell with downtime had */
    for (uint32_t i = 0; i < curves->count; i++) {
        struct point *point = &curves->points[i];
        point->interval = share_interval_of(&point->cell->share, 0);
        double here = point->interval.effective / point->cell->share.measured;
        if (point->cell->share.hit > 0 && here > 0 && (trials_per_s <= 0 || here < trials_per_s)) {
            trials_per_s = here;
        }
    }
    for (uint32_t i = 0; i < curves->count; i++) {
        struct point *point = &curves->points[i];
        point->interval = share_interval_of(&point->cell->share, trials_per_s);
        const struct share_interval *interval = &point->interval;
        int64_t replicas = point->cell->replicas;
        if (replicas == 1 && isnan(curves->node) && interval->estimate > 0) {
            curves->node = interval->estimate;
        }
        curves->replicas_max = replicas > curves->replicas_max ? replicas : curves->replicas_max;
        curves->replicas_min = replicas < curves->replicas_min ? replicas : curves->replicas_min;
        double low = interval->is_bound  ? interval->high / 3
                     : interval->low > 0 ? interval->low
                                         : interval->estimate;
        curves->lowest = fmin(curves->lowest, low);
        curves->highest = fmax(curves->highest, fmax(interval->high, interval->estimate));
        curves->has_bounds |= interval->is_bound;
        curves->has_values |= !interval->is_bound;
    }
}

/* ----------------------------------------------------------------------------------- data files */

/* data/availability-<series>.csv and -<series>-bound.csv. *points, *bounds: how many rows each
 * has. */
static bool write_series(const struct figure *figure, const struct curves *curves, uint32_t series,
                         uint32_t *points, uint32_t *bounds, struct err *err)
{
    static const char head[] =
        "replicas,unavailability,low95,high95,seeds,seeds_with_downtime,effective_trials,"
        "measured_s,label\n";
    struct text csv[2];
    uint32_t counts[2] = {0, 0};
    for (uint32_t i = 0; i < 2; i++) {
        text_init(&csv[i]);
        text_add(&csv[i], head);
    }
    for (uint32_t i = 0; i < curves->count; i++) {
        const struct point *point = &curves->points[i];
        const struct share_interval *interval = &point->interval;
        if (point->series != series) {
            continue;
        }
        struct text *out = &csv[interval->is_bound ? 1 : 0];
        counts[interval->is_bound ? 1 : 0]++;
        text_printf(out, "%lld", (long long)point->cell->replicas);
        const double values[] = {interval->estimate, interval->low, interval->high};
        for (uint32_t v = 0; v < 3; v++) {
            text_add(out, ",");
            csv_number(out, values[v]);
        }
        text_printf(out, ",%u,%u,%.6g,%.9g,%s%.2g%%\n", point->cell->share.seeds,
                    point->cell->share.hit, interval->effective, point->cell->share.measured,
                    interval->is_bound ? "< " : "",
                    100 * (interval->is_bound ? interval->high : interval->estimate));
    }
    char suffixes[2][32];
    snprintf(suffixes[0], sizeof(suffixes[0]), "-%u", series + 1);
    snprintf(suffixes[1], sizeof(suffixes[1]), "-%u-bound", series + 1);
    bool is_fine = figure_write_csv(figure, suffixes[0], &csv[0], err) &&
                   figure_write_csv(figure, suffixes[1], &csv[1], err);
    text_release(&csv[0]);
    text_release(&csv[1]);
    *points = counts[0];
    *bounds = counts[1];
    return is_fine;
}

static bool has_replicas(const struct curves *curves, int64_t replicas)
{
    for (uint32_t i = 0; i < curves->count; i++) {
        if (curves->points[i].cell->replicas == replicas) {
            return true;
        }
    }
    return false;
}

static bool write_textbook(const struct figure *figure, struct curves *curves, struct err *err)
{
    struct text csv;
    text_init(&csv);
    text_add(&csv, "replicas,any_one_of_n,majority_of_n\n");
    for (int64_t n = curves->replicas_min; n <= curves->replicas_max; n++) {
        if (!has_replicas(curves, n)) {
            continue;
        }
        double any = pow(curves->node, (double)n);
        double majority = binomial_tail((uint32_t)n, (uint32_t)(n - n / 2), curves->node);
        curves->lowest = fmin(curves->lowest, fmax(any, FLOOR));
        text_printf(&csv, "%lld,%.9g,%.9g\n", (long long)n, any, majority);
    }
    bool is_fine = figure_write_csv(figure, "-textbook", &csv, err);
    text_release(&csv);
    return is_fine;
}

/* ---------------------------------------------------------------------------------- the picture */

static void add_axes(struct figure *figure, const struct curves *curves)
{
    static const char *const shares[] = {"100%%",    "10%%",     "1%%",     "0.1%%",   "0.01%%",
                                         "0.001%%",  "10^{-6}",  "10^{-7}", "10^{-8}", "10^{-9}",
                                         "10^{-10}", "10^{-11}", "10^{-12}"};
    static const char *const years[] = {"365 d",   "37 d",   "3.7 d", "8.8 h", "53 min",
                                        "5.3 min", "32 s",   "3.2 s", "0.3 s", "32 ms",
                                        "3.2 ms",  "0.3 ms", "32 µs"};
    struct text *script = &figure->script;
    int lowest = (int)floor(log10(fmax(curves->lowest, FLOOR)) + 1e-9);
    int highest = (int)ceil(log10(fmin(fmax(curves->highest, FLOOR), 1)) - 1e-9);
    highest = highest > 0 ? 0 : highest;
    lowest = lowest >= highest ? highest - 1 : lowest;
    text_printf(script,
                "set border 11\nset logscale y\nset logscale y2\nset yrange [0.999e%d:1.001e%d]\n"
                "set y2range [0.999e%d:1.001e%d]\n"
                "set ytics (",
                lowest, highest, lowest, highest);
    for (int power = lowest; power <= highest; power++) {
        text_printf(script, "%s'%s' 1e%d", power == lowest ? "" : ", ", shares[-power], power);
    }
    text_add(script, ")\nset y2tics (");
    for (int power = lowest; power <= highest; power++) {
        text_printf(script, "%s'%s' 1e%d", power == lowest ? "" : ", ", years[-power], power);
    }
    text_printf(script,
                ")\nset xrange [%.9g:%.9g]\nset xtics 1\nset format x '%%.0f'\n"
                "set y2label 'downtime in a year of this' offset -2,0\n"
                "set xlabel 'replicas' offset 0,0.3\n",
                (double)curves->replicas_min - 0.5, (double)curves->replicas_max + 0.7);
}

static void add_series(struct figure *figure, const struct curves *curves, uint32_t series,
                       uint32_t points, uint32_t bounds)
{
    struct text *script = &figure->script;
    const char *title = curves->series[series][0] == '\0' ? "measured" : curves->series[series];
    /* Series stand a little beside each other, so that their bars can be told apart. */
    double shift = ((double)series - (curves->series_count - 1) / 2.0) * 0.07;
    if (points > 0) {
        text_printf(script,
                    "'data/%s-%u.csv' using ($1 + %.3f):2:3:4 with yerrorbars linestyle %u "
                    "dashtype 1 pointsize 1 "
                    "title ",
                    figure->name, series + 1, shift, series + 1);
        gnuplot_quote(script, title, 26);
        text_printf(script,
                    ", \\\n'' using ($1 + %.3f):2 with lines linestyle %u linewidth 1 notitle",
                    shift, series + 1);
        if (curves->series_count == 1) {
            text_add(script, ", \\\n'' using 1:2:9 with labels left offset 0.9,0.35 font ',11' "
                             "noenhanced notitle");
        }
    }
    if (bounds > 0) {
        text_printf(
            script,
            "%s'data/%s-%u-bound.csv' using ($1 + %.3f):4:(0):(-$4 * 0.6) with vectors head filled "
            "linestyle %u dashtype 1 title ",
            points > 0 ? ", \\\n" : "", figure->name, series + 1, shift, series + 1);
        gnuplot_quote(script, "none seen: below this (95%)", 48);
        if (curves->series_count == 1) {
            text_add(script, ", \\\n'' using 1:4:9 with labels left offset 0.9,0.35 font ',11' "
                             "noenhanced notitle");
        }
    }
}

static void add_explanation(struct figure *figure, struct report_data *data,
                            const struct curves *curves)
{
    const char *const lines[] = {
        "The textbook lines are for machines",
        "that fail independently and for a",
        "service that fails over at no cost.",
        arena_printf(&data->arena, "One machine: down %.2g%% of the time,", 100 * curves->node),
        "as measured with one replica.",
    };
    uint32_t entries = curves->series_count + 2 + (curves->has_bounds ? curves->series_count : 0);
    for (uint32_t i = 0; i < ARRAY_COUNT(lines); i++) {
        plot_label_add(figure, LEGEND, 58 + entries * 26 + 26 + i * 18, 11,
                       "left textcolor rgb '#555555'", lines[i]);
    }
}

/* Of the first series: with the fewest replicas, and with the most. */
static const char *finding_of(const struct curves *curves, struct report_data *data)
{
    const struct point *ends[2] = {NULL, NULL};
    for (uint32_t i = 0; i < curves->count; i++) {
        const struct point *point = &curves->points[i];
        if (point->series != curves->points[0].series) {
            continue;
        }
        const int64_t replicas = point->cell->replicas;
        ends[0] = ends[0] == NULL || replicas < ends[0]->cell->replicas ? point : ends[0];
        ends[1] = ends[1] == NULL || replicas > ends[1]->cell->replicas ? point : ends[1];
    }
    const char *texts[2];
    for (uint32_t i = 0; i < 2; i++) {
        const struct share_interval *interval = &ends[i]->interval;
        texts[i] = arena_printf(
            &data->arena, "%lld replica%s: %s%.2g%%", (long long)ends[i]->cell->replicas,
            ends[i]->cell->replicas == 1 ? "" : "s", interval->is_bound ? "less than " : "",
            100 * (interval->is_bound ? interval->high : interval->estimate));
    }
    return ends[0] == ends[1]
               ? arena_printf(&data->arena, "%s of the time without service", texts[0])
               : arena_printf(&data->arena, "%s of the time without service; %s", texts[0],
                              texts[1]);
}

static bool add_all(struct figure *figure, struct report_data *data, struct curves *curves,
                    struct err *err)
{
    struct text *script = &figure->script;
    bool has_node = !isnan(curves->node);
    if (has_node && !write_textbook(figure, curves, err)) {
        return false;
    }
    struct plot_panel panel = {92, 58, WIDTH - 330, HEIGHT - 64};
    plot_panel_add(figure, &panel);
    plot_axis_label(figure, &panel, "share of time without service");
    plot_label_add(figure, 92, 20, 15, "left", finding_of(curves, data));
    plot_label_add(figure, 92, 40, 12, "left textcolor rgb '#555555'",
                   arena_printf(&data->arena,
                                "%s: each line down is one nine more; bars are 95%% intervals",
                                data->scenario));
    if (has_node) {
        add_explanation(figure, data, curves);
    }
    add_axes(figure, curves);
    text_printf(script,
                "set key at screen %.5f, screen %.5f left top Left reverse samplen 3 spacing 1.4 "
                "noenhanced\n",
                (double)(LEGEND - 10) / figure->width, 1 - 58.0 / figure->height);
    text_add(script, "plot ");
    bool has_any = false;
    for (uint32_t i = 0; i < curves->series_count; i++) {
        uint32_t points = 0;
        uint32_t bounds = 0;
        if (!write_series(figure, curves, i, &points, &bounds, err)) {
            return false;
        }
        if (points + bounds > 0) {
            text_add(script, has_any ? ", \\\n" : "");
            has_any = true;
            add_series(figure, curves, i, points, bounds);
        }
    }
    if (has_node) {
        text_printf(
            script,
            ", \\\n'data/%s-textbook.csv' using 1:3 with linespoints linestyle %u title 'textbook: "
            "majority of n "
            "up', \\\n'' using 1:2 with linespoints linestyle %u title 'textbook: any one of n up'",
            figure->name, GNUPLOT_MAJORITY, GNUPLOT_ANY);
    }
    text_add(script, "\n");
    return true;
}

static const char *caption_of(struct report_data *data, const struct curves *curves)
{
    const char *node =
        isnan(curves->node)
            ? "No cell has one replica with downtime, so the textbook formulas are not drawn: they "
              "need a "
              "machine's own unavailability."
            : arena_printf(
                  &data->arena,
                  "The textbook lines assume that machines fail independently and that failing "
                  "over costs nothing; their p = %.3g is the unavailability that the cell with "
                  "one replica measured.",
                  curves->node);
    return arena_printf(
        &data->arena,
        "Points: share of measured time in availability windows that missed the scenario's "
        "predicate, over all seeds. "
        "Bars: 95%% intervals. Windows of one run depend on each other, so they are not counted as "
        "trials: the spread "
        "between seeds gives an effective number of trials, which goes into Wilson's interval with "
        "Student's t.%s %s "
        "The right axis is for the fault rates of this scenario, which may be accelerated.",
        curves->has_bounds ? " Arrows: no downtime was seen, the unavailability is below the "
                             "arrow's start with 95% "
                             "confidence, counting trials as in the cell that had the fewest."
                           : "",
        node);
}

bool plot_availability(struct plot_context *context, struct err *err)
{
    struct report_data *data = context->data;
    struct curves curves;
    if (!data->has_replicas) {
        return true;
    }
    load(&curves, data);
    if (curves.count < 2) {
        return true;
    }
    compute(&curves);
    if (!curves.has_values && context->fleet.point_count > 0) {
        return true; /* runs that episodes begin with; the fleet has pictures of its own */
    }
    struct figure figure;
    figure_init(&figure, context->folder, "availability", context->format, WIDTH, HEIGHT);
    struct plot_figure about = {
        .plot = "availability",
        .title = "Unavailability against the number of replicas",
        .caption = caption_of(data, &curves),
    };
    bool is_fine =
        add_all(&figure, data, &curves, err) && plot_finish(context, &figure, &about, err);
    figure_release(&figure);
    return is_fine;
}
