/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Timeline: one run from its first to its last second. From top to bottom: what was broken when
 * (one lane for each fault of the scenario, and one for the time without service), operations a
 * second, and latency. Time with a fault is shaded through all panels, so cause and effect stand
 * one above the other.
 *
 * All timelines of a report have the same axes: two cells can be laid side by side. When clients
 * send much more than they are asked to (a retry storm), sends get a panel of their own in all of
 * them, or goodput would be a flat line. */
#include "reports/plot.h"

#include "sim/base/base.h"

#include <math.h>
#include <string.h>

#define TIMELINES_MAX  24
#define TIMELINES_CELL 3   /* of one cell */
#define BINS_MAX       160 /* points of a line */
#define LANES_MAX      20

#define WIDTH     960u
#define LEFT      92u
#define RIGHT     724u
#define LEGEND    738u
#define LANE      20u
#define LANE_TEXT 34 /* characters of its label */

struct timeline {
    const struct report_cell *cell;
    const struct report_run *run;
    struct report_series series;
};

/* Ends of the axes, over all timelines. */
struct extent {
    double end_s;
    double rate; /* offered and goodput */
    double sends;
    double latency_low; /* ms */
    double latency_high;
    bool is_storm; /* sends have a panel of their own */
};

static bool is_pass(const struct report_run *run)
{
    return strcmp(run->verdict, "pass") == 0;
}

/* The first kept runs of a cell, with one that did not pass among them when there is one. */
static uint32_t choose(const struct report_cell *cell, uint32_t wanted,
                       const struct report_run *chosen[TIMELINES_CELL])
{
    uint32_t count = 0;
    bool has_bad = false;
    for (uint32_t i = 0; i < cell->kept_count && count < wanted; i++) {
        chosen[count++] = &cell->kept[i];
        has_bad |= !is_pass(&cell->kept[i]);
    }
    for (uint32_t i = count; i < cell->kept_count && !has_bad; i++) {
        if (!is_pass(&cell->kept[i])) {
            chosen[count - 1] = &cell->kept[i];
            has_bad = true;
        }
    }
    return count;
}

static void extend(struct extent *extent, const struct report_series *series)
{
    extent->end_s = fmax(extent->end_s, series->end_s);
    for (uint32_t i = 0; i < series->bins.count; i++) {
        const struct report_bin *bin = vec_at(&series->bins, i);
        extent->rate = fmax(extent->rate, fmax(bin->offered, bin->ok));
        extent->sends = fmax(extent->sends, bin->attempts);
        if (bin->p50_ms > 0) {
            extent->latency_low = fmin(extent->latency_low, bin->p50_ms);
        }
        extent->latency_high = fmax(extent->latency_high, bin->p99_ms);
        extent->end_s = fmax(extent->end_s, bin->end_s);
    }
}

/* ----------------------------------------------------------------------------------- data files */

static bool write_faults(const struct figure *figure, const struct report_series *series,
                         struct err *err)
{
    struct text csv;
    struct text clean;
    text_init(&csv);
    text_init(&clean);
    text_add(&csv, "lane,start_s,end_s,name,kind,action,target\n");
    for (uint32_t i = 0; i < series->faults.count; i++) {
        const struct report_fault *fault = vec_at(&series->faults, i);
        text_printf(&csv, "%u,%.9g,%.9g", fault->lane, fault->start_s, fault->end_s);
        const char *const texts[] = {fault->name, fault->kind, fault->action, fault->target};
        for (uint32_t t = 0; t < ARRAY_COUNT(texts); t++) {
            text_clear(&clean);
            gnuplot_clean(&clean, texts[t], REPORT_TEXT_MAX);
            text_add(&csv, ",");
            csv_field(&csv, text_of(&clean));
        }
        text_add(&csv, "\n");
    }
    bool is_fine = figure_write_csv(figure, "-faults", &csv, err);
    text_release(&clean);
    text_release(&csv);
    return is_fine;
}

/* Stretches of windows that were not up, from the first one in which anybody asked. *any: there
 * are some. */
