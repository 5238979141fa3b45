/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The map of `squall map`: which triggers stick at which load. Each point is a tile with the share
 * of its seeds that do not come back, in cividis, a palette whose steps look alike and that all
 * kinds of colour vision read the same way (Nunez, Anderton and Renslow, PLoS ONE 13(7), 2018).
 * Loads that fail without any trigger have no such share and are light grey. Over the tiles: the
 * size at which half of the seeds stick, and the size that theory expects. Above them a strip: the
 * class of each load.
 *
 * What is drawn over the tiles comes from the results file, as the command computed it. */
#include "reports/plot.h"

#include "analysis/statistics.h"
#include "reports/experiment.h"
#include "sim/base/base.h"

#include <math.h>
#include <string.h>

#define WIDTH  960u
#define HEIGHT 620u
#define LEFT   92u
#define RIGHT  700u
#define TOP    108u
#define BOTTOM 540u
#define NOTE   730u
#define STRIP  14u /* height of the classes */

#define STABLE     "#009E73"
#define VULNERABLE "#E69F00"
#define UNSTABLE   "#D8D8D8" /* unlike the grey in the middle of cividis */
#define UNKNOWN    "#FFFFFF"
#define THEORY     "#D4145A"

struct map_figure {
    struct plot_context *context;
    struct report_experiment experiment;
    const struct report_axis *loads;
    const struct report_axis *sizes;
    struct report_runs *runs;
    uint64_t seeds_min; /* of points that were run */
    uint64_t seeds_max;
    bool has_unstable;
    bool has_unknown;
};

/* Half way to the neighbour; at the ends as far as to the other side. */
static double edge_of(const struct report_axis *axis, uint32_t index, bool is_upper)
{
    if (axis->count == 1) {
        double half = axis->numbers[0] == 0 ? 0.5 : fabs(axis->numbers[0]) * 0.05;
        return axis->numbers[0] + (is_upper ? half : -half);
    }
    uint32_t other = is_upper ? index + 1 : index - 1;
    bool is_end = is_upper ? other == axis->count : index == 0;
    if (is_end) {
        other = is_upper ? index - 1 : index + 1;
        return axis->numbers[index] + (axis->numbers[index] - axis->numbers[other]) / 2;
    }
    return (axis->numbers[index] + axis->numbers[other]) / 2;
}

static void add_numbers(struct text *csv, const double *values, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        text_add(csv, i > 0 ? "," : "");
        csv_number(csv, values[i]);
    }
}

static uint64_t all_of(const struct report_runs *runs)
{
    return runs->stable + runs->stuck + runs->unstable + runs->undecided;
}

static void add_tile(struct map_figure *map, uint32_t load, uint32_t size, struct text *csv)
{
    const struct report_runs *runs = &map->runs[(uint64_t)load * map->sizes->count + size];
    uint64_t told = runs->stable + runs->stuck;
    uint64_t all = all_of(runs);
    /* A share of the few runs that told something would speak for the many that did not. */
    bool is_unstable = all > 0 && 2 * runs->unstable >= all;
    bool is_unknown = !is_unstable && (told == 0 || 2 * told < all);
    struct interval interval = {NAN, NAN};
    if (told > 0) {
        interval = interval_wilson(runs->stuck, told, 0.95);
    }
    double share = told > 0 ? (double)runs->stuck / (double)told : (double)NAN;
    const double values[] = {map->loads->numbers[load],
                             map->sizes->numbers[size],
                             edge_of(map->loads, load, false),
                             edge_of(map->loads, load, true),
                             edge_of(map->sizes, size, false),
                             edge_of(map->sizes, size, true),
                             is_unstable || is_unknown ? (double)NAN : share,
                             is_unstable ? 1 : (double)NAN,
                             is_unknown ? 1 : (double)NAN};
    const double counts[] = {(double)all,
                             (double)runs->stable,
                             (double)runs->metastable,
                             (double)runs->permanent,
                             (double)runs->stuck,
                             (double)runs->unstable,
                             (double)runs->undecided,
                             share,
                             interval.low,
                             interval.high};
    add_numbers(csv, values, ARRAY_COUNT(values));
    text_add(csv, ",");
    add_numbers(csv, counts, ARRAY_COUNT(counts));
    text_add(csv, "\n");
    map->has_unstable |= is_unstable;
    map->has_unknown |= is_unknown;
    map->seeds_min = all < map->seeds_min ? all : map->seeds_min;
    map->seeds_max = all > map->seeds_max ? all : map->seeds_max;
}

