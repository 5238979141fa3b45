/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Downtime in a year against the number of machines, in four pictures of the same numbers. On a
 * logarithmic axis the promise can be read; on a linear one, as people know it, everything past the
 * third machine looks like nothing; over twenty decades an interval of ten per cent cannot be seen,
 * so the ratio to the exact model has a picture of its own; and the last tells what each estimator
 * had to simulate for it.
 *
 * Lines are theory: the exact model of the very cell, drawn through the places where there is one.
 * Points are estimates: their shape says the method, hollow ones have not reached the precision
 * that the scenario asks for, and where no outage was seen an arrow hangs down from the bound; zero
 * is never drawn. Where clients measured availability in runs of the real code, that stands beside
 * it.
 *
 * What was measured in episodes of real code is not held to its model: its line goes through the
 * points, and the model is dotted beside it. A few lines have their names at their ends, where a
 * reader looks for them; more have a legend. Where twenty decades hide the intervals of what was
 * measured, a corner that no line crosses shows them closely.
 *
 * When cells do not differ in machines, the first axis of the sweep takes their place. */
#include "reports/fleet_story.h"
#include "reports/plot.h"
#include "reports/statistics.h"

#include "sim/base/base.h"

#include <math.h>
#include <string.h>

#define SERIES_MAX    GNUPLOT_LINES
#define WIDTH         960u
#define HEIGHT        600u
#define PANEL_LEFT    104u
#define PANEL_WIDTH   772u
#define TARGET        0.1   /* half-width for which the price is told */
#define HITS_MIN      30    /* an interval from fewer is not to be believed */
#define FLOOR_S       1e-24 /* of a year; nothing is drawn below */
#define RATIO_LOG     3     /* ratios beyond this need a logarithmic axis */
#define VISIBLE       0.01  /* of the height of a linear axis */
#define KINDS         3
#define DECADES_MIN   100.0 /* between the ends of a logarithmic axis, at least */
#define NAMED_MAX     6     /* lines that have their names at their ends */
#define LETTER        6.0   /* of them, on average */
#define CLOSE_DECADES 8     /* on an axis that hides the intervals of what was measured */
#define CLOSE_RISE    3 /* the close look begins where the measured line is so far above its end */
#define CLOSE_WIDTH   215u
#define CLOSE_LEFT    56u
#define CLOSE_HEIGHT  155u

enum kind { KIND_REACHED, KIND_OPEN, KIND_BOUND };

/* gnuplot's point types, filled and hollow. */
static const struct {
    int filled;
    int hollow;
} shapes[ESTIMATE_METHOD_COUNT] = {
    [ESTIMATE_CRUDE] = {9, 8},
    [ESTIMATE_IS] = {7, 6},
    [ESTIMATE_RESTART] = {5, 4},
    [ESTIMATE_DECOMPOSE] = {13, 12},
};

struct line {
    const struct fleet_series *series;
    uint32_t index;    /* in the fleet */
    uint32_t theories; /* rows of its line */
    uint32_t points[ESTIMATE_METHOD_COUNT][KINDS];
    uint32_t ratios[ESTIMATE_METHOD_COUNT];
    uint32_t prices[ESTIMATE_METHOD_COUNT];
};

struct curves {
    struct plot_context *context;
    const struct report_fleet *fleet;
    struct line lines[SERIES_MAX];
    uint32_t line_count;
    uint32_t left_out;           /* series */
    uint32_t clients;            /* cells that clients measured */
    uint32_t chosen[SERIES_MAX]; /* the series of the lines */
    double x_room;               /* behind the last place, for names; in units of the x axis */
    double lowest_s;             /* of what is drawn */
    double highest_s;
    double ratio_low;
    double ratio_high;
    double price_low;
    double price_high;
};

static bool is_estimate(const struct fleet_point *point)
{
    return point->has_estimate && point->method >= ESTIMATE_CRUDE &&
           !isnan(point->estimate.unavailability);
}

static enum kind kind_of(const struct fleet_point *point)
{
    return point->estimate.is_bound ? KIND_BOUND : point->is_reached ? KIND_REACHED : KIND_OPEN;
}

/* The events of real code are none of the fleet. */
static bool asks_code(const struct fleet_point *point)
{
    return point->method == ESTIMATE_DECOMPOSE;
}

/* Events that an interval of TARGET from at least HITS_MIN hits needs; NaN: cannot be told. */
static double price_of(const struct fleet_point *point)
{
    const struct estimate *estimate = &point->estimate;
    const double width = estimate->half_width / TARGET;
    bool is_known = is_estimate(point) && !asks_code(point) && !estimate->is_bound &&
                    isfinite(width) && estimate->events > 0 && estimate->hits > 0;
    return is_known
               ? (double)estimate->events * fmax(width * width, HITS_MIN / (double)estimate->hits)
               : (double)NAN;
}

/* ------------------------------------------------------------------------------- what is drawn */

/* Variants are thinned out evenly when there are more series than lines. */
static void choose_lines(struct curves *curves)
{
    const struct report_fleet *fleet = curves->fleet;
    const uint32_t services = fleet->service_count > 0 ? fleet->service_count : 1;
    const uint32_t variants = (fleet->series_count + services - 1) / services;
    const uint32_t room = SERIES_MAX / services > 0 ? SERIES_MAX / services : 1;
    for (uint32_t i = 0; i < fleet->series_count; i++) {
        uint32_t variant = i / services;
        bool is_wanted = variants <= room;
        for (uint32_t k = 0; k < room && !is_wanted; k++) {
            is_wanted = variant == (room == 1 ? 0 : k * (variants - 1) / (room - 1));
        }
        if (is_wanted && curves->line_count < SERIES_MAX) {
            curves->lines[curves->line_count++] =
                (struct line){.series = &fleet->series[i], .index = i};
            curves->chosen[curves->line_count - 1] = i;
        } else {
            curves->left_out++;
        }
    }
}

static void widen(double *low, double *high, double value)
{
    if (isfinite(value) && value > 0) {
        *low = fmin(*low, value);
        *high = fmax(*high, value);
    }
}

/* ----------------------------------------------------------------------------------- data files */

static void add_numbers(struct text *csv, const double *values, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        text_add(csv, i == 0 ? "" : ",");
        csv_scientific(csv, values[i]);
    }
}

/* Columns: 1 x, 2 unavailability, 3 low, 4 high, 5-7 the same as downtime in a year, s; 8
 * half_width, relative; 9-11 ratio to theory, low, high; 12 price; 13 kind (0 precise enough, 1
 * not, 2 a bound); 14 method, as a number; then the latter as a word, and what it was worked out
 * from. Outages a year have an interval where they were counted one by one. */
