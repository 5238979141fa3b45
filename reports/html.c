/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The page, from top to bottom: the outcome in one sentence, checks, cells, plots of the whole
 * sweep, runs that did not pass with the command that repeats each, faults that struck, timelines,
 * the scenario's text, and where it all comes from. Tables are asked from the results file while
 * the page is written; every text in them is escaped. */
#include "reports/html.h"

#include "analysis/compare.h"
#include "analysis/statistics.h"
#include "reports/experiment.h"
#include "sim/base/base.h"

#include <math.h>
#include <string.h>

#define CELLS_SHOWN   200
#define FAILING_SHOWN "50"
#define FLEET_SHOWN   400
#define BATCHES       20u /* of a run that is alone */

struct page {
    struct text text;
    struct plot_context *context;
    struct report_data *data;
    const char *cell_ids; /* "(1,2,3)" for IN */
    const char *command;  /* "squall replay scenarios/x.yaml --set k=v": what replays one of these
                             runs, but cell and seed */
    uint32_t rows;        /* of the table being written */
    bool has_experiment;  /* the cells are points of one */
};

static const char style[] =
    "body{margin:0 auto;max-width:1180px;padding:1rem;background:#fff;color:#1a1a1a;"
    "font:16px/1.5 'Liberation Sans',Arial,sans-serif}\n"
    "h1{font-size:1.6rem;margin:.4rem 0}h2{font-size:1.2rem;margin:2rem 0 .5rem;border-bottom:1px "
    "solid #ccc}\n"
    "p{max-width:48rem;margin:.5rem 0}a{color:#0050a0}\n"
    ".outcome{border-left:.4rem solid #777;padding:.5rem "
    "1rem;background:#f5f5f5;font-size:1.1rem}\n"
    ".good{border-color:#009e73}.bad{border-color:#d55e00}.outcome b{font-size:1.2rem}\n"
    ".scroll{overflow-x:auto}table{border-collapse:collapse;font-size:.9rem;margin:.5rem 0}\n"
    "th,td{text-align:left;padding:.25rem .6rem;border-bottom:1px solid #ddd;vertical-align:top}\n"
    "th{background:#f0f0f0;vertical-align:bottom}th.n{text-align:right}"
    "td.n{text-align:right;white-space:nowrap}td.name{white-space:nowrap}td.ok,td.no{white-space:"
    "nowrap}td.long{min-width:14rem;white-space:normal}\n"
    "td.ok{color:#00704f;font-weight:bold}td.no{color:#b03a00;font-weight:bold}\n"
    "code,pre{font:.85rem 'Liberation "
    "Mono',monospace}code.run{white-space:nowrap;user-select:all}\n"
    "pre{overflow-x:auto;background:#f5f5f5;padding:.7rem}\n"
    "figure{margin:1rem 0}figure "
    "div{overflow-x:auto}img{max-width:100%;min-width:36rem;height:auto;border:1px solid "
    "#ddd;box-sizing:border-box}\n"
    "figcaption{font-size:.9rem;color:#333;max-width:60rem}\n"
    ".pairs{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,34rem),1fr));gap:"
    "1rem}\n"
    ".pairs img{min-width:30rem}.none{color:#666}\n"
    "footer{margin-top:2rem;border-top:1px solid "
    "#ccc;font-size:.8rem;color:#444;overflow-wrap:anywhere}\n"
    "@media print{body{max-width:none}figure,tr{break-inside:avoid}}\n";

void html_escape(struct text *page, const char *string)
{
    struct text line;
    text_init(&line);
    while (*string != '\0') {
        size_t length = strcspn(string, "\n");
        struct text raw;
        text_init(&raw);
        text_add_bytes(&raw, string, length);
        text_clear(&line);
        gnuplot_clean(&line, text_of(&raw), SIZE_MAX / 8);
        text_release(&raw);
        for (const char *at = text_of(&line); *at != '\0'; at++) {
            const char *entity = *at == '&'    ? "&amp;"
                                 : *at == '<'  ? "&lt;"
                                 : *at == '>'  ? "&gt;"
                                 : *at == '"'  ? "&quot;"
                                 : *at == '\'' ? "&#39;"
                                               : NULL;
            if (entity != NULL) {
                text_add(page, entity);
            } else {
                text_add_bytes(page, at, 1);
            }
        }
        string += length;
        if (*string == '\n') {
            text_add(page, "\n");
            string++;
        }
    }
    text_release(&line);
}

/* -------------------------------------------------------------------------------------- numbers */

/* 12 345 678 */
static const char *grouped(struct page *page, int64_t number)
{
    char digits[32];
    struct text out;
    text_init(&out);
    snprintf(digits, sizeof(digits), "%lld", (long long)(number < 0 ? -number : number));
    size_t length = strlen(digits);
    text_add(&out, number < 0 ? "-" : "");
    for (size_t i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0) {
            text_add(&out, "\xe2\x80\xaf");
        }
        text_add_bytes(&out, &digits[i], 1);
    }
    const char *kept = arena_strdup(&page->data->arena, text_of(&out));
    text_release(&out);
    return kept;
}

/* "99.93%": two digits of what is missing to 100 %. */
static const char *percent(struct page *page, double share)
{
    if (isnan(share)) {
        return "\xe2\x80\x93";
    }
    double missing = fmin(share, 1 - share);
    int digits = missing > 0 ? 1 - (int)floor(log10(missing * 100)) : 0;
    digits = digits < 0 ? 0 : digits > 12 ? 12 : digits;
    return arena_printf(&page->data->arena, "%.*f%%", digits, 100 * share);
}

static const char *seconds(struct page *page, double value)
{
    struct arena *arena = &page->data->arena;
    if (isnan(value)) {
        return "\xe2\x80\x93";
    }
    if (value >= 0.9995 || value <= 0) {
        return arena_printf(arena, "%.3g s", value);
    }
    return value >= 0.0009995 ? arena_printf(arena, "%.3g ms", value * 1e3)
                              : arena_printf(arena, "%.3g \xc2\xb5s", value * 1e6);
}

/* --------------------------------------------------------------------------------------- tables */

/* `heads`: titles, separated by '|'; a leading '#' aligns the column to the right. */
static void table_begin(struct page *page, const char *heads)
{
    text_add(&page->text, "<div class=\"scroll\"><table><thead><tr>");
    page->rows = 0;
    while (*heads != '\0') {
        size_t length = strcspn(heads, "|");
        bool is_number = *heads == '#';
        text_printf(&page->text, "<th%s>%.*s</th>", is_number ? " class=\"n\"" : "",
                    (int)(length - (is_number ? 1 : 0)), heads + (is_number ? 1 : 0));
        heads += length + (heads[length] == '|' ? 1 : 0);
    }
    text_add(&page->text, "</tr></thead><tbody>\n");
}

static void row_begin(struct page *page)
{
    text_add(&page->text, "<tr>");
    page->rows++;
}

static void field(struct page *page, const char *class, const char *string)
{
    text_printf(&page->text, *class == '\0' ? "<td>" : "<td class=\"%s\">", class);
    html_escape(&page->text, string);
    text_add(&page->text, "</td>");
}

static void number(struct page *page, int64_t value)
{
    field(page, "n", grouped(page, value));
}

static void row_end(struct page *page)
{
    text_add(&page->text, "</tr>\n");
}

/* `none`: what to say when there was no row. */
static void table_end(struct page *page, uint32_t columns, const char *none)
{
    if (page->rows == 0) {
        text_printf(&page->text, "<tr><td class=\"none\" colspan=\"%u\">%s</td></tr>\n", columns,
                    none);
    }
    text_add(&page->text, "</tbody></table></div>\n");
}

