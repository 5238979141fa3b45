/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Windowed user-uptime: of all windows of one length, the share of their time that users had in the
 * worst (MCR), against that length. A line that rises at once is one of many short outages, one
 * that stays low until far to the right is one of a long outage: the two can have the same
 * availability, which is where each line ends.
 *
 * The worst window of a run is an extreme and a share, so no normal law is near; the interval of
 * its mean over the seeds is a percentile bootstrap that draws whole runs. */
#include "reports/plot.h"

#include "analysis/statistics.h"
#include "sim/base/base.h"
#include "sim/base/units.h"

#include <math.h>
#include <string.h>

#define LINES_MAX  16
#define POINTS_MAX 64
#define SEEDS_MAX  (1u << 20)
#define SEEDS_MIN  5 /* fewer give too short an interval */
#define RESAMPLES  1000
#define DRAWS_MAX  2000000 /* of runs, for one point */
#define CONFIDENCE 0.95
#define WIDTH      960u
#define LEFT       92u

struct point {
    double window_s;
    double mean;
    double low; /* of its interval; NaN: too few seeds */
    double high;
    double least; /* of the seeds */
    double most;
};

struct line {
    const struct report_cell *cell;
    struct point points[POINTS_MAX];
    uint32_t count;
    bool has_interval;
};

struct sheet {
    struct line lines[LINES_MAX];
    uint32_t count;
    uint32_t left_out;
    double lowest; /* share */
    double from_s;
    double until_s;
    struct plot_key key;
};

/* The runs of a cell, one metric after the other. */
struct reading {
    struct line *line;
    struct vec values; /* double, of the metric that is being read, one a run */
    char name[64];
    double measured_s;
};

static double mean_of_runs(void *context, const uint64_t *items, uint64_t count)
{
    const double *values = context;
    double sum = 0;
    for (uint64_t i = 0; i < count; i++) {
        sum += values[items[i]];
    }
    return sum / (double)count;
}

/* What was read of one metric becomes a point. */
static void end_metric(struct reading *reading)
{
    const uint32_t count = reading->values.count;
    double *values = reading->values.items;
    struct line *line = reading->line;
    int64_t window_ns = 0;
    const bool is_whole = strcmp(reading->name, "user_uptime") == 0;
    if (count == 0 || line->count == POINTS_MAX ||
        (!is_whole && !units_duration(reading->name + strlen("mcr_"), &window_ns, NULL))) {
        vec_clear(&reading->values);
        return;
    }
    struct point point = {.window_s = is_whole ? reading->measured_s : (double)window_ns / 1e9,
                          .mean = mean_of(values, count, CONFIDENCE).mean,
                          .low = NAN,
                          .high = NAN,
                          .least = INFINITY,
                          .most = -INFINITY};
    for (uint32_t i = 0; i < count; i++) {
        point.least = fmin(point.least, values[i]);
        point.most = fmax(point.most, values[i]);
    }
    if (count >= SEEDS_MIN) {
        const uint32_t affordable = DRAWS_MAX / count < 100 ? 100 : DRAWS_MAX / count;
        const uint32_t resamples = affordable < RESAMPLES ? affordable : RESAMPLES;
        const struct mean resampled =
            bootstrap(mean_of_runs, values, count, resamples, (uint64_t)window_ns, CONFIDENCE);
        point.low = resampled.interval.low;
        point.high = resampled.interval.high;
        line->has_interval = true;
    }
    line->points[line->count++] = point;
    vec_clear(&reading->values);
}

/* name, value, mean of the measured time. */
static bool on_metric(void *context, const struct results_row *row)
{
    struct reading *reading = context;
    ASSERT(row->count == 3);
    if (strcmp(reading->name, row->values[0].text) != 0) {
        end_metric(reading);
        snprintf(reading->name, sizeof(reading->name), "%s", row->values[0].text);
    }
    reading->measured_s = row->values[2].real;
    if (reading->values.count < SEEDS_MAX && row->values[1].type != RESULTS_NULL) {
        vec_append(&reading->values, &row->values[1].real);
    }
    return true;
}

static int compare_points(const void *left, const void *right)
{
    const struct point *a = left;
    const struct point *b = right;
    return a->window_s < b->window_s ? -1 : a->window_s > b->window_s;
}