static const char points_head[] =
    "x,unavailability,low,high,downtime_s,downtime_low_s,downtime_high_s,half_width,ratio,"
    "ratio_low,ratio_high,events_for_10_percent,kind,method,method_name,machines,hits,events,"
    "simulated_h,effective,weight_share,outages_per_year,outages_low,outages_high,interval_method,"
    "cell\n";

static void add_point(struct curves *curves, struct line *line, const struct fleet_point *point,
                      struct text *csv)
{
    const struct estimate *estimate = &point->estimate;
    const enum kind kind = kind_of(point);
    const double exact = point->theory.unavailability;
    const bool is_bound = kind == KIND_BOUND;
    const double value = is_bound ? (double)NAN : estimate->unavailability;
    const double low = is_bound ? (double)NAN : estimate->interval.low;
    const double high = estimate->interval.high;
    const double price = price_of(point);
    const double numbers[] = {point->x,
                              value,
                              low,
                              high,
                              downtime_s_per_year(value),
                              downtime_s_per_year(low),
                              downtime_s_per_year(high),
                              estimate->half_width,
                              value / exact,
                              low / exact,
                              high / exact,
                              price};
    add_numbers(csv, numbers, ARRAY_COUNT(numbers));
    text_printf(csv, ",%d,%d,%s,%u,%llu,%llu,", (int)kind, (int)point->method,
                estimate_method_name(point->method), point->theory.machines,
                (unsigned long long)estimate->hits, (unsigned long long)estimate->events);
    const double year_h = downtime_s_per_year(1) / 3600;
    const double evidence[] = {estimate->simulated_h,       estimate->effective,
                               estimate->weight_share,      estimate->outages_per_h * year_h,
                               estimate->rate.low * year_h, estimate->rate.high * year_h};
    add_numbers(csv, evidence, ARRAY_COUNT(evidence));
    text_add(csv, ",");
    csv_field(csv, estimate->interval_method);
    text_add(csv, ",");
    csv_field(csv, point->cell->label);
    text_add(csv, "\n");
    line->points[point->method][kind]++;
    widen(&curves->lowest_s, &curves->highest_s, numbers[4]);
    widen(&curves->lowest_s, &curves->highest_s, is_bound ? numbers[6] / 3 : numbers[6]);
    /* An interval that reaches zero would take the axis with it: a decade below the value will do.
     */
    widen(&curves->lowest_s, &curves->highest_s, fmax(numbers[5], numbers[4] / 10));
    if (isfinite(numbers[8])) {
        line->ratios[point->method]++;
        curves->ratio_low = fmin(curves->ratio_low, isfinite(low) ? numbers[9] : numbers[8]);
        curves->ratio_high = fmax(curves->ratio_high, isfinite(high) ? numbers[10] : numbers[8]);
    }
    if (isfinite(price)) {
        line->prices[point->method]++;
        widen(&curves->price_low, &curves->price_high, price);
    }
}

/* The exact model of a line, once for each place. */
static void add_theory(struct curves *curves, struct line *line, struct text *csv)
{
    const struct report_fleet *fleet = curves->fleet;
    for (uint32_t column = 0; column < fleet->first.count; column++) {
        const struct fleet_point *found = NULL;
        for (uint32_t i = 0; i < fleet->point_count && found == NULL; i++) {
            const struct fleet_point *point = &fleet->points[i];
            bool is_it = point->series == line->index && point->column == column &&
                         isfinite(point->theory.unavailability);
            found = is_it ? point : NULL;
        }
        if (found != NULL) {
            const double downtime = downtime_s_per_year(found->theory.unavailability);
            const double numbers[] = {found->x, found->theory.unavailability, downtime};
            add_numbers(csv, numbers, ARRAY_COUNT(numbers));
            text_printf(csv, ",%s,%u\n", found->theory.theory, found->theory.machines);
            widen(&curves->lowest_s, &curves->highest_s, downtime);
            line->theories++;
        }
    }
}

/* In episodes of the real code? */
static bool is_measured(const struct line *line)
{
    uint32_t count = 0;
    for (int kind = KIND_REACHED; kind <= KIND_OPEN; kind++) {
        count += line->points[ESTIMATE_DECOMPOSE][kind];
    }
    return count > 0;
}

/* data/fleet-N-measured.csv: the line through what was measured. */
static bool write_measured(const struct curves *curves, uint32_t index, const struct figure *files,
                           struct err *err)
{
    const struct fleet_axis *axis = &curves->fleet->first;
    struct text csv;
    char suffix[32];
    text_init(&csv);
    text_add(&csv, "x,downtime_s\n");
    for (uint32_t column = 0; column < axis->count; column++) {
        const struct fleet_value value =
            fleet_value_at(curves->fleet, curves->lines[index].index, column);
        const double numbers[] = {axis->positions[column], value.downtime_s};
        if (value.is_measured) {
            add_numbers(&csv, numbers, ARRAY_COUNT(numbers));
            text_add(&csv, "\n");
        }
    }
    snprintf(suffix, sizeof(suffix), "-%u-measured", index + 1);
    const bool is_fine = figure_write_csv(files, suffix, &csv, err);
    text_release(&csv);
    return is_fine;
}

/* data/fleet-N.csv and data/fleet-N-theory.csv, which all four pictures show. */
static bool write_line(struct curves *curves, uint32_t index, const struct figure *files,
                       struct err *err)
{
    struct line *line = &curves->lines[index];
    struct text csv[2];
    char suffixes[2][32];
    for (uint32_t i = 0; i < 2; i++) {
        text_init(&csv[i]);
        snprintf(suffixes[i], sizeof(suffixes[i]), "-%u%s", index + 1, i == 0 ? "" : "-theory");
    }
    text_add(&csv[0], points_head);
    text_add(&csv[1], "x,unavailability,downtime_s,theory,machines\n");
    for (uint32_t i = 0; i < curves->fleet->point_count; i++) {
        const struct fleet_point *point = &curves->fleet->points[i];
        if (point->series == line->index && is_estimate(point)) {
            add_point(curves, line, point, &csv[0]);
        }
    }
    add_theory(curves, line, &csv[1]);
    bool is_fine = figure_write_csv(files, suffixes[0], &csv[0], err) &&
                   figure_write_csv(files, suffixes[1], &csv[1], err) &&
                   (!is_measured(line) || write_measured(curves, index, files, err));
    text_release(&csv[0]);
    text_release(&csv[1]);
    return is_fine;
}