/* Each %s in `sql` stands for the list of cells. */
static bool ask(struct page *page, const char *sql,
                bool (*on_row)(void *context, const struct results_row *row), struct err *err)
{
    struct text whole;
    text_init(&whole);
    const char *from = sql;
    for (const char *at = strstr(from, "%s"); at != NULL; at = strstr(from, "%s")) {
        text_add_bytes(&whole, from, (size_t)(at - from));
        text_add(&whole, page->cell_ids);
        from = at + 2;
    }
    ASSERT(from != sql);
    text_add(&whole, from);
    bool is_fine = results_query(page->data->results, text_of(&whole), NULL, 0, on_row, page, err);
    text_release(&whole);
    return is_fine;
}

/* ---------------------------------------------------------------------------------- the outcome */

/* The block of a top-level key of the scenario, or NULL: "expect:\n  violated: [recovers]". */
static const char *yaml_block(struct page *page, const char *key)
{
    const char *yaml = page->data->yaml;
    const char *line = arena_printf(&page->data->arena, "\n%s:", key);
    const char *at = strstr(yaml, line);
    if (at == NULL) {
        return NULL;
    }
    at++;
    const char *end = at + strcspn(at, "\n");
    while (*end == '\n' && (end[1] == ' ' || end[1] == '-')) {
        end += 1 + strcspn(end + 1, "\n");
    }
    return arena_strndup(&page->data->arena, at, (size_t)(end - at));
}

/* The text of a one-line scalar, without its quotes and escapes; "" when there is none. */
static const char *yaml_scalar(struct page *page, const char *key)
{
    const char *block = yaml_block(page, key);
    if (block == NULL) {
        return "";
    }
    const char *at = block + strlen(key) + 1;
    at += strspn(at, " ");
    bool is_quoted = *at == '"';
    struct text out;
    text_init(&out);
    for (at += is_quoted ? 1 : 0; *at != '\0' && !(is_quoted && *at == '"'); at++) {
        if (is_quoted && *at == '\\' && at[1] != '\0') {
            at++;
            text_add(&out, *at == 'n' ? "\n" : (char[]){*at, '\0'});
        } else {
            text_add_bytes(&out, at, 1);
        }
    }
    const char *kept = arena_strdup(&page->data->arena, text_of(&out));
    text_release(&out);
    return kept;
}

struct totals {
    int64_t runs;
    int64_t pass;
    int64_t fail;
    int64_t unknown;
    int64_t error;
    uint32_t empty; /* cells without a run */
};

static struct totals totals_of(const struct report_data *data)
{
    struct totals totals = {0};
    for (uint32_t i = 0; i < data->cell_count; i++) {
        const struct report_cell *cell = &data->cells[i];
        totals.runs += cell->runs;
        totals.pass += cell->pass;
        totals.fail += cell->fail;
        totals.unknown += cell->unknown;
        totals.error += cell->error;
        totals.empty += cell->runs == 0 ? 1 : 0;
    }
    return totals;
}

static void add_expectation(struct page *page)
{
    const char *expect = yaml_block(page, "expect");
    if (expect == NULL || strcmp(expect, "expect: pass") == 0) {
        return;
    }
    struct text one;
    text_init(&one);
    for (const char *at = expect + strlen("expect:"); *at != '\0'; at++) {
        bool is_gap =
            *at == '\n' || (*at == ' ' && one.length > 0 && one.data[one.length - 1] == ' ');
        if (*at == '\n' && one.length > 0) {
            text_add(&one, one.data[one.length - 1] == ':' ? " " : "; ");
        } else if (!is_gap) {
            text_add_bytes(&one, at, 1);
        }
    }
    text_add(&page->text, strstr(expect, "violated") != NULL
                              ? "<br>The scenario is meant to show a failure. It expects: <code>"
                              : "<br>The scenario expects: <code>");
    html_escape(&page->text, text_of(&one) + strspn(text_of(&one), " ;"));
    text_add(&page->text, "</code>");
    text_release(&one);
}

/* Limits for which the condition on `ok` holds: 0 is crossed, NULL not settled by so many runs. In
 * files of older programs, which did not tell them apart, both are 0. */
static int64_t count_thresholds(struct page *page, const char *condition)
{
    int64_t count = 0;
    const char *sql = arena_printf(&page->data->arena,
                                   "SELECT count(*) FROM threshold WHERE ok %s AND cell_id IN %s",
                                   condition, page->cell_ids);
    return results_query_integer(page->data->results, sql, 0, &count, NULL) ? count : 0;
}

static void add_thresholds_outcome(struct page *page, int64_t count, const char *sign,
                                   const char *what)
{
    if (count > 0) {
        text_printf(&page->text, "<br><b>%s %s %s</b>: <a href=\"#thresholds\">%s</a>.", sign,
                    count == 1 ? "One threshold is"
                               : arena_printf(&page->data->arena, "%s thresholds are",
                                              grouped(page, count)),
                    what, count == 1 ? "which one" : "which ones");
    }
}

static void add_outcome(struct page *page)
{
    struct text *text = &page->text;
    struct report_data *data = page->data;
    struct totals totals = totals_of(data);
    int64_t bad = totals.fail + totals.error;
    bool is_good = totals.runs > 0 && totals.pass == totals.runs && data->nondeterministic == 0;
    const char *expect = yaml_block(page, "expect");
    bool is_meant = expect != NULL && strcmp(expect, "expect: pass") != 0;
    const int64_t unheld = count_thresholds(page, "= 0");
    const int64_t unsettled = count_thresholds(page, "IS NULL");
    bool is_bad = (bad > 0 && !is_meant) || data->nondeterministic > 0 || unheld > 0;
    text_printf(text, "<div class=\"outcome%s\"><b>",
                is_bad                      ? " bad"
                : is_good && unsettled == 0 ? " good"
                                            : "");
    if (totals.runs == 0) {
        text_add(text, "? Nothing was run.");
    } else if (is_good) {
        text_printf(text,
                    totals.runs == 1 ? "\xe2\x9c\x93 The only run passed%s."
                                     : "\xe2\x9c\x93 All %s runs passed.",
                    totals.runs == 1 ? "" : grouped(page, totals.runs));
    } else if (bad > 0) {
        text_printf(text, "\xe2\x9c\x97 %s of %s runs violated a check.", grouped(page, bad),
                    grouped(page, totals.runs));
    } else {
        text_printf(text, "? %s of %s runs could not be decided.", grouped(page, totals.unknown),
                    grouped(page, totals.runs));
    }
    text_add(text, "</b>");
    if (bad > 0) {
        text_printf(text, " %s passed", grouped(page, totals.pass));
        if (totals.error > 0) {
            text_printf(text, ", %s ended in an error", grouped(page, totals.error));
        }
        if (totals.unknown > 0) {
            text_printf(text, ", %s could not be decided", grouped(page, totals.unknown));
        }
        text_add(text, ".");
    }
    add_thresholds_outcome(page, unheld, "\xe2\x9c\x97", "not held");
    add_thresholds_outcome(page, unsettled, "?", "not settled by so many runs");
    if (data->nondeterministic > 0) {
        text_printf(text,
                    "<br><b>%s not deterministic</b>: done again with the same seed, "
                    "they came out "
                    "differently. Nothing else here can be trusted until that is mended.",
                    data->nondeterministic == 1
                        ? "One run was"
                        : arena_printf(&data->arena, "%s runs were",
                                       grouped(page, data->nondeterministic)));
    }
    if (totals.empty > 0) {
        text_printf(text, "<br>%u of %u cells have no run yet.", totals.empty, data->cell_count);
    }
    add_expectation(page);
    text_add(text, "</div>\n");
}

/* --------------------------------------------------------------------------------------- checks */

static bool on_check(void *context, const struct results_row *row)
{
    struct page *page = context;
    const struct results_value *values = row->values;
    int64_t comparisons = values[2].integer;
    int64_t violated = values[3].integer;
    int64_t known = values[4].integer;
    int64_t unknown = values[5].integer;
    bool is_empty = comparisons == 0;
    row_begin(page);
    if (violated > 0) {
        field(page, "no", "\xe2\x9c\x97 violated");
    } else if (is_empty || unknown > 0) {
        field(page, "no", is_empty ? "? compared nothing" : "? undecided");
    } else {
        field(page, "ok",
              known > 0 ? "\xe2\x9c\x93 held, but for a known defect" : "\xe2\x9c\x93 held");
    }
    field(page, "", values[0].text);
    for (uint32_t i = 1; i <= 5; i++) {
        number(page, values[i].integer);
    }
    field(page, "", values[6].text);
    row_end(page);
    return true;
}

