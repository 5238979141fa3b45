/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * t-visibility: the share of reads that would still miss the last acknowledged write if they came
 * so long after it, a line for each cell, both axes logarithmic. Where a line begins at the left is
 * the share that is stale at once; where it crosses the line of 0.1 % is the 99.9 % t-visibility
 * (Bailis et al., VLDB 2012, figure 6). All runs of a cell are in one line, as the histogram of
 * analysis/visibility.h has them; cells in which no read ever missed anything have none. */
#include "reports/plot.h"

#include "sim/base/base.h"

#include <math.h>

#define LINES_MAX 8
#define WIDTH     960u
#define HEIGHT    520u
#define LEFT      104u
#define LEVEL     0.001 /* that is told */

struct curve {
    struct text csv;
    double count;
    double passed; /* reads in bins up to here */
    double low_ms; /* of the reads that came too early */
    double high_ms;
    double level_ms; /* where the curve falls to LEVEL; NaN: it is never above */
    bool is_counting;
};

struct curves {
    const struct report_cell *cells[LINES_MAX];
    uint32_t count;
    uint32_t left_out;
    double low_ms;
    double high_ms;
    double level_low_ms; /* of the cells */
    double level_high_ms;
    double reads; /* of the cell with the most */
    struct plot_key key;
};

static bool on_bin(void *context, const struct results_row *row)
{
    struct curve *curve = context;
    if (curve->is_counting) {
        curve->count += row->values[2].real;
        return true;
    }
    const double lo_ms = row->values[0].real / 1e6;
    const double middle_ms = (lo_ms + row->values[1].real / 1e6) / 2;
    const double before = 1 - curve->passed / curve->count;
    curve->passed += row->values[2].real;
    const double after = fmax(0, 1 - curve->passed / curve->count);
    if (before > LEVEL && after <= LEVEL && lo_ms > 0) {
        curve->level_ms = middle_ms;
    }
    if (lo_ms > 0) {
        curve->low_ms = fmin(curve->low_ms, middle_ms);
        curve->high_ms = fmax(curve->high_ms, middle_ms);
        text_printf(&curve->csv, "%.9g,%.9g\n", middle_ms, 100 * before);
    }
    return true;
}

/* data/visibility-<number>.csv; nothing when no read of the cell came too early. */
static bool write_curve(struct plot_context *context, const struct figure *figure,
                        const struct report_cell *cell, uint32_t number, struct curve *curve,
                        struct err *err)
{
    static const char sql[] =
        "SELECT lo, max(hi), sum(n) FROM hist WHERE cell_id = ?1 AND metric = 'visibility'"
        " AND n > 0 GROUP BY lo ORDER BY lo";
    char id[24];
    char suffix[24];
    snprintf(id, sizeof(id), "%lld", (long long)cell->cell_id);
    snprintf(suffix, sizeof(suffix), "-%u", number);
    const char *parameters[] = {id};
    *curve = (struct curve){.low_ms = INFINITY, .level_ms = NAN, .is_counting = true};
    text_init(&curve->csv);
    text_add(&curve->csv, "after_ms,still_stale_percent\n");
    bool is_fine = results_query(context->data->results, sql, parameters, 1, on_bin, curve, err);
    curve->is_counting = false;
    if (is_fine && curve->count > 0) {
        is_fine = results_query(context->data->results, sql, parameters, 1, on_bin, curve, err);
    }
    if (is_fine && isfinite(curve->low_ms)) {
        is_fine = figure_write_csv(figure, suffix, &curve->csv, err);
    }
    text_release(&curve->csv);
    return is_fine;
}

/* What the drawn cells do not have in common. */
static const char *name_of(const struct curves *curves, uint32_t index, struct report_data *data)
{
    const char *titles[LINES_MAX];
    for (uint32_t i = 0; i < curves->count; i++) {
        titles[i] = curves->cells[i]->title;
    }
    return plot_distinct(data, titles[index], titles, curves->count);
}

static bool write_all(struct curves *curves, struct plot_context *context,
                      const struct figure *figure, struct err *err)
{
    struct report_data *data = context->data;
    for (uint32_t i = 0; i < data->cell_count; i++) {
        struct curve curve;
        if (!write_curve(context, figure, &data->cells[i], curves->count + 1, &curve, err)) {
            return false;
        }
        if (!isfinite(curve.low_ms)) {
            continue;
        }
        if (curves->count == LINES_MAX) {
            curves->left_out++;
            continue;
        }
        curves->cells[curves->count++] = &data->cells[i];
        plot_key_count(&curves->key, data->cells[i].title);
        curves->low_ms = fmin(curves->low_ms, curve.low_ms);
        curves->high_ms = fmax(curves->high_ms, curve.high_ms);
        curves->reads = fmax(curves->reads, curve.count);
        if (isfinite(curve.level_ms)) {
            curves->level_low_ms = fmin(curves->level_low_ms, curve.level_ms);
            curves->level_high_ms = fmax(curves->level_high_ms, curve.level_ms);
        }
    }
    return true;
}

