/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The loop: goodput over load on the way up and on the way down, one picture for each cell. Where
 * both branches are apart the system has two states, and which one it is in depends on where it
 * came from; the area between them is shaded. Two upright lines say what theory expected before
 * anything was run. Beside it stand the loads at which it tips and returns, so the picture can be
 * read without the page around it. */
#include "reports/experiment.h"
#include "reports/plot.h"

#include "sim/base/base.h"

#include <math.h>
#include <string.h>

#define CELLS_MAX 12
#define WIDTH     960u
#define HEIGHT    500u
#define LEFT      92u
#define RIGHT     676u
#define NOTE      700u
#define TOP       96u
#define BOTTOM    (HEIGHT - 58)
#define ARROWS    4    /* points between two arrows */
#define JUMP      0.08 /* of the highest goodput: it has an arrow of its own */
#define UP        "#0072B2"
#define DOWN      "#D55E00"
#define HIDDEN    "#00704F"
#define SADDLE    "#8A3C74"

struct loop {
    struct plot_context *context;
    const struct report_experiment *experiment;
    const char *label;
    double highest; /* goodput or load, for the axes */
    double first;
    double last;
};

static bool is_of(const struct loop *loop, const struct report_point *value, const char *series)
{
    return strcmp(value->series, series) == 0 && strcmp(value->note, loop->label) == 0;
}

static double figure_of(const struct loop *loop, const char *series)
{
    for (uint32_t i = 0; i < loop->experiment->point_count; i++) {
        const struct report_point *point = &loop->experiment->points[i];
        if (is_of(loop, point, series)) {
            return point->x;
        }
    }
    return NAN;
}

static void measure(struct loop *loop)
{
    loop->first = INFINITY;
    for (uint32_t i = 0; i < loop->experiment->point_count; i++) {
        const struct report_point *value = &loop->experiment->points[i];
        if (is_of(loop, value, "up") || is_of(loop, value, "down")) {
            loop->highest = fmax(loop->highest, fmax(value->x, isnan(value->y) ? 0 : value->y));
            loop->first = fmin(loop->first, value->x);
            loop->last = fmax(loop->last, value->x);
        }
    }
}

struct writing {
    const struct loop *loop;
    struct text csv;
    const struct report_point *before;
    uint32_t count;
};

/* With an arrow from the point before, at every fourth point and wherever goodput jumps. */
static void write_point(struct writing *writing, const struct report_point *value)
{
    const struct report_point *before = writing->before;
    bool is_jump = before != NULL && fabs(before->y - value->y) > JUMP * writing->loop->highest;
    bool has_arrow = before != NULL && (is_jump || writing->count % ARROWS == ARROWS / 2);
    const double row[] = {value->x,
                          value->y,
                          isnan(value->low) ? value->y : fmax(0, value->low),
                          isnan(value->high) ? value->y
                                             : fmin(value->high, fmax(value->x, value->y)),
                          has_arrow ? before->x : (double)NAN,
                          has_arrow ? before->y : (double)NAN};
    for (uint32_t k = 0; k < ARRAY_COUNT(row); k++) {
        csv_number(&writing->csv, row[k]);
        text_add(&writing->csv, k + 1 < ARRAY_COUNT(row) ? "," : "\n");
    }
    writing->before = value;
    writing->count++;
}

/* The way down begins at the last point of the way up. */
static bool write_branch(const struct loop *loop, const struct figure *figure, const char *series,
                         struct err *err)
{
    struct writing writing = {.loop = loop};
    char suffix[16];
    text_init(&writing.csv);
    text_add(&writing.csv, "load_per_s,goodput_per_s,low95,high95,arrow_x,arrow_y\n");
    const struct report_point *top = NULL;
    for (uint32_t i = 0; i < loop->experiment->point_count; i++) {
        const struct report_point *value = &loop->experiment->points[i];
        bool is_down = is_of(loop, value, "down");
        if (is_down && strcmp(series, "down") == 0 && writing.count == 0 && top != NULL) {
            write_point(&writing, top);
        }
        top = is_of(loop, value, "up") ? value : top;
        if (is_of(loop, value, series)) {
            write_point(&writing, value);
        }
    }
    snprintf(suffix, sizeof(suffix), "-%s", series);
    bool is_fine = figure_write_csv(figure, suffix, &writing.csv, err);
    text_release(&writing.csv);
    return is_fine;
}