static bool load_line(struct plot_context *context, const struct report_cell *cell,
                      struct line *line, struct err *err)
{
    static const char sql[] =
        "SELECT m.name, m.value,"
        " (SELECT avg(w.value) FROM metric w JOIN run q USING(run_id)"
        "  WHERE q.cell_id = r.cell_id AND w.name = 'user_measured_s')"
        " FROM metric m JOIN run r USING(run_id) WHERE r.cell_id = CAST(?1 AS INTEGER)"
        " AND (m.name GLOB 'mcr_*' OR m.name = 'user_uptime') ORDER BY m.name, r.seed";
    char id[24];
    snprintf(id, sizeof(id), "%lld", (long long)cell->cell_id);
    const char *parameters[] = {id};
    struct reading reading = {.line = line};
    *line = (struct line){.cell = cell};
    vec_init(&reading.values, sizeof(double), SEEDS_MAX);
    const bool is_fine =
        results_query(context->data->results, sql, parameters, 1, on_metric, &reading, err);
    end_metric(&reading);
    vec_release(&reading.values);
    sort_stable(line->points, line->count, sizeof(line->points[0]), compare_points);
    return is_fine;
}

static bool write_line(const struct figure *figure, const struct line *line, uint32_t number,
                       struct err *err)
{
    struct text csv;
    char suffix[24];
    text_init(&csv);
    text_add(&csv, "window_s,worst_window,low,high,lowest_seed,highest_seed\n");
    for (uint32_t i = 0; i < line->count; i++) {
        const struct point *point = &line->points[i];
        text_printf(&csv, "%.9g,%.9g,", point->window_s, point->mean);
        csv_scientific(&csv, point->low);
        text_add(&csv, ",");
        csv_scientific(&csv, point->high);
        text_printf(&csv, ",%.9g,%.9g\n", point->least, point->most);
    }
    snprintf(suffix, sizeof(suffix), "-%u", number);
    bool is_fine = figure_write_csv(figure, suffix, &csv, err);
    text_release(&csv);
    return is_fine;
}

/* Cells of which anything is known; nothing is drawn where no user ever had to wait. */
static bool load_sheet(struct plot_context *context, struct sheet *sheet, struct err *err)
{
    struct report_data *data = context->data;
    *sheet = (struct sheet){.lowest = 1, .from_s = INFINITY};
    for (uint32_t i = 0; i < data->cell_count; i++) {
        if (sheet->count == LINES_MAX) {
            sheet->left_out++;
            continue;
        }
        struct line *line = &sheet->lines[sheet->count];
        if (!load_line(context, &data->cells[i], line, err)) {
            return false;
        }
        if (line->count < 2) {
            continue;
        }
        sheet->count++;
        plot_key_count(&sheet->key, line->cell->title);
        sheet->from_s = fmin(sheet->from_s, line->points[0].window_s);
        sheet->until_s = fmax(sheet->until_s, line->points[line->count - 1].window_s);
        for (uint32_t p = 0; p < line->count; p++) {
            sheet->lowest = fmin(sheet->lowest, line->points[p].mean);
        }
    }
    return true;
}

static void add_axes(struct figure *figure, const struct sheet *sheet)
{
    static const struct {
        double at_s;
        const char *text;
    } tics[] = {{1e-3, "1 ms"},  {1e-2, "10 ms"}, {0.1, "100 ms"},  {1, "1 s"},
                {10, "10 s"},    {60, "1 min"},   {600, "10 min"},  {3600, "1 h"},
                {36000, "10 h"}, {86400, "1 d"},  {864000, "10 d"}, {31557600, "1 y"}};
    struct text *script = &figure->script;
    struct plot_panel panel = {LEFT, 58, WIDTH - 40,
                               figure->height - 78 - plot_key_height(&sheet->key)};
    const double bottom = sheet->lowest > 0.99 ? 0.99 : sheet->lowest > 0.9 ? 0.9 : 0;
    plot_panel_add(figure, &panel);
    plot_axis_label(figure, &panel, "user-uptime of the worst window");
    text_printf(script,
                "set logscale x\nset xrange [%.9g:%.9g]\nset yrange [%.9g:%.9g]\n"
                "set grid xtics ytics\nset format y '%%g%%%%'\nset xtics (",
                sheet->from_s * 0.9, sheet->until_s * 1.15, 100 * bottom, 100 + 2 * (1 - bottom));
    for (uint32_t i = 0; i < ARRAY_COUNT(tics); i++) {
        text_printf(script, "%s'%s' %.9g", i == 0 ? "" : ", ", tics[i].text, tics[i].at_s);
    }
    text_add(script, ")\nset xlabel 'length of the window; the last point is the whole run' "
                     "offset 0,0.3\n");
    plot_key_add(figure, &sheet->key, LEFT);
}