static bool write_down(const struct figure *figure, const struct report_series *series, bool *any,
                       struct err *err)
{
    struct text csv;
    text_init(&csv);
    text_add(&csv, "start_s,end_s\n");
    *any = false;
    bool is_down = false;
    bool is_asked = false;
    for (uint32_t i = 0; i < series->bins.count; i++) {
        const struct report_bin *bin = vec_at(&series->bins, i);
        is_asked |= bin->offered > 0;
        if (!is_asked) {
            continue;
        }
        if (!bin->is_up && !is_down) {
            text_printf(&csv, "%.9g,", bin->start_s);
            *any = true;
        } else if (bin->is_up && is_down) {
            text_printf(&csv, "%.9g\n", bin->start_s);
        }
        is_down = !bin->is_up;
    }
    if (is_down) {
        text_printf(&csv, "%.9g\n", series->end_s);
    }
    bool is_fine = figure_write_csv(figure, "-down", &csv, err);
    text_release(&csv);
    return is_fine;
}

/* --------------------------------------------------------------------------------------- panels */

static const struct report_fault *fault_of_lane(const struct report_series *series, uint32_t lane)
{
    for (uint32_t i = 0; i < series->faults.count; i++) {
        const struct report_fault *fault = vec_at(&series->faults, i);
        if (fault->lane == lane) {
            return fault;
        }
    }
    UNREACHABLE();
}

/* The strip with one lane for each fault; `top` of the figure to `top` + lanes. */
static void add_lanes(struct figure *figure, struct report_data *data,
                      const struct timeline *timeline, uint32_t top, bool has_down)
{
    const struct report_series *series = &timeline->series;
    struct text *script = &figure->script;
    uint32_t lanes = series->lane_count > LANES_MAX ? LANES_MAX : series->lane_count;
    uint32_t all = lanes + (has_down ? 1 : 0);
    struct plot_panel panel = {LEFT, top, RIGHT, top + all * LANE};
    plot_panel_add(figure, &panel);
    for (uint32_t lane = 0; lane < lanes; lane++) {
        const struct report_fault *fault = fault_of_lane(series, lane);
        bool is_same = strcmp(fault->name, fault->action) == 0 || fault->action[0] == '\0';
        const char *text = is_same
                               ? fault->name
                               : arena_printf(&data->arena, "%s (%s)", fault->name, fault->action);
        plot_label_add(figure, LEGEND, top + lane * LANE + LANE / 2, 11, "left",
                       plot_short(data, text, LANE_TEXT));
    }
    if (has_down) {
        plot_label_add(figure, LEGEND, top + lanes * LANE + LANE / 2, 11, "left", "no service");
    }
    if (lanes > 0) {
        plot_label_add(figure, LEFT - 10, top + lanes * LANE / 2, 12, "right",
                       lanes == 1 ? "fault" : "faults");
    }
    text_printf(script,
                "unset border\nunset tics\nset yrange [%u:0]\nunset key\nminimum = %.9g\n"
                "plot ",
                all, series->end_s / 400);
    if (lanes > 0) {
        text_printf(script,
                    "'data/%s-faults.csv' using 2:($1 < %u ? $1 + 0.5 : NaN):2:($3 > $2 + minimum "
                    "? $3 : $2 + "
                    "minimum):($1 + 0.14):($1 + 0.86) with boxxyerror fillstyle solid 1 noborder "
                    "fillcolor rgb "
                    "'" GNUPLOT_FAULT "'%s",
                    figure->name, lanes, has_down ? ", \\\n" : "\n");
    }
    if (has_down) {
        text_printf(script,
                    "'data/%s-down.csv' using 1:(%u.5):1:2:(%u.25):(%u.75) with boxxyerror "
                    "fillstyle solid 1 "
                    "noborder fillcolor rgb '" GNUPLOT_DOWN "'\n",
                    figure->name, lanes, lanes, lanes);
    }
    text_add(script, "unset label\nset border 3\nset xtics nomirror out\nset ytics nomirror out\n");
}

struct rates {
    uint32_t top;
    uint32_t bottom;
    double maximum;
    bool has_goodput;
    bool has_sends;
    const char *title; /* of the y axis */
};

static void add_key(struct figure *figure, uint32_t top)
{
    text_printf(&figure->script,
                "set key at screen %.5f, screen %.5f left top Left reverse samplen 2.5 spacing "
                "1.25 noenhanced\n",
                (double)(LEGEND - 8) / figure->width, 1 - (double)top / figure->height);
}

