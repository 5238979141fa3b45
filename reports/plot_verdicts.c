/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Verdicts of the four arms over a sweep of two axes or more: a box for each combination, its
 * colour the verdict, and in it how many of the seeds had it. The last axis runs across, all others
 * down. A box whose seeds disagree is divided in proportion. Every box names its verdict, so the
 * picture can be read without its colours, and the lines below say what the words mean.
 *
 * A sweep with a single axis has its verdicts in the table of the page and gets no picture. */
#include "reports/plot.h"

#include "sim/base/base.h"

#include <string.h>

#define AXES_MAX    16
#define COLUMNS_MAX 10
#define ROWS_MAX    24
#define VERDICTS    5

#define WIDTH    960u
#define TOP      116u /* names of the columns stand above the boxes */
#define ROW      58u
#define LEFT_MIN 110u
#define LEFT_MAX 330u
#define RIGHT    940u
#define LETTER   8u /* about a letter's width */
#define LINE     22u
#define BOTTOM   22u
#define TEXT_MAX 40u

static const struct {
    const char *name;
    const char *colour;
    const char *meaning;
} verdicts[VERDICTS] = {
    {"stable", "#A9DEC9", "comes back by itself after the trigger"},
    {"metastable", "#F0A070", "stays down after the trigger; comes back when relieved, and stays"},
    {"unstable", "#E4B8D4", "collapses without any trigger: the load is too much"},
    {"permanent", "#B4B4B4", "stays down after the trigger, whatever relieves it"},
    {"undecided", "#F2F2F2", "the arms do not tell"},
};

/* A cell of the sweep: its values, and its runs by verdict. */
struct box {
    const char *values[AXES_MAX];
    uint32_t row;
    uint32_t column;
    int64_t runs[VERDICTS];
    int64_t total;
};

struct matrix {
    struct plot_context *context;
    struct box *boxes; /* as the cells of the report */
    const char *axes[AXES_MAX];
    bool is_varied[AXES_MAX];
    uint32_t axis_count;
    uint32_t across; /* index of the axis that runs across */
    const char *columns[COLUMNS_MAX];
    uint32_t column_count;
    const char *rows[ROWS_MAX];
    uint32_t row_count;
    uint32_t at; /* box being loaded */
    uint32_t left;
};

/* ------------------------------------------------------------------------------------- loading */

static bool on_value(void *context, const struct results_row *row)
{
    struct matrix *matrix = context;
    struct arena *arena = &matrix->context->data->arena;
    struct box *box = &matrix->boxes[matrix->at];
    uint32_t axis = 0;
    while (axis < matrix->axis_count && strcmp(matrix->axes[axis], row->values[0].text) != 0) {
        axis++;
    }
    if (axis == AXES_MAX) {
        return true;
    }
    if (axis == matrix->axis_count) {
        matrix->axes[matrix->axis_count++] = arena_strdup(arena, row->values[0].text);
    }
    box->values[axis] = arena_strdup(arena, row->values[1].text);
    const char *first = matrix->boxes[0].values[axis];
    matrix->is_varied[axis] |= first == NULL || strcmp(first, box->values[axis]) != 0;
    return true;
}

static bool on_verdict(void *context, const struct results_row *row)
{
    struct matrix *matrix = context;
    struct box *box = &matrix->boxes[matrix->at];
    for (uint32_t i = 0; i < VERDICTS; i++) {
        if (strcmp(verdicts[i].name, row->values[0].text) == 0) {
            box->runs[i] = row->values[1].integer;
            box->total += row->values[1].integer;
        }
    }
    return true;
}