/* data/fleet-N-price-METHOD.csv: a line of the last picture. */
static bool write_prices(const struct curves *curves, uint32_t index, const struct figure *files,
                         struct err *err)
{
    const struct line *line = &curves->lines[index];
    bool is_fine = true;
    for (int m = ESTIMATE_CRUDE; m < ESTIMATE_METHOD_COUNT && is_fine; m++) {
        const enum estimate_method method = (enum estimate_method)m;
        struct text csv;
        char suffix[48];
        text_init(&csv);
        text_add(&csv, "x,events_for_10_percent\n");
        for (uint32_t i = 0; i < curves->fleet->point_count; i++) {
            const struct fleet_point *point = &curves->fleet->points[i];
            const double numbers[] = {point->x, price_of(point)};
            if (point->series == line->index && point->method == method && isfinite(numbers[1])) {
                add_numbers(&csv, numbers, ARRAY_COUNT(numbers));
                text_add(&csv, "\n");
            }
        }
        snprintf(suffix, sizeof(suffix), "-%u-price-%s", index + 1, estimate_method_name(method));
        is_fine = line->prices[m] == 0 || figure_write_csv(files, suffix, &csv, err);
        text_release(&csv);
    }
    return is_fine;
}

/* What clients saw in runs of the real code: data/fleet-clients.csv. */
static bool write_clients(struct curves *curves, const struct figure *files, struct err *err)
{
    const struct report_data *data = curves->context->data;
    struct text csv;
    text_init(&csv);
    text_add(&csv, "x,downtime_s,downtime_low_s,downtime_high_s,cell\n");
    for (uint32_t c = 0; c < data->cell_count; c++) {
        const struct share_interval share = share_interval_of(&data->cells[c].share, 0);
        if (data->cells[c].share.seeds == 0 || share.is_bound || !(share.estimate > 0)) {
            continue;
        }
        const double numbers[] = {
            curves->fleet->cell_x[c], downtime_s_per_year(share.estimate),
            downtime_s_per_year(isnan(share.low) ? share.estimate : share.low),
            downtime_s_per_year(isnan(share.high) ? share.estimate : share.high)};
        add_numbers(&csv, numbers, ARRAY_COUNT(numbers));
        text_add(&csv, ",");
        csv_field(&csv, data->cells[c].label);
        text_add(&csv, "\n");
        widen(&curves->lowest_s, &curves->highest_s, numbers[1]);
        widen(&curves->lowest_s, &curves->highest_s, numbers[3]);
        curves->clients++;
    }
    bool is_fine = curves->clients == 0 || figure_write_csv(files, "-clients", &csv, err);
    text_release(&csv);
    return is_fine;
}

static bool write_data(struct curves *curves, struct err *err)
{
    struct figure files;
    figure_init(&files, curves->context->folder, "fleet", curves->context->format, WIDTH, HEIGHT);
    bool is_fine = true;
    for (uint32_t i = 0; i < curves->line_count && is_fine; i++) {
        is_fine = write_line(curves, i, &files, err) && write_prices(curves, i, &files, err);
    }
    is_fine = is_fine && write_clients(curves, &files, err);
    figure_release(&files);
    return is_fine;
}

/* ----------------------------------------------------------------------------------------- axes */

static void add_x_axis(const struct curves *curves, struct figure *figure)
{
    const struct fleet_axis *axis = &curves->fleet->first;
    struct text *script = &figure->script;
    const double first = axis->positions[0];
    const double last = axis->positions[axis->count - 1];
    text_printf(script, "set xrange [%.9g:%.9g]\nset xlabel ", first - 0.5,
                last + 0.5 + curves->x_room);
    gnuplot_quote(script, axis->title, 60);
    text_add(script, " noenhanced offset 0,0.3\n");
    if (curves->fleet->counts_machines && !curves->fleet->has_codes) {
        text_printf(script, "set xtics %.9g,%d,%.9g\nset format x '%%.0f'\n",
                    last - first > 20 ? ceil(first / 5) * 5 : first, last - first > 20 ? 5 : 1,
                    last);
        return;
    }
    plot_tics_add(script, "x", axis->labels, axis->positions, axis->count);
}

/* Of the logarithmic axis. Numbers close to each other still get some axis around them. */
static double bottom_of(const struct curves *curves)
{
    const double low = fmax(curves->lowest_s, FLOOR_S) * 0.5;
    return fmin(low, curves->highest_s * 4 / DECADES_MIN);
}

static double top_of(const struct curves *curves)
{
    return fmin(fmax(curves->highest_s * 2, bottom_of(curves) * DECADES_MIN),
                downtime_s_per_year(1) * 1.2);
}

/* "1 fs", "1 ps", ...; with 10 and 100 of each when there is room, and 2, 5, 20, ... when there is
 * more. */
static void add_human_tics(struct text *script, double low, double high)
{
    static const struct {
        const char *name;
        double s;
        int count_max; /* of them in a tic: the next unit begins */
    } units[] = {{"fs", 1e-15, 500},       {"ps", 1e-12, 500},   {"ns", 1e-9, 500},
                 {"\xc2\xb5s", 1e-6, 500}, {"ms", 1e-3, 500},    {"s", 1, 30},
                 {"min", 60, 30},          {"h", 3600, 10},      {"day", 86400, 1},
                 {"days", 86400, 200},     {"year", 31557600, 1}};
    static const int counts[] = {1, 2, 5, 10, 20, 30, 50, 100, 200, 500};
    static const int levels[] = {0, 2, 2, 1, 2, 2, 2, 1, 2, 2};
    const double decades = log10(high / low);
    const int level = decades > 9 ? 0 : decades > 3 ? 1 : 2;
    const char *comma = "";
    text_add(script, "set ytics (");
    for (uint32_t u = 0; u < ARRAY_COUNT(units); u++) {
        const bool is_plural = strcmp(units[u].name, "days") == 0;
        const bool is_decimal = units[u].count_max == 500 || is_plural;
        for (uint32_t i = is_plural ? 1 : 0; i < ARRAY_COUNT(counts); i++) {
            const double at = counts[i] * units[u].s;
            bool is_round = counts[i] != 30 || !is_decimal;
            if (counts[i] <= units[u].count_max && levels[i] <= level && is_round && at >= low &&
                at <= high) {
                text_printf(script, "%s'%d %s' %.9e", comma, counts[i], units[u].name, at);
                comma = ", ";
            }
        }
    }
    text_add(script, ")\n");
}

