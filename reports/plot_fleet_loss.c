/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The chance that data is lost when many nodes are lost at once, against the number of nodes, a
 * line for each way to place replicas. Points are drawn placements and losses with their intervals;
 * a line joins them. The closed form, which takes the sets of nodes that share a chunk as
 * independent, is dotted: where the two part, the sets overlap. Without any loss of data an arrow
 * hangs down from the bound. Both axes are logarithmic. */
#include "reports/plot.h"

#include "sim/base/base.h"

#include <math.h>
#include <string.h>

#define SERIES_MAX GNUPLOT_LINES
#define WIDTH      960u
#define HEIGHT     600u
#define RIGHT      700u /* of the panel; names stand behind it */
#define FLOOR      1e-9

struct losses {
    struct plot_context *context;
    const struct report_fleet *fleet;
    uint32_t count; /* of series that are drawn */
    double low;     /* of what is drawn, shares of one */
    double high;
};

static bool is_drawn(const struct fleet_point *point, uint32_t series)
{
    return point->series == series && point->has_estimate && point->method == ESTIMATE_TRIALS &&
           point->estimate.events > 0;
}

/* Columns: 1 nodes, 2 chance, 3 low, 4 high, 5 bound (NaN unless nothing was lost), 6 closed form,
 * all in percent; 7 trials with a loss, 8 trials. */
static bool write_series(struct losses *losses, uint32_t series, const struct figure *figure,
                         struct err *err)
{
    const struct report_fleet *fleet = losses->fleet;
    struct text csv;
    char suffix[16];
    text_init(&csv);
    text_add(&csv, "nodes,loss_percent,low,high,bound,closed_form,hits,trials\n");
    for (uint32_t i = 0; i < fleet->point_count; i++) {
        const struct fleet_point *point = &fleet->points[i];
        const struct estimate *estimate = &point->estimate;
        if (!is_drawn(point, series)) {
            continue;
        }
        const bool is_bound = estimate->is_bound;
        const double numbers[] = {is_bound ? (double)NAN : estimate->unavailability,
                                  is_bound ? (double)NAN : estimate->interval.low,
                                  is_bound ? (double)NAN : estimate->interval.high,
                                  is_bound ? estimate->interval.high : (double)NAN,
                                  point->theory.unavailability};
        text_printf(&csv, "%u", point->theory.machines);
        for (uint32_t k = 0; k < ARRAY_COUNT(numbers); k++) {
            text_add(&csv, ",");
            csv_scientific(&csv, 100 * numbers[k]);
        }
        text_printf(&csv, ",%llu,%llu\n", (unsigned long long)estimate->hits,
                    (unsigned long long)estimate->events);
        const double lowest = is_bound ? estimate->interval.high / 3 : estimate->interval.low;
        losses->low = fmin(losses->low, fmax(lowest, FLOOR));
        losses->high = fmax(losses->high, estimate->interval.high);
    }
    snprintf(suffix, sizeof(suffix), "-%u", series + 1);
    const bool is_fine = figure_write_csv(figure, suffix, &csv, err);
    text_release(&csv);
    return is_fine;
}

/* "17.5%", "0.112%". */
static const char *percent(struct report_data *data, double share)
{
    return arena_printf(&data->arena, "%.3g%%", 100 * share);
}

/* The point of a series with the most nodes; NULL: none. */
static const struct fleet_point *last_of(const struct losses *losses, uint32_t series)
{
    const struct fleet_point *last = NULL;
    for (uint32_t i = 0; i < losses->fleet->point_count; i++) {
        const struct fleet_point *point = &losses->fleet->points[i];
        const bool is_later = last == NULL || point->theory.machines > last->theory.machines;
        last = is_drawn(point, series) && is_later ? point : last;
    }
    return last;
}

static double value_of(const struct fleet_point *point)
{
    return point->estimate.is_bound ? point->estimate.interval.high
                                    : point->estimate.unavailability;
}

/* The two ends of what a choice of placement makes of it. */
static const char *finding_of(const struct losses *losses)
{
    struct report_data *data = losses->context->data;
    const struct fleet_point *best = NULL;
    const struct fleet_point *worst = NULL;
    for (uint32_t i = 0; i < losses->count; i++) {
        const struct fleet_point *last = last_of(losses, i);
        if (last != NULL) {
            best = best == NULL || value_of(last) < value_of(best) ? last : best;
            worst = worst == NULL || value_of(last) > value_of(worst) ? last : worst;
        }
    }
    if (best == NULL) {
        return "nothing was drawn";
    }
    const char *of_best =
        arena_printf(&data->arena, "%s%s with %s", best->estimate.is_bound ? "at most " : "",
                     percent(data, value_of(best)), best->service);
    return best == worst
               ? arena_printf(&data->arena, "%u nodes: data is lost in %s", best->theory.machines,
                              of_best)
               : arena_printf(&data->arena, "%u nodes: data is lost in %s of the cases with %s, %s",
                              best->theory.machines, percent(data, value_of(worst)), worst->service,
                              of_best);
}