static bool load(struct matrix *matrix, struct err *err)
{
    static const char values[] =
        "SELECT p.name, p.value FROM cell_param p JOIN cell c ON c.cell_id = p.cell_id"
        " JOIN scenario s ON s.scenario_id = c.scenario_id WHERE p.cell_id = CAST(?1 AS INTEGER)"
        " ORDER BY instr(substr(s.yaml, instr(s.yaml, char(10) || 'sweep:') + 1), p.name), p.name";
    static const char counts[] =
        "SELECT m.verdict, count(*) FROM metastability m JOIN run r USING(run_id)"
        " WHERE r.cell_id = CAST(?1 AS INTEGER) GROUP BY 1";
    struct report_data *data = matrix->context->data;
    matrix->boxes = arena_alloc_array(&data->arena, data->cell_count, sizeof(*matrix->boxes));
    for (uint32_t i = 0; i < data->cell_count; i++) {
        char id[24];
        snprintf(id, sizeof(id), "%lld", (long long)data->cells[i].cell_id);
        const char *const parameters[] = {id};
        matrix->at = i;
        matrix->boxes[i] = (struct box){0};
        if (!results_query(data->results, values, parameters, 1, on_value, matrix, err) ||
            !results_query(data->results, counts, parameters, 1, on_verdict, matrix, err)) {
            return false;
        }
    }
    return true;
}

/* ------------------------------------------------------------------------------------- the grid */

static const char *short_name(const char *path)
{
    const char *dot = strrchr(path, '.');
    return dot == NULL ? path : dot + 1;
}

/* The values of all varied axes but the one across: "fifo", with several "fifo, 20ms". */
static const char *row_name(const struct matrix *matrix, const struct box *box)
{
    const char *name = "";
    for (uint32_t i = 0; i < matrix->axis_count; i++) {
        if (matrix->is_varied[i] && i != matrix->across) {
            name = arena_printf(&matrix->context->data->arena, "%s%s%s", name,
                                *name == '\0' ? "" : ", ", box->values[i]);
        }
    }
    return name;
}

/* "discipline": names of the axes that run down. */
static const char *down_name(const struct matrix *matrix)
{
    const char *name = "";
    for (uint32_t i = 0; i < matrix->axis_count; i++) {
        if (matrix->is_varied[i] && i != matrix->across) {
            name = arena_printf(&matrix->context->data->arena, "%s%s%s", name,
                                *name == '\0' ? "" : ", ", short_name(matrix->axes[i]));
        }
    }
    return name;
}

/* Index of the name, added when it is new; `most` when there is no room. */
static uint32_t place(const char **names, uint32_t *count, uint32_t most, const char *name)
{
    uint32_t index = 0;
    while (index < *count && strcmp(names[index], name) != 0) {
        index++;
    }
    if (index == *count && index < most) {
        names[(*count)++] = name;
    }
    return index;
}

/* False: not a table, or too large a one. */
static bool lay_out(struct matrix *matrix)
{
    uint32_t varied = 0;
    for (uint32_t i = 0; i < matrix->axis_count; i++) {
        varied += matrix->is_varied[i] ? 1 : 0;
        matrix->across = matrix->is_varied[i] ? i : matrix->across;
    }
    if (varied < 2) {
        return false;
    }
    bool has_room = true;
    uint32_t longest = (uint32_t)strnlen(down_name(matrix), TEXT_MAX);
    for (uint32_t i = 0; i < matrix->context->data->cell_count; i++) {
        struct box *box = &matrix->boxes[i];
        const char *name = row_name(matrix, box);
        uint32_t length = (uint32_t)strnlen(name, TEXT_MAX);
        longest = length > longest ? length : longest;
        box->column =
            place(matrix->columns, &matrix->column_count, COLUMNS_MAX, box->values[matrix->across]);
        box->row = place(matrix->rows, &matrix->row_count, ROWS_MAX, name);
        has_room &= box->column < COLUMNS_MAX && box->row < ROWS_MAX;
    }
    if (!has_room) {
        plot_note(matrix->context,
                  "The verdicts are not drawn as a table: it would have more than "
                  "%u columns or %u rows.",
                  COLUMNS_MAX, ROWS_MAX);
    }
    uint32_t left = 30 + longest * LETTER;
    matrix->left = left < LEFT_MIN ? LEFT_MIN : left > LEFT_MAX ? LEFT_MAX : left;
    return has_room;
}