static bool write_tiles(struct map_figure *map, const struct figure *figure, struct err *err)
{
    struct text csv;
    text_init(&csv);
    text_add(&csv, "load,trigger,load_low,load_high,trigger_low,trigger_high,shown,is_unstable,"
                   "is_unknown,runs,stable,metastable,permanent,stuck,unstable,undecided,share,"
                   "wilson_low,wilson_high\n");
    map->seeds_min = UINT64_MAX;
    for (uint32_t load = 0; load < map->loads->count; load++) {
        for (uint32_t size = 0; size < map->sizes->count; size++) {
            add_tile(map, load, size, &csv);
        }
    }
    bool is_fine = figure_write_csv(figure, "", &csv, err);
    text_release(&csv);
    return is_fine;
}

/* What a curve has at that load; NaN: nothing. */
static double value_at(const struct map_figure *map, const char *series, double load)
{
    const struct report_point *point;
    for (uint32_t i = 0; (point = report_experiment_point(&map->experiment, series, i)) != NULL;
         i++) {
        if (point->x == load) {
            return point->y;
        }
    }
    return (double)NAN;
}

/* One row for each load: what the curves and the strip show. */
static bool write_rows(struct map_figure *map, const struct figure *figure, struct err *err)
{
    struct text csv;
    text_init(&csv);
    text_add(&csv, "load,load_low,load_high,half,half_low,half_high,theory,theory_with_service,"
                   "method,class\n");
    for (uint32_t i = 0; i < map->loads->count; i++) {
        const struct report_point *tips = report_experiment_point(&map->experiment, "tipping", i);
        const struct report_point *region = report_experiment_point(&map->experiment, "region", i);
        if (tips == NULL || region == NULL) {
            break; /* the experiment was interrupted before anything was drawn from it */
        }
        const double values[] = {
            map->loads->numbers[i],
            edge_of(map->loads, i, false),
            edge_of(map->loads, i, true),
            tips->y,
            tips->low,
            tips->high,
            value_at(map, "predicted-tipping", map->loads->numbers[i]),
            value_at(map, "predicted-tipping-service", map->loads->numbers[i])};
        add_numbers(&csv, values, ARRAY_COUNT(values));
        text_printf(&csv, ",%s,%s\n", tips->note, region->note);
    }
    bool is_fine = figure_write_csv(figure, "-rows", &csv, err);
    text_release(&csv);
    return is_fine;
}

/* ----------------------------------------------------------------------------------- the picture
 */

/* A legend of coloured boxes right of the panel; returns the y below it. */
static uint32_t add_swatch(struct figure *figure, uint32_t y, const char *colour, const char *text)
{
    static const double size = 12;
    text_printf(&figure->script,
                "set object rectangle from screen %.5f, screen %.5f to screen %.5f, screen %.5f "
                "fillcolor rgb '%s' fillstyle solid 1 border linecolor rgb '#666666'\n",
                (double)NOTE / figure->width, 1 - (y - size / 2) / figure->height,
                (NOTE + size) / figure->width, 1 - (y + size / 2) / figure->height, colour);
    plot_label_add(figure, NOTE + 20, y, 11, "left", text);
    return y + 20;
}

static uint32_t add_stroke(struct figure *figure, uint32_t y, const char *style, const char *text)
{
    text_printf(&figure->script,
                "set arrow from screen %.5f, screen %.5f to screen %.5f, screen %.5f nohead %s "
                "front\n",
                (double)NOTE / figure->width, 1 - (double)y / figure->height,
                (double)(NOTE + 26) / figure->width, 1 - (double)y / figure->height, style);
    plot_label_add(figure, NOTE + 34, y, 11, "left", text);
    return y + 20;
}

/* "150/s .. 160/s" of a capacity. */
static const char *bracket_text(struct map_figure *map, const struct report_point *point)
{
    struct arena *arena = &map->context->data->arena;
    if (isnan(point->low) && isnan(point->high)) {
        return "not seen in this range";
    }
    if (isnan(point->high)) {
        return arena_printf(arena, "above %.6g", point->low);
    }
    if (isnan(point->low)) {
        return arena_printf(arena, "below %.6g", point->high);
    }
    return arena_printf(arena, "%.6g \xe2\x80\x93 %.6g", point->low, point->high);
}

static uint32_t add_capacity(struct map_figure *map, struct figure *figure, uint32_t y,
                             const char *series, const char *title)
{
    struct arena *arena = &map->context->data->arena;
    const struct report_point *point = report_experiment_point(&map->experiment, series, 0);
    if (point == NULL) {
        return y;
    }
    plot_label_add(figure, NOTE, y, 12, "left", title);
    plot_label_add(figure, NOTE, y + 18, 11, "left textcolor rgb '#444444'",
                   arena_printf(arena, "simulated %s", bracket_text(map, point)));
    if (!isnan(point->y)) {
        plot_label_add(figure, NOTE, y + 34, 11, "left textcolor rgb '" THEORY "'",
                       arena_printf(arena, "theory %.6g, dotted line", point->y));
    }
    return y + 60;
}

