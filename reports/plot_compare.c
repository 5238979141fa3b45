/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Compare: the cells of a sweep against each other, on one seed that all of them have, so that
 * chance is the same.
 *
 * "compare" lays the goodput of up to eight cells over each other. "cells" shows each cell in a
 * panel of its own, with the same axes: what was asked for, what was answered, what was sent. The
 * first says which is better; the second why. A panel in which clients send many times what they
 * are asked to would leave no room for the rest: the common axis then ends above what is asked for
 * and answered, the line of sends runs along that end, and the panel's title says how far it went.
 */
#include "reports/plot.h"

#include "sim/base/base.h"

#include <math.h>
#include <string.h>

#define LINES_MAX  GNUPLOT_LINES
#define PANELS_MAX 12
#define BINS_MAX   100  /* points of a line */
#define SAME_LOAD  0.02 /* runs that were cut short differ by a little */
#define CLIP       3.0  /* sends beyond so many times the other rates are cut off */

#define WIDTH 960u
#define LEFT  92u

struct arm {
    const struct report_cell *cell;
    const struct report_run *run;
    struct report_series series;
    double sends; /* highest rate */
    double asked; /* mean of what was asked for; 0: nothing was */
};

struct arms {
    struct arm items[PANELS_MAX];
    uint32_t count;
    uint32_t left_out;
    const char *seed;
    double end_s;
    double rate; /* highest of offered and goodput */
    double sends;
};

static void measure(struct arms *arms, struct arm *arm)
{
    for (uint32_t i = 0; i < arm->series.bins.count; i++) {
        const struct report_bin *bin = vec_at(&arm->series.bins, i);
        arms->rate = fmax(arms->rate, fmax(bin->offered, bin->ok));
        arm->sends = fmax(arm->sends, bin->attempts);
        arm->asked += isnan(bin->offered) ? 0 : bin->offered / arm->series.bins.count;
    }
    arms->sends = fmax(arms->sends, arm->sends);
    arms->end_s = fmax(arms->end_s, arm->series.end_s);
}

/* The cells that kept the common seed. Fewer than two: nothing to compare, the count is 0. */
static bool load(struct arms *arms, struct plot_context *context, uint32_t maximum, struct err *err)
{
    struct report_data *data = context->data;
    *arms = (struct arms){.seed = plot_common_seed(data)};
    for (uint32_t i = 0; arms->seed != NULL && i < data->cell_count; i++) {
        const struct report_run *run = plot_run_of(&data->cells[i], arms->seed);
        if (run == NULL) {
            continue;
        }
        if (arms->count == maximum) {
            arms->left_out++;
            continue;
        }
        struct arm *arm = &arms->items[arms->count];
        *arm = (struct arm){.cell = &data->cells[i], .run = run};
        if (!report_series_load(&arm->series, data, run, BINS_MAX, err)) {
            return false;
        }
        arms->count++;
        measure(arms, arm);
    }
    return true;
}

static void release(struct arms *arms)
{
    for (uint32_t i = 0; i < arms->count; i++) {
        report_series_release(&arms->items[i].series);
    }
}

static bool is_same_faults(const struct report_series *left, const struct report_series *right)
{
    if (left->faults.count != right->faults.count) {
        return false;
    }
    for (uint32_t i = 0; i < left->faults.count; i++) {
        const struct report_fault *a = vec_at(&left->faults, i);
        const struct report_fault *b = vec_at(&right->faults, i);
        if (strcmp(a->name, b->name) != 0 || a->start_s != b->start_s || a->end_s != b->end_s) {
            return false;
        }
    }
    return true;
}

static void add_heading(struct figure *figure, struct report_data *data, const char *what,
                        const char *more, const char *seed)
{
    plot_label_add(figure, LEFT, 20, 15, "left",
                   arena_printf(&data->arena, "%s: %s", data->scenario, what));
    plot_label_add(figure, LEFT, 40, 12, "left textcolor rgb '#555555'",
                   arena_printf(&data->arena, "one run of each cell, all with seed %s%s",
                                plot_short_seed(data, seed), more));
}

/* -------------------------------------------------------------------------------------- compare */

/* Were clients asked to do the same in all cells? One line can only stand for all then. */
static bool is_same_load(const struct arms *arms)
{
    bool is_same = true;
    for (uint32_t i = 1; i < arms->count; i++) {
        double difference = fabs(arms->items[i].asked - arms->items[0].asked);
        is_same = is_same && difference <= SAME_LOAD * arms->items[0].asked;
    }
    return is_same;
}

/* Did the same faults strike all cells at the same time? */
static bool is_shaded(const struct arms *arms)
{
    bool is_same = arms->items[0].series.faults.count > 0;
    for (uint32_t i = 1; i < arms->count && is_same; i++) {
        is_same = is_same_faults(&arms->items[0].series, &arms->items[i].series);
    }
    return is_same;
}

