/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Gray failure: for each cell of the sweep a table of two by two, what the detector said against
 * what the clients saw, in shares of the time. The corner that matters has its own colour: the
 * detector is content and the clients are not, so nobody comes to help. */
#include "reports/plot.h"

#include "sim/base/base.h"

#include <math.h>
#include <string.h>

#define TABLES_MAX   12
#define COLUMNS      3u
#define WIDTH        960u
#define LEFT         40u
#define TOP          64u
#define BOX_WIDTH    100u
#define BOX_HEIGHT   44u
#define MARGIN       72u /* words beside the boxes */
#define TABLE_WIDTH  (MARGIN + 2 * BOX_WIDTH + 26)
#define TABLE_HEIGHT (2 * BOX_HEIGHT + 74)

struct table {
    const struct report_cell *cell;
    double seconds[4]; /* up/up, up/down, down/up, down/down: detector first */
    double sum;
};

struct sheet {
    struct table tables[TABLES_MAX];
    uint32_t count;
    uint32_t left_out;
};

static bool on_sums(void *context, const struct results_row *row)
{
    struct table *table = context;
    ASSERT(row->count == 4);
    for (uint32_t i = 0; i < 4; i++) {
        table->seconds[i] = row->values[i].type == RESULTS_NULL ? 0 : row->values[i].real;
        table->sum += table->seconds[i];
    }
    return true;
}

static bool load(struct plot_context *context, struct sheet *sheet, struct err *err)
{
    static const char sql[] =
        "SELECT sum(CASE m.name WHEN 'gray_up_up_s' THEN m.value END),"
        " sum(CASE m.name WHEN 'gray_up_down_s' THEN m.value END),"
        " sum(CASE m.name WHEN 'gray_down_up_s' THEN m.value END),"
        " sum(CASE m.name WHEN 'gray_down_down_s' THEN m.value END)"
        " FROM metric m JOIN run r USING(run_id) WHERE r.cell_id = CAST(?1 AS INTEGER)";
    struct report_data *data = context->data;
    for (uint32_t i = 0; i < data->cell_count; i++) {
        char id[24];
        snprintf(id, sizeof(id), "%lld", (long long)data->cells[i].cell_id);
        const char *parameters[] = {id};
        struct table table = {.cell = &data->cells[i]};
        if (!results_query(data->results, sql, parameters, 1, on_sums, &table, err)) {
            return false;
        }
        if (table.sum > 0 && sheet->count < TABLES_MAX) {
            sheet->tables[sheet->count++] = table;
        } else if (table.sum > 0) {
            sheet->left_out++;
        }
    }
    return true;
}

static bool write_csv(const struct figure *figure, const struct sheet *sheet, struct err *err)
{
    struct text csv;
    text_init(&csv);
    text_add(&csv, "cell,both_up_s,gray_s,false_alarm_s,both_down_s\n");
    for (uint32_t i = 0; i < sheet->count; i++) {
        const struct table *table = &sheet->tables[i];
        csv_field(&csv, table->cell->title);
        for (uint32_t cell = 0; cell < 4; cell++) {
            text_printf(&csv, ",%.9g", table->seconds[cell]);
        }
        text_add(&csv, "\n");
    }
    bool is_fine = figure_write_csv(figure, "", &csv, err);
    text_release(&csv);
    return is_fine;
}

static void add_box(struct figure *figure, uint32_t x, uint32_t y, const char *colour)
{
    const double width = figure->width;
    const double height = figure->height;
    text_printf(&figure->script,
                "set object rectangle from screen %.5f, screen %.5f to screen %.5f, screen %.5f "
                "fillcolor rgb '%s' fillstyle solid border rgb '#999999'\n",
                x / width, 1 - y / height, (x + BOX_WIDTH) / width, 1 - (y + BOX_HEIGHT) / height,
                colour);
}