static const char *finding_of(const struct curves *curves, struct report_data *data)
{
    const double low = curves->level_low_ms;
    const double high = curves->level_high_ms;
    if (!(high > 0)) {
        return "99.9% of the reads see the last write at once";
    }
    return high < 1.02 * low
               ? arena_printf(&data->arena, "99.9%% of the reads see a write after %s",
                              fleet_downtime(data, high / 1e3))
               : arena_printf(&data->arena, "99.9%% of the reads see a write after %s to %s",
                              fleet_downtime(data, low / 1e3), fleet_downtime(data, high / 1e3));
}

static void add_axes(struct figure *figure, const struct curves *curves)
{
    struct text *script = &figure->script;
    const struct plot_panel panel = {LEFT, 58, WIDTH - 40,
                                     figure->height - 78 - plot_key_height(&curves->key)};
    const double low = fmax(pow(10, floor(log10(fmax(curves->low_ms, 1e-3)))), 1e-2);
    const double high = pow(10, ceil(log10(curves->high_ms)));
    plot_panel_add(figure, &panel);
    plot_axis_label(figure, &panel, "reads that miss the write");
    text_printf(script,
                "set logscale xy\nset xrange [%.9g:%.9g]\nset yrange [%.9g:100]\nset format y "
                "'%%g%%%%'\nset grid xtics\nset xtics ('1 \xc2\xb5s' 1e-3, '10 \xc2\xb5s' 1e-2, "
                "'100 \xc2\xb5s' 0.1, '1 ms' 1, '10 ms' 10, '100 ms' 100, '1 s' 1e3, '10 s' 1e4, "
                "'100 s' 1e5)\nset xlabel 'time between the acknowledgement of the write and the "
                "read' offset 0,0.3\n",
                low, fmax(high, low * 10),
                pow(10, ceil(log10(fmax(100 / fmax(curves->reads, 1e3), 1e-4)))));
    plot_key_add(figure, &curves->key, LEFT);
}

static void add_lines(struct figure *figure, const struct curves *curves, struct report_data *data)
{
    struct text *script = &figure->script;
    text_printf(script, "plot %g with lines linecolor rgb '#999999' linewidth 1 notitle",
                100 * LEVEL);
    for (uint32_t i = 0; i < curves->count; i++) {
        text_printf(script,
                    ", \\\n'data/visibility-%u.csv' using 1:2 with lines linestyle %u title ",
                    i + 1, i + 1);
        gnuplot_quote(script, name_of(curves, i, data), PLOT_KEY_TITLE_MAX);
    }
    text_add(script, "\n");
}

bool plot_visibility(struct plot_context *context, struct err *err)
{
    struct report_data *data = context->data;
    struct curves curves = {.low_ms = INFINITY, .level_low_ms = INFINITY};
    struct figure figure;
    figure_init(&figure, context->folder, "visibility", context->format, WIDTH, 100);
    bool is_fine = write_all(&curves, context, &figure, err);
    figure_release(&figure);
    if (!is_fine || curves.count == 0) {
        return is_fine;
    }
    figure_init(&figure, context->folder, "visibility", context->format, WIDTH,
                HEIGHT + plot_key_height(&curves.key));
    plot_label_add(&figure, 40, 20, 15, "left", finding_of(&curves, data));
    plot_label_add(&figure, 40, 40, 12, "left textcolor rgb '#555555'",
                   arena_printf(&data->arena,
                                "%s: all runs of a cell together; the grey line is 0.1%%",
                                data->scenario));
    add_axes(&figure, &curves);
    add_lines(&figure, &curves, data);
    const struct plot_figure about = {
        .plot = "visibility",
        .title = "How soon reads see a write",
        .caption = arena_printf(
            &data->arena,
            "The share of reads that would still miss the last acknowledged write if they began so "
            "long after its acknowledgement: 100%% less the t-visibility of Bailis et al. (VLDB "
            "2012). Cells whose reads never missed a write have no line.%s",
            plot_left_out_text(data, curves.count, curves.left_out))};
    is_fine = plot_finish(context, &figure, &about, err);
    figure_release(&figure);
    return is_fine;
}