/* Durations on the left, nines on the right, over the same range. */
static void add_downtime_axis(const struct curves *curves, struct figure *figure)
{
    struct text *script = &figure->script;
    const double year = downtime_s_per_year(1);
    const double low = bottom_of(curves);
    const double high = top_of(curves);
    text_printf(script,
                "set border 11\nset logscale y\nset logscale y2\nset yrange [%.9e:%.9e]\n"
                "set y2range [%.9e:%.9e]\n",
                low, high, low, high);
    add_human_tics(script, low, high);
    text_add(script, "set y2tics (");
    const char *comma = "";
    for (int nines = 0; nines <= 40; nines++) {
        const double at = year * pow(10, -nines);
        if (at >= low && at <= high) {
            text_printf(script, "%s'%d' %.9e", comma, nines, at);
            comma = ", ";
        }
    }
    text_add(script, ")\nset y2label 'nines' offset -1,0\n");
}

/* The finding, and below it what is drawn. */
static void add_heading(struct figure *figure, const char *finding, const char *below)
{
    plot_label_add(figure, 40, 20, 15, "left", finding);
    plot_label_add(figure, 40, 40, 12, "left textcolor rgb '#555555'", below);
}

/* ---------------------------------------------------------------------------------------- items */

static bool has_method(const struct curves *curves, enum estimate_method method, int kind)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < curves->line_count; i++) {
        for (int k = 0; k < KINDS; k++) {
            count += kind < 0 || k == kind ? curves->lines[i].points[method][k] : 0;
        }
    }
    return count > 0;
}

/* What is beside each other must not cover each other: places for methods, and for lines too when
 * `has_lines`. */
static double shift_of(const struct curves *curves, uint32_t line, enum estimate_method method,
                       bool has_lines)
{
    uint32_t methods = 0;
    uint32_t before = 0;
    for (int m = ESTIMATE_CRUDE; m < ESTIMATE_METHOD_COUNT; m++) {
        if (has_method(curves, (enum estimate_method)m, -1)) {
            before += m < (int)method ? 1 : 0;
            methods++;
        }
    }
    const uint32_t lines = has_lines ? curves->line_count : 1;
    const double places = (double)lines * methods;
    const double step = fmin(has_lines ? 0.1 : 0.05, 0.7 / places);
    const double place = (double)before * lines + (has_lines ? line : 0);
    return (place - (places - 1) / 2) * step;
}

static const char *title_of(const struct curves *curves, uint32_t line)
{
    const char *title = curves->lines[line].series->title;
    return arena_printf(&curves->context->data->arena, "%s%s", title,
                        curves->lines[line].theories > 0 ? "" : " (no exact model)");
}

struct key_item {
    const char *title;
    const char *what; /* behind gnuplot's keyentry */
};

/* The legend of methods, in grey: shapes say the method, colours the line. */
static uint32_t key_items(const struct curves *curves, bool has_bounds,
                          struct key_item items[ESTIMATE_METHOD_COUNT + 2])
{
    struct arena *arena = &curves->context->data->arena;
    uint32_t count = 0;
    bool is_hollow = false;
    bool is_bound = false;
    for (int m = ESTIMATE_CRUDE; m < ESTIMATE_METHOD_COUNT; m++) {
        const enum estimate_method method = (enum estimate_method)m;
        if (has_method(curves, method, -1)) {
            items[count++] = (struct key_item){
                fleet_method_title(method),
                arena_printf(arena, "points pointtype %d pointsize 0.9", shapes[m].filled)};
        }
        is_hollow = is_hollow || has_method(curves, method, KIND_OPEN);
        is_bound = is_bound || has_method(curves, method, KIND_BOUND);
    }
    if (is_hollow) {
        items[count++] = (struct key_item){"hollow: less precise than asked for",
                                           "points pointtype 6 pointsize 0.9"};
    }
    if (is_bound && has_bounds) {
        items[count++] = (struct key_item){"no outage seen: below this (95%)",
                                           "points pointtype 11 pointsize 0.9"};
    }
    return count;
}

static struct plot_key key_of(const struct curves *curves, bool has_bounds, bool is_named)
{
    struct plot_key key = {0};
    struct key_item items[ESTIMATE_METHOD_COUNT + 2];
    const uint32_t count = key_items(curves, has_bounds, items);
    for (uint32_t i = 0; i < curves->line_count && !is_named; i++) {
        plot_key_count(&key, title_of(curves, i));
    }
    for (uint32_t i = 0; i < count; i++) {
        plot_key_count(&key, items[i].title);
    }
    if (curves->clients > 0) {
        plot_key_count(&key, "what clients saw in runs");
    }
    return key;
}

static void add_key_items(const struct curves *curves, struct figure *figure, bool has_bounds)
{
    struct key_item items[ESTIMATE_METHOD_COUNT + 2];
    const uint32_t count = key_items(curves, has_bounds, items);
    for (uint32_t i = 0; i < count; i++) {
        text_printf(&figure->script, ", \\\nkeyentry with %s linecolor rgb '#777777' title ",
                    items[i].what);
        gnuplot_quote(&figure->script, items[i].title, PLOT_KEY_TITLE_MAX);
    }
}

/* The points of one line by one method; `unit`: what a second is on the axis. */
static void add_points(const struct curves *curves, struct figure *figure, uint32_t index,
                       enum estimate_method method, double unit)
{
    struct text *script = &figure->script;
    const struct line *line = &curves->lines[index];
    const double shift = shift_of(curves, index, method, false);
    const double bottom = unit == 1 ? bottom_of(curves) : 0;
    for (int kind = KIND_REACHED; kind <= KIND_OPEN; kind++) {
        if (line->points[method][kind] > 0) {
            text_printf(script,
                        ", \\\n'data/fleet-%u.csv' using ($1 + %.3f):($13 == %d && $14 == %d ? $5 "
                        "* %.9g : NaN):($6 * %.9g > %.9g ? $6 * %.9g : %.9g):($7 * %.9g) with "
                        "yerrorbars linestyle %u dashtype 1 linewidth 1.3 pointtype %d pointsize "
                        "0.9 notitle",
                        index + 1, shift, kind, (int)method, unit, unit, bottom, unit, bottom, unit,
                        index + 1,
                        kind == KIND_REACHED ? shapes[method].filled : shapes[method].hollow);
        }
    }
    if (line->points[method][KIND_BOUND] > 0 && unit == 1) {
        text_printf(script,
                    ", \\\n'data/fleet-%u.csv' using ($1 + %.3f):($13 == 2 && $14 == %d ? $7 : "
                    "NaN):(0):(-$7 * 0.65) with vectors head filled size screen 0.008,25 linestyle "
                    "%u dashtype 1 linewidth 1.3 notitle",
                    index + 1, shift, (int)method, index + 1);
    }
}