static bool has_values(const struct map_figure *map, const char *series)
{
    const struct report_point *point;
    for (uint32_t i = 0; (point = report_experiment_point(&map->experiment, series, i)) != NULL;
         i++) {
        if (!isnan(point->y)) {
            return true;
        }
    }
    return false;
}

static void add_legend(struct map_figure *map, struct figure *figure)
{
    uint32_t y = TOP - STRIP - 18;
    plot_label_add(figure, NOTE, y, 12, "left", "class of the load (strip)");
    y = add_swatch(figure, y + 22, STABLE, "stable: no trigger here sticks");
    y = add_swatch(figure, y, VULNERABLE, "vulnerable: some do");
    y = add_swatch(figure, y, UNSTABLE, "unstable: needs no trigger");
    if (map->has_unknown) {
        y = add_swatch(figure, y, UNKNOWN, "not told");
    }
    y = add_stroke(figure, y + 10, "linewidth 3 linecolor rgb '#000000'",
                   "half of the seeds stick");
    if (has_values(map, "predicted-tipping")) {
        y = add_stroke(figure, y, "linewidth 2 dashtype (10,5) linecolor rgb '" THEORY "'",
                       "theory: tips from here");
    }
    if (has_values(map, "predicted-tipping-service")) {
        y = add_stroke(figure, y, "linewidth 1.5 dashtype (2,3) linecolor rgb '" THEORY "'",
                       "theory, less one service time");
    }
    y = add_capacity(map, figure, y + 14, "hidden-capacity", "hidden capacity");
    add_capacity(map, figure, y, "advertised-capacity", "advertised capacity");
}

/* A dashed line at a capacity that theory names, where it is in the picture. */
static void add_line(struct map_figure *map, struct figure *figure, const char *series)
{
    const struct report_point *point = report_experiment_point(&map->experiment, series, 0);
    double low = edge_of(map->loads, 0, false);
    double high = edge_of(map->loads, map->loads->count - 1, true);
    if (point != NULL && point->y > low && point->y < high) {
        text_printf(&figure->script,
                    "set arrow from first %.9g, graph 0 to first %.9g, graph 1 nohead linewidth "
                    "1.2 dashtype (3,3) linecolor rgb '" THEORY "' front\n",
                    point->y, point->y);
    }
}

static void add_strip(struct map_figure *map, struct figure *figure)
{
    static const char *const colours[] = {STABLE, VULNERABLE, UNSTABLE, UNKNOWN};
    static const char *const names[] = {"stable", "vulnerable", "unstable", "unknown"};
    double top = 1 + (double)STRIP / (BOTTOM - TOP) + 0.008;
    for (uint32_t i = 0; i < map->loads->count; i++) {
        const struct report_point *region = report_experiment_point(&map->experiment, "region", i);
        for (uint32_t k = 0; region != NULL && k < ARRAY_COUNT(names); k++) {
            if (strcmp(region->note, names[k]) == 0) {
                text_printf(
                    &figure->script,
                    "set object rectangle from first %.9g, graph 1.008 to first %.9g, "
                    "graph %.5f noclip fillcolor rgb '%s' fillstyle solid 1 border linecolor "
                    "rgb '#FFFFFF'\n",
                    edge_of(map->loads, i, false), edge_of(map->loads, i, true), top, colours[k]);
            }
        }
    }
}

static void add_plot(struct map_figure *map, struct figure *figure)
{
    struct text *script = &figure->script;
    const struct report_axis *sizes = map->sizes;
    const char *name = figure->name;
    text_printf(script, "set xrange [%.9g:%.9g]\nset yrange [%.9g:%.9g]\n",
                edge_of(map->loads, 0, false), edge_of(map->loads, map->loads->count - 1, true),
                edge_of(sizes, 0, false), edge_of(sizes, sizes->count - 1, true));
    text_add(script,
             "set palette defined (0 '#00224E', 0.125 '#123570', 0.25 '#3B496C', 0.375 '#575D6D', "
             "0.5 '#707173', 0.625 '#8A8678', 0.75 '#A59C74', 0.875 '#C3B369', 1 '#FEE838')\n"
             "set cbrange [0:1]\nset cbtics 0.25 scale 0.4\nunset key\nunset grid\n");
    text_printf(script,
                "set colorbox horizontal user origin screen %.5f, screen %.5f size screen %.5f, "
                "screen %.5f\nset cblabel 'share of seeds that stick'\n",
                (double)NOTE / figure->width, 1 - (double)(BOTTOM - 10) / figure->height,
                200.0 / figure->width, 14.0 / figure->height);
    text_printf(script,
                "plot 'data/%s.csv' using 1:2:3:4:5:6:7 with boxxyerror fillstyle solid 1 noborder "
                "linecolor palette notitle, \\\n"
                "'' using ($8 > 0 ? $1 : NaN):2:3:4:5:6 with boxxyerror fillstyle solid 1 noborder "
                "linecolor rgb '" UNSTABLE "' notitle, \\\n"
                "'' using ($9 > 0 ? $1 : NaN):2:3:4:5:6 with boxxyerror fillstyle solid 1 noborder "
                "linecolor rgb '" UNKNOWN "' notitle, \\\n",
                name);
    text_printf(script,
                "'data/%s-rows.csv' using 1:4 with linespoints linewidth 5 pointtype 7 pointsize "
                "0.7 linecolor rgb '#FFFFFF' notitle, \\\n"
                "'' using 1:4:5:6 with yerrorbars pointtype 7 pointsize 0.01 linewidth 1.5 "
                "linecolor rgb '#000000' notitle, \\\n"
                "'' using 1:4 with linespoints linewidth 2.5 pointtype 7 pointsize 0.45 linecolor "
                "rgb '#000000' notitle, \\\n"
                "'' using 1:7 with lines linewidth 4.5 linecolor rgb '#FFFFFF' notitle, \\\n"
                "'' using 1:7 with lines linewidth 2 dashtype (10,5) linecolor rgb '" THEORY
                "' notitle, \\\n"
                "'' using 1:8 with lines linewidth 1.5 dashtype (2,3) linecolor rgb '" THEORY
                "' notitle\n",
                name);
}