static bool on_probe(void *context, const struct results_row *row)
{
    struct page *page = context;
    row_begin(page);
    field(page, row->values[1].integer > 0 ? "ok" : "no",
          row->values[1].integer > 0 ? "\xe2\x9c\x93 reached" : "? never reached");
    for (uint32_t i = 0; i < 4; i++) {
        field(page, i == 0 || i == 3 ? "" : "n", row->values[i].text);
    }
    row_end(page);
    return true;
}

static bool on_threshold(void *context, const struct results_row *row)
{
    struct page *page = context;
    row_begin(page);
    bool is_held = row->values[3].integer != 0;
    /* Older programs stored what is open as crossed; without a value it cannot have been. */
    const bool is_open = row->values[3].type == RESULTS_NULL || row->values[4].type == RESULTS_NULL;
    field(page, is_held ? "ok" : "no",
          is_held   ? "\xe2\x9c\x93 held"
          : is_open ? "? not settled"
                    : "\xe2\x9c\x97 not held");
    field(page, "", row->values[0].text);
    field(page, "", row->values[1].text[0] == '\0' ? "all runs" : row->values[1].text);
    const bool is_time = strncmp(row->values[0].text, "downtime", strlen("downtime")) == 0 &&
                         row->values[4].type != RESULTS_NULL;
    field(page, "n",
          is_time ? fleet_downtime(page->data, row->values[4].real) : row->values[2].text);
    row_end(page);
    return true;
}

static bool add_judged(struct page *page, struct err *err)
{
    static const char checks[] =
        "SELECT k.name, sum(k.runs), sum(k.comparisons), sum(k.violated), sum(k.known), "
        "sum(k.unknown),"
        " (SELECT group_concat(t, ', ') FROM (SELECT CASE c.label WHEN '' THEN 'all runs' ELSE "
        "c.label END || ': '"
        " || n.violated AS t FROM check_count n JOIN cell c ON c.cell_id = n.cell_id WHERE n.name "
        "= k.name"
        " AND n.violated > 0 AND n.cell_id IN %s ORDER BY n.violated DESC, c.label LIMIT 8))"
        " FROM check_count k WHERE k.cell_id IN %s GROUP BY k.name ORDER BY sum(k.violated) DESC,"
        " sum(k.known) DESC, k.name";
    static const char probes[] = "SELECT name, sum(hits), count(*), coalesce(min(first_seed), '') "
                                 "FROM probe WHERE cell_id IN %s"
                                 " GROUP BY name ORDER BY sum(hits) > 0, name";
    text_add(&page->text, "<h2 id=\"checks\">Checks</h2>\n");
    table_begin(page, "|check|#runs judged|#comparisons|#violated|#known defect|#undecided|where "
                      "violated (runs)");
    if (!ask(page, checks, on_check, err)) {
        return false;
    }
    table_end(page, 8, "No check was judged.");
    text_add(&page->text,
             "<p>Rare events that the runs should reach at least <em>sometimes</em>:</p>\n");
    table_begin(page, "|probe|#runs that reached it|#cells|first seed");
    if (!ask(page, probes, on_probe, err)) {
        return false;
    }
    table_end(page, 5, "No probe was recorded.");
    return true;
}

/* `has_runs`: something was run that checks can judge. */
static bool add_checks(struct page *page, bool has_runs, struct err *err)
{
    static const char thresholds[] =
        "SELECT t.expr, c.label, CASE WHEN t.observed IS NULL THEN "
        "'nothing seen' ELSE printf('%.6g', t.observed) END,"
        " t.ok, t.observed FROM threshold t JOIN cell c "
        "ON c.cell_id = t.cell_id WHERE t.cell_id IN %s "
        "ORDER BY coalesce(t.ok, 0.5), t.line, t.expr, c.replicas, c.label";
    int64_t count = 0;
    if ((has_runs && !add_judged(page, err)) ||
        !results_query_integer(page->data->results, "SELECT count(*) FROM threshold", 0, &count,
                               err)) {
        return false;
    }
    if (count > 0) {
        text_add(&page->text, "<h2 id=\"thresholds\">Thresholds</h2>\n");
        table_begin(page, "|threshold|cell|#observed");
        if (!ask(page, thresholds, on_threshold, err)) {
            return false;
        }
        table_end(page, 4, "None for these cells.");
    }
    return true;
}

/* ---------------------------------------------------------------------------------------- cells */

static const char dash[] = "\xe2\x80\x93";

/* Windows of one run, in order of time. */
struct windows {
    struct vec down; /* double: 0 or 1 */
    uint64_t cycles; /* outages that began */
    bool was_down;
};

static bool on_window(void *context, const struct results_row *row)
{
    struct windows *windows = context;
    const bool is_down = row->values[0].integer == 0;
    const double down = is_down ? 1 : 0;
    windows->cycles += is_down && !windows->was_down ? 1 : 0;
    windows->was_down = is_down;
    if (windows->down.count < REPORT_WINDOWS_MAX) {
        vec_append(&windows->down, &down);
    }
    return true;
}

/* One long run has an interval as well: that of the means of twenty parts of it, around what was
 * measured. NULL: nothing is known of its windows, or they are too few. */
static const char *interval_of_one(struct page *page, const struct report_cell *cell, double down)
{
    static const char sql[] = "SELECT up FROM window WHERE run_id=CAST(?1 AS INTEGER) AND "
                              "offered>0 ORDER BY t_ns";
    struct windows windows = {.cycles = 0};
    struct arena *arena = &page->data->arena;
    const char *text = NULL;
    char id[24];
    const char *parameters[] = {id};
    if (cell->share.seeds != 1 || cell->kept_count != 1) {
        return NULL;
    }
    snprintf(id, sizeof(id), "%lld", (long long)cell->kept[0].run_id);
    vec_init(&windows.down, sizeof(double), REPORT_WINDOWS_MAX);
    if (results_query(page->data->results, sql, parameters, 1, on_window, &windows, NULL)) {
        const struct batch_means batches =
            batch_means(windows.down.items, windows.down.count, BATCHES, windows.cycles, .95);
        const double half = (batches.mean.interval.high - batches.mean.interval.low) / 2;
        if (half > 0) {
            text = arena_printf(arena, "%s \xe2\x80\x93 %s, %u parts of one run%s",
                                percent(page, fmax(0, 1 - down - half)),
                                percent(page, fmin(1, 1 - down + half)), BATCHES,
                                batches.is_too_short ? ": too short to be believed" : "");
        }
    }
    vec_release(&windows.down);
    return text;
}

static void add_availability(struct page *page, const struct report_cell *cell)
{
    struct share_interval interval = share_interval_of(&cell->share, 0);
    double nines = -log10(interval.is_bound ? interval.high : interval.estimate);
    struct arena *arena = &page->data->arena;
    field(page, "n",
          isnan(interval.estimate) ? "\xe2\x80\x93" : percent(page, 1 - interval.estimate));
    if (isnan(interval.low)) {
        const char *one = interval_of_one(page, cell, interval.estimate);
        field(page, "n", one == NULL ? dash : one);
    } else {
        field(page, "n",
              interval.is_bound
                  ? arena_printf(arena, "above %s", percent(page, 1 - interval.high))
                  : arena_printf(arena, "%s \xe2\x80\x93 %s", percent(page, 1 - interval.high),
                                 percent(page, 1 - interval.low)));
    }
    field(page, "n",
          isnan(nines) ? "\xe2\x80\x93"
                       : arena_printf(arena, "%s%.1f", interval.is_bound ? "\xe2\x89\xa5 " : "",
                                      nines < 0.05 ? 0 : nines));
}

