/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Latency at every percentile, in the manner of HdrHistogram's plots: the x axis is 1 / (1 - p) on
 * a logarithmic scale, so each step to the right is one nine more. The tail, where people wait,
 * gets as much room as the median. All runs of a cell are in one line; the line ends at the
 * slowest operation seen. */
#include "reports/plot.h"

#include "sim/base/base.h"

#include <math.h>

#define LINES_MAX 16
#define WIDTH     960u
#define LEFT      92u

struct spectrum {
    struct text csv;
    double count;  /* of all operations */
    double passed; /* those in bins up to here */
    double low_ms;
    double high_ms;
    bool is_counting;
};

static bool on_bin(void *context, const struct results_row *row)
{
    struct spectrum *spectrum = context;
    ASSERT(row->count == 3);
    double lo_ms = row->values[0].real / 1e6;
    double hi_ms = row->values[1].real / 1e6;
    if (spectrum->is_counting) {
        spectrum->count += row->values[2].real;
        return true;
    }
    double before = spectrum->passed;
    spectrum->passed += row->values[2].real;
    /* The value of a bin holds from the share below it to the share up to it; the last operation
     * has no nine more. */
    double first = 1 / (1 - before / spectrum->count);
    double last = spectrum->passed < spectrum->count
                      ? spectrum->count / (spectrum->count - spectrum->passed)
                      : spectrum->count;
    double middle_ms = (lo_ms + hi_ms) / 2;
    text_printf(&spectrum->csv, "%.9g,%.9g,%.9g\n%.9g,%.9g,%.9g\n", first, middle_ms,
                100 * before / spectrum->count, fmax(first, last), middle_ms,
                100 * spectrum->passed / spectrum->count);
    spectrum->low_ms = fmin(spectrum->low_ms, middle_ms);
    spectrum->high_ms = fmax(spectrum->high_ms, middle_ms);
    return true;
}

/* data/latency-<number>.csv for one cell; the count stays 0 when it has no latencies. */
static bool write_spectrum(struct plot_context *context, const struct figure *figure,
                           const struct report_cell *cell, uint32_t number,
                           struct spectrum *spectrum, struct err *err)
{
    static const char sql[] =
        "SELECT lo, max(hi), sum(n) FROM hist WHERE cell_id = ?1 AND metric = 'latency'"
        " AND n > 0 GROUP BY lo ORDER BY lo";
    char id[24];
    snprintf(id, sizeof(id), "%lld", (long long)cell->cell_id);
    const char *parameters[] = {id};
    *spectrum = (struct spectrum){.low_ms = INFINITY, .is_counting = true};
    text_init(&spectrum->csv);
    text_add(&spectrum->csv, "one_over_one_minus_p,latency_ms,percentile\n");
    bool is_fine = results_query(context->data->results, sql, parameters, 1, on_bin, spectrum, err);
    spectrum->is_counting = false;
    if (is_fine && spectrum->count > 0) {
        char suffix[24];
        snprintf(suffix, sizeof(suffix), "-%u", number);
        is_fine =
            results_query(context->data->results, sql, parameters, 1, on_bin, spectrum, err) &&
            figure_write_csv(figure, suffix, &spectrum->csv, err);
    }
    text_release(&spectrum->csv);
    return is_fine;
}

struct lines {
    const struct report_cell *cells[LINES_MAX];
    uint32_t count;
    uint32_t left_out;
    double low_ms;
    double high_ms;
    struct plot_key key;
    double operations; /* of the cell with the most */
};

static bool write_all(struct lines *lines, struct plot_context *context,
                      const struct figure *figure, struct err *err)
{
    struct report_data *data = context->data;
    for (uint32_t i = 0; i < data->cell_count; i++) {
        if (lines->count == LINES_MAX) {
            lines->left_out++;
            continue;
        }
        struct spectrum spectrum;
        if (!write_spectrum(context, figure, &data->cells[i], lines->count + 1, &spectrum, err)) {
            return false;
        }
        if (spectrum.count > 0) {
            lines->cells[lines->count++] = &data->cells[i];
            plot_key_count(&lines->key, data->cells[i].title);
            lines->low_ms = fmin(lines->low_ms, spectrum.low_ms);
            lines->high_ms = fmax(lines->high_ms, spectrum.high_ms);
            lines->operations = fmax(lines->operations, spectrum.count);
        }
    }
    return true;
}

static void add_axes(struct figure *figure, const struct lines *lines)
{
    struct text *script = &figure->script;
    double right = pow(10, ceil(log10(fmax(lines->operations, 100)) - 1e-9));
    struct plot_panel panel = {LEFT, 58, WIDTH - 40,
                               figure->height - 78 - plot_key_height(&lines->key)};
    plot_panel_add(figure, &panel);
    plot_axis_label(figure, &panel, "latency");
    text_printf(script,
                "set logscale x\nset xrange [1:%.9g]\nset grid xtics\n"
                "set xtics ('fastest' 1, 'median' 2, '90%%%%' 10, '99%%%%' 100, '99.9%%%%' 1e3, "
                "'99.99%%%%' 1e4, "
                "'99.999%%%%' 1e5, '6 nines' 1e6, '7 nines' 1e7, '8 nines' 1e8, '9 nines' 1e9)\n"
                "set xlabel 'share of operations that were at least this fast' offset 0,0.3\n",
                right);
    plot_latency_axis(script, lines->low_ms, lines->high_ms);
    plot_key_add(figure, &lines->key, LEFT);
}

static void add_lines(struct figure *figure, const struct lines *lines)
{
    struct text *script = &figure->script;
    for (uint32_t i = 0; i < lines->count; i++) {
        text_printf(script, "%s'data/latency-%u.csv' using 1:2 with lines linestyle %u%s title ",
                    i == 0 ? "plot " : "", i + 1, i % GNUPLOT_LINES + 1,
                    i < GNUPLOT_LINES ? "" : " linewidth 1");
        gnuplot_quote(script, lines->cells[i]->title, PLOT_KEY_TITLE_MAX);
        text_add(script, i + 1 < lines->count ? ", \\\n" : "\n");
    }
}

bool plot_latency(struct plot_context *context, struct err *err)
{
    struct report_data *data = context->data;
    struct lines lines = {.low_ms = INFINITY};
    struct figure figure;
    figure_init(&figure, context->folder, "latency", context->format, WIDTH, 100);
    bool is_fine = write_all(&lines, context, &figure, err);
    figure_release(&figure);
    if (!is_fine || lines.count == 0) {
        return is_fine;
    }
    figure_init(&figure, context->folder, "latency", context->format, WIDTH,
                450 + plot_key_height(&lines.key));
    plot_label_add(&figure, LEFT, 20, 15, "left",
                   arena_printf(&data->arena, "%s: how long do answers take?", data->scenario));
    plot_label_add(
        &figure, LEFT, 40, 12, "left textcolor rgb '#555555'",
        "all runs of a cell together; operations that were never answered are not in here");
    add_axes(&figure, &lines);
    add_lines(&figure, &lines);
    struct plot_figure about = {
        .plot = "latency",
        .title = "Latency at every percentile",
        .caption = arena_printf(
            &data->arena,
            "From the moment an operation was meant to start to its answer, retries included, over "
            "all runs of a cell after the warm-up. Operations without an answer are not in here: "
            "the table of cells counts them. Values are known within 1.6%%. A line ends at its "
            "slowest operation.%s",
            plot_left_out_text(data, lines.count, lines.left_out)),
    };
    is_fine = plot_finish(context, &figure, &about, err);
    figure_release(&figure);
    return is_fine;
}