/* Of the line whose whole run is worst: that, and the longest window that was half as good at most,
 * else the shortest one. */
static const char *finding_of(const struct sheet *sheet, struct report_data *data)
{
    const struct line *worst = &sheet->lines[0];
    for (uint32_t i = 1; i < sheet->count; i++) {
        const struct line *line = &sheet->lines[i];
        worst = line->points[line->count - 1].mean < worst->points[worst->count - 1].mean ? line
                                                                                          : worst;
    }
    const struct point *whole = &worst->points[worst->count - 1];
    const struct point *bad = &worst->points[0];
    for (uint32_t i = 0; i < worst->count; i++) {
        bad = worst->points[i].mean <= whole->mean / 2 ? &worst->points[i] : bad;
    }
    char window[64];
    return arena_printf(
        &data->arena, "%s%sup for its users %.4g%% of the time, in the worst %s %.4g%%",
        sheet->count > 1 ? plot_short(data, worst->cell->title, 40) : "",
        sheet->count > 1 ? ": " : "", 100 * whole->mean,
        units_format_duration((int64_t)(bad->window_s * 1e9), window, sizeof(window)),
        100 * bad->mean);
}

static bool draw(struct plot_context *context, const struct sheet *sheet, struct figure *figure,
                 struct err *err)
{
    struct report_data *data = context->data;
    struct text *script = &figure->script;
    plot_label_add(figure, LEFT, 20, 15, "left", finding_of(sheet, data));
    plot_label_add(figure, LEFT, 40, 12, "left textcolor rgb '#555555'",
                   arena_printf(&data->arena,
                                "%s: higher is better; a line that stays low to the right: one "
                                "long outage; one that rises at once: short ones",
                                data->scenario));
    add_axes(figure, sheet);
    for (uint32_t i = 0; i < sheet->count; i++) {
        if (!write_line(figure, &sheet->lines[i], i + 1, err)) {
            return false;
        }
        text_printf(script, "%s'data/%s-%u.csv' using 1:($2 * 100)%s linestyle %u%s title ",
                    i == 0 ? "plot " : "", figure->name, i + 1,
                    sheet->lines[i].has_interval ? ":($3 * 100):($4 * 100) with yerrorlines"
                                                 : " with linespoints",
                    i % GNUPLOT_LINES + 1, i < GNUPLOT_LINES ? "" : " linewidth 1");
        gnuplot_quote(script, sheet->lines[i].cell->title, PLOT_KEY_TITLE_MAX);
        text_add(script, i + 1 < sheet->count ? ", \\\n" : "\n");
    }
    struct plot_figure about = {
        .plot = "users",
        .title = "User-uptime in the worst window of each length",
        .caption = arena_printf(
            &data->arena,
            "User-uptime (Hauer et al., NSDI 2020): time for which the system was up to its users, "
            "of the time for which they were there; to a user it is, until his next operation, "
            "what his last one made it. Each point is the worst window of that length in a run, "
            "as a mean over the seeds of the cell, with a 95%% interval (bootstrap over whole "
            "runs); the lowest and the highest seed are in the data.%s",
            plot_left_out_text(data, sheet->count, sheet->left_out)),
    };
    return plot_finish(context, figure, &about, err);
}

bool plot_users(struct plot_context *context, struct err *err)
{
    struct sheet *sheet = arena_alloc(&context->data->arena, sizeof(*sheet));
    if (!load_sheet(context, sheet, err)) {
        return false;
    }
    if (sheet->count == 0 || sheet->lowest >= 1) {
        return true;
    }
    struct figure figure;
    figure_init(&figure, context->folder, "users", context->format, WIDTH,
                430 + plot_key_height(&sheet->key));
    bool is_fine = draw(context, sheet, &figure, err);
    figure_release(&figure);
    return is_fine;
}