/* The model beside what was measured, dotted. */
static void add_model(const struct curves *curves, struct figure *figure, uint32_t index,
                      double unit)
{
    if (curves->lines[index].theories > 0) {
        text_printf(&figure->script,
                    ", \\\n'data/fleet-%u-theory.csv' using 1:($3 * %.9g) with lines linestyle %u "
                    "dashtype (1,3) linewidth 1.2 notitle",
                    index + 1, unit, index + 1);
    }
}

/* The line of a series: of its model, or through what was measured, with the model dotted. */
static void add_line(const struct curves *curves, struct figure *figure, uint32_t index,
                     double unit, const char *title)
{
    struct text *script = &figure->script;
    const struct line *line = &curves->lines[index];
    const bool has_both = is_measured(line);
    if (has_both) {
        add_model(curves, figure, index, unit);
    }
    if (has_both) {
        text_printf(
            script,
            ", \\\n'data/fleet-%u-measured.csv' using 1:($2 * %.9g) with lines linestyle %u ",
            index + 1, unit, index + 1);
    } else if (line->theories > 0) {
        text_printf(script,
                    ", \\\n'data/fleet-%u-theory.csv' using 1:($3 * %.9g) with lines linestyle %u ",
                    index + 1, unit, index + 1);
    } else {
        text_printf(script, ", \\\nkeyentry with points linestyle %u ", index + 1);
    }
    text_add(script, title == NULL ? "notitle" : "title ");
    if (title != NULL) {
        gnuplot_quote(script, title, PLOT_KEY_TITLE_MAX);
    }
}

/* All lines and points on an axis of downtime; `is_named`: the lines have names at their ends. */
static void add_downtime(const struct curves *curves, struct figure *figure, double unit,
                         bool is_named)
{
    struct text *script = &figure->script;
    text_add(script, "plot NaN notitle");
    for (uint32_t i = 0; i < curves->line_count; i++) {
        add_line(curves, figure, i, unit, is_named ? NULL : title_of(curves, i));
    }
    for (uint32_t i = 0; i < curves->line_count; i++) {
        for (int m = ESTIMATE_CRUDE; m < ESTIMATE_METHOD_COUNT; m++) {
            add_points(curves, figure, i, (enum estimate_method)m, unit);
        }
    }
    if (curves->clients > 0) {
        text_printf(script,
                    ", \\\n'data/fleet-clients.csv' using 1:($2 * %.9g):($3 * %.9g):($4 * %.9g) "
                    "with yerrorbars linecolor rgb '" GNUPLOT_DOWN
                    "' pointtype 3 pointsize 1 title 'what clients saw in runs'",
                    unit, unit, unit);
    }
    add_key_items(curves, figure, unit == 1);
    text_add(script, "\n");
}

/* ---------------------------------------------------------------------------------------- names */

static bool has_names(const struct curves *curves)
{
    return curves->line_count <= NAMED_MAX;
}

static const char *name_of(const struct curves *curves, uint32_t line)
{
    struct report_data *data = curves->context->data;
    const struct fleet_value end =
        fleet_value_at_end(curves->fleet, curves->lines[line].index, NULL);
    return end.is_known ? arena_printf(&data->arena, "%s: %s", curves->lines[line].series->title,
                                       fleet_value_text(data, &end))
                        : curves->lines[line].series->title;
}

/* How far a panel of that width has to go beyond the last place, so that names fit. */
static double room_of_names(const struct curves *curves, double width)
{
    const struct fleet_axis *axis = &curves->fleet->first;
    size_t longest = 0;
    for (uint32_t i = 0; i < curves->line_count; i++) {
        const size_t length = strlen(name_of(curves, i));
        longest = length > longest ? length : longest;
    }
    const double room = fmin((double)longest * LETTER, width * 0.45);
    return (axis->positions[axis->count - 1] - axis->positions[0] + 1) * room / (width - room);
}

static double pixel_of(const struct curves *curves, const struct plot_panel *panel,
                       double downtime_s)
{
    const double low = bottom_of(curves);
    const double share = log(downtime_s / low) / log(top_of(curves) / low);
    return panel->bottom - fmin(fmax(share, 0), 1) * (panel->bottom - panel->top);
}

static void add_names(const struct curves *curves, struct figure *figure,
                      const struct plot_panel *panel)
{
    const struct fleet_axis *axis = &curves->fleet->first;
    const double last = axis->positions[axis->count - 1];
    const double span = last - axis->positions[0] + 1 + curves->x_room;
    struct plot_name names[NAMED_MAX];
    uint32_t count = 0;
    for (uint32_t i = 0; i < curves->line_count; i++) {
        uint32_t column = 0;
        const struct fleet_value end =
            fleet_value_at_end(curves->fleet, curves->lines[i].index, &column);
        names[count++] = (struct plot_name){
            .text = name_of(curves, i),
            .style = i + 1,
            .end = end.is_known ? pixel_of(curves, panel, end.downtime_s) : panel->bottom};
    }
    const double at =
        panel->left + (last - axis->positions[0] + 0.5) / span * (panel->right - panel->left);
    plot_names_add(figure, panel, (uint32_t)at + 16, names, count);
}

/* ------------------------------------------------------------------------------- the close look */

struct closely {
    struct plot_panel panel;
    uint32_t line;   /* that was measured */
    uint32_t column; /* it begins there */
    double lowest_s; /* of the intervals from there on */
    double highest_s;
};

/* Is the corner free of lines? */
static bool is_free(const struct curves *curves, const struct plot_panel *panel,
                    const struct plot_panel *corner)
{
    const struct fleet_axis *axis = &curves->fleet->first;
    const double span = axis->positions[axis->count - 1] - axis->positions[0] + 1 + curves->x_room;
    for (uint32_t i = 0; i < curves->fleet->point_count; i++) {
        const struct fleet_point *point = &curves->fleet->points[i];
        const struct fleet_value value =
            fleet_value_at(curves->fleet, point->series, point->column);
        const double x = panel->left + (point->x - axis->positions[0] + 0.5) / span *
                                           (panel->right - panel->left);
        if (value.is_known && x < corner->right + 24 &&
            pixel_of(curves, panel, value.downtime_s) > corner->top - 36) {
            return false;
        }
    }
    return true;
}

