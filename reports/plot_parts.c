/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Parts: where the downtime of a decomposed service comes from, a bar for each cell, cut into the
 * shares of its terms. Cells differ by orders of magnitude, so the bars are all of one length and
 * the downtime of a year stands beside each. The terms are those that the campaign wrote
 * (model_value of the model "decomposition"); what is below nothing (clients saw the service up
 * where no quorum was) is left out of the bar, and said. */
#include "reports/plot.h"

#include "sim/base/base.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define CELLS_MAX      24
#define SECONDS_A_YEAR 31557600.0
#define WIDTH          960u
#define LEFT           250u
#define RIGHT          820u
#define TOP            46u
#define BAR            34u
#define BOTTOM         54u
#define KEY_LEFT       30u
#define KEY_ROW        20u
#define SPOKEN_MAX     6    /* cells of which the largest term is put into words */
#define LABEL_MIN      0.04 /* of the bar: less has no room for its percentage */

static const struct {
    const char *name;
    const char *title;
    const char *colour;
    bool is_light; /* what is written on it is dark */
} terms[] = {
    {"no-quorum", "no quorum", "#0072B2", false},
    {"leader-lost", "fail-over", "#D55E00", false},
    {"quorum-back", "the quorum is back", "#56B4E9", true},
    {"group-lost", "a group is lost", "#E69F00", true},
    {"quorum-lost", "the quorum is lost", "#CC79A7", true},
    {"machine-back", "a machine is back", "#009E73", false},
    {"follower-lost", "a follower is lost", "#F0E442", true},
    {"machine-lost", "a machine is lost", "#F0E442", true},
    {"shock", "a shock", "#444444", false},
    {"steady", "missed while nothing happens", "#999999", false},
};
#define TERMS ARRAY_COUNT(terms)

struct bar {
    const struct report_cell *cell;
    double values[TERMS];
    double sum;      /* of all terms */
    double positive; /* of those above nothing */
    double agrees;   /* with a run with accelerated faults: 1, or 0; NaN: there was none */
};

struct bars {
    struct bar items[CELLS_MAX];
    uint32_t count;
    uint32_t left_out;
    bool has_term[TERMS];
    uint32_t key_rows;
};

static bool on_value(void *context, const struct results_row *row)
{
    struct bar *bar = context;
    for (uint32_t i = 0; i < TERMS; i++) {
        if (strcmp(terms[i].name, row->values[0].text) == 0 &&
            row->values[1].type == RESULTS_REAL) {
            bar->values[i] = row->values[1].real;
            bar->sum += bar->values[i];
            bar->positive += fmax(bar->values[i], 0);
        }
    }
    return true;
}

static bool on_agrees(void *context, const struct results_row *row)
{
    struct bar *bar = context;
    bar->agrees = row->values[0].real;
    return false;
}

static bool load(struct bars *bars, struct report_data *data, struct err *err)
{
    for (uint32_t i = 0; i < data->cell_count; i++) {
        struct bar bar = {.cell = &data->cells[i], .agrees = NAN};
        char id[24];
        snprintf(id, sizeof(id), "%lld", (long long)bar.cell->cell_id);
        const char *parameters[] = {id};
        if (!results_query(data->results,
                           "SELECT name, value FROM model_value WHERE model='decomposition' AND "
                           "cell_id=CAST(?1 AS INTEGER) ORDER BY name",
                           parameters, 1, on_value, &bar, err) ||
            !results_query(data->results,
                           "SELECT value FROM model_value WHERE model='validation' AND "
                           "name='agrees' AND cell_id=CAST(?1 AS INTEGER)",
                           parameters, 1, on_agrees, &bar, err)) {
            return false;
        }
        if (!(bar.positive > 0)) {
            continue;
        }
        if (bars->count == CELLS_MAX) {
            bars->left_out++;
            continue;
        }
        for (uint32_t t = 0; t < TERMS; t++) {
            bars->has_term[t] |= bar.values[t] / bar.positive >= .001;
        }
        bars->items[bars->count++] = bar;
    }
    return true;
}