/* Both branches at each level, for the shaded area. */
static bool write_area(const struct loop *loop, const struct figure *figure, struct err *err)
{
    struct text csv;
    text_init(&csv);
    text_add(&csv, "load_per_s,up_per_s,down_per_s\n");
    const struct report_point *top = NULL;
    for (uint32_t i = 0; i < loop->experiment->point_count; i++) {
        const struct report_point *up = &loop->experiment->points[i];
        if (!is_of(loop, up, "up")) {
            continue;
        }
        top = up;
        for (uint32_t k = 0; k < loop->experiment->point_count; k++) {
            const struct report_point *down = &loop->experiment->points[k];
            if (is_of(loop, down, "down") && fabs(down->x - up->x) < 1e-9 * up->x) {
                const double row[] = {up->x, up->y, down->y};
                csv_number(&csv, row[0]);
                text_add(&csv, ",");
                csv_number(&csv, row[1]);
                text_add(&csv, ",");
                csv_number(&csv, row[2]);
                text_add(&csv, "\n");
            }
        }
    }
    if (top != NULL) {
        text_printf(&csv, "%.9g,%.9g,%.9g\n", top->x, top->y, top->y);
    }
    bool is_fine = figure_write_csv(figure, "-area", &csv, err);
    text_release(&csv);
    return is_fine;
}

/* --------------------------------------------------------------------------------- the picture */

static void add_line(struct figure *figure, const struct loop *loop, double x, const char *what,
                     const char *colour, uint32_t row)
{
    struct arena *arena = &loop->context->data->arena;
    if (isnan(x) || x < 0 || x > loop->last * 1.05) {
        return;
    }
    double span = loop->last * 1.05;
    uint32_t place = LEFT + (uint32_t)((RIGHT - LEFT) * x / span);
    bool is_right = place > (LEFT + RIGHT) / 2;
    text_printf(&figure->script,
                "set arrow from first %.9g, graph 0 to first %.9g, screen %.5f nohead front "
                "linecolor rgb '%s' dashtype (6,4) linewidth 1.6\n",
                x, x, 1 - (TOP - 24.0 + 18.0 * row) / HEIGHT, colour);
    plot_label_add(
        figure, is_right ? place - 5 : place + 5, TOP - 20 + 18 * row, 11,
        arena_printf(arena, "%s textcolor rgb '%s'", is_right ? "right" : "left", colour),
        arena_printf(arena, "%s %.4g/s, predicted", what, x));
}

static void add_notes(struct figure *figure, const struct loop *loop)
{
    struct arena *arena = &loop->context->data->arena;
    double tips = figure_of(loop, "tipping");
    double back = figure_of(loop, "return");
    double hidden = figure_of(loop, "hidden");
    uint32_t y = TOP + 118;
    plot_label_add(figure, NOTE, y, 14, "left textcolor rgb '" UP "'",
                   isnan(tips) ? "does not tip" : arena_printf(arena, "tips at %.4g/s", tips));
    const char *text = back > 0 ? arena_printf(arena, "comes back at %.4g/s", back)
                                : arena_printf(arena, "not back at %.4g/s", loop->first);
    plot_label_add(figure, NOTE, y + 26, 14, "left textcolor rgb '" DOWN "'",
                   isnan(tips) ? "" : text);
    const char *const lines[] = {
        isnan(tips) || !(back > 0)
            ? ""
            : arena_printf(arena, "The load had to fall by %.0f%%.", 100 * (1 - back / tips)),
        isnan(hidden) ? "" : "Below the hidden capacity theory",
        isnan(hidden) ? "" : "expects it to come back.",
        arena_printf(arena, "Area of the loop: %.0f (1/s)\xc2\xb2", figure_of(loop, "area")),
        arena_printf(arena, "%.4g s at each level", figure_of(loop, "dwell")),
    };
    y += 56;
    for (uint32_t i = 0; i < ARRAY_COUNT(lines); i++) {
        if (lines[i][0] != '\0') {
            plot_label_add(figure, NOTE, y, 11, "left textcolor rgb '#444444'", lines[i]);
            y += 20;
        }
    }
}