static const char *shading_text(const struct arms *arms)
{
    if (is_shaded(arms)) {
        return "Shaded: a fault is active, in all cells alike.";
    }
    for (uint32_t i = 0; i < arms->count; i++) {
        if (arms->items[i].series.faults.count > 0) {
            return "Faults struck the cells at different times, so none is shaded here: the panels "
                   "for each cell show them.";
        }
    }
    return "The scenario injected no fault in these runs.";
}

static void add_lines(struct figure *figure, const struct arms *arms, const struct plot_key *key,
                      bool has_shade)
{
    struct text *script = &figure->script;
    double top = plot_ceiling(arms->rate);
    struct plot_panel panel = {LEFT, 58, WIDTH - 20, figure->height - 74 - plot_key_height(key)};
    plot_panel_add(figure, &panel);
    plot_axis_label(figure, &panel, "answered in time (goodput), operations/s");
    text_printf(script, "set xrange [0:%.9g]\nset yrange [0:%.9g]\n", arms->end_s, top);
    text_add(script, "set xlabel 'virtual time, seconds' offset 0,0.3\n");
    plot_key_add(figure, key, LEFT);
    text_add(script, "plot ");
    if (has_shade) {
        plot_shade_add(figure, "-shade", top);
    }
    if (is_same_load(arms)) {
        text_printf(script,
                    "'data/%s-1.csv' using 1:4 with lines linestyle %u title 'asked for', \\\n",
                    figure->name, GNUPLOT_OFFERED);
    }
    for (uint32_t i = 0; i < arms->count; i++) {
        uint32_t spacing = arms->items[i].series.bins.count / 12 + 1;
        text_printf(
            script,
            "'data/%s-%u.csv' using 1:6 with linespoints linestyle %u pointinterval %u title ",
            figure->name, i + 1, i + 1, spacing);
        gnuplot_quote(script, arms->items[i].cell->title, PLOT_KEY_TITLE_MAX);
        text_add(script, i + 1 < arms->count ? ", \\\n" : "\n");
    }
}

static bool write_arms(const struct figure *figure, const struct arms *arms, struct err *err)
{
    for (uint32_t i = 0; i < arms->count; i++) {
        char suffix[24];
        snprintf(suffix, sizeof(suffix), "-%u", i + 1);
        if (!plot_bins_csv(figure, suffix, &arms->items[i].series, err)) {
            return false;
        }
    }
    return true;
}

static bool draw_compare(struct plot_context *context, const struct arms *arms, struct err *err)
{
    struct report_data *data = context->data;
    struct plot_key key = {0};
    if (is_same_load(arms)) {
        plot_key_count(&key, "asked for");
    }
    for (uint32_t i = 0; i < arms->count; i++) {
        plot_key_count(&key, arms->items[i].cell->title);
    }
    struct figure figure;
    figure_init(&figure, context->folder, "compare", context->format, WIDTH,
                460 + plot_key_height(&key));
    bool has_shade = false;
    bool is_fine = write_arms(&figure, arms, err);
    if (is_fine && is_shaded(arms)) {
        is_fine = plot_shade_csv(&figure, "-shade", &arms->items[0].series, &has_shade, err);
    }
    add_heading(&figure, data, "goodput of the cells over time", "", arms->seed);
    add_lines(&figure, arms, &key, has_shade);
    struct plot_figure about = {
        .plot = "compare",
        .title = arena_printf(&data->arena, "Goodput of the cells, seed %s",
                              plot_short_seed(data, arms->seed)),
        .caption = arena_printf(
            &data->arena,
            "One run of each cell, with the same seed and so with the same chance. %s %s %s%s",
            shading_text(arms),
            is_same_load(arms) ? "The grey line is what clients were asked to do."
                               : "What clients were asked to do differs from cell to cell: the "
                                 "panels for each cell show it.",
            plot_bin_text(data, &arms->items[0].series),
            plot_left_out_text(data, arms->count, arms->left_out)),
    };
    is_fine = is_fine && plot_finish(context, &figure, &about, err);
    figure_release(&figure);
    return is_fine;
}

/* Draws the runs of at most `limit` cells; nothing when there are fewer than two to compare. */
static bool draw_arms(struct plot_context *context, uint32_t limit,
                      bool (*draw)(struct plot_context *context, const struct arms *arms,
                                   struct err *err),
                      struct err *err)
{
    struct arms arms;
    bool is_fine = load(&arms, context, limit, err);
    if (is_fine && arms.count >= 2) {
        is_fine = draw(context, &arms, err);
    }
    release(&arms);
    return is_fine;
}

bool plot_compare(struct plot_context *context, struct err *err)
{
    return draw_arms(context, LINES_MAX, draw_compare, err);
}

/* ---------------------------------------------------------------------------------------- cells */

struct grid {
    uint32_t columns;
    uint32_t rows;
    uint32_t width; /* of a panel */
    uint32_t height;
    double top; /* of the y axis */
    bool is_clipped;
};

