/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Nines over two axes of the sweep, a picture for each service. The colour is -log10 of the
 * unavailability, and both axes are places in the order of the sweep with the values written beside
 * them: gnuplot puts the pixels of an image in the wrong places on a logarithmic axis, and an image
 * needs steps of one size anyway. Every cell has its number, so nothing depends on colours; the
 * palette goes from dark to light evenly and is told apart by colour-blind readers (viridis: van
 * der Walt and Smith, 2015).
 *
 * A cell shows the exact model where there is one, else its best estimate. */
#include "reports/plot.h"

#include "sim/base/base.h"

#include <math.h>
#include <string.h>

#define CELL_WIDTH  64u
#define CELL_HEIGHT 44u
#define LEFT        130u
#define TOP         64u
#define ROWS_MIN    3

static const char palette[] =
    "set palette defined (0 '#440154', 1 '#482878', 2 '#3E4989', 3 '#31688E', 4 '#26828E', "
    "5 '#1F9E89', 6 '#35B779', 7 '#6ECE58', 8 '#B5DE2B', 9 '#FDE725')\n";

struct grid {
    const struct report_fleet *fleet;
    const char *service;
    double *nines;  /* [row * columns + column]; NaN: nothing */
    double *places; /* 0, 1, 2, ... */
    bool has_estimates;
    bool has_theory;
    double low;
    double high;
};

static double nines_at(struct grid *grid, const struct fleet_point *point)
{
    if (isfinite(point->theory.unavailability)) {
        grid->has_theory = true;
        return nines_of(point->theory.unavailability);
    }
    if (point->has_estimate && !point->estimate.is_bound) {
        grid->has_estimates = true;
        return nines_of(point->estimate.unavailability);
    }
    return NAN;
}

static void fill(struct grid *grid, struct arena *arena)
{
    const struct report_fleet *fleet = grid->fleet;
    const uint32_t cells = fleet->first.count * fleet->second.count;
    grid->nines = arena_alloc_array(arena, cells, sizeof(*grid->nines));
    grid->places = arena_alloc_array(arena, cells, sizeof(*grid->places));
    for (uint32_t i = 0; i < cells; i++) {
        grid->nines[i] = NAN;
        grid->places[i] = i;
    }
    for (uint32_t i = 0; i < fleet->point_count; i++) {
        const struct fleet_point *point = &fleet->points[i];
        double *at = &grid->nines[point->row * fleet->first.count + point->column];
        if (point->is_first && strcmp(point->service, grid->service) == 0 && isnan(*at)) {
            *at = nines_at(grid, point);
        }
    }
    for (uint32_t i = 0; i < cells; i++) {
        if (isfinite(grid->nines[i])) {
            grid->low = fmin(grid->low, grid->nines[i]);
            grid->high = fmax(grid->high, grid->nines[i]);
        }
    }
}

/* Columns: 1 column, 2 row, 3 nines, 4 unavailability, then the two values. */
static bool write_grid(const struct grid *grid, const struct figure *figure, struct err *err)
{
    const struct report_fleet *fleet = grid->fleet;
    struct text csv;
    text_init(&csv);
    text_add(&csv, "column,row,nines,unavailability,first,second\n");
    for (uint32_t row = 0; row < fleet->second.count; row++) {
        for (uint32_t column = 0; column < fleet->first.count; column++) {
            const double nines = grid->nines[row * fleet->first.count + column];
            text_printf(&csv, "%u,%u,", column, row);
            csv_scientific(&csv, nines);
            text_add(&csv, ",");
            csv_scientific(&csv, pow(10, -nines));
            text_add(&csv, ",");
            csv_field(&csv, fleet->first.labels[column]);
            text_add(&csv, ",");
            csv_field(&csv, fleet->second.labels[row]);
            text_add(&csv, "\n");
        }
    }
    bool is_fine = figure_write_csv(figure, "", &csv, err);
    text_release(&csv);
    return is_fine;
}