static void add_recovery(struct page *page, const struct report_cell *cell)
{
    struct arena *arena = &page->data->arena;
    int64_t never = cell->faulted - cell->recovered;
    if (cell->faulted == 0) {
        field(page, "", "no fault struck");
        return;
    }
    const char *text = "";
    if (cell->recovered > 0) {
        text = arena_printf(arena, "%s mean, %s longest", seconds(page, cell->recovery_s),
                            seconds(page, cell->recovery_s_max));
    }
    if (never > 0) {
        text =
            arena_printf(arena, "not in %lld of %lld runs%s%s", (long long)never,
                         (long long)cell->faulted, cell->recovered > 0 ? "; others: " : "", text);
    }
    field(page, never > 0 ? "no long" : "long", text);
}

static void add_cells(struct page *page)
{
    struct report_data *data = page->data;
    text_add(&page->text, "<h2 id=\"cells\">Cells</h2>\n");
    table_begin(page, "cell|#runs|#pass|#fail|#undecided|#error|#operations|#answered|#sends per "
                      "operation|#availability|"
                      "#95% interval|#nines|recovery after the last fault");
    for (uint32_t i = 0; i < data->cell_count && i < CELLS_SHOWN; i++) {
        const struct report_cell *cell = &data->cells[i];
        double offered = (double)cell->offered;
        row_begin(page);
        field(page, "name", cell->title);
        const int64_t counts[] = {cell->runs,    cell->pass,  cell->fail,
                                  cell->unknown, cell->error, cell->offered};
        for (uint32_t c = 0; c < ARRAY_COUNT(counts); c++) {
            number(page, counts[c]);
        }
        field(page, "n",
              cell->offered == 0 ? "\xe2\x80\x93" : percent(page, (double)cell->ok / offered));
        field(page, "n",
              cell->offered == 0
                  ? "\xe2\x80\x93"
                  : arena_printf(&data->arena, "%.2f", (double)cell->attempts / offered));
        add_availability(page, cell);
        add_recovery(page, cell);
        row_end(page);
    }
    table_end(page, 13, "No cell.");
    if (data->cell_count > CELLS_SHOWN) {
        text_printf(
            &page->text,
            "<p>The first %d of %u cells; all are in the view <code>v_cell</code> of the results "
            "file.</p>\n",
            CELLS_SHOWN, data->cell_count);
    }
    text_add(&page->text,
             "<p>Availability is the share of measured time in windows that meet the scenario's "
             "predicate; the "
             "interval comes from the spread between seeds, since windows of one run depend on "
             "each other. With no "
             "downtime seen it is a bound, in which each seed counts as one trial. Operations are "
             "those meant to be done "
             "after the warm-up; those still open at the end count as not answered.</p>\n");
}

/* ----------------------------------------------------------------------- runs that did not pass */

static void add_word(struct text *out, const char *word)
{
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_=./,:%+@";
    if (*word != '\0' && word[strspn(word, plain)] == '\0') {
        text_add(out, word);
        return;
    }
    text_add(out, "'");
    for (; *word != '\0'; word++) {
        text_add(out, *word == '\'' ? "'\\''" : (char[]){*word, '\0'});
    }
    text_add(out, "'");
}

static bool on_setting(void *context, const struct results_row *row)
{
    text_add(context, " --set ");
    add_word(context, row->values[0].text);
    return true;
}

/* A cell of an experiment is none of the scenario's own sweep: its settings make it. */
static void add_settings(const struct page *page, const char *label, struct text *command)
{
    static const char before[] =
        "SELECT p.name||'='||p.value FROM cell_param p JOIN cell c USING(cell_id) WHERE c.label=?1 "
        "AND c.cell_id IN ";
    struct text sql;
    text_init(&sql);
    text_printf(&sql, "%s%s ORDER BY p.name", before, page->cell_ids);
    if (!results_query(page->data->results, text_of(&sql), &label, 1, on_setting, command, NULL)) {
        text_add(command, " --cell ");
        add_word(command, label);
    }
    text_release(&sql);
}

/* One field: what happened, and the command that makes it happen again. */
static void add_command(struct page *page, const char *message, const char *label, const char *seed)
{
    struct text command;
    text_init(&command);
    text_add(&command, page->command);
    if (*label != '\0' && page->has_experiment) {
        add_settings(page, label, &command);
    } else if (*label != '\0') {
        text_add(&command, " --cell ");
        add_word(&command, label);
    }
    text_printf(&command, " --seed %s", seed);
    text_add(&page->text, "<td class=\"long\">");
    html_escape(&page->text, message);
    text_add(&page->text, *message == '\0' ? "<code class=\"run\">" : "<br><code class=\"run\">");
    html_escape(&page->text, text_of(&command));
    text_add(&page->text, "</code></td>");
    text_release(&command);
}

/* label, seed, verdict, reason, message, at_s, events */
static bool on_failing(void *context, const struct results_row *row)
{
    struct page *page = context;
    const struct results_value *values = row->values;
    row_begin(page);
    field(page, "no", values[2].text);
    field(page, "", values[3].text);
    field(page, "", values[0].text[0] == '\0' ? "all runs" : values[0].text);
    field(page, "n",
          values[5].type == RESULTS_NULL ? "\xe2\x80\x93" : seconds(page, values[5].real));
    number(page, values[6].integer);
    add_command(page, values[4].text, values[0].text, values[1].text);
    row_end(page);
    return true;
}

/* invariant, runs, label, seed, message */
static bool on_known(void *context, const struct results_row *row)
{
    struct page *page = context;
    const struct results_value *values = row->values;
    row_begin(page);
    field(page, "", values[0].text);
    number(page, values[1].integer);
    add_command(page, values[4].text, values[2].text, values[3].text);
    row_end(page);
    return true;
}

static bool add_failing(struct page *page, struct err *err)
{
    static const char failing[] =
        "SELECT c.label, r.seed, r.verdict, r.reason || iif(r.verdict = 'error', "
        "coalesce(', after ' || v.invariant, ''), ''), coalesce(v.message, ''), v.sim_ns / 1e9, "
        "r.events FROM run r"
        " JOIN cell c ON c.cell_id = r.cell_id LEFT JOIN violation v ON v.run_id = r.run_id AND "
        "v.ord ="
        " (SELECT min(ord) FROM violation w WHERE w.run_id = r.run_id AND w.known = 0)"
        " WHERE r.verdict <> 'pass' AND r.cell_id IN %s ORDER BY r.events, r.seed "
        "LIMIT " FAILING_SHOWN;
    static const char known[] =
        "SELECT v.invariant, count(DISTINCT v.run_id), c.label, r.seed, v.message, min(r.events) "
        "FROM violation v"
        " JOIN run r ON r.run_id = v.run_id JOIN cell c ON c.cell_id = r.cell_id WHERE v.known = 1"
        " AND r.cell_id IN %s GROUP BY v.invariant ORDER BY 2 DESC, 1";
    struct totals totals = totals_of(page->data);
    text_add(&page->text, "<h2 id=\"failing\">Runs that did not pass</h2>\n");
    table_begin(page,
                "verdict|what|cell|#at|#events|what happened, and the command that repeats it");
    if (!ask(page, failing, on_failing, err)) {
        return false;
    }
    table_end(page, 6, "None.");
    if (totals.runs - totals.pass > 50) {
        text_printf(&page->text,
                    "<p>The %s shortest of %s; all are in the view <code>v_failure</code>.</p>\n",
                    FAILING_SHOWN, grouped(page, totals.runs - totals.pass));
    }
    text_add(
        &page->text,
        "<p>The command repeats the run bit for bit; add <code>--stop-before-failure</code> to see "
        "the events that lead to it.</p>\n");
    size_t before = page->text.length;
    text_add(
        &page->text,
        "<h2 id=\"known\">Known defects seen</h2>\n<p>Violations that the scenario lists under "
        "<code>knownDefects</code>: they do not fail a run. The command repeats the "
        "shortest.</p>\n");
    table_begin(page, "check|#runs|what happened, and the command that repeats it");
    if (!ask(page, known, on_known, err)) {
        return false;
    }
    table_end(page, 3, "None.");
    if (page->rows == 0) {
        page->text.length = before;
        page->text.data[before] = '\0';
    }
    return true;
}