/* What to look at closely; false: nothing, or there is no room. */
static bool find_closely(const struct curves *curves, const struct plot_panel *panel,
                         struct closely *closely)
{
    const uint32_t count = curves->fleet->first.count;
    closely->line = UINT32_MAX;
    for (uint32_t i = 0; i < curves->line_count; i++) {
        closely->line = is_measured(&curves->lines[i]) ? i : closely->line;
    }
    closely->panel =
        (struct plot_panel){panel->left + CLOSE_LEFT, panel->bottom - 36 - CLOSE_HEIGHT,
                            panel->left + CLOSE_LEFT + CLOSE_WIDTH, panel->bottom - 36};
    if (closely->line == UINT32_MAX || !curves->fleet->counts_machines ||
        log10(top_of(curves) / bottom_of(curves)) < CLOSE_DECADES ||
        !is_free(curves, panel, &closely->panel)) {
        return false;
    }
    const uint32_t series = curves->lines[closely->line].index;
    const struct fleet_value end = fleet_value_at_end(curves->fleet, series, NULL);
    closely->column = count;
    closely->lowest_s = INFINITY;
    closely->highest_s = 0;
    for (uint32_t at = count; at > 0 && at == closely->column; at--) {
        const struct fleet_value value = fleet_value_at(curves->fleet, series, at - 1);
        if (value.is_known && value.downtime_s < CLOSE_RISE * end.downtime_s) {
            closely->column = at - 1;
            closely->lowest_s = fmin(closely->lowest_s, value.low_s);
            closely->highest_s = fmax(closely->highest_s, value.high_s);
        }
    }
    return closely->column + 2 < count;
}

static void add_closely(const struct curves *curves, struct figure *figure,
                        const struct closely *closely)
{
    static const struct {
        double s;
        const char *name;
    } units[] = {{3600, "hours"}, {60, "minutes"}, {1, "seconds"}, {1e-3, "milliseconds"}};
    struct text *script = &figure->script;
    const struct fleet_axis *axis = &curves->fleet->first;
    uint32_t unit = 0;
    while (unit + 1 < ARRAY_COUNT(units) && closely->highest_s < 2 * units[unit].s) {
        unit++;
    }
    text_add(script, "unset label\nunset logscale y\nunset logscale y2\nunset y2tics\nunset "
                     "y2label\nunset key\nset border 3\nunset xlabel\n");
    plot_panel_add(figure, &closely->panel);
    plot_label_add(figure, closely->panel.left - 36, closely->panel.top - 16, 11,
                   "left textcolor rgb '#555555'",
                   arena_printf(&curves->context->data->arena, "closely: %s a year, with intervals",
                                units[unit].name));
    text_printf(script,
                "set xrange [%.9g:%.9g]\nset yrange [%.9g:%.9g]\nset ytics autofreq\nset format y "
                "'%%.3g'\nset xtics %.9g,1\nplot NaN notitle",
                axis->positions[closely->column] - 0.5, axis->positions[axis->count - 1] + 0.5,
                closely->lowest_s / units[unit].s * 0.9, closely->highest_s / units[unit].s * 1.05,
                axis->positions[closely->column]);
    add_model(curves, figure, closely->line, 1 / units[unit].s);
    /* No error bars: gnuplot leaves out what is close to the point, and they are short. */
    text_printf(script,
                ", \\\n'data/fleet-%u.csv' using ($14 == %d ? $1 : NaN):($6 * %.9g):(0):(($7 - $6) "
                "* %.9g) with vectors nohead linestyle %u dashtype 1 linewidth 2 notitle, \\\n'' "
                "using ($14 == %d ? $1 : NaN):($5 * %.9g) with points linestyle %u pointtype %d "
                "pointsize 0.3 notitle",
                closely->line + 1, (int)ESTIMATE_DECOMPOSE, 1 / units[unit].s, 1 / units[unit].s,
                closely->line + 1, (int)ESTIMATE_DECOMPOSE, 1 / units[unit].s, closely->line + 1,
                shapes[ESTIMATE_DECOMPOSE].filled);
    text_add(script, "\nunset multiplot\n");
}

/* ------------------------------------------------------------------------------------- pictures */

static struct plot_panel begin(struct curves *curves, struct figure *figure, const char *name,
                               const struct plot_key *key)
{
    const uint32_t height = HEIGHT + plot_key_height(key);
    figure_init(figure, curves->context->folder, name, curves->context->format, WIDTH, height);
    struct plot_panel panel = {PANEL_LEFT, 58, PANEL_LEFT + PANEL_WIDTH, HEIGHT - 76};
    plot_panel_add(figure, &panel);
    plot_key_add(figure, key, panel.left);
    add_x_axis(curves, figure);
    return panel;
}

static bool end(struct curves *curves, struct figure *figure, const char *title,
                const char *caption, struct err *err)
{
    struct plot_figure about = {.plot = "fleet", .title = title, .caption = caption};
    bool is_fine = plot_finish(curves->context, figure, &about, err);
    figure_release(figure);
    return is_fine;
}

static const char *left_out_text(const struct curves *curves)
{
    return curves->left_out == 0
               ? ""
               : arena_printf(&curves->context->data->arena,
                              " %u of %u lines are drawn; the table has all.", curves->line_count,
                              curves->line_count + curves->left_out);
}

static const char *places_text(const struct curves *curves)
{
    return curves->fleet->counts_machines
               ? "Points beside each other belong to the same number of machines."
               : "Points beside each other belong to the same cell.";
}

/* What a reader has to know to read the picture, in a line. */
static const char *below_text(const struct curves *curves)
{
    struct report_data *data = curves->context->data;
    bool has_measured = false;
    bool has_estimates = false;
    bool has_theory = false;
    for (uint32_t i = 0; i < curves->line_count; i++) {
        has_theory = has_theory || curves->lines[i].theories > 0;
        has_measured = has_measured || is_measured(&curves->lines[i]);
    }
    for (int m = ESTIMATE_CRUDE; m < ESTIMATE_DECOMPOSE; m++) {
        has_estimates = has_estimates || has_method(curves, (enum estimate_method)m, -1);
    }
    const char *floor = fleet_floor(curves->fleet, data, curves->chosen, curves->line_count);
    const char *what = has_measured  ? "diamonds: measured on the real code, its model dotted"
                       : !has_theory ? "no exact model; points are estimates with their intervals"
                       : has_estimates
                           ? "lines are exact models, points are estimates with their intervals"
                           : "lines are exact models";
    return arena_printf(&data->arena, "%s: %s%s%s", data->scenario, floor,
                        *floor == '\0' ? "" : "; ", what);
}

