/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Gauges: what the models of one run showed of themselves (a queue, a free list, bytes of a
 * commit), one panel for each name, one line for each node, over the same time axis and under the
 * same shading of faults as the timeline. A counter is drawn as its rate. A panel whose values span
 * more than two decades has a logarithmic axis. */
#include "reports/plot.h"

#include "sim/base/base.h"

#include <math.h>
#include <string.h>

#define FIGURES_MAX 12
#define PANELS_MAX  8
#define LINES_MAX   8
#define NODES_MAX   64
#define DECADES     100.0 /* of values in a panel with a linear axis */

#define WIDTH  960u
#define LEFT   92u
#define RIGHT  724u
#define LEGEND 738u
#define TOP    58u
#define PANEL  120u
#define GAP    34u

struct line {
    uint32_t
        node; /* number among the nodes of the sheet: the same node looks the same everywhere */
    uint32_t points;
};

struct panel {
    char name[64];
    bool is_counter;
    double low; /* smallest value above 0 */
    double high;
    struct line lines[LINES_MAX];
    uint32_t line_count;
    uint32_t left_out; /* lines */
};

struct sheet {
    const struct report_cell *cell;
    const struct report_run *run;
    struct figure *figure;
    struct panel panels[PANELS_MAX];
    uint32_t panel_count;
    char nodes[NODES_MAX][64]; /* in order of first sight */
    uint32_t node_count;
    uint32_t left_out; /* panels */
    char last_name[64];
    char last_node[64];
    struct text csv;  /* of the last line */
    bool is_skipping; /* the rows of a panel or line that is left out */
    bool is_fine;
    struct err *err;
};

/* ----------------------------------------------------------------------------------- data files */

/* Writes data/NAME-<panel>-<line>.csv of the line that is complete. */
static void end_line(struct sheet *sheet)
{
    if (sheet->panel_count == 0 || sheet->is_skipping || !sheet->is_fine) {
        return;
    }
    const struct panel *panel = &sheet->panels[sheet->panel_count - 1];
    char suffix[32];
    snprintf(suffix, sizeof(suffix), "-%u-%u", sheet->panel_count, panel->line_count);
    sheet->is_fine = figure_write_csv(sheet->figure, suffix, &sheet->csv, sheet->err);
}

static uint32_t node_number(struct sheet *sheet, const char *name)
{
    for (uint32_t i = 0; i < sheet->node_count; i++) {
        if (strcmp(sheet->nodes[i], name) == 0) {
            return i;
        }
    }
    if (sheet->node_count == NODES_MAX) {
        return NODES_MAX - 1;
    }
    snprintf(sheet->nodes[sheet->node_count], sizeof(sheet->nodes[0]), "%s", name);
    return sheet->node_count++;
}

static void begin_line(struct sheet *sheet, const struct results_row *row)
{
    const char *name = row->values[0].text;
    bool is_new = sheet->panel_count == 0 || strcmp(sheet->last_name, name) != 0;
    snprintf(sheet->last_name, sizeof(sheet->last_name), "%s", name);
    snprintf(sheet->last_node, sizeof(sheet->last_node), "%s", row->values[1].text);
    text_clear(&sheet->csv);
    text_add(&sheet->csv, "t_s,mean,min,max\n");
    if (is_new && sheet->panel_count == PANELS_MAX) {
        sheet->left_out++;
        sheet->is_skipping = true;
        return;
    }
    if (is_new) {
        struct panel *made = &sheet->panels[sheet->panel_count++];
        *made = (struct panel){.low = INFINITY,
                               .is_counter = strcmp(row->values[2].text, "counter") == 0};
        snprintf(made->name, sizeof(made->name), "%s", name);
    }
    struct panel *panel = &sheet->panels[sheet->panel_count - 1];
    sheet->is_skipping = strcmp(panel->name, name) != 0 || panel->line_count == LINES_MAX;
    if (sheet->is_skipping) {
        panel->left_out++;
        return;
    }
    struct line *line = &panel->lines[panel->line_count++];
    line->node = node_number(sheet, row->values[1].text);
}

