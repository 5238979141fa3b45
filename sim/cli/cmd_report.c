/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * squall report: plots and tables of a results file. Nothing is run again, and no scenario is
 * needed: the results file holds all that the report says. */
#include "sim/cli/cli.h"

#include "analysis/results.h"
#include "reports/report.h"
#include "sim/base/base.h"
#include "sim/base/text.h"

#include <argp.h>
#include <string.h>
#include <sys/stat.h>

#define KEY_FORMAT 0x100
#define KEY_LIST   0x101
#define PLOTS_MAX  64

static const char doc[] =
    "Writes plots, tables and their data from the results of a campaign.\v"
    "RESULTS is a results.sqlite, a folder that holds one, or the name of a scenario that was run "
    "(then "
    "out/NAME/results.sqlite). The report is a folder: index.html, img/, plot/ (gnuplot scripts) "
    "and data/ (CSV); by "
    "default 'report' beside the results file. GNUPLOT names another gnuplot.\n\n"
    "Exit status 0: written; 2: no such results, or not a results file; 5: it could not be read or "
    "written, or gnuplot "
    "is missing.";
static const struct argp_option options[] = {
    {"out", 'o', "DIR", 0, "folder to write (default: report, beside the results file)", 0},
    {"plot", 'p', "NAME", 0, "make only this plot; 'list' shows the names", 0},
    {"format", KEY_FORMAT, "svg|pngcairo|pdfcairo", 0, "kind of pictures (default svg)", 0},
    {"list-plots", KEY_LIST, NULL, 0, "list the plots and what they show", 0},
    {"title", 't', "TEXT", 0, "title of the page (default: the scenario's name)", 0},
    {0},
};

struct arguments {
    const char *results;
    const char *out;
    const char *plot;
    const char *title;
    enum report_format format;
    bool is_list;
};

static void check_plot(const char *wanted, const struct argp_state *state)
{
    const char *names[PLOTS_MAX];
    const char *summary;
    uint32_t count = 0;
    while (count < PLOTS_MAX && report_plot(count, &names[count], &summary)) {
        if (strcmp(names[count], wanted) == 0) {
            return;
        }
        count++;
    }
    const char *nearest = text_nearest(wanted, names, count);
    if (nearest != NULL) {
        argp_error(state, "unknown plot '%s'; did you mean '%s'?", wanted, nearest);
    }
    argp_error(state, "unknown plot '%s'; --list-plots shows the names", wanted);
}

static error_t parse(int key, char *argument, struct argp_state *state)
{
    struct arguments *arguments = state->input;
    switch (key) {
    case 'o':
        arguments->out = argument;
        return 0;
    case 't':
        arguments->title = argument;
        return 0;
    case 'p':
        arguments->is_list = strcmp(argument, "list") == 0;
        arguments->plot = argument;
        if (!arguments->is_list) {
            check_plot(argument, state);
        }
        return 0;
    case KEY_FORMAT:
        if (!gnuplot_format(argument, &arguments->format)) {
            argp_error(state, "unknown format '%s'; there are svg, pngcairo and pdfcairo",
                       argument);
        }
        return 0;
    case KEY_LIST:
        arguments->is_list = true;
        return 0;
    case ARGP_KEY_ARG:
        if (arguments->results != NULL) {
            argp_error(state, "more than one results file; a report is about one");
        }
        arguments->results = argument;
        return 0;
    case ARGP_KEY_END:
        if (arguments->results == NULL && !arguments->is_list) {
            argp_error(state, "no results file, folder or scenario given");
        }
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* ----------------------------------------------------------------------------------- which file */

static bool is_file(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISREG(status.st_mode);
}

static bool is_folder(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

/* "retry-storm" from "scenarios/metastable/retry-storm.yaml". */
static void add_base(struct text *out, const char *name)
{
    const char *slash = strrchr(name, '/');
    const char *base = slash == NULL ? name : slash + 1;
    size_t length = strlen(base);
    bool is_yaml = length > 5 && strcmp(base + length - 5, ".yaml") == 0;
    text_add_bytes(out, base, is_yaml ? length - 5 : length);
}

/* Path of the results file that `name` means. */
static bool find_results(const char *name, struct text *path, struct err *err)
{
    size_t length = strlen(name);
    bool is_scenario = length > 5 && strcmp(name + length - 5, ".yaml") == 0;
    text_clear(path);
    if (!is_scenario && is_folder(name)) {
        text_printf(path, "%s%sresults.sqlite", name,
                    length > 0 && name[length - 1] == '/' ? "" : "/");
        if (is_file(text_of(path))) {
            return true;
        }
    } else if (!is_scenario && is_file(name)) {
        text_add(path, name);
        return true;
    }
    text_clear(path);
    text_add(path, "out/");
    add_base(path, name);
    text_add(path, "/results.sqlite");
    if (is_file(text_of(path))) {
        return true;
    }
    return err_set(err, ERR_INPUT,
                   "no results for '%.200s': it is no file, no folder with a results.sqlite, and "
                   "there is no '%.200s'; "
                   "`squall run` makes one",
                   name, text_of(path));
}

/* "report" in the folder of the results file. */
static void add_default_out(struct text *out, const char *results)
{
    const char *slash = strrchr(results, '/');
    if (slash != NULL) {
        text_add_bytes(out, results, (size_t)(slash - results) + 1);
    }
    text_add(out, "report");
}

static int list_plots(void)
{
    const char *name;
    const char *summary;
    for (uint32_t i = 0; report_plot(i, &name, &summary); i++) {
        printf("%-14s %s\n", name, summary);
    }
    return EXIT_HELD;
}

static int write_one(const char *path, const char *folder, const struct arguments *arguments)
{
    struct err err = {0};
    struct results *results = results_open(path, RESULTS_READ, &err);
    if (results == NULL) {
        return fail(&err);
    }
    struct report_options report = {folder, arguments->title, arguments->plot, arguments->format};
    bool is_written = report_write(results, &report, &err);
    struct err later = {0};
    bool is_closed = results_close(results, &later);
    if (!is_written) {
        err_wrap(&err, "report of '%.200s'", path);
        return fail(&err);
    }
    if (!is_closed) {
        return fail(&later);
    }
    printf("%s/index.html\n", folder);
    return EXIT_HELD;
}

int cmd_report(int argc, char **argv)
{
    static const struct argp argp = {options, parse, "RESULTS", doc, NULL, NULL, NULL};
    struct arguments arguments = {.format = REPORT_SVG};
    argp_parse(&argp, argc, argv, 0, NULL, &arguments);
    if (arguments.is_list) {
        return list_plots();
    }
    struct text path;
    struct text folder;
    struct err err = {0};
    text_init(&path);
    text_init(&folder);
    int status;
    if (!find_results(arguments.results, &path, &err)) {
        status = fail(&err);
    } else {
        if (arguments.out != NULL) {
            text_add(&folder, arguments.out);
        } else {
            add_default_out(&folder, text_of(&path));
        }
        while (folder.length > 1 && folder.data[folder.length - 1] == '/') {
            folder.data[--folder.length] = '\0';
        }
        status = write_one(text_of(&path), text_of(&folder), &arguments);
    }
    text_release(&folder);
    text_release(&path);
    return status;
}