static void add_axes(const struct losses *losses, struct figure *figure, double low, double high)
{
    struct text *script = &figure->script;
    const struct fleet_axis *axis = &losses->fleet->first;
    text_printf(script,
                "set logscale xy\nset xrange [%.9g:%.9g]\nset yrange [%.9e:%.9e]\nset format y "
                "'%%g%%%%'\nset xlabel 'nodes' offset 0,0.3\n",
                axis->positions[0] * 0.9, axis->positions[axis->count - 1] * 1.1, low, high);
    plot_tics_add(script, "x", axis->labels, axis->positions, axis->count);
}

static void add_series(struct figure *figure, uint32_t series)
{
    const uint32_t style = series + 1;
    text_printf(&figure->script,
                ", \\\n'data/fleet-loss-%u.csv' using 1:6 with lines linestyle %u dashtype (1,3) "
                "linewidth 1.2 notitle, \\\n'' using 1:2 with lines linestyle %u dashtype 1 "
                "notitle, \\\n'' using 1:2:3:4 with yerrorbars linestyle %u dashtype 1 linewidth "
                "1.3 pointtype 7 pointsize 0.5 notitle, \\\n'' using 1:5:(0):(-$5 * 0.65) with "
                "vectors head filled size screen 0.008,25 linestyle %u dashtype 1 notitle",
                style, style, style, style, style);
}

static void add_names(const struct losses *losses, struct figure *figure,
                      const struct plot_panel *panel, double low, double high)
{
    struct report_data *data = losses->context->data;
    struct plot_name names[SERIES_MAX];
    uint32_t count = 0;
    for (uint32_t i = 0; i < losses->count; i++) {
        const struct fleet_point *last = last_of(losses, i);
        if (last == NULL) {
            continue;
        }
        const double share = log(100 * value_of(last) / low) / log(high / low);
        names[count++] =
            (struct plot_name){.text = arena_printf(&data->arena, "%s: %s%s", last->service,
                                                    last->estimate.is_bound ? "at most " : "",
                                                    percent(data, value_of(last))),
                               .style = i + 1,
                               .end = panel->bottom - share * (panel->bottom - panel->top)};
    }
    plot_names_add(figure, panel, panel->right + 10, names, count);
}

static bool draw(struct losses *losses, struct figure *figure, struct err *err)
{
    struct report_data *data = losses->context->data;
    const struct plot_panel panel = {104, 58, RIGHT, HEIGHT - 60};
    const double low = pow(10, floor(log10(100 * losses->low)));
    const double high = fmax(100 * losses->high * 1.3, low * 100);
    plot_panel_add(figure, &panel);
    plot_axis_label(figure, &panel, "chance that data is lost");
    plot_label_add(figure, 40, 20, 15, "left", finding_of(losses));
    plot_label_add(figure, 40, 40, 12, "left textcolor rgb '#555555'",
                   arena_printf(&data->arena,
                                "%s: points are drawn, with intervals; dotted: the closed form for "
                                "independent sets of nodes",
                                data->scenario));
    add_axes(losses, figure, low, high);
    add_names(losses, figure, &panel, low, high);
    text_add(&figure->script, "unset key\nplot NaN notitle");
    for (uint32_t i = 0; i < losses->count; i++) {
        if (last_of(losses, i) != NULL) {
            add_series(figure, i);
        }
    }
    text_add(&figure->script, "\n");
    const struct plot_figure about = {
        .plot = "fleet-loss",
        .title = "Data lost when many nodes are lost at once",
        .caption = "The share of losses after which some chunk has no replica left, by drawing "
                   "placements and losses, with Clopper and Pearson's intervals; an arrow hangs "
                   "from a bound where no data was lost. Dotted: 1 - (1 - q)^sets, with q the "
                   "chance of one set of nodes, which takes sets as independent of each other."};
    return plot_finish(losses->context, figure, &about, err);
}

bool plot_fleet_loss(struct plot_context *context, struct err *err)
{
    struct losses losses = {.context = context, .fleet = &context->fleet, .low = INFINITY};
    const uint32_t series = context->fleet.series_count;
    if (!context->fleet.is_loss || context->fleet.first.count < 2 ||
        !context->fleet.counts_machines) {
        return true;
    }
    struct figure figure;
    losses.count = series < SERIES_MAX ? series : SERIES_MAX;
    figure_init(&figure, context->folder, "fleet-loss", context->format, WIDTH, HEIGHT);
    bool is_fine = true;
    for (uint32_t i = 0; i < losses.count && is_fine; i++) {
        is_fine = write_series(&losses, i, &figure, err);
    }
    if (is_fine && losses.high > 0) {
        is_fine = draw(&losses, &figure, err);
    }
    figure_release(&figure);
    return is_fine;
}