static void add_table(struct figure *figure, struct report_data *data, const struct table *table,
                      uint32_t x, uint32_t y)
{
    static const char *const colours[] = {"#E8F1EC", GNUPLOT_FAULT, "#F4F0E0", "#D9D9D9"};
    static const char *const rows[] = {"detector up", "detector down"};
    static const char *const columns[] = {"clients up", "clients down"};
    plot_label_add(figure, x, y + 8, 12, "left", plot_short(data, table->cell->title, 40));
    for (uint32_t i = 0; i < 2; i++) {
        plot_label_add(figure, x + MARGIN + i * BOX_WIDTH + BOX_WIDTH / 2, y + 30, 10,
                       "center textcolor rgb '#555555'", columns[i]);
        plot_label_add(figure, x + MARGIN - 6, y + 40 + i * BOX_HEIGHT + BOX_HEIGHT / 2, 10,
                       "right textcolor rgb '#555555'", rows[i]);
    }
    for (uint32_t cell = 0; cell < 4; cell++) {
        const uint32_t left = x + MARGIN + cell % 2 * BOX_WIDTH;
        const uint32_t top = y + 40 + cell / 2 * BOX_HEIGHT;
        add_box(figure, left, top, colours[cell]);
        plot_label_add(
            figure, left + BOX_WIDTH / 2, top + BOX_HEIGHT / 2, 14, "center front",
            arena_printf(&data->arena, "%.2f%%", 100 * table->seconds[cell] / table->sum));
    }
}

static const char *finding_of(const struct sheet *sheet, struct report_data *data)
{
    const struct table *worst = &sheet->tables[0];
    for (uint32_t i = 1; i < sheet->count; i++) {
        const struct table *table = &sheet->tables[i];
        worst = table->seconds[1] / table->sum > worst->seconds[1] / worst->sum ? table : worst;
    }
    const double seen = worst->seconds[3] + worst->seconds[1];
    return arena_printf(
        &data->arena, "%s%sthe detector misses %.0f%% of the time in which clients are down",
        sheet->count > 1 ? plot_short(data, worst->cell->title, 40) : "",
        sheet->count > 1 ? ": " : "", seen > 0 ? 100 * worst->seconds[1] / seen : 0);
}

static bool draw(struct plot_context *context, const struct sheet *sheet, struct figure *figure,
                 struct err *err)
{
    struct report_data *data = context->data;
    plot_label_add(figure, LEFT, 20, 15, "left", finding_of(sheet, data));
    plot_label_add(figure, LEFT, 40, 12, "left textcolor rgb '#555555'",
                   arena_printf(&data->arena,
                                "%s: share of time; coloured: the detector says up and the clients "
                                "are down, a gray failure",
                                data->scenario));
    for (uint32_t i = 0; i < sheet->count; i++) {
        add_table(figure, data, &sheet->tables[i], LEFT + i % COLUMNS * TABLE_WIDTH,
                  TOP + i / COLUMNS * TABLE_HEIGHT);
    }
    text_add(&figure->script, "unset border\nunset tics\nunset key\nset xrange [0:1]\n"
                              "set yrange [0:1]\nplot NaN notitle\n");
    struct plot_figure about = {
        .plot = "gray",
        .title = "The detector's view and the clients'",
        .caption = arena_printf(
            &data->arena,
            "Gray failure is differential observability (Huang et al., HotOS 2017). Rows: what the "
            "scenario's detector said, from the moment it knew. Columns: whether the clients' "
            "availability window was up. Time is that of all runs of a cell after the warm-up in "
            "which clients asked for anything.%s",
            plot_left_out_text(data, sheet->count, sheet->left_out)),
    };
    return write_csv(figure, sheet, err) && plot_finish(context, figure, &about, err);
}

bool plot_gray(struct plot_context *context, struct err *err)
{
    struct sheet sheet = {0};
    if (!load(context, &sheet, err)) {
        return false;
    }
    if (sheet.count == 0) {
        return true;
    }
    struct figure figure;
    const uint32_t rows = (sheet.count + COLUMNS - 1) / COLUMNS;
    figure_init(&figure, context->folder, "gray", context->format, WIDTH,
                TOP + rows * TABLE_HEIGHT + 4);
    bool is_fine = draw(context, &sheet, &figure, err);
    figure_release(&figure);
    return is_fine;
}