static const char *downtime_caption(const struct curves *curves)
{
    return arena_printf(
        &curves->context->data->arena,
        "Lines: the exact model of each cell, a Markov chain solved without subtraction, or the "
        "binomial or beta-binomial law where only shares of time matter; where the real code was "
        "measured, the line goes through the measurements and the model is dotted. Points: "
        "estimates that do not know the model, each from all seeds of its cell, with the interval "
        "of the confidence that the scenario asks for (95%% unless it says otherwise). A year has "
        "365.25 days. %s%s%s",
        places_text(curves),
        curves->clients > 0 ? " Stars: time without service as clients saw it in runs of the real "
                              "code, with 95%% intervals."
                            : "",
        left_out_text(curves));
}

static bool draw_log(struct curves *curves, struct err *err)
{
    struct report_data *data = curves->context->data;
    const bool is_named = has_names(curves);
    const struct plot_key key = key_of(curves, true, is_named);
    struct figure figure;
    struct closely closely;
    curves->x_room = is_named ? room_of_names(curves, PANEL_WIDTH) : 0;
    struct plot_panel panel = begin(curves, &figure, "fleet-downtime", &key);
    plot_axis_label(&figure, &panel, "downtime in a year");
    add_heading(&figure, fleet_finding(curves->fleet, data, curves->chosen, curves->line_count),
                below_text(curves));
    add_downtime_axis(curves, &figure);
    if (is_named) {
        add_names(curves, &figure, &panel);
    }
    const bool is_close = find_closely(curves, &panel, &closely);
    text_add(&figure.script, is_close ? "set multiplot\n" : "");
    add_downtime(curves, &figure, 1, is_named);
    curves->x_room = 0;
    if (is_close) {
        add_closely(curves, &figure, &closely);
    }
    return end(curves, &figure, "Downtime in a year, logarithmic", downtime_caption(curves), err);
}

/* From which place on all lines are on the ground. */
static const char *linear_finding(const struct curves *curves, double top_s)
{
    struct report_data *data = curves->context->data;
    const uint32_t count = curves->fleet->first.count;
    uint32_t from = count;
    for (uint32_t column = count; column > 0 && from == column; column--) {
        double highest_s = 0;
        for (uint32_t i = 0; i < curves->line_count; i++) {
            highest_s =
                fmax(highest_s,
                     fleet_value_at(curves->fleet, curves->lines[i].index, column - 1).downtime_s);
        }
        from = highest_s < top_s * VISIBLE ? column - 1 : from;
    }
    return from > 0 && from < count
               ? arena_printf(&data->arena, "From %s on there is nothing to be seen",
                              fleet_place(curves->fleet, data, from))
               : "The same, as a ruler sees it";
}

static bool draw_linear(struct curves *curves, struct err *err)
{
    struct figure figure;
    const struct plot_key key = key_of(curves, false, false);
    struct plot_panel panel = begin(curves, &figure, "fleet-linear", &key);
    plot_axis_label(&figure, &panel, "downtime in a year, hours");
    const double top = plot_ceiling(curves->highest_s / 3600);
    add_heading(&figure, linear_finding(curves, top * 3600),
                "the same numbers on a linear axis, as a ruler sees them");
    text_printf(&figure.script, "set yrange [0:%.9g]\n", top);
    add_downtime(curves, &figure, 1 / 3600.0, false);
    return end(curves, &figure, "Downtime in a year, linear",
               "The numbers of the picture before, in hours. Bounds are left out.", err);
}

/* How many intervals hold what the exact model says; of real code, how far it is from there. */
static const char *ratio_finding(const struct curves *curves, const char **below)
{
    struct report_data *data = curves->context->data;
    uint32_t count = 0;
    uint32_t inside = 0;
    double low = INFINITY;
    double high = 0;
    bool is_code = false;
    for (uint32_t i = 0; i < curves->fleet->point_count; i++) {
        const struct fleet_point *point = &curves->fleet->points[i];
        const struct estimate *estimate = &point->estimate;
        const double exact = point->theory.unavailability;
        if (!is_estimate(point) || estimate->is_bound || !(exact > 0)) {
            continue;
        }
        is_code = is_code || asks_code(point);
        widen(&low, &high, estimate->unavailability / exact);
        inside += estimate->interval.low <= exact && exact <= estimate->interval.high ? 1 : 0;
        count++;
    }
    if (is_code) {
        *below = "1 is the exact chain of the machines, with the fail-over time that the scenario "
                 "gives, if any; bars are intervals";
    }
    return is_code ? arena_printf(&data->arena,
                                  "The real code is down %.2f to %.2f times as long as its model",
                                  low, high)
                   : arena_printf(&data->arena, "%u of %u intervals hold the exact value", inside,
                                  count);
}

static uint32_t ratios_of(const struct line *line)
{
    uint32_t count = 0;
    for (int m = ESTIMATE_CRUDE; m < ESTIMATE_METHOD_COUNT; m++) {
        count += line->ratios[m];
    }
    return count;
}

static bool draw_ratio(struct curves *curves, struct err *err)
{
    struct figure figure;
    struct plot_key key = key_of(curves, false, true);
    for (uint32_t i = 0; i < curves->line_count; i++) {
        if (ratios_of(&curves->lines[i]) > 0) {
            plot_key_count(&key, curves->lines[i].series->title);
        }
    }
    struct plot_panel panel = begin(curves, &figure, "fleet-ratio", &key);
    struct text *script = &figure.script;
    const double reach = fmax(curves->ratio_high - 1, 1 - curves->ratio_low);
    const double span = fmin(fmax(plot_ceiling(reach), 0.02), 1);
    plot_axis_label(&figure, &panel, "estimate / exact");
    const char *below =
        "1 is the exact model; of a hundred 95% intervals, about five should miss it";
    const char *finding = ratio_finding(curves, &below);
    add_heading(&figure, finding, below);
    if (curves->ratio_high > RATIO_LOG) {
        text_printf(script,
                    "set logscale y\nset yrange [%.9g:%.9g]\nset format y '%%.3g'\nset ytics (0.1, "
                    "0.2, 0.5, 0.7, 1, 1.5, 2, 3, 5, 10, 20, 50, 100, 1000, 10000)\n",
                    fmax(fmin(curves->ratio_low, 1) * 0.8, 1e-3), curves->ratio_high * 1.25);
    } else {
        text_printf(script, "set yrange [%.9g:%.9g]\nset format y '%%.4g'\n", 1 - span, 1 + span);
    }
    text_add(script, "plot 1 with lines linecolor rgb '#999999' linewidth 1 notitle");
    for (uint32_t i = 0; i < curves->line_count; i++) {
        if (ratios_of(&curves->lines[i]) == 0) {
            continue;
        }
        text_printf(script, ", \\\nkeyentry with lines linestyle %u dashtype 1 title ", i + 1);
        gnuplot_quote(script, curves->lines[i].series->title, PLOT_KEY_TITLE_MAX);
        for (int m = ESTIMATE_CRUDE; m < ESTIMATE_METHOD_COUNT; m++) {
            for (int kind = KIND_REACHED; kind <= KIND_OPEN && curves->lines[i].ratios[m] > 0;
                 kind++) {
                text_printf(script,
                            ", \\\n'data/fleet-%u.csv' using ($1 + %.3f):($13 == %d && $14 == %d ? "
                            "$9 : NaN):10:11 with yerrorbars linestyle %u dashtype 1 linewidth 1.3 "
                            "pointtype %d pointsize 0.9 notitle",
                            i + 1, shift_of(curves, i, (enum estimate_method)m, true), kind, m,
                            i + 1, kind == KIND_REACHED ? shapes[m].filled : shapes[m].hollow);
            }
        }
    }
    add_key_items(curves, &figure, false);
    text_add(script, "\n");
    return end(curves, &figure, "Estimates over the exact model",
               arena_printf(&curves->context->data->arena,
                            "Each estimate divided by the exact model of its cell, with its "
                            "interval; bars that reach the edge go on beyond it. %s",
                            places_text(curves)),
               err);
}