/* --------------------------------------------------------------------------------------- faults */

static bool on_fault(void *context, const struct results_row *row)
{
    struct page *page = context;
    const struct results_value *values = row->values;
    row_begin(page);
    for (uint32_t i = 0; i < 3; i++) {
        field(page, "", values[i].text);
    }
    number(page, values[3].integer);
    number(page, values[4].integer);
    field(page, "n",
          values[5].type == RESULTS_NULL ? "\xe2\x80\x93" : seconds(page, values[5].real));
    number(page, values[6].integer);
    field(page, "", values[7].text);
    row_end(page);
    return true;
}

static bool add_faults(struct page *page, struct err *err)
{
    static const char faults[] =
        "SELECT f.name, f.kind, f.action, count(DISTINCT f.run_id), count(*),"
        " avg(f.end_ns - f.start_ns) / 1e9, sum(f.end_ns IS NULL), substr(group_concat(DISTINCT "
        "f.target), 1, 120)"
        " FROM fault f JOIN run r ON r.run_id = f.run_id WHERE r.cell_id IN %s GROUP BY 1, 2, 3 "
        "ORDER BY 5 DESC, 1";
    text_add(&page->text, "<h2 id=\"faults\">Faults that struck</h2>\n");
    table_begin(page,
                "fault|kind|action|#runs|#strikes|#mean duration|#still there at the end|targets");
    if (!ask(page, faults, on_fault, err)) {
        return false;
    }
    table_end(page, 8, "None: what went wrong, went wrong by load and chance alone.");
    return true;
}

/* ---------------------------------------------------------------------------------------- plots */

static void add_figure(struct page *page, const struct plot_figure *figure)
{
    struct text *text = &page->text;
    const char *ending = gnuplot_ending(page->context->format);
    text_printf(text, "<figure id=\"plot-%s\"><div>", figure->name);
    if (!figure->is_drawn) {
        text_add(text, "<p class=\"none\">Not drawn: gnuplot was not found.</p>");
    } else if (page->context->format == REPORT_PDF) {
        text_printf(text, "<a href=\"img/%s.%s\">img/%s.%s</a>", figure->name, ending, figure->name,
                    ending);
    } else {
        text_printf(
            text, "<a href=\"img/%s.%s\"><img src=\"img/%s.%s\" width=\"%u\" height=\"%u\" alt=\"",
            figure->name, ending, figure->name, ending, figure->width, figure->height);
        html_escape(text, figure->title);
        text_add(text, "\"></a>");
    }
    text_add(text, "</div><figcaption><b>");
    html_escape(text, figure->title);
    text_add(text, ".</b> ");
    html_escape(text, figure->caption);
    text_printf(text, " <a href=\"plot/%s.gp\">Script</a>.</figcaption></figure>\n", figure->name);
}

/* label, the five verdicts, goodput, sends, useless, recovery, censored, stuck (also those that
 * were not relieved) */
static bool on_verdicts(void *context, const struct results_row *row)
{
    static const char *const names[] = {"stable", "metastable", "unstable", "permanent",
                                        "undecided"};
    struct page *page = context;
    struct arena *arena = &page->data->arena;
    const struct results_value *values = row->values;
    const char *verdicts = "";
    int64_t worst = -1;
    for (uint32_t i = 0; i < ARRAY_COUNT(names); i++) {
        if (values[1 + i].integer > 0) {
            verdicts = arena_printf(arena, "%s%s%s %s", verdicts, *verdicts == '\0' ? "" : ", ",
                                    grouped(page, values[1 + i].integer), names[i]);
            worst = i;
        }
    }
    uint64_t stuck = (uint64_t)values[11].integer;
    uint64_t decided = stuck + (uint64_t)values[1].integer;
    row_begin(page);
    field(page, "name", values[0].text[0] == '\0' ? "all runs" : values[0].text);
    field(page, worst == 0 ? "ok" : "no", verdicts);
    if (decided == 0) {
        field(page, "n", "\xe2\x80\x93");
    } else {
        struct interval interval = interval_wilson(stuck, decided, 0.95);
        field(page, "n",
              arena_printf(arena, "%.2f  [%.2f, %.2f]", (double)stuck / (double)decided,
                           interval.low, interval.high));
    }
    field(page, "n", percent(page, values[6].real));
    field(page, "n", arena_printf(arena, "%.2f", values[7].real));
    field(page, "n", percent(page, values[8].real));
    field(page, "n",
          values[9].type == RESULTS_NULL
              ? arena_printf(arena, "not in %s", seconds(page, values[10].real))
              : seconds(page, values[9].real));
    row_end(page);
    return true;
}

/* Is the figure shown beside the verdicts? */
static bool is_of_verdicts(const struct plot_figure *figure)
{
    return strcmp(figure->plot, "arms") == 0 || strcmp(figure->plot, "verdicts") == 0;
}

static bool add_metastability(struct page *page, struct err *err)
{
    static const char sql[] =
        "SELECT c.label, sum(m.verdict='stable'), sum(m.verdict='metastable'), "
        "sum(m.verdict='unstable'), sum(m.verdict='permanent'), sum(m.verdict='undecided'), "
        "avg(g.value), avg(a.value), avg(u.value), avg(m.recovery_ns)/1e9, max(m.censored_ns)/1e9, "
        "sum(m.verdict NOT IN ('stable','unstable') AND coalesce(d.outcome,'')='stuck') "
        "FROM metastability m JOIN run r USING(run_id) JOIN cell c USING(cell_id) "
        "LEFT JOIN arm d ON d.run_id=r.run_id AND d.arm='doubled' "
        "LEFT JOIN metric g ON g.run_id=r.run_id AND g.name='metastability.goodput_ratio' "
        "LEFT JOIN metric a ON a.run_id=r.run_id AND a.name='metastability.amplification' "
        "LEFT JOIN metric u ON u.run_id=r.run_id AND u.name='metastability.useless_share' "
        "WHERE c.cell_id IN %s GROUP BY c.cell_id ORDER BY sum(m.verdict<>'stable') DESC, c.label";
    if (!page->data->has_arms) {
        return true;
    }
    text_add(&page->text, "<h2 id=\"metastability\">Does it come back by itself?</h2>\n");
    table_begin(page, "cell|verdict (runs)|#P(stuck), 95% interval|#goodput after the trigger, of "
                      "that without it|#sends per operation|#useless answers|#recovery");
    if (!ask(page, sql, on_verdicts, err)) {
        return false;
    }
    table_end(page, 7, "None for these cells.");
    text_add(
        &page->text,
        "<p>Every seed is run in up to four arms with the same arrivals. <em>Control</em>: "
        "without the trigger; when that fails, the load is <b>unstable</b> by itself. "
        "<em>Trigger</em>: as the scenario has it; when it comes back it is <b>stable</b>. "
        "<em>Doubled</em>: twice as long, for what has not come back yet. <em>Probe</em>: "
        "what is still stuck is relieved for a while; when it then stays well it was held "
        "down by nothing but itself, <b>metastable</b>; when no more is answered in time than "
        "before, the damage is <b>permanent</b>, or the relief was shorter than the backlog: try "
        "a longer <code>probe.for</code>. Anything else is <b>undecided</b>.</p>\n");
    for (uint32_t i = 0; i < page->context->figures.count; i++) {
        const struct plot_figure *figure = vec_at(&page->context->figures, i);
        if (is_of_verdicts(figure)) {
            add_figure(page, figure);
        }
    }
    return true;
}

/* ----------------------------------------------------------------------------- estimated fleets */

static void field_digits(struct page *page, int digits, double value)
{
    field(page, "n", isnan(value) ? dash : arena_printf(&page->data->arena, "%.*g", digits, value));
}