/* ---------------------------------------------------------------------------------- the picture */

static uint32_t column_left(const struct matrix *matrix, uint32_t column)
{
    return matrix->left + (RIGHT - matrix->left) * column / matrix->column_count;
}

static uint32_t height_of(const struct matrix *matrix, uint32_t meanings)
{
    return TOP + matrix->row_count * ROW + 18 + meanings * LINE + BOTTOM;
}

static void add_rectangle(struct figure *figure, const char *colour, const uint32_t corners[4])
{
    double width = figure->width;
    double height = figure->height;
    text_printf(&figure->script,
                "set object rectangle from screen %.5f, screen %.5f to screen %.5f, screen %.5f "
                "fillcolor rgb '%s' fillstyle solid 1 noborder\n",
                corners[0] / width, 1 - corners[1] / height, corners[2] / width,
                1 - corners[3] / height, colour);
}

/* The parts of a box, from the most frequent verdict on: one below the other. */
static void add_box(struct figure *figure, const struct matrix *matrix, const struct box *box)
{
    struct arena *arena = &matrix->context->data->arena;
    uint32_t left = column_left(matrix, box->column) + 2;
    uint32_t right = column_left(matrix, box->column + 1) - 2;
    uint32_t top = TOP + box->row * ROW + 2;
    uint32_t size = ROW - 4;
    int64_t done = 0;
    uint32_t lines = 0;
    uint32_t kinds = 0;
    for (uint32_t i = 0; i < VERDICTS; i++) {
        kinds += box->runs[i] > 0 ? 1 : 0;
    }
    for (uint32_t i = 0; i < VERDICTS; i++) {
        if (box->runs[i] == 0) {
            continue;
        }
        uint32_t begin = left + (uint32_t)((right - left) * done / box->total);
        done += box->runs[i];
        uint32_t end = left + (uint32_t)((right - left) * done / box->total);
        add_rectangle(figure, verdicts[i].colour, (uint32_t[]){begin, top, end, top + size});
        uint32_t y = top + size * (2 * lines + 1) / (2 * (kinds == 1 ? 2 : kinds));
        plot_label_add(figure, (left + right) / 2, y, kinds > 2 ? 10 : 12, "center front",
                       kinds == 1 ? verdicts[i].name
                                  : arena_printf(arena, "%s %lld of %lld", verdicts[i].name,
                                                 (long long)box->runs[i], (long long)box->total));
        lines++;
        if (kinds == 1) {
            plot_label_add(figure, (left + right) / 2, top + size * 3 / 4, 11,
                           "center front textcolor rgb '#444444'",
                           arena_printf(arena, "%lld of %lld seeds", (long long)box->total,
                                        (long long)box->total));
        }
    }
    if (box->total == 0) {
        plot_label_add(figure, (left + right) / 2, top + size / 2, 11,
                       "center front textcolor rgb '#777777'", "not run");
    }
}

static void add_names(struct figure *figure, const struct matrix *matrix)
{
    struct report_data *data = matrix->context->data;
    plot_label_add(figure, 20, 20, 15, "left",
                   arena_printf(&data->arena, "%s: does it come back by itself?", data->scenario));
    plot_label_add(figure, 20, 46, 11, "left textcolor rgb '#555555'",
                   "each box: one combination, its verdict, and how many of its seeds have it");
    plot_label_add(figure, (matrix->left + RIGHT) / 2, TOP - 40, 12,
                   "center textcolor rgb '#555555'", short_name(matrix->axes[matrix->across]));
    plot_label_add(figure, matrix->left - 12, TOP - 14, 12, "right textcolor rgb '#555555'",
                   plot_short(data, down_name(matrix), TEXT_MAX));
    for (uint32_t i = 0; i < matrix->column_count; i++) {
        uint32_t middle = (column_left(matrix, i) + column_left(matrix, i + 1)) / 2;
        plot_label_add(figure, middle, TOP - 14, 12, "center",
                       plot_short(data, matrix->columns[i], TEXT_MAX / 2));
    }
    for (uint32_t i = 0; i < matrix->row_count; i++) {
        plot_label_add(figure, matrix->left - 12, TOP + i * ROW + ROW / 2, 12, "right",
                       plot_short(data, matrix->rows[i], TEXT_MAX));
    }
}