static void add_rates(struct figure *figure, const struct rates *rates, bool has_shade)
{
    struct text *script = &figure->script;
    struct plot_panel panel = {LEFT, rates->top, RIGHT, rates->bottom};
    plot_panel_add(figure, &panel);
    plot_axis_label(figure, &panel, rates->title);
    add_key(figure, rates->top);
    text_printf(script, "set yrange [0:%.9g]\nset ytics autofreq\nset format x ''\nplot ",
                rates->maximum);
    if (has_shade) {
        plot_shade_add(figure, "-shade", rates->maximum);
    }
    if (rates->has_goodput) {
        text_printf(script,
                    "'data/%s.csv' using 1:6 with filledcurves y1=0 fillstyle transparent solid "
                    "0.12 fillcolor rgb "
                    "'#0072B2' notitle, \\\n",
                    figure->name);
    }
    text_printf(script, "'data/%s.csv' using 1:4 with lines linestyle %u title 'asked for'",
                figure->name, GNUPLOT_OFFERED);
    if (rates->has_sends) {
        text_printf(script,
                    ", \\\n'' using 1:5 with lines linestyle %u title 'sent, retries included'",
                    GNUPLOT_ATTEMPTS);
    }
    if (rates->has_goodput) {
        text_printf(script,
                    ", \\\n'' using 1:6 with lines linestyle %u title 'answered in time (goodput)'",
                    GNUPLOT_GOODPUT);
    }
    text_add(script, "\nunset label\n");
}

static void add_latency(struct figure *figure, const struct extent *extent, uint32_t top,
                        uint32_t bottom, bool has_shade)
{
    struct text *script = &figure->script;
    struct plot_panel panel = {LEFT, top, RIGHT, bottom};
    plot_panel_add(figure, &panel);
    plot_axis_label(figure, &panel, "latency");
    add_key(figure, top);
    text_add(script, "set format x '%g'\nset xlabel 'virtual time, seconds' offset 0,0.4\n");
    plot_latency_axis(script, extent->latency_low, extent->latency_high);
    text_add(script, "plot ");
    if (has_shade) {
        plot_shade_add(figure, "-shade", 1e9);
    }
    text_printf(
        script,
        "'data/%s.csv' using 1:9 with linespoints linestyle %u title '99th percentile', \\\n"
        "'' using 1:8 with linespoints linestyle %u title 'median'\n",
        figure->name, GNUPLOT_P99, GNUPLOT_P50);
}

/* ---------------------------------------------------------------------------------- the picture */

static void add_panels(struct figure *figure, struct report_data *data,
                       const struct timeline *timeline, const struct extent *extent, bool has_shade,
                       bool has_down)
{
    struct text *script = &figure->script;
    const struct report_run *run = timeline->run;
    const char *seed = plot_short_seed(data, run->seed);
    const char *separator = run->reason[0] == '\0' ? "" : ": ";
    bool is_swept = timeline->cell->label[0] != '\0';
    plot_label_add(figure, LEFT, 20, 15, "left",
                   arena_printf(&data->arena, "%s%s%s", data->scenario, is_swept ? ", " : "",
                                timeline->cell->label));
    plot_label_add(figure, LEFT, 40, 12, "left textcolor rgb '#555555'",
                   arena_printf(&data->arena, "seed %s, verdict %s%s%s", seed, run->verdict,
                                separator, run->reason));
    text_printf(script, "set multiplot\nset xrange [0:%.9g]\nset xtics nomirror out\n",
                extent->end_s);
    uint32_t top = 58;
    uint32_t lanes =
        timeline->series.lane_count > LANES_MAX ? LANES_MAX : timeline->series.lane_count;
    lanes += has_down ? 1 : 0;
    if (lanes > 0) {
        add_lanes(figure, data, timeline, top, has_down);
        top += lanes * LANE + 10;
    }
    double rate = plot_ceiling(extent->is_storm ? extent->rate : fmax(extent->rate, extent->sends));
    struct rates rates = {top, top + 190, rate, true, !extent->is_storm, "operations per second"};
    add_rates(figure, &rates, has_shade);
    top += 190 + 20;
    if (extent->is_storm) {
        struct rates sends = {top,   top + 120, plot_ceiling(extent->sends),
                              false, true,      "sends per second"};
        add_rates(figure, &sends, has_shade);
        top += 120 + 20;
    }
    add_latency(figure, extent, top, top + 140, has_shade);
    text_add(script, "unset multiplot\n");
}

static uint32_t height_of(const struct timeline *timeline, const struct extent *extent,
                          bool has_down)
{
    uint32_t lanes =
        timeline->series.lane_count > LANES_MAX ? LANES_MAX : timeline->series.lane_count;
    lanes += has_down ? 1 : 0;
    return 58 + (lanes > 0 ? lanes * LANE + 10 : 0) + 210 + (extent->is_storm ? 140 : 0) + 140 + 62;
}