/* A duration, or how long within a year. */
static void field_time(struct page *page, double seconds)
{
    field(page, "n", isfinite(seconds) ? fleet_downtime(page->data, seconds) : dash);
}

static void field_mttf(struct page *page, double hours)
{
    struct arena *arena = &page->data->arena;
    const double years = hours * 3600 / downtime_s_per_year(1);
    field(page, "n",
          !isfinite(hours) ? dash
          : years < 1      ? arena_printf(arena, "%.6g h", hours)
                           : arena_printf(arena, "%.4g years", years));
}

/* Outages a year, with their interval where they were counted one by one. */
static void field_rate(struct page *page, const struct estimate *estimate)
{
    const double year_h = downtime_s_per_year(1) / 3600;
    const double rate = estimate->outages_per_h * year_h;
    const double low = estimate->rate.low * year_h;
    const double high = estimate->rate.high * year_h;
    struct arena *arena = &page->data->arena;
    if (!isfinite(high)) {
        field_digits(page, 4, rate);
    } else if (estimate->is_bound) {
        field(page, "n", arena_printf(arena, "\xe2\x89\xa4 %.4g", high));
    } else {
        field(page, "n", arena_printf(arena, "%.4g (%.4g \xe2\x80\xa6 %.4g)", rate, low, high));
    }
}

static void add_estimate(struct page *page, const struct fleet_point *point)
{
    const struct estimate *estimate = &point->estimate;
    const bool is_exact = estimate_is_exact(point->method);
    const double value = estimate->is_bound ? estimate->interval.high : estimate->unavailability;
    const char *sign = estimate->is_bound ? "\xe2\x89\xa4 " : "";
    struct arena *arena = &page->data->arena;
    row_begin(page);
    field(page, "name", point->cell->title);
    field(page, "name", point->service);
    field(page, "name", fleet_method_title(point->method));
    field(page, "n", arena_printf(arena, "%s%.*g", sign, is_exact ? 7 : 4, value));
    field(page, point->is_reached ? "n" : "no n",
          is_exact || estimate->is_bound
              ? dash
              : arena_printf(arena, "%.4g \xe2\x80\xa6 %.4g (\xc2\xb1%.2g%%)",
                             estimate->interval.low, estimate->interval.high,
                             100 * estimate->half_width));
    field(
        page, "n",
        arena_printf(arena, "%s%s", sign, fleet_downtime(page->data, downtime_s_per_year(value))));
    field(
        page, "n",
        arena_printf(arena, "%s%.2f", estimate->is_bound ? "\xe2\x89\xa5 " : "", nines_of(value)));
    field_rate(page, estimate);
    field_time(page, estimate->outage_h * 3600);
    field_mttf(page, estimate->mttf_h);
    if (is_exact) {
        for (uint32_t i = 0; i < 5; i++) {
            field(page, "n", dash);
        }
    } else {
        number(page, (int64_t)estimate->hits);
        number(page, llround(estimate->effective));
        field(page, "n",
              isnan(estimate->weight_share)
                  ? dash
                  : arena_printf(arena, "%.2g%%", 100 * estimate->weight_share));
        number(page, (int64_t)estimate->events);
        field_digits(page, 4, estimate->simulated_h);
    }
    field(page, "name", is_exact ? dash : estimate->interval_method);
    row_end(page);
}

static void add_theory(struct page *page, const struct fleet_point *point)
{
    const struct results_fleet_service *theory = &point->theory;
    enum estimate_method method = ESTIMATE_EXACT;
    row_begin(page);
    field(page, "name", point->cell->title);
    field(page, "name", point->service);
    number(page, theory->machines);
    number(page, theory->needed);
    field(page, "name",
          estimate_method_find(theory->theory, &method) ? fleet_method_title(method) : dash);
    field_digits(page, 7, theory->unavailability);
    field_time(page, downtime_s_per_year(theory->unavailability));
    field(page, "n", arena_printf(&page->data->arena, "%.2f", nines_of(theory->unavailability)));
    field_digits(page, 5, theory->outages_per_h * 8766);
    field_time(page, theory->unavailability / theory->outages_per_h * 3600);
    field_mttf(page, theory->mttf_h);
    const double chances[] = {theory->month, theory->year, theory->decade};
    for (uint32_t i = 0; i < ARRAY_COUNT(chances); i++) {
        field_digits(page, 4, chances[i]);
    }
    row_end(page);
}

/* Is this the first point of its service at its place? Cells may differ in their estimator alone.
 */
static bool is_first_of_kind(const struct report_fleet *fleet, uint32_t index)
{
    const struct fleet_point *point = &fleet->points[index];
    for (uint32_t i = 0; i < index; i++) {
        const struct fleet_point *other = &fleet->points[i];
        if (other->series == point->series && other->column == point->column) {
            return false;
        }
    }
    return true;
}

static bool on_choice(void *context, const struct results_row *row)
{
    struct page *page = context;
    text_add(&page->text, "<p><em>auto</em> was <em>");
    html_escape(&page->text, row->values[0].text);
    text_printf(&page->text, "</em> in %s %s: ", grouped(page, row->values[1].integer),
                row->values[1].integer == 1 ? "cell" : "cells");
    html_escape(&page->text, row->values[2].text);
    text_add(&page->text, ".</p>\n");
    return true;
}

/* What the estimator auto was, and why; a file of an older squall does not tell. */
static bool add_choices(struct page *page, struct err *err)
{
    int64_t has_table = 0;
    return results_query_integer(page->data->results,
                                 "SELECT count(*) FROM sqlite_master WHERE name='fleet_estimator'",
                                 0, &has_table, err) &&
           (has_table == 0 ||
            ask(page,
                "SELECT min(e.method), count(DISTINCT f.cell_id), f.why FROM fleet_estimator f "
                "JOIN run r USING(cell_id) JOIN estimate e USING(run_id) WHERE f.cell_id IN %s AND "
                "f.why<>'' GROUP BY f.why ORDER BY f.why",
                on_choice, err));
}

static void add_loss(struct page *page, const struct fleet_point *point)
{
    const struct estimate *estimate = &point->estimate;
    struct arena *arena = &page->data->arena;
    row_begin(page);
    field(page, "name", point->cell->title);
    field(page, "name", point->service);
    number(page, point->theory.machines);
    field(page, "name", fleet_method_title(point->method));
    if (estimate->is_bound) {
        field(page, "n", dash);
        field(page, "n", arena_printf(arena, "\xe2\x89\xa4 %.3g%%", 100 * estimate->interval.high));
    } else {
        field(page, "n", arena_printf(arena, "%.4g%%", 100 * estimate->unavailability));
        field(page, "n",
              estimate_is_exact(point->method)
                  ? dash
                  : arena_printf(arena, "%.4g%% \xe2\x80\xa6 %.4g%%", 100 * estimate->interval.low,
                                 100 * estimate->interval.high));
    }
    number(page, (int64_t)estimate->hits);
    number(page, (int64_t)estimate->events);
    field(page, "n", arena_printf(arena, "%.4g%%", 100 * point->theory.unavailability));
    row_end(page);
}

static void add_loss_table(struct page *page)
{
    const struct report_fleet *fleet = &page->context->fleet;
    table_begin(page, "cell|placement|#nodes|method|#data is lost|#interval|#losses with "
                      "data|#drawn|#closed form");
    for (uint32_t i = 0; i < fleet->point_count && page->rows < FLEET_SHOWN; i++) {
        if (fleet->points[i].has_estimate) {
            add_loss(page, &fleet->points[i]);
        }
    }
    table_end(page, 9, "Nothing was drawn.");
    text_add(&page->text, "<p>The closed form takes the sets of nodes that share a chunk as "
                          "independent of each other.</p>\n");
}