/* name, node, kind, t_ns, dur_ns, n, sum, min, max; ordered by the first two and time. */
static bool on_window(void *context, const struct results_row *row)
{
    struct sheet *sheet = context;
    ASSERT(row->count == 9);
    if (sheet->panel_count == 0 || strcmp(sheet->last_name, row->values[0].text) != 0 ||
        strcmp(sheet->last_node, row->values[1].text) != 0) {
        end_line(sheet);
        begin_line(sheet, row);
    }
    if (sheet->is_skipping) {
        return true;
    }
    struct panel *panel = &sheet->panels[sheet->panel_count - 1];
    const double duration_s = row->values[4].real / 1e9;
    const double sum = row->values[6].real;
    const double mean = panel->is_counter ? sum / duration_s : sum / row->values[5].real;
    const double low = panel->is_counter ? mean : row->values[7].real;
    const double high = panel->is_counter ? mean : row->values[8].real;
    text_printf(&sheet->csv, "%.9g,%.9g,%.9g,%.9g\n", row->values[3].real / 1e9 + duration_s / 2,
                mean, low, high);
    panel->lines[panel->line_count - 1].points++;
    panel->high = fmax(panel->high, mean);
    panel->low = mean > 0 ? fmin(panel->low, mean) : panel->low;
    return true;
}

static bool write_lines(struct sheet *sheet, struct report_data *data, struct err *err)
{
    static const char sql[] =
        "SELECT name, node, kind, 1.0*t_ns, 1.0*dur_ns, 1.0*n, 1.0*sum, 1.0*min, 1.0*max"
        " FROM gauge WHERE run_id = ?1 ORDER BY name, node, kind, t_ns";
    char run_id[24];
    snprintf(run_id, sizeof(run_id), "%lld", (long long)sheet->run->run_id);
    const char *parameters[] = {run_id};
    text_init(&sheet->csv);
    sheet->is_fine = true;
    sheet->err = err;
    bool is_fine = results_query(data->results, sql, parameters, 1, on_window, sheet, err);
    end_line(sheet);
    text_release(&sheet->csv);
    return is_fine && sheet->is_fine;
}

/* ---------------------------------------------------------------------------------- the picture */

static void add_panel(const struct sheet *sheet, uint32_t index, bool has_shade)
{
    const struct panel *panel = &sheet->panels[index];
    struct figure *figure = sheet->figure;
    struct text *script = &figure->script;
    uint32_t top = TOP + index * (PANEL + GAP);
    struct plot_panel place = {LEFT, top + 14, RIGHT, top + 14 + PANEL};
    bool is_logarithmic = panel->low < INFINITY && panel->high > DECADES * panel->low;
    double upper = is_logarithmic ? pow(10, ceil(log10(panel->high * 1.05)))
                                  : plot_ceiling(fmax(panel->high, 1));
    double lower = is_logarithmic ? pow(10, floor(log10(panel->low))) : 0;
    plot_panel_add(figure, &place);
    plot_label_add(figure, LEFT, top + 4, 12, "left", panel->name);
    if (panel->is_counter) {
        plot_label_add(figure, RIGHT, top + 4, 11, "right textcolor rgb '#555555'", "per second");
    }
    text_printf(script,
                "set key at screen %.5f, screen %.5f left top Left reverse samplen 2 spacing 1.2 "
                "noenhanced\n%sset logscale y\nset yrange [%.9g:%.9g]\nset format y '%s'\n"
                "set format x '%s'\nplot ",
                (double)(LEGEND - 8) / figure->width, 1 - (double)(top + 14) / figure->height,
                is_logarithmic ? "" : "un", lower, upper, is_logarithmic ? "%.0s%c" : "%.4g",
                index + 1 == sheet->panel_count ? "%g" : "");
    if (has_shade) {
        plot_shade_add(figure, "-shade", upper);
    }
    for (uint32_t i = 0; i < panel->line_count; i++) {
        text_printf(script, "%s'data/%s-%u-%u.csv' using 1:2 with lines linestyle %u title ",
                    i == 0 ? "" : ", \\\n", figure->name, index + 1, i + 1,
                    panel->lines[i].node % GNUPLOT_LINES + 1);
        gnuplot_quote(script, sheet->nodes[panel->lines[i].node], PLOT_KEY_TITLE_MAX);
    }
    text_add(script, "\nunset label\n");
}