static void add_plot(struct figure *figure, const struct loop *loop)
{
    struct text *script = &figure->script;
    double ceiling = plot_ceiling(loop->highest);
    text_printf(script,
                "set xrange [0:%.9g]\nset yrange [0:%.9g]\nset border 3\nset xtics nomirror out\n"
                "set ytics nomirror out\nset xlabel 'load, operations per second' offset 0,0.3\n"
                "set key at screen %.5f, screen %.5f left top Left reverse samplen 3 spacing 1.4 "
                "noenhanced\n",
                loop->last * 1.05, ceiling, (double)(NOTE - 10) / WIDTH, 1 - (TOP - 6.0) / HEIGHT);
    text_printf(script,
                "plot 'data/%s-area.csv' using 1:2:3 with filledcurves fillstyle solid 1 noborder "
                "fillcolor rgb '#EEF3F7' notitle, \\\n"
                "'+' using (%.9g * $0):(%.9g * $0) every ::0::1 with lines linestyle %u title "
                "'what is asked for', \\\n",
                figure->name, fmin(loop->last, ceiling), fmin(loop->last, ceiling),
                GNUPLOT_OFFERED);
    static const char *const names[] = {"up", "down"};
    static const char *const colours[] = {UP, DOWN};
    static const char *const titles[] = {"on the way up", "on the way down"};
    for (uint32_t i = 0; i < 2; i++) {
        text_printf(script,
                    "'data/%s-%s.csv' using 1:2:3:4 with yerrorbars linecolor rgb '%s' linewidth 1 "
                    "pointtype %u pointsize 0.5 notitle, \\\n"
                    "'' using 1:2 with linespoints linecolor rgb '%s' linewidth 2.2 dashtype %s "
                    "pointtype %u pointsize 0.6 title '%s', \\\n"
                    "'' using 5:6:(0.6 * ($1 - $5)):(0.6 * ($2 - $6)) with vectors "
                    "head filled size screen 0.011,22 linecolor rgb '%s' linewidth 2.2 notitle%s",
                    figure->name, names[i], colours[i], i == 0 ? 7 : 5, colours[i],
                    i == 0 ? "1" : "(12,4)", i == 0 ? 7 : 5, titles[i], colours[i],
                    i == 0 ? ", \\\n" : "\n");
    }
}

static bool draw(struct loop *loop, uint32_t number, struct err *err)
{
    struct report_data *data = loop->context->data;
    struct arena *arena = &data->arena;
    struct figure figure;
    measure(loop);
    figure_init(&figure, loop->context->folder, arena_printf(arena, "hysteresis-%u", number + 1),
                loop->context->format, WIDTH, HEIGHT);
    bool is_fine = write_branch(loop, &figure, "up", err) &&
                   write_branch(loop, &figure, "down", err) && write_area(loop, &figure, err);
    if (is_fine) {
        struct plot_panel panel = {LEFT, TOP + 24, RIGHT, BOTTOM};
        plot_panel_add(&figure, &panel);
        plot_axis_label(&figure, &panel, "answered in time, per second");
        bool is_swept = loop->label[0] != '\0';
        plot_label_add(&figure, LEFT, 20, 15, "left",
                       arena_printf(arena, "%s%s%s: how far must the load fall?", data->scenario,
                                    is_swept ? ", " : "", loop->label));
        plot_label_add(&figure, LEFT, 42, 11, "left textcolor rgb '#555555'",
                       "the load climbs level by level, and comes down again; bars are 95% "
                       "intervals over the seeds");
        add_line(&figure, loop, figure_of(loop, "hidden"), "hidden capacity", HIDDEN, 0);
        add_line(&figure, loop, figure_of(loop, "saddle"), "saddle-node", SADDLE, 1);
        add_notes(&figure, loop);
        add_plot(&figure, loop);
        struct plot_figure about = {
            .plot = "hysteresis",
            .title = is_swept ? loop->label : "Goodput over load, up and down",
            .caption =
                "Each level of the staircase lasts one dwell and is measured in its second half. "
                "An operation counts when it was answered within one time-out from when it was "
                "meant to start. Tips: the first level on the way up at which too few were; comes "
                "back: the first on the way down at which enough are again (median of the seeds). "
                "Hidden capacity: below it theory expects any trigger to be survived. Saddle-node: "
                "from it on theory expects a collapse without any.",
        };
        is_fine = plot_finish(loop->context, &figure, &about, err);
    }
    figure_release(&figure);
    return is_fine;
}

/* The different labels of the cells, in order; at most CELLS_MAX are kept. */
static uint32_t labels_of(const struct report_experiment *experiment, const char **labels)
{
    uint32_t count = 0;
    const char *last = NULL;
    const struct report_point *point;
    for (uint32_t i = 0; (point = report_experiment_point(experiment, "up", i)) != NULL; i++) {
        if (last != NULL && strcmp(last, point->note) == 0) {
            continue;
        }
        last = point->note;
        labels[count < CELLS_MAX ? count : CELLS_MAX - 1] =
            count < CELLS_MAX ? last : labels[CELLS_MAX - 1];
        count++;
    }
    return count;
}

bool plot_hysteresis(struct plot_context *context, struct err *err)
{
    struct report_experiment experiment;
    const char *labels[CELLS_MAX];
    if (!report_experiment_load(&experiment, context->data, "hysteresis", err)) {
        return false;
    }
    uint32_t count = experiment.is_there ? labels_of(&experiment, labels) : 0;
    bool is_fine = true;
    for (uint32_t i = 0; i < count && i < CELLS_MAX && is_fine; i++) {
        struct loop loop = {.context = context, .experiment = &experiment, .label = labels[i]};
        is_fine = draw(&loop, i, err);
    }
    if (count > CELLS_MAX) {
        plot_note(context, "Loops are drawn for the first %d of %u cells.", CELLS_MAX, count);
    }
    return is_fine;
}