static bool write_csv(const struct bars *bars, const struct figure *figure, struct err *err)
{
    struct text csv;
    text_init(&csv);
    text_add(&csv, "cell,term,unavailability,share_from,share_to,row,colour\n");
    for (uint32_t i = 0; i < bars->count; i++) {
        const struct bar *bar = &bars->items[i];
        double from = 0;
        for (uint32_t t = 0; t < TERMS; t++) {
            const double to = from + fmax(bar->values[t], 0) / bar->positive;
            csv_field(&csv, bar->cell->title);
            text_printf(&csv, ",%s,", terms[t].name);
            csv_number(&csv, bar->values[t]);
            text_printf(&csv, ",%.9g,%.9g,%u,%lu\n", from, to, i,
                        strtoul(terms[t].colour + 1, NULL, 16));
            from = to;
        }
    }
    const bool is_fine = figure_write_csv(figure, "", &csv, err);
    text_release(&csv);
    return is_fine;
}

/* What the bars do not have in common. */
static const char *name_of(const struct bars *bars, uint32_t index, struct report_data *data)
{
    const char *titles[CELLS_MAX];
    for (uint32_t i = 0; i < bars->count; i++) {
        titles[i] = bars->items[i].cell->title;
    }
    return plot_distinct(data, titles[index], titles, bars->count);
}

static uint32_t largest_of(const struct bar *bar)
{
    uint32_t largest = 0;
    for (uint32_t t = 1; t < TERMS; t++) {
        largest = bar->values[t] > bar->values[largest] ? t : largest;
    }
    return largest;
}

/* The largest term of the last bar. */
static const char *finding_of(const struct bars *bars, struct report_data *data)
{
    const struct bar *last = &bars->items[bars->count - 1];
    const uint32_t largest = largest_of(last);
    return arena_printf(&data->arena, "%s: %.0f %% of the downtime is \"%s\"",
                        plot_short(data, name_of(bars, bars->count - 1, data), 40),
                        100 * last->values[largest] / last->positive, terms[largest].title);
}

static void add_texts(struct figure *figure, const struct bars *bars, struct report_data *data)
{
    for (uint32_t i = 0; i < bars->count; i++) {
        const struct bar *bar = &bars->items[i];
        const uint32_t middle = TOP + i * BAR + BAR / 2;
        double from = 0;
        plot_label_add(figure, LEFT - 10, middle, 11, "right",
                       plot_short(data, name_of(bars, i, data), 34));
        plot_label_add(figure, RIGHT + 10, middle, 11, "left",
                       arena_printf(&data->arena, "%s a year",
                                    fleet_downtime(data, bar->sum * SECONDS_A_YEAR)));
        for (uint32_t t = 0; t < TERMS; t++) {
            const double share = fmax(bar->values[t], 0) / bar->positive;
            if (share >= LABEL_MIN) {
                const double at = LEFT + (from + share / 2) * (RIGHT - LEFT);
                plot_label_add(figure, (uint32_t)at, middle, 10,
                               terms[t].is_light ? "center front textcolor rgb '#222222'"
                                                 : "center front textcolor rgb 'white'",
                               arena_printf(&data->arena, "%.0f %%", 100 * share));
            }
            from += share;
        }
    }
}

/* Squares with the names of the terms that can be seen, in rows below the bars; sets their number,
 * and adds them when there is a figure. */
static void add_key(struct figure *figure, struct bars *bars)
{
    uint32_t left = KEY_LEFT;
    bars->key_rows = 1;
    for (uint32_t t = 0; t < TERMS; t++) {
        if (!bars->has_term[t]) {
            continue;
        }
        const uint32_t width = 46 + 7 * (uint32_t)strlen(terms[t].title);
        if (left > KEY_LEFT && left + width > WIDTH) {
            left = KEY_LEFT;
            bars->key_rows++;
        }
        if (figure != NULL) {
            const uint32_t middle = TOP + bars->count * BAR + 28 + (bars->key_rows - 1) * KEY_ROW;
            char options[64];
            snprintf(options, sizeof(options), "left textcolor rgb '%s'", terms[t].colour);
            plot_label_add(figure, left, middle, 14, options, "\xe2\x96\xa0");
            plot_label_add(figure, left + 18, middle, 11, "left", terms[t].title);
        }
        left += width;
    }
}