static bool draw(struct plot_context *context, const struct timeline *timeline,
                 const struct extent *extent, struct err *err)
{
    struct report_data *data = context->data;
    const struct report_run *run = timeline->run;
    const char *seed = plot_short_seed(data, run->seed);
    const char *name =
        arena_printf(&data->arena, "timeline-%u-%s", (uint32_t)(timeline->cell - data->cells) + 1,
                     strncmp(seed, "0x", 2) == 0 ? seed + 2 : "x");
    bool has_shade = false;
    bool has_down = false;
    struct figure figure;
    figure_init(&figure, context->folder, name, context->format, WIDTH, 100);
    bool is_fine = plot_bins_csv(&figure, "", &timeline->series, err) &&
                   plot_shade_csv(&figure, "-shade", &timeline->series, &has_shade, err) &&
                   write_faults(&figure, &timeline->series, err) &&
                   write_down(&figure, &timeline->series, &has_down, err);
    figure_release(&figure);
    if (!is_fine) {
        return false;
    }
    if (timeline->series.lane_count > LANES_MAX) {
        plot_note(context, "Timeline %s: %u of %u faults have a lane.", name, LANES_MAX,
                  timeline->series.lane_count);
    }
    figure_init(&figure, context->folder, name, context->format, WIDTH,
                height_of(timeline, extent, has_down));
    add_panels(&figure, data, timeline, extent, has_shade, has_down);
    struct plot_figure about = {
        .plot = "timeline",
        .title = arena_printf(&data->arena, "%s%sseed %s: %s", timeline->cell->label,
                              timeline->cell->label[0] == '\0' ? "" : ", ", seed, run->verdict),
        .caption = arena_printf(
            &data->arena,
            "One run. Shaded: a fault is active. \"No service\": windows that miss the scenario's "
            "availability predicate. Latency is of answered operations, from the moment they were "
            "meant to start. %s%s All timelines here have the same axes.",
            plot_bin_text(data, &timeline->series),
            timeline->series.merged == 1 ? "" : " Its 99th percentile is the worst of them."),
    };
    is_fine = plot_finish(context, &figure, &about, err);
    figure_release(&figure);
    return is_fine;
}

static bool load_all(struct plot_context *context, struct timeline *timelines, uint32_t *count,
                     struct err *err)
{
    struct report_data *data = context->data;
    uint32_t with_runs = 0;
    for (uint32_t i = 0; i < data->cell_count; i++) {
        with_runs += data->cells[i].kept_count > 0 ? 1 : 0;
    }
    uint32_t per_cell = with_runs * TIMELINES_CELL <= TIMELINES_MAX ? TIMELINES_CELL
                        : with_runs * 2 <= TIMELINES_MAX            ? 2
                                                                    : 1;
    uint32_t left_out = 0;
    for (uint32_t i = 0; i < data->cell_count; i++) {
        const struct report_run *chosen[TIMELINES_CELL];
        uint32_t number = choose(&data->cells[i], per_cell, chosen);
        for (uint32_t r = 0; r < number; r++) {
            if (*count == TIMELINES_MAX) {
                left_out++;
                continue;
            }
            struct timeline *timeline = &timelines[*count];
            *timeline = (struct timeline){.cell = &data->cells[i], .run = chosen[r]};
            if (!report_series_load(&timeline->series, data, chosen[r], BINS_MAX, err)) {
                return false;
            }
            (*count)++;
        }
    }
    if (left_out > 0) {
        plot_note(context, "Timelines: the first %u are drawn; %u more cells have kept runs.",
                  *count, left_out);
    }
    return true;
}

bool plot_timeline(struct plot_context *context, struct err *err)
{
    struct timeline timelines[TIMELINES_MAX];
    uint32_t count = 0;
    bool is_fine = load_all(context, timelines, &count, err);
    struct extent extent = {.latency_low = INFINITY, .latency_high = 0};
    for (uint32_t i = 0; i < count; i++) {
        extend(&extent, &timelines[i].series);
    }
    extent.is_storm = extent.sends > 2.5 * extent.rate;
    for (uint32_t i = 0; i < count && is_fine; i++) {
        is_fine = draw(context, &timelines[i], &extent, err);
    }
    for (uint32_t i = 0; i < count; i++) {
        report_series_release(&timelines[i].series);
    }
    return is_fine;
}