static const char *price_title(const struct curves *curves, uint32_t line,
                               enum estimate_method method)
{
    const char *title = fleet_method_title(method);
    return curves->line_count == 1 ? title
                                   : arena_printf(&curves->context->data->arena, "%s, %s", title,
                                                  curves->lines[line].series->title);
}

/* One line for each method and series, as far as there are styles. */
static bool next_price(const struct curves *curves, uint32_t *line, int *method)
{
    while (++*method < ESTIMATE_METHOD_COUNT || *line + 1 < curves->line_count) {
        if (*method == ESTIMATE_METHOD_COUNT) {
            *method = ESTIMATE_CRUDE;
            ++*line;
        }
        if (curves->lines[*line].prices[*method] > 0) {
            return true;
        }
    }
    return false;
}

static void add_prices(const struct curves *curves, struct figure *figure)
{
    uint32_t line = 0;
    int method = ESTIMATE_CRUDE - 1;
    for (uint32_t style = 1; style <= GNUPLOT_LINES && next_price(curves, &line, &method);
         style++) {
        text_printf(&figure->script,
                    "%s'data/fleet-%u-price-%s.csv' using 1:2 with linespoints linestyle %u "
                    "pointtype %d pointsize 0.9 title ",
                    style == 1 ? "plot " : ", \\\n", line + 1,
                    estimate_method_name((enum estimate_method)method), style,
                    shapes[method].filled);
        gnuplot_quote(&figure->script, price_title(curves, line, (enum estimate_method)method),
                      PLOT_KEY_TITLE_MAX);
    }
    text_add(&figure->script, "\n");
}

/* The cheapest and the dearest method at the last place. */
static const char *price_finding(const struct curves *curves)
{
    struct report_data *data = curves->context->data;
    const struct fleet_point *low = NULL;
    const struct fleet_point *high = NULL;
    uint32_t last = 0;
    for (uint32_t i = 0; i < curves->fleet->point_count; i++) {
        const struct fleet_point *point = &curves->fleet->points[i];
        last = isfinite(price_of(point)) && point->column > last ? point->column : last;
    }
    for (uint32_t i = 0; i < curves->fleet->point_count; i++) {
        const struct fleet_point *point = &curves->fleet->points[i];
        const double price = price_of(point);
        if (point->column == last && isfinite(price)) {
            low = low == NULL || price < price_of(low) ? point : low;
            high = high == NULL || price > price_of(high) ? point : high;
        }
    }
    if (low == NULL) {
        return "What an interval of ten per cent costs";
    }
    const char *cheap = arena_printf(
        &data->arena, "%s: ten per cent of precision costs %.2g events by %s",
        fleet_place(curves->fleet, data, last), price_of(low), fleet_method_title(low->method));
    return low->method == high->method
               ? cheap
               : arena_printf(&data->arena, "%s, %.2g by %s", cheap, price_of(high),
                              fleet_method_title(high->method));
}

static bool draw_price(struct curves *curves, struct err *err)
{
    struct figure figure;
    struct plot_key key = {0};
    uint32_t line = 0;
    int method = ESTIMATE_CRUDE - 1;
    while (key.entries < GNUPLOT_LINES && next_price(curves, &line, &method)) {
        plot_key_count(&key, price_title(curves, line, (enum estimate_method)method));
    }
    struct plot_panel panel = begin(curves, &figure, "fleet-price", &key);
    plot_axis_label(&figure, &panel, "events of the fleet");
    add_heading(&figure, price_finding(curves),
                "failures and repairs that an estimator has to simulate; lower is cheaper");
    text_printf(&figure.script,
                "set logscale y\nset yrange [%.9e:%.9e]\nset format y '10^{%%L}'\nset ytics "
                "10\nset mytics 1\n",
                pow(10, floor(log10(curves->price_low))),
                pow(10, ceil(log10(curves->price_high * 1.001))));
    add_prices(curves, &figure);
    return end(curves, &figure, "Price of an estimate",
               "Events of the fleet (failures, repairs, shocks) that were simulated, times the "
               "square of the relative half-width that they gave over 10%: what an interval of "
               "10% would have needed, and never less than thirty outages take. Without a hit "
               "there is no price: the line ends where an "
               "estimator has seen nothing.",
               err);
}

bool plot_fleet(struct plot_context *context, struct err *err)
{
    struct curves curves = {.context = context,
                            .fleet = &context->fleet,
                            .lowest_s = INFINITY,
                            .ratio_low = 1,
                            .ratio_high = 1,
                            .price_low = INFINITY};
    if (context->fleet.point_count == 0 || context->fleet.first.count < 2 ||
        context->fleet.is_loss) {
        return true;
    }
    choose_lines(&curves);
    if (!write_data(&curves, err)) {
        return false;
    }
    if (!(curves.highest_s > 0)) {
        return true;
    }
    bool has_ratios = false;
    for (uint32_t i = 0; i < curves.line_count; i++) {
        for (int m = ESTIMATE_CRUDE; m < ESTIMATE_METHOD_COUNT; m++) {
            has_ratios = has_ratios || curves.lines[i].ratios[m] > 0;
        }
    }
    return draw_log(&curves, err) && draw_linear(&curves, err) &&
           (!has_ratios || draw_ratio(&curves, err)) &&
           (!(curves.price_high > 0) || draw_price(&curves, err));
}
