/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The picture of `squall tip`: the smallest trigger that sticks. At one load: the share of seeds
 * that have tipped at each size, a staircase, with the size that theory expects as a line. At
 * several: that size against the load, the median over the seeds with its interval of order
 * statistics and the whole range, and theory's curve.
 *
 * Seeds in which it was not found between the ends of the search are not drawn; they are counted in
 * the caption, and those beyond an end count in the median. */
#include "reports/plot.h"

#include "reports/experiment.h"
#include "sim/base/base.h"

#include <math.h>
#include <string.h>

#define WIDTH  960u
#define HEIGHT 520u
#define LEFT   92u
#define RIGHT  690u
#define TOP    64u
#define BOTTOM 452u
#define NOTE   720u
#define THEORY "#D4145A"

struct tip_figure {
    struct plot_context *context;
    struct report_experiment experiment;
    const struct report_axis *sizes;
    const struct report_axis *loads; /* NULL: one load */
    double *found;                   /* sizes, rising; of all loads */
    uint32_t found_count;
    uint32_t seed_count; /* searches */
};

static int compare_doubles(const void *left, const void *right)
{
    double a = *(const double *)left;
    double b = *(const double *)right;
    return a < b ? -1 : a > b ? 1 : 0;
}

static void read_seeds(struct tip_figure *tip)
{
    const struct report_point *point;
    tip->found = arena_alloc_array(&tip->context->data->arena,
                                   (size_t)tip->experiment.point_count + 1, sizeof(*tip->found));
    for (uint32_t i = 0; (point = report_experiment_point(&tip->experiment, "tip", i)) != NULL;
         i++) {
        tip->seed_count++;
        if (!isnan(point->y)) {
            tip->found[tip->found_count++] = point->y;
        }
    }
    sort_stable(tip->found, tip->found_count, sizeof(*tip->found), compare_doubles);
}

/* All searches: data/tip.csv. */
static bool write_seeds(struct tip_figure *tip, const struct figure *figure, struct err *err)
{
    struct text csv;
    text_init(&csv);
    text_add(&csv, "load,size,low,high,seed,note\n");
    const struct report_point *point;
    for (uint32_t i = 0; (point = report_experiment_point(&tip->experiment, "tip", i)) != NULL;
         i++) {
        const double values[] = {point->x, point->y, point->low, point->high};
        for (uint32_t k = 0; k < ARRAY_COUNT(values); k++) {
            csv_number(&csv, values[k]);
            text_add(&csv, ",");
        }
        size_t length = strcspn(point->note, " ");
        text_add_bytes(&csv, point->note, length);
        text_add(&csv, ",");
        csv_field(&csv, point->note[length] == '\0' ? "" : point->note + length + 1);
        text_add(&csv, "\n");
    }
    bool is_fine = figure_write_csv(figure, "", &csv, err);
    text_release(&csv);
    return is_fine;
}

static bool write_steps(struct tip_figure *tip, const struct figure *figure, struct err *err)
{
    struct text csv;
    text_init(&csv);
    text_add(&csv, "size,share\n");
    text_printf(&csv, "%.9g,0\n", tip->sizes->numbers[0]);
    for (uint32_t i = 0; i < tip->found_count; i++) {
        text_printf(&csv, "%.9g,%.9g\n", tip->found[i], (double)(i + 1) / tip->seed_count);
    }
    text_printf(&csv, "%.9g,%.9g\n", tip->sizes->numbers[tip->sizes->count - 1],
                (double)tip->found_count / tip->seed_count);
    bool is_fine = figure_write_csv(figure, "-steps", &csv, err);
    text_release(&csv);
    return is_fine;
}

static const struct report_point *point_at(const struct tip_figure *tip, const char *series,
                                           double x)
{
    const struct report_point *point;
    for (uint32_t i = 0; (point = report_experiment_point(&tip->experiment, series, i)) != NULL;
         i++) {
        if (point->x == x) {
            return point;
        }
    }
    return NULL;
}

static bool write_rows(struct tip_figure *tip, const struct figure *figure, struct err *err)
{
    static const struct report_point nothing = {"", NAN, NAN, NAN, NAN, ""};
    struct text csv;
    text_init(&csv);
    text_add(&csv, "load,median,low,high,smallest,largest,theory,theory_with_service\n");
    for (uint32_t i = 0; i < tip->loads->count; i++) {
        double x = tip->loads->numbers[i];
        const char *const series[] = {"median", "range", "predicted-tipping",
                                      "predicted-tipping-service"};
        const struct report_point *points[ARRAY_COUNT(series)];
        for (uint32_t k = 0; k < ARRAY_COUNT(series); k++) {
            points[k] = point_at(tip, series[k], x);
            points[k] = points[k] == NULL ? &nothing : points[k];
        }
        const double values[] = {x,
                                 points[0]->y,
                                 points[0]->low,
                                 points[0]->high,
                                 points[1]->low,
                                 points[1]->high,
                                 points[2]->y,
                                 points[3]->y};
        for (uint32_t k = 0; k < ARRAY_COUNT(values); k++) {
            text_add(&csv, k > 0 ? "," : "");
            csv_number(&csv, values[k]);
        }
        text_add(&csv, "\n");
    }
    bool is_fine = figure_write_csv(figure, "-rows", &csv, err);
    text_release(&csv);
    return is_fine;
}

