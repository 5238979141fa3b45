/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Recovery time over load. Points are medians of the seeds, the line below them is theory, and the
 * upright line is the hidden capacity, at which theory has it take for ever. What was not back when
 * it was last looked at is no point but an arrow that begins there. The time axis is logarithmic:
 * seconds far below the hidden capacity and the steep end are both of interest. */
#include "reports/experiment.h"
#include "reports/plot.h"

#include "sim/base/base.h"

#include <math.h>
#include <string.h>

#define SERIES_MAX 6
#define WIDTH      960u
#define HEIGHT     500u
#define LEFT       92u
#define RIGHT      676u
#define NOTE       700u
#define TOP        78u
#define BOTTOM     (HEIGHT - 58)
#define HIDDEN     "#00704F"
#define PREDICTED  "#555555"
#define LOWEST     0.5 /* s: shorter times are drawn, but make no room for themselves */

struct curves {
    struct plot_context *context;
    const struct report_experiment *experiment;
    const char *labels[SERIES_MAX]; /* sizes of the trigger; "" for the only one */
    uint32_t count;
    uint32_t left_out;
    double lowest;
    double highest;
    double first;
    double last;
    double hidden;
    bool has_censored;
    bool has_theory;
};

static const char *const series_names[] = {"median", "censored", "predicted"};

static void add_label(struct curves *curves, const char *label)
{
    for (uint32_t i = 0; i < curves->count; i++) {
        if (strcmp(curves->labels[i], label) == 0) {
            return;
        }
    }
    if (curves->count < SERIES_MAX) {
        curves->labels[curves->count++] = label;
    } else {
        curves->left_out++;
    }
}

static void measure(struct curves *curves)
{
    curves->lowest = INFINITY;
    curves->first = INFINITY;
    curves->hidden = NAN;
    double measured = 0;
    for (uint32_t i = 0; i < curves->experiment->point_count; i++) {
        const struct report_point *point = &curves->experiment->points[i];
        bool is_censored = strcmp(point->series, "censored") == 0;
        if (strcmp(point->series, "hidden") == 0) {
            curves->hidden = point->x;
        } else if (strcmp(point->series, "predicted") == 0) {
            curves->has_theory = true;
        }
        if (!is_censored && strcmp(point->series, "median") != 0) {
            continue;
        }
        add_label(curves, point->note);
        curves->has_censored |= is_censored;
        curves->first = fmin(curves->first, point->x);
        curves->last = fmax(curves->last, point->x);
        curves->lowest = fmin(curves->lowest, fmax(point->y, LOWEST));
        measured = fmax(measured, isnan(point->high) ? point->y : point->high);
    }
    curves->highest = fmax(measured, 2 * LOWEST);
}

static bool write_series(const struct curves *curves, const struct figure *figure, uint32_t index,
                         uint32_t kind, uint32_t *rows, struct err *err)
{
    struct text csv;
    char suffix[32];
    text_init(&csv);
    text_add(&csv, "load_per_s,seconds,low95,high95\n");
    *rows = 0;
    for (uint32_t i = 0; i < curves->experiment->point_count; i++) {
        const struct report_point *point = &curves->experiment->points[i];
        if (strcmp(point->series, series_names[kind]) != 0 ||
            strcmp(point->note, curves->labels[index]) != 0) {
            continue;
        }
        const double row[] = {point->x, point->y, isnan(point->low) ? point->y : point->low,
                              isnan(point->high) ? point->y : point->high};
        for (uint32_t k = 0; k < ARRAY_COUNT(row); k++) {
            csv_number(&csv, row[k]);
            text_add(&csv, k + 1 < ARRAY_COUNT(row) ? "," : "\n");
        }
        (*rows)++;
    }
    snprintf(suffix, sizeof(suffix), "-%s-%u", series_names[kind], index + 1);
    bool is_fine = figure_write_csv(figure, suffix, &csv, err);
    text_release(&csv);
    return is_fine;
}

static void add_axes(struct figure *figure, const struct curves *curves)
{
    struct text *script = &figure->script;
    int low = (int)floor(log10(curves->lowest) + 1e-9);
    int high = (int)ceil(log10(curves->highest * 1.5) - 1e-9);
    text_printf(script,
                "set logscale y\nset yrange [1e%d:1e%d]\nset xrange [0:%.9g]\nset border 3\n"
                "set xtics nomirror out\nset ytics nomirror out (",
                low, high, fmax(curves->last, isnan(curves->hidden) ? 0 : curves->hidden) * 1.05);
    for (int power = low; power <= high; power++) {
        text_printf(script, "%s'%g s' 1e%d", power == low ? "" : ", ", pow(10, power), power);
    }
    text_printf(script,
                ")\nset xlabel 'load, operations per second' offset 0,0.3\n"
                "set key at screen %.5f, screen %.5f left top Left reverse samplen 3 spacing 1.4 "
                "noenhanced\n",
                (double)(NOTE - 10) / WIDTH, 1 - (TOP - 6.0) / HEIGHT);
}