static const char *caption_of(struct map_figure *map)
{
    struct arena *arena = &map->context->data->arena;
    const char *seeds =
        map->seeds_min == map->seeds_max
            ? arena_printf(arena, "%llu seeds", (unsigned long long)map->seeds_max)
            : arena_printf(arena, "%llu to %llu seeds", (unsigned long long)map->seeds_min,
                           (unsigned long long)map->seeds_max);
    return arena_printf(
        arena,
        "%s for each tile. A run sticks when its load is served without the trigger and goodput is "
        "back neither in the run nor in one twice as long. Black: the size at which half of the "
        "seeds stick, by logistic regression over all sizes where the runs of a load overlap "
        "(bars: "
        "95%% interval), else between the two neighbouring sizes that differ (bars: these two). "
        "Classes: unstable when at least half of the runs of a load fail without a trigger; "
        "vulnerable when any run sticks. Intervals of each tile (Wilson) are in data/map.csv.%s",
        seeds,
        plot_theory_text(map->context->data, map->experiment.theory,
                         has_values(map, "predicted-tipping")));
}

static bool draw(struct map_figure *map, struct err *err)
{
    struct report_data *data = map->context->data;
    struct figure figure;
    figure_init(&figure, map->context->folder, "map", map->context->format, WIDTH, HEIGHT);
    bool is_fine = write_tiles(map, &figure, err) && write_rows(map, &figure, err);
    if (is_fine) {
        struct plot_panel panel = {LEFT, TOP, RIGHT, BOTTOM};
        plot_panel_add(&figure, &panel);
        plot_label_add(
            &figure, LEFT, 22, 15, "left",
            arena_printf(&data->arena, "%s: which triggers stick at which load?", data->scenario));
        plot_label_add(&figure, LEFT, 44, 11, "left textcolor rgb '#555555'",
                       arena_printf(&data->arena,
                                    "%u loads, %u triggers, %llu seeds each; yellow: no seed comes "
                                    "back, dark blue: all do",
                                    map->loads->count, map->sizes->count,
                                    (unsigned long long)map->seeds_max));
        plot_axis_label(&figure, &panel, report_axis_title(data, map->sizes));
        plot_label_add(&figure, (LEFT + RIGHT) / 2, BOTTOM + 44, 13, "center",
                       report_axis_title(data, map->loads));
        add_legend(map, &figure);
        add_strip(map, &figure);
        add_line(map, &figure, "hidden-capacity");
        add_line(map, &figure, "advertised-capacity");
        add_plot(map, &figure);
        struct plot_figure about = {.plot = "map",
                                    .title = "Which triggers stick at which load",
                                    .caption = caption_of(map)};
        is_fine = plot_finish(map->context, &figure, &about, err);
    }
    figure_release(&figure);
    return is_fine;
}

bool plot_map(struct plot_context *context, struct err *err)
{
    struct map_figure map = {.context = context};
    if (!report_experiment_load(&map.experiment, context->data, "map", err)) {
        return false;
    }
    if (!map.experiment.is_there || map.experiment.axis_count != 2) {
        return true;
    }
    map.loads = &map.experiment.axes[0];
    map.sizes = &map.experiment.axes[1];
    map.runs = arena_alloc_array(&context->data->arena, (size_t)map.loads->count * map.sizes->count,
                                 sizeof(*map.runs));
    return report_experiment_runs(&map.experiment, map.runs, err) && draw(&map, err);
}