/* ----------------------------------------------------------------------------------- the picture
 */

static bool has_theory(const struct tip_figure *tip, const char *series)
{
    const struct report_point *point;
    for (uint32_t i = 0; (point = report_experiment_point(&tip->experiment, series, i)) != NULL;
         i++) {
        if (!isnan(point->y)) {
            return true;
        }
    }
    return false;
}

static uint32_t add_stroke(struct figure *figure, uint32_t y, const char *style, const char *text)
{
    text_printf(&figure->script,
                "set arrow from screen %.5f, screen %.5f to screen %.5f, screen %.5f nohead %s "
                "front\n",
                (double)NOTE / figure->width, 1 - (double)y / figure->height,
                (double)(NOTE + 26) / figure->width, 1 - (double)y / figure->height, style);
    plot_label_add(figure, NOTE + 34, y, 11, "left", text);
    return y + 22;
}

static void add_vertical(struct tip_figure *tip, struct figure *figure, const char *series,
                         const char *style)
{
    const struct report_point *point = report_experiment_point(&tip->experiment, series, 0);
    if (point != NULL && !isnan(point->y)) {
        text_printf(&figure->script,
                    "set arrow from first %.9g, graph 0 to first %.9g, graph 1 nohead %s back\n",
                    point->y, point->y, style);
    }
}

#define STYLE_THEORY  "linewidth 2 dashtype (10,5) linecolor rgb '" THEORY "'"
#define STYLE_SERVICE "linewidth 1.5 dashtype (2,3) linecolor rgb '" THEORY "'"

static void add_theory_legend(struct tip_figure *tip, struct figure *figure, uint32_t y)
{
    if (has_theory(tip, "predicted-tipping")) {
        y = add_stroke(figure, y, STYLE_THEORY, "theory: tips from here");
    }
    if (has_theory(tip, "predicted-tipping-service")) {
        add_stroke(figure, y, STYLE_SERVICE, "theory, less one service time");
    }
}

/* Round ends around what is shown, theory among it. */
static void find_range(const struct tip_figure *tip, double *low, double *high)
{
    *low = tip->found_count > 0 ? tip->found[0] : tip->sizes->numbers[0];
    *high = tip->found_count > 0 ? tip->found[tip->found_count - 1]
                                 : tip->sizes->numbers[tip->sizes->count - 1];
    static const char *const series[] = {"predicted-tipping", "predicted-tipping-service"};
    for (uint32_t k = 0; k < ARRAY_COUNT(series); k++) {
        const struct report_point *point;
        for (uint32_t i = 0;
             (point = report_experiment_point(&tip->experiment, series[k], i)) != NULL; i++) {
            *low = fmin(*low, point->y); /* fmin and fmax leave NaN out */
            *high = fmax(*high, point->y);
        }
    }
    double margin = *high > *low ? 0.08 * (*high - *low) : 0.1 * fabs(*high);
    *low -= margin;
    *high += margin;
}

static void add_steps(struct tip_figure *tip, struct figure *figure)
{
    double low;
    double high;
    find_range(tip, &low, &high);
    text_printf(&figure->script,
                "set xrange [%.9g:%.9g]\nset yrange [0:1.02]\nset ytics 0.25\nunset key\n", low,
                high);
    add_vertical(tip, figure, "predicted-tipping", STYLE_THEORY);
    add_vertical(tip, figure, "predicted-tipping-service", STYLE_SERVICE);
    uint32_t y = add_stroke(figure, TOP + 10, "linewidth 2.5 linecolor rgb '#0072B2'",
                            "share of seeds tipped");
    add_theory_legend(tip, figure, y);
    text_printf(&figure->script,
                "plot 'data/tip-steps.csv' using 1:2 with steps linewidth 2.5 linecolor rgb "
                "'#0072B2' notitle\n");
}