static bool add_sheet(struct plot_context *context, struct sheet *sheet,
                      const struct report_series *series, bool has_shade, struct err *err)
{
    struct report_data *data = context->data;
    struct figure *figure = sheet->figure;
    const char *seed = plot_short_seed(data, sheet->run->seed);
    bool is_swept = sheet->cell->label[0] != '\0';
    plot_label_add(figure, LEFT, 20, 15, "left",
                   arena_printf(&data->arena, "%s%s%s", data->scenario, is_swept ? ", " : "",
                                sheet->cell->label));
    plot_label_add(
        figure, LEFT, 40, 12, "left textcolor rgb '#555555'",
        arena_printf(&data->arena, "seed %s: what the nodes showed of themselves", seed));
    text_printf(&figure->script,
                "set multiplot\nset xrange [0:%.9g]\nset border 3\nset xtics nomirror out\n"
                "set ytics nomirror out\n",
                series->end_s);
    for (uint32_t i = 0; i < sheet->panel_count; i++) {
        if (i + 1 == sheet->panel_count) {
            text_add(&figure->script, "set xlabel 'virtual time, seconds' offset 0,0.4\n");
        }
        add_panel(sheet, i, has_shade);
        if (sheet->panels[i].left_out > 0) {
            plot_note(context, "Gauge %s: the first %u nodes are drawn, %u are not.",
                      sheet->panels[i].name, LINES_MAX, sheet->panels[i].left_out);
        }
    }
    text_add(&figure->script, "unset multiplot\n");
    struct plot_figure about = {
        .plot = "gauges",
        .title = arena_printf(&data->arena, "%s%sseed %s: inside the nodes", sheet->cell->label,
                              is_swept ? ", " : "", seed),
        .caption = "What the models of one run reported: the mean of the samples of each window, "
                   "one line a node; counters as rates. Shaded: a fault is active. Minimum and "
                   "maximum of each window are in the data.",
    };
    return plot_finish(context, figure, &about, err);
}

/* One run of a cell; nothing when its models showed nothing. */
static bool draw(struct plot_context *context, const struct report_cell *cell,
                 const struct report_run *run, struct err *err)
{
    struct report_data *data = context->data;
    const char *name = arena_printf(&data->arena, "gauges-%u", (uint32_t)(cell - data->cells) + 1);
    struct figure figure;
    struct sheet sheet = {.cell = cell, .run = run, .figure = &figure};
    struct report_series series;
    figure_init(&figure, context->folder, name, context->format, WIDTH, 100);
    bool is_fine = write_lines(&sheet, data, err);
    bool has_shade = false;
    if (is_fine && sheet.panel_count > 0) {
        is_fine = report_series_load(&series, data, run, 1, err);
        if (is_fine) {
            is_fine = plot_shade_csv(&figure, "-shade", &series, &has_shade, err);
            figure_release(&figure);
            figure_init(&figure, context->folder, name, context->format, WIDTH,
                        TOP + sheet.panel_count * (PANEL + GAP) + 40);
            is_fine = is_fine && add_sheet(context, &sheet, &series, has_shade, err);
            report_series_release(&series);
        }
    }
    if (sheet.left_out > 0) {
        plot_note(context, "Gauges of %s: %u more names than the %u that are drawn.", cell->title,
                  sheet.left_out, PANELS_MAX);
    }
    figure_release(&figure);
    return is_fine;
}

bool plot_gauges(struct plot_context *context, struct err *err)
{
    struct report_data *data = context->data;
    int64_t count = 0;
    if (!results_query_integer(data->results,
                               "SELECT count(*) FROM sqlite_master WHERE name = 'gauge'", 0, &count,
                               err)) {
        return false;
    }
    const char *seed = plot_common_seed(data);
    uint32_t drawn = 0;
    for (uint32_t i = 0; i < data->cell_count && count > 0; i++) {
        const struct report_cell *cell = &data->cells[i];
        const struct report_run *run = seed == NULL ? NULL : plot_run_of(cell, seed);
        if (run == NULL && cell->kept_count > 0) {
            run = &cell->kept[0];
        }
        if (run == NULL) {
            continue;
        }
        uint32_t before = context->figures.count;
        if (drawn < FIGURES_MAX && !draw(context, cell, run, err)) {
            return false;
        }
        drawn += context->figures.count - before;
    }
    if (drawn == FIGURES_MAX) {
        plot_note(context, "Gauges: of the first %u cells only.", FIGURES_MAX);
    }
    return true;
}