static bool add_fleet_tables(struct page *page, struct err *err)
{
    const struct report_fleet *fleet = &page->context->fleet;
    if (fleet->is_loss) {
        add_loss_table(page);
        return true;
    }
    table_begin(page, "cell|service|method|#unavailability|#interval|#downtime a "
                      "year|#nines|#outages a year|#mean outage|#MTTF|#hits|#effective "
                      "sample|#largest weight|#events|#simulated hours|interval by");
    for (uint32_t i = 0; i < fleet->point_count && page->rows < FLEET_SHOWN; i++) {
        if (fleet->points[i].has_estimate && !isnan(fleet->points[i].estimate.unavailability)) {
            add_estimate(page, &fleet->points[i]);
        }
    }
    table_end(page, 16, "Nothing was estimated.");
    text_add(
        &page->text,
        "<p>An interval in red is wider than the scenario asks for. A hit is a cycle, batch or "
        "replication with an outage; the effective sample is (\xce\xa3w)\xc2\xb2/\xce\xa3w"
        "\xc2\xb2 over their weights, and a weight above 5% of all says that the interval is "
        "not to be believed. Without a hit there is only a bound. Outages that plain simulation "
        "has counted have the interval of Poisson, wider where cycles had several. What was "
        "stopped as soon as it was precise enough has an interval 14% wider.</p>\n");
    const bool is_fine = add_choices(page, err);
    text_add(&page->text, "<h3>What the exact model says</h3>\n");
    table_begin(page, "cell|service|#machines|#needed|model|#unavailability|#downtime a "
                      "year|#nines|#outages a year|#mean outage|#MTTF from all up|#outage within a "
                      "month|#a year|#a decade");
    for (uint32_t i = 0; i < fleet->point_count && page->rows < FLEET_SHOWN; i++) {
        if (isfinite(fleet->points[i].theory.unavailability) && is_first_of_kind(fleet, i)) {
            add_theory(page, &fleet->points[i]);
        }
    }
    table_end(page, 14,
              "There is none for these cells: laws that are not exponential, or "
              "maintenance.");
    text_add(&page->text,
             "<p>The last three columns: probability of at least one outage within that time, from "
             "all machines up. A year has 365.25 days.</p>\n");
    return is_fine;
}

static bool is_of_fleet(const struct plot_figure *figure)
{
    return strncmp(figure->plot, "fleet", 5) == 0;
}

static bool add_fleet(struct page *page, struct err *err)
{
    if (page->context->fleet.point_count == 0) {
        return true;
    }
    text_add(&page->text, page->context->fleet.is_loss
                              ? "<h2 id=\"fleet\">Loss of data</h2>\n"
                              : "<h2 id=\"fleet\">Availability of the fleet</h2>\n");
    bool is_paired = false;
    for (uint32_t i = 0; i < page->context->figures.count; i++) {
        const struct plot_figure *figure = vec_at(&page->context->figures, i);
        bool is_large =
            strcmp(figure->name, "fleet-downtime") == 0 || strcmp(figure->name, "fleet-loss") == 0;
        if (is_of_fleet(figure) && !is_large && !is_paired) {
            text_add(&page->text, "<div class=\"pairs\">\n");
            is_paired = true;
        }
        if (is_of_fleet(figure)) {
            add_figure(page, figure);
        }
    }
    text_add(&page->text, is_paired ? "</div>\n" : "");
    return add_fleet_tables(page, err);
}

/* ------------------------------------------------------------------ variants on the same seeds */

struct differences {
    struct page *page;
    struct text csv;
};

static void on_difference(void *context, const struct compare_pair *pair)
{
    struct differences *differences = context;
    struct page *page = differences->page;
    const struct mean *mean = &pair->paired.difference;
    const bool is_fleet = pair->service[0] != '\0';
    const bool has_year = is_fleet && !page->context->fleet.is_loss;
    const char *left = page->data->cells[pair->left].title;
    const char *right = page->data->cells[pair->right].title;
    struct arena *arena = &page->data->arena;
    const char *year = fleet_downtime(page->data, fabs(downtime_s_per_year(mean->mean)));
    if (differences->csv.length == 0) {
        text_add(&differences->csv, "difference,low,high,seeds,gain,service,cell,less_cell\n");
        text_add(&page->text, "<h2 id=\"differences\">Variants on the same seeds</h2>\n");
        table_begin(page, page->context->fleet.is_loss
                              ? "cell|less cell|placement|#difference of the chance of a "
                                "loss|#interval|#a year|#seeds|#worth so many times the seeds"
                              : "cell|less cell|service|#difference of "
                                "unavailability|#interval|#a year|#seeds|#worth so many times the "
                                "seeds");
    }
    const double numbers[] = {mean->mean, mean->interval.low, mean->interval.high};
    for (uint32_t i = 0; i < ARRAY_COUNT(numbers); i++) {
        csv_scientific(&differences->csv, numbers[i]);
        text_add(&differences->csv, ",");
    }
    text_printf(&differences->csv, "%llu,", (unsigned long long)mean->count);
    csv_scientific(&differences->csv, pair->paired.gain);
    text_printf(&differences->csv, ",%s,", is_fleet ? pair->service : "clients");
    csv_field(&differences->csv, left);
    text_add(&differences->csv, ",");
    csv_field(&differences->csv, right);
    text_add(&differences->csv, "\n");
    if (page->rows >= FLEET_SHOWN) {
        return;
    }
    row_begin(page);
    field(page, "name", left);
    field(page, "name", right);
    field(page, "name", is_fleet ? pair->service : "clients");
    field_digits(page, 4, mean->mean);
    field(page, "n",
          arena_printf(arena, "%.4g \xe2\x80\xa6 %.4g", mean->interval.low, mean->interval.high));
    field(page, "n",
          has_year ? arena_printf(arena, "%s%s", mean->mean < 0 ? "-" : "", year) : dash);
    number(page, (int64_t)mean->count);
    field_digits(page, 3, pair->paired.gain);
    row_end(page);
}

/* Also as data/differences.csv. Nothing when no cells are variants of each other. */
static bool add_differences(struct page *page, struct err *err)
{
    struct differences differences = {.page = page};
    const uint32_t count = page->data->cell_count;
    int64_t *ids = arena_alloc_array(&page->data->arena, count + 1, sizeof(*ids));
    text_init(&differences.csv);
    for (uint32_t i = 0; i < count; i++) {
        ids[i] = page->data->cells[i].cell_id;
    }
    bool is_fine = compare_cells(page->data->results, ids, count, on_difference, &differences, err);
    if (is_fine && differences.csv.length > 0) {
        table_end(page, 8, "");
        text_add(&page->text,
                 "<p>Cells that differ in one thing had the same chances, seed by seed, so the "
                 "interval is that of the differences (paired, Student's t). Independent seeds "
                 "would have had to be so many times more for the same width. Clients: of the "
                 "time that was measured.</p>\n");
        is_fine = report_file_write(page->context->folder, "data/differences.csv",
                                    text_of(&differences.csv), differences.csv.length, err);
    }
    text_release(&differences.csv);
    return is_fine;
}

static bool is_of_experiment(const struct plot_figure *figure)
{
    for (const struct plot *plot = plots; plot->name != NULL; plot++) {
        if (strcmp(plot->name, figure->plot) == 0) {
            return plot->is_of_experiment;
        }
    }
    return false;
}

/* What an experiment was run for, and nothing else before it: runs that stick are no failure here.
 */
static void add_experiments(struct page *page)
{
    struct totals totals = totals_of(page->data);
    text_printf(&page->text, "<p>An experiment: %s runs", grouped(page, totals.runs));
    text_printf(&page->text, " in %s cells.</p>\n", grouped(page, page->data->cell_count));
    for (uint32_t i = 0; i < page->context->figures.count; i++) {
        const struct plot_figure *figure = vec_at(&page->context->figures, i);
        if (is_of_experiment(figure)) {
            add_figure(page, figure);
        }
    }
    if (page->data->nondeterministic > 0 || totals.error > 0) {
        add_outcome(page);
    }
    text_add(&page->text, "<details><summary>All points, and the commands that repeat their "
                          "runs</summary>\n");
}