static void add_curves(struct tip_figure *tip, struct figure *figure)
{
    double low;
    double high;
    find_range(tip, &low, &high);
    double first = tip->loads->numbers[0];
    double last = tip->loads->numbers[tip->loads->count - 1];
    double margin = last > first ? 0.04 * (last - first) : 0.1 * fabs(last);
    text_printf(&figure->script, "set xrange [%.9g:%.9g]\nset yrange [%.9g:%.9g]\nunset key\n",
                first - margin, last + margin, low, high);
    uint32_t y = add_stroke(figure, TOP + 10, "linewidth 2.5 linecolor rgb '#0072B2'",
                            "median of the seeds, 95%");
    y = add_stroke(figure, y, "linewidth 6 linecolor rgb '#BBD9EC'", "all seeds");
    add_theory_legend(tip, figure, y);
    text_add(&figure->script,
             "plot 'data/tip-rows.csv' using 1:5:6 with filledcurves fillstyle solid 1 noborder "
             "linecolor rgb '#DCEBF6' notitle, \\\n"
             "'' using 1:2:5:6 with yerrorbars pointsize 0.01 linewidth 6 linecolor rgb '#BBD9EC' "
             "notitle, \\\n"
             "'' using 1:7 with lines " STYLE_THEORY " notitle, \\\n"
             "'' using 1:8 with lines " STYLE_SERVICE " notitle, \\\n"
             "'' using 1:2:3:4 with yerrorbars pointtype 7 pointsize 0.01 linewidth 1.5 linecolor "
             "rgb '#0072B2' notitle, \\\n"
             "'' using 1:2 with linespoints pointtype 7 pointsize 0.5 linewidth 2.5 linecolor rgb "
             "'#0072B2' notitle\n");
}

static const char *caption_of(struct tip_figure *tip)
{
    const struct report_axis *sizes = tip->sizes;
    return arena_printf(
        &tip->context->data->arena,
        "Found by bisection in each seed, between %s and %s in %u steps; found in %u of %u "
        "searches. A run sticks when its load is served without the trigger and goodput is back "
        "neither in the run nor in one twice as long. The interval of the median is of order "
        "statistics.%s",
        sizes->values[0], sizes->values[sizes->count - 1], sizes->count - 1, tip->found_count,
        tip->seed_count,
        plot_theory_text(tip->context->data, tip->experiment.theory,
                         has_theory(tip, "predicted-tipping")));
}

static bool draw(struct tip_figure *tip, struct err *err)
{
    struct report_data *data = tip->context->data;
    struct figure figure;
    figure_init(&figure, tip->context->folder, "tip", tip->context->format, WIDTH, HEIGHT);
    bool is_fine = write_seeds(tip, &figure, err);
    is_fine = is_fine &&
              (tip->loads != NULL ? write_rows(tip, &figure, err) : write_steps(tip, &figure, err));
    if (is_fine) {
        struct plot_panel panel = {LEFT, TOP, RIGHT, BOTTOM};
        plot_panel_add(&figure, &panel);
        plot_label_add(
            &figure, LEFT, 22, 15, "left",
            arena_printf(&data->arena, "%s: the smallest trigger that sticks", data->scenario));
        plot_label_add(&figure, LEFT, 44, 11, "left textcolor rgb '#555555'",
                       tip->loads != NULL
                           ? arena_printf(&data->arena, "%lld seeds at each of %u loads",
                                          (long long)tip->experiment.seeds, tip->loads->count)
                           : arena_printf(&data->arena, "%u seeds at one load", tip->seed_count));
        plot_axis_label(&figure, &panel,
                        tip->loads != NULL ? report_axis_title(data, tip->sizes)
                                           : "share of seeds that have tipped");
        plot_label_add(&figure, (LEFT + RIGHT) / 2, BOTTOM + 44, 13, "center",
                       report_axis_title(data, tip->loads != NULL ? tip->loads : tip->sizes));
        if (tip->loads != NULL) {
            add_curves(tip, &figure);
        } else {
            add_steps(tip, &figure);
        }
        struct plot_figure about = {
            .plot = "tip", .title = "The smallest trigger that sticks", .caption = caption_of(tip)};
        is_fine = plot_finish(tip->context, &figure, &about, err);
    }
    figure_release(&figure);
    return is_fine;
}

bool plot_tip(struct plot_context *context, struct err *err)
{
    struct tip_figure tip = {.context = context};
    if (!report_experiment_load(&tip.experiment, context->data, "tip", err)) {
        return false;
    }
    uint32_t axes = tip.experiment.axis_count;
    if (!tip.experiment.is_there || axes < 1 || axes > 2) {
        return true;
    }
    tip.sizes = &tip.experiment.axes[axes - 1];
    tip.loads = axes == 2 ? &tip.experiment.axes[0] : NULL;
    read_seeds(&tip);
    return tip.seed_count == 0 || draw(&tip, err);
}