static void add_script(const struct grid *grid, struct figure *figure, struct report_data *data)
{
    const struct report_fleet *fleet = grid->fleet;
    struct text *script = &figure->script;
    struct plot_panel panel = {LEFT, TOP, LEFT + fleet->first.count * CELL_WIDTH,
                               TOP + fleet->second.count * CELL_HEIGHT};
    const double middle = (grid->low + grid->high) / 2;
    plot_panel_add(figure, &panel);
    plot_axis_label(figure, &panel, fleet->second.title);
    plot_label_add(figure, LEFT, 20, 15, "left",
                   arena_printf(&data->arena, "%s has %.1f to %.1f nines", grid->service, grid->low,
                                grid->high));
    plot_label_add(figure, LEFT, 42, 12, "left textcolor rgb '#555555'",
                   arena_printf(&data->arena, "%s: more is better; 3.0 is up 99.9%% of the time",
                                data->scenario));
    /* By column: machines are not at even distances. */
    plot_tics_add(script, "x", fleet->first.labels, grid->places, fleet->first.count);
    plot_tics_add(script, "y", fleet->second.labels, grid->places, fleet->second.count);
    text_add(script, palette);
    text_printf(script,
                "set cbrange [%.9e:%.9e]\nunset colorbox\nset tics scale 0\nunset grid\nunset "
                "key\nset border 0\n"
                "set xrange [-0.5:%u.5]\nset yrange [-0.5:%u.5]\nset xlabel ",
                grid->low, grid->high > grid->low ? grid->high : grid->low + 1,
                fleet->first.count - 1, fleet->second.count - 1);
    gnuplot_quote(script, fleet->first.title, 60);
    text_printf(script,
                " noenhanced offset 0,0.3\n"
                "plot 'data/%s.csv' using 1:2:3 with image pixels, \\\n"
                "'' using 1:2:($3 == $3 ? sprintf('%%.1f', $3) : '') with labels font ',12' "
                "textcolor rgb 'white', \\\n"
                "'' using 1:2:($3 > %.9e ? sprintf('%%.1f', $3) : '') with labels font ',12' "
                "textcolor rgb 'black'\n",
                figure->name, middle);
}

static bool draw(struct plot_context *context, struct grid *grid, uint32_t number, struct err *err)
{
    struct report_data *data = context->data;
    const struct report_fleet *fleet = grid->fleet;
    struct figure figure;
    struct plot_figure about = {
        .plot = "fleet-map",
        .title = arena_printf(&data->arena, "Nines of %s over %s and %s", grid->service,
                              fleet->first.title, fleet->second.title),
        .caption = arena_printf(
            &data->arena,
            "The number in a cell is -log10 of the unavailability%s%s. Dark is down more often. "
            "Rows and columns are in the order of the sweep, at even distances.",
            grid->has_theory ? ": of the exact model" : "",
            grid->has_estimates
                ? (grid->has_theory ? " where there is one, else the estimate" : ", as estimated")
                : ""),
    };
    const uint32_t width = LEFT + fleet->first.count * CELL_WIDTH + 30;
    figure_init(&figure, context->folder, arena_printf(&data->arena, "fleet-map-%u", number),
                context->format, width < 480 ? 480 : width,
                TOP + fleet->second.count * CELL_HEIGHT + 64);
    add_script(grid, &figure, data);
    bool is_fine = write_grid(grid, &figure, err) && plot_finish(context, &figure, &about, err);
    figure_release(&figure);
    return is_fine;
}

bool plot_fleet_map(struct plot_context *context, struct err *err)
{
    const struct report_fleet *fleet = &context->fleet;
    bool is_fine = true;
    if (fleet->first.count < 2 || fleet->second.count < ROWS_MIN || fleet->is_loss) {
        return true;
    }
    uint32_t number = 0;
    for (uint32_t i = 0; i < fleet->series_count && is_fine; i++) {
        bool is_known = false;
        for (uint32_t k = 0; k < i; k++) {
            is_known = is_known || strcmp(fleet->series[k].service, fleet->series[i].service) == 0;
        }
        if (!is_known) {
            struct grid grid = {.fleet = fleet,
                                .service = fleet->series[i].service,
                                .low = INFINITY,
                                .high = -INFINITY};
            fill(&grid, &context->data->arena);
            is_fine = !isfinite(grid.low) || draw(context, &grid, ++number, err);
        }
    }
    return is_fine;
}