/* Figures of the sweep, or the timelines. */
static void add_figures(struct page *page, bool of_runs)
{
    bool is_begun = false;
    for (uint32_t i = 0; i < page->context->figures.count; i++) {
        const struct plot_figure *figure = vec_at(&page->context->figures, i);
        if ((strcmp(figure->plot, "timeline") == 0) != of_runs || is_of_verdicts(figure) ||
            is_of_experiment(figure) || is_of_fleet(figure)) {
            continue;
        }
        if (!is_begun) {
            text_add(&page->text,
                     of_runs ? "<h2 id=\"timelines\">Single runs</h2>\n<div class=\"pairs\">\n"
                             : "<h2 id=\"plots\">Plots</h2>\n");
            is_begun = true;
        }
        add_figure(page, figure);
    }
    text_add(&page->text, is_begun && of_runs ? "</div>\n" : "");
}

/* -------------------------------------------------------------------------------- head and foot */

static void add_head(struct page *page, const struct html_options *options)
{
    struct text *text = &page->text;
    text_add(text,
             "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
             "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>");
    html_escape(text, options->title);
    text_add(text, " \xe2\x80\x93 squall report</title>\n<style>\n");
    text_add(text, style);
    text_add(text, "</style></head><body>\n<h1>");
    html_escape(text, options->title);
    text_add(text, "</h1>\n<p>");
    html_escape(text, yaml_scalar(page, "description"));
    text_add(text, "</p>\n");
}

static void add_foot(struct page *page, const struct html_options *options)
{
    struct text *text = &page->text;
    struct report_data *data = page->data;
    text_add(text, "<h2 id=\"scenario\">Scenario</h2>\n<details><summary>The whole text, with all "
                   "defaults filled "
                   "in</summary><pre>");
    html_escape(text, data->yaml);
    text_add(text, "</pre></details>\n<footer><p>");
    for (uint32_t i = 0; i < page->context->notes.count; i++) {
        html_escape(text, *(const char **)vec_at(&page->context->notes, i));
        text_add(text, "<br>");
    }
    if (data->others > 0) {
        text_printf(text,
                    "Only the newest build's cells of this text of the scenario are shown: %s "
                    "other cells in the "
                    "same results file are left out.<br>",
                    grouped(page, data->others));
    }
    text_add(text, "Every picture can be made again: <code>gnuplot -d plot/NAME.gp</code> in this "
                   "folder, from the "
                   "files in data/.</p>\n<p>squall ");
    html_escape(text, data->version);
    text_add(text, " \xc2\xb7 commit ");
    html_escape(text, data->commit[0] == '\0' ? "unknown" : data->commit);
    text_add(text, " \xc2\xb7 ");
    html_escape(text, data->compiler);
    text_add(text, " \xc2\xb7 models ");
    html_escape(text, data->models);
    text_add(text, "<br>scenario sha256 ");
    html_escape(text, data->sha256);
    text_printf(text, "<br>results digest %s \xc2\xb7 ", data->digest);
    html_escape(text, options->gnuplot[0] == '\0' ? "drawn without gnuplot" : options->gnuplot);
    text_add(text, "</p></footer>\n</body></html>\n");
}

static const char *cell_list(struct report_data *data)
{
    struct text list;
    text_init(&list);
    for (uint32_t i = 0; i < data->cell_count; i++) {
        text_printf(&list, "%s%lld", i == 0 ? "(" : ",", (long long)data->cells[i].cell_id);
    }
    text_add(&list, data->cell_count == 0 ? "()" : ")");
    const char *kept = arena_strdup(&data->arena, text_of(&list));
    text_release(&list);
    return kept;
}

/* ------------------------------------------------------------------------ the command to replay */

/* The next word of a command line, and where the one after it begins; NULL at the end. */
static const char *next_word(struct page *page, const char **at)
{
    *at += strspn(*at, " ");
    if (**at == '\0') {
        return NULL;
    }
    size_t length = strcspn(*at, " ");
    const char *word = arena_strndup(&page->data->arena, *at, length);
    *at += length;
    return word;
}

/* Does this word name the scenario: "scenarios/start/NAME.yaml" (2), "NAME" that is not the value
 * of an option (1)? */
static int path_rank(const char *before, const char *word, const char *name)
{
    const char *slash = strrchr(word, '/');
    const char *base = slash == NULL ? word : slash + 1;
    size_t length = strlen(name);
    if (strncmp(base, name, length) != 0) {
        return 0;
    }
    if (strcmp(base + length, ".yaml") == 0) {
        return 2;
    }
    return base[length] == '\0' && before[0] != '-' ? 1 : 0;
}

static bool is_yaml(const char *word)
{
    size_t length = strlen(word);
    return length > 5 && strcmp(word + length - 5, ".yaml") == 0;
}

/* The path and the overrides as the newest campaign was started with them: a file that is named
 * after the scenario, or is the only one; the scenario's name without one. */
static bool on_argv(void *context, const struct results_row *row)
{
    struct page *page = context;
    const char *at = row->values[0].text;
    const char *path = page->data->scenario;
    const char *before = "";
    const char *file = NULL;
    uint32_t file_count = 0;
    int rank = 0;
    struct text sets;
    text_init(&sets);
    for (const char *word = next_word(page, &at); word != NULL; word = next_word(page, &at)) {
        bool is_set = strcmp(word, "--set") == 0 || strcmp(word, "-S") == 0 ||
                      strncmp(word, "--set=", 6) == 0;
        const char *value = !is_set                            ? NULL
                            : word[1] == '-' && word[5] == '=' ? word + 6
                                                               : next_word(page, &at);
        if (value != NULL) {
            text_add(&sets, " --set ");
            add_word(&sets, value);
        } else if (path_rank(before, word, page->data->scenario) > rank) {
            rank = path_rank(before, word, page->data->scenario);
            path = word;
        } else if (is_yaml(word)) {
            file = word;
            file_count++;
        }
        before = word;
    }
    path = rank == 0 && file_count == 1 ? file : path;
    struct text command;
    text_init(&command);
    text_add(&command, "squall replay ");
    add_word(&command, path);
    text_add(&command, text_of(&sets));
    page->command = arena_strdup(&page->data->arena, text_of(&command));
    text_release(&command);
    text_release(&sets);
    return false;
}

static bool find_command(struct page *page, struct err *err)
{
    static const char sql[] =
        "SELECT h.argv FROM shard h JOIN run_cost k ON k.shard_id = h.shard_id JOIN run r ON "
        "r.run_id = k.run_id"
        " WHERE r.cell_id IN %s ORDER BY h.started_at DESC, h.shard_id DESC LIMIT 1";
    static const struct results_value nothing = {.type = RESULTS_TEXT, .text = ""};
    const struct results_row row = {1, NULL, &nothing};
    on_argv(page, &row);
    return ask(page, sql, on_argv, err);
}

bool html_write(struct plot_context *context, const struct html_options *options, struct err *err)
{
    ASSERT(context->data != NULL);
    struct page page = {.context = context, .data = context->data};
    text_init(&page.text);
    page.cell_ids = cell_list(context->data);
    bool is_fine = find_command(&page, err);
    add_head(&page, options);
    is_fine = is_fine && report_has_experiment(page.data, &page.has_experiment, err);
    if (page.has_experiment) {
        add_experiments(&page);
    } else {
        add_outcome(&page);
    }
    const bool has_runs = context->fleet.point_count == 0 || !context->fleet.is_alone;
    is_fine = is_fine && add_fleet(&page, err);
    is_fine = is_fine && add_metastability(&page, err) && add_checks(&page, has_runs, err);
    if (has_runs) {
        add_cells(&page);
    }
    add_figures(&page, false);
    is_fine = is_fine && (page.has_experiment || add_differences(&page, err));
    is_fine = is_fine && add_failing(&page, err) && (!has_runs || add_faults(&page, err));
    add_figures(&page, true);
    text_add(&page.text, page.has_experiment ? "</details>\n" : "");
    add_foot(&page, options);
    is_fine = is_fine && report_file_write(context->folder, "index.html", page.text.data,
                                           page.text.length, err);
    text_release(&page.text);
    return is_fine;
}