static uint32_t count_meanings(const struct matrix *matrix, bool is_seen[VERDICTS])
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < VERDICTS; i++) {
        is_seen[i] = false;
        for (uint32_t cell = 0; cell < matrix->context->data->cell_count; cell++) {
            is_seen[i] |= matrix->boxes[cell].runs[i] > 0;
        }
        count += is_seen[i] ? 1 : 0;
    }
    return count;
}

static void add_meanings(struct figure *figure, const struct matrix *matrix,
                         const bool is_seen[VERDICTS])
{
    uint32_t y = TOP + matrix->row_count * ROW + 22;
    for (uint32_t i = 0; i < VERDICTS; i++) {
        if (!is_seen[i]) {
            continue;
        }
        add_rectangle(figure, verdicts[i].colour,
                      (uint32_t[]){matrix->left, y - 7, matrix->left + 16, y + 7});
        plot_label_add(figure, matrix->left + 24, y, 11, "left",
                       arena_printf(&matrix->context->data->arena, "%s: %s", verdicts[i].name,
                                    verdicts[i].meaning));
        y += LINE;
    }
}

static bool write_csv(const struct matrix *matrix, const struct figure *figure, struct err *err)
{
    struct text csv;
    text_init(&csv);
    text_add(&csv, "down,across");
    for (uint32_t i = 0; i < VERDICTS; i++) {
        text_printf(&csv, ",%s", verdicts[i].name);
    }
    text_add(&csv, "\n");
    for (uint32_t cell = 0; cell < matrix->context->data->cell_count; cell++) {
        const struct box *box = &matrix->boxes[cell];
        csv_field(&csv, matrix->rows[box->row]);
        text_add(&csv, ",");
        csv_field(&csv, matrix->columns[box->column]);
        for (uint32_t i = 0; i < VERDICTS; i++) {
            text_printf(&csv, ",%lld", (long long)box->runs[i]);
        }
        text_add(&csv, "\n");
    }
    bool is_fine = figure_write_csv(figure, "", &csv, err);
    text_release(&csv);
    return is_fine;
}

static bool draw(struct matrix *matrix, struct err *err)
{
    bool is_seen[VERDICTS];
    uint32_t meanings = count_meanings(matrix, is_seen);
    struct figure figure;
    figure_init(&figure, matrix->context->folder, "verdicts", matrix->context->format, WIDTH,
                height_of(matrix, meanings));
    bool is_fine = write_csv(matrix, &figure, err);
    if (is_fine) {
        add_names(&figure, matrix);
        for (uint32_t i = 0; i < matrix->context->data->cell_count; i++) {
            add_box(&figure, matrix, &matrix->boxes[i]);
        }
        add_meanings(&figure, matrix, is_seen);
        text_add(&figure.script,
                 "unset border\nunset tics\nunset key\nset xrange [0:1]\nset yrange "
                 "[0:1]\nplot NaN notitle\n");
        struct plot_figure about = {
            .plot = "verdicts",
            .title = "Verdicts of the sweep",
            .caption = "One box for each combination; the seeds, and so the arrivals, are the same "
                       "in all of them. A box whose seeds disagree is divided in proportion.",
        };
        is_fine = plot_finish(matrix->context, &figure, &about, err);
    }
    figure_release(&figure);
    return is_fine;
}

bool plot_verdicts(struct plot_context *context, struct err *err)
{
    if (!context->data->has_arms) {
        return true;
    }
    struct matrix matrix = {.context = context};
    return load(&matrix, err) && (!lay_out(&matrix) || draw(&matrix, err));
}