static void add_hidden(struct figure *figure, const struct curves *curves)
{
    struct arena *arena = &curves->context->data->arena;
    if (isnan(curves->hidden)) {
        return;
    }
    double span = fmax(curves->last, curves->hidden) * 1.05;
    uint32_t place = LEFT + (uint32_t)((RIGHT - LEFT) * curves->hidden / span);
    bool is_right = place > (LEFT + RIGHT) / 2;
    text_printf(&figure->script,
                "set arrow from first %.9g, graph 0 to first %.9g, screen %.5f nohead front "
                "linecolor rgb '" HIDDEN "' dashtype (6,4) linewidth 1.6\n",
                curves->hidden, curves->hidden, 1 - (TOP - 14.0) / HEIGHT);
    plot_label_add(
        figure, is_right ? place - 5 : place + 5, TOP - 10, 11,
        is_right ? "right textcolor rgb '" HIDDEN "'" : "left textcolor rgb '" HIDDEN "'",
        arena_printf(arena, "hidden capacity %.4g/s: never, says theory", curves->hidden));
}

/* Of one size of the trigger: theory, points, arrows. */
static bool add_series(struct figure *figure, const struct curves *curves, uint32_t index,
                       struct err *err)
{
    struct text *script = &figure->script;
    uint32_t rows[3];
    for (uint32_t kind = 0; kind < 3; kind++) {
        if (!write_series(curves, figure, index, kind, &rows[kind], err)) {
            return false;
        }
    }
    bool is_only = curves->count == 1;
    const char *label = curves->labels[index];
    if (rows[2] > 0) {
        text_printf(script,
                    "'data/%s-predicted-%u.csv' using 1:2 with lines linecolor rgb '" PREDICTED
                    "' dashtype (6,4) linewidth 1.4 %s, \\\n",
                    figure->name, index + 1, index == 0 ? "title 'theory'" : "notitle");
    }
    if (rows[1] > 0) {
        text_printf(script,
                    "'data/%s-censored-%u.csv' using 1:2:(0):($2 * 0.5) with vectors head filled "
                    "size screen 0.01,22 linestyle %u dashtype 1 linewidth 1.4 notitle, \\\n"
                    "'' using 1:2 with points linestyle %u pointtype 6 notitle, \\\n",
                    figure->name, index + 1, index + 1, index + 1);
    }
    text_printf(script,
                "'data/%s-median-%u.csv' using 1:2:3:4 with yerrorbars linestyle %u dashtype 1 "
                "pointsize 0.8 linewidth 1.2 title ",
                figure->name, index + 1, index + 1);
    gnuplot_quote(script,
                  is_only
                      ? "measured, median"
                      : arena_printf(&curves->context->data->arena, "trigger %s, median", label),
                  40);
    text_add(script, index + 1 < curves->count ? ", \\\n" : "\n");
    return true;
}

static void add_notes(struct figure *figure, const struct curves *curves)
{
    const char *const lines[] = {
        "Time from the end of the trigger",
        "until all is answered in time again.",
        "",
        curves->has_censored ? "Arrows: not back when last" : "",
        curves->has_censored ? "looked at; it takes longer." : "",
    };
    uint32_t y = TOP + 40 + 27 * (curves->count + (curves->has_theory ? 1 : 0));
    for (uint32_t i = 0; i < ARRAY_COUNT(lines); i++, y += 20) {
        if (lines[i][0] != '\0') {
            plot_label_add(figure, NOTE, y, 11, "left textcolor rgb '#444444'", lines[i]);
        }
    }
}

static bool draw(struct curves *curves, struct err *err)
{
    struct report_data *data = curves->context->data;
    struct figure figure;
    figure_init(&figure, curves->context->folder, "recovery", curves->context->format, WIDTH,
                HEIGHT);
    struct plot_panel panel = {LEFT, TOP, RIGHT, BOTTOM};
    plot_panel_add(&figure, &panel);
    plot_axis_label(&figure, &panel, "recovery time");
    plot_label_add(&figure, LEFT, 20, 15, "left",
                   arena_printf(&data->arena, "%s: how long until it is back?", data->scenario));
    plot_label_add(&figure, LEFT, 42, 11, "left textcolor rgb '#555555'",
                   "the same trigger at each load; bars are 95% intervals over the seeds, open "
                   "above where the "
                   "seeds are too few");
    add_axes(&figure, curves);
    add_hidden(&figure, curves);
    add_notes(&figure, curves);
    text_add(&figure.script, "plot ");
    bool is_fine = true;
    for (uint32_t i = 0; i < curves->count && is_fine; i++) {
        is_fine = add_series(&figure, curves, i, err);
    }
    struct plot_figure about = {
        .plot = "recovery",
        .title = "Recovery time over load",
        .caption =
            "From the end of the trigger to the first healthy stretch: enough operations answered "
            "within one time-out, and hardly an attempt that times out; a time-out shows a "
            "time-out later, so points lie one to two windows above theory. The median over the "
            "seeds is that of Kaplan and Meier, which knows that what is not back takes longer. "
            "Theory: the closed form of a full outage with one retry, else the fluid of queue and "
            "retries.",
    };
    is_fine = is_fine && plot_finish(curves->context, &figure, &about, err);
    figure_release(&figure);
    return is_fine;
}

bool plot_recovery(struct plot_context *context, struct err *err)
{
    struct report_experiment experiment;
    if (!report_experiment_load(&experiment, context->data, "recovery", err)) {
        return false;
    }
    struct curves curves = {.context = context, .experiment = &experiment};
    if (experiment.is_there) {
        measure(&curves);
    }
    if (curves.left_out > 0) {
        plot_note(context, "Recovery is drawn for the first %d sizes of the trigger.", SERIES_MAX);
    }
    return curves.count == 0 || draw(&curves, err);
}