/* " Most of it: nodes=5: no quorum (58 %); ...", and what checked it. */
static const char *words(const struct bars *bars, struct report_data *data)
{
    const char *text = " The largest part of it is";
    uint32_t checked = 0;
    uint32_t wrong = 0;
    for (uint32_t i = 0; i < bars->count; i++) {
        const struct bar *bar = &bars->items[i];
        const uint32_t t = largest_of(bar);
        checked += isnan(bar->agrees) ? 0 : 1;
        wrong += bar->agrees < .5 ? 1 : 0;
        if (i < SPOKEN_MAX) {
            text = arena_printf(&data->arena, "%s%s %s (%.0f %%)%s%s", text, i == 0 ? "" : ";",
                                terms[t].title, 100 * bar->values[t] / bar->positive,
                                bars->count > 1 ? " for " : "",
                                bars->count > 1 ? name_of(bars, i, data) : "");
        }
    }
    text = arena_printf(&data->arena, "%s%s.", text, bars->count > SPOKEN_MAX ? "; and so on" : "");
    if (checked == 0) {
        return text;
    }
    return wrong == 0
               ? arena_printf(&data->arena,
                              "%s Runs with accelerated faults agree with the sum in %s.", text,
                              checked == 1 ? "the one that was checked" : "all that were checked")
               : arena_printf(&data->arena,
                              "%s Runs with accelerated faults DISAGREE with the sum in %u of %u "
                              "that were checked: it lacks something.",
                              text, wrong, checked);
}

static bool draw(struct bars *bars, struct plot_context *context, struct err *err)
{
    struct report_data *data = context->data;
    struct figure figure;
    add_key(NULL, bars);
    const uint32_t height = TOP + bars->count * BAR + BOTTOM + (bars->key_rows - 1) * KEY_ROW;
    figure_init(&figure, context->folder, "parts", context->format, WIDTH, height);
    struct plot_panel panel = {LEFT, TOP, RIGHT, TOP + bars->count * BAR};
    bool is_fine = write_csv(bars, &figure, err);
    plot_label_add(&figure, 30, 22, 15, "left", finding_of(bars, data));
    add_texts(&figure, bars, data);
    add_key(&figure, bars);
    plot_panel_add(&figure, &panel);
    text_printf(&figure.script,
                "unset border\nunset xtics\nunset ytics\nunset key\nset xrange [0:1]\nset yrange "
                "[%.9g:-0.5]\nplot 'data/%s.csv' using "
                "(($4+$5)/2):6:4:5:($6-0.36):($6+0.36):7 with "
                "boxxyerror fillstyle solid 1 noborder fillcolor rgb variable notitle\n",
                bars->count - .5, figure.name);
    struct plot_figure about = {
        .plot = "parts",
        .title = "Where the downtime comes from",
        .caption = arena_printf(
            &data->arena,
            "Unavailability as a sum: the time without a quorum, which the failures and repairs of "
            "the machines alone decide, and for each kind of transition its rate times the mean "
            "outage that clients saw in episodes of the real code around it. Each bar is one "
            "cell; its whole length is what stands beside it. Terms below nothing are not "
            "drawn.%s%s",
            words(bars, data), plot_left_out_text(data, bars->count, bars->left_out)),
    };
    is_fine = is_fine && plot_finish(context, &figure, &about, err);
    figure_release(&figure);
    return is_fine;
}

bool plot_parts(struct plot_context *context, struct err *err)
{
    struct bars *bars =
        arena_alloc(&context->data->arena, sizeof(*bars)); /* zeroed, as all of an arena */
    if (!load(bars, context->data, err)) {
        return false;
    }
    return bars->count == 0 || draw(bars, context, err);
}