static struct grid grid_of(const struct arms *arms)
{
    struct grid grid = {.columns = arms->count <= 4 ? 2 : 3};
    grid.rows = (arms->count + grid.columns - 1) / grid.columns;
    grid.width = (WIDTH - LEFT - 20) / grid.columns - 24;
    grid.height = grid.columns == 2 ? 230 : 170;
    grid.is_clipped = arms->sends > CLIP * arms->rate;
    grid.top = plot_ceiling(grid.is_clipped ? CLIP * arms->rate : fmax(arms->rate, arms->sends));
    return grid;
}

static void add_panel(struct figure *figure, struct report_data *data, const struct arms *arms,
                      uint32_t index, const struct grid *grid, bool has_shade)
{
    struct text *script = &figure->script;
    const struct arm *arm = &arms->items[index];
    uint32_t column = index % grid->columns;
    uint32_t row = index / grid->columns;
    uint32_t left = LEFT + column * (grid->width + 24);
    uint32_t top = 106 + row * (grid->height + 52);
    char shade[32];
    struct plot_panel panel = {left, top, left + grid->width, top + grid->height};
    plot_panel_add(figure, &panel);
    bool is_cut = arm->sends > grid->top;
    uint32_t room = grid->width / 8;
    const char *title = plot_short(data, arm->cell->title, is_cut ? room - 22 : room);
    if (is_cut) {
        title = arena_printf(&data->arena, "%s  (up to %.0f sends/s)", title, arm->sends);
    }
    plot_label_add(figure, left, top - 12, 13, "left", title);
    text_printf(script, "set format y '%s'\nset format x '%s'\n", column == 0 ? "%g" : "",
                index + grid->columns >= arms->count ? "%g" : "");
    text_add(script, "plot ");
    snprintf(shade, sizeof(shade), "-%u-shade", index + 1);
    if (has_shade) {
        plot_shade_add(figure, shade, grid->top);
    }
    text_printf(
        script,
        "'data/%s-%u.csv' using 1:6 with filledcurves y1=0 fillstyle transparent solid 0.12 "
        "fillcolor rgb '#0072B2' notitle, \\\n"
        "'' using 1:4 with lines linestyle %u title 'asked for', \\\n"
        "'' using 1:($5 < %.9g ? $5 : %.9g) with lines linestyle %u "
        "title 'sent, retries included', \\\n"
        "'' using 1:6 with lines linestyle %u title 'answered in time (goodput)'\n"
        "unset label\nunset key\n",
        figure->name, index + 1, GNUPLOT_OFFERED, grid->top, grid->top, GNUPLOT_ATTEMPTS,
        GNUPLOT_GOODPUT);
}

static bool add_grid(struct figure *figure, struct report_data *data, const struct arms *arms,
                     const struct grid *grid, struct err *err)
{
    add_heading(figure, data, "the cells side by side",
                "; operations per second over virtual seconds", arms->seed);
    text_printf(&figure->script,
                "set multiplot\nset xrange [0:%.9g]\nset yrange [0:%.9g]\n"
                "set key at screen %.5f, screen %.5f left center Left reverse maxrows 1 samplen 3 "
                "width 2\n",
                arms->end_s, grid->top, (double)(LEFT - 10) / figure->width,
                1 - 64.0 / figure->height);
    for (uint32_t i = 0; i < arms->count; i++) {
        char suffix[32];
        bool has_shade = false;
        snprintf(suffix, sizeof(suffix), "-%u-shade", i + 1);
        if (!plot_shade_csv(figure, suffix, &arms->items[i].series, &has_shade, err)) {
            return false;
        }
        add_panel(figure, data, arms, i, grid, has_shade);
    }
    text_add(&figure->script, "unset multiplot\n");
    return true;
}

static bool draw_cells(struct plot_context *context, const struct arms *arms, struct err *err)
{
    struct report_data *data = context->data;
    struct grid grid = grid_of(arms);
    struct figure figure;
    figure_init(&figure, context->folder, "cells", context->format, WIDTH,
                106 + grid.rows * (grid.height + 52));
    bool is_fine = write_arms(&figure, arms, err) && add_grid(&figure, data, arms, &grid, err);
    struct plot_figure about = {
        .plot = "cells",
        .title = arena_printf(&data->arena, "The cells side by side, seed %s",
                              plot_short_seed(data, arms->seed)),
        .caption = arena_printf(
            &data->arena,
            "One run of each cell, with the same seed and the same axes. Shaded: a fault is "
            "active. %s%s%s",
            plot_bin_text(data, &arms->items[0].series),
            grid.is_clipped
                ? " Where clients send more than the axis shows, the line runs along its upper "
                  "end and the panel's title says how much."
                : "",
            plot_left_out_text(data, arms->count, arms->left_out)),
    };
    is_fine = is_fine && plot_finish(context, &figure, &about, err);
    figure_release(&figure);
    return is_fine;
}

bool plot_cells(struct plot_context *context, struct err *err)
{
    return draw_arms(context, PANELS_MAX, draw_cells, err);
}
