/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * One report: read the results, make the folders, let every plot write itself, then the page. A
 * missing gnuplot stops only the drawing: data, scripts and page are written first, and the error
 * comes at the end. */
#include "reports/report.h"

#include "reports/experiment.h"
#include "reports/html.h"
#include "reports/plot.h"
#include "sim/base/base.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#define FIGURES_MAX 256
#define NOTES_MAX   64

bool report_plot(uint32_t index, const char **name, const char **summary)
{
    for (uint32_t i = 0; plots[i].name != NULL; i++) {
        if (i == index) {
            *name = plots[i].name;
            *summary = plots[i].summary;
            return true;
        }
    }
    return false;
}

/* Makes the folder and those above it. */
static bool make_folder(const char *path, struct err *err)
{
    struct text partial;
    text_init(&partial);
    bool is_fine = *path != '\0';
    int error = is_fine ? 0 : ENOENT;
    for (const char *at = path; is_fine && *at != '\0';) {
        size_t length = strcspn(at, "/");
        text_add_bytes(&partial, at, length);
        at += length;
        if (length > 0 && mkdir(text_of(&partial), 0777) != 0 && errno != EEXIST) {
            error = errno;
            is_fine = false;
        }
        if (*at == '/') {
            text_add(&partial, "/");
            at++;
        }
    }
    struct stat status;
    if (is_fine && (stat(path, &status) != 0 || !S_ISDIR(status.st_mode))) {
        error = ENOTDIR;
        is_fine = false;
    }
    text_release(&partial);
    return is_fine ||
           err_set(err, ERR_SYSTEM, "making the folder '%.700s': %s", path, strerror(error));
}

static bool make_folders(const char *folder, struct err *err)
{
    static const char *const names[] = {"", "/img", "/plot", "/data"};
    for (uint32_t i = 0; i < ARRAY_COUNT(names); i++) {
        struct text path;
        text_init(&path);
        text_printf(&path, "%s%s", folder, names[i]);
        bool is_fine = make_folder(text_of(&path), err);
        text_release(&path);
        if (!is_fine) {
            return false;
        }
    }
    return true;
}

static bool write_plots(struct plot_context *context, const char *only, struct err *err)
{
    bool has_experiment = false;
    if (!report_has_experiment(context->data, &has_experiment, err)) {
        return false;
    }
    for (const struct plot *plot = plots; plot->name != NULL; plot++) {
        bool is_wanted = only == NULL ? plot->is_of_experiment || !has_experiment
                                      : strcmp(only, plot->name) == 0;
        if (is_wanted && !plot->write(context, err)) {
            return err_wrap(err, "plot '%s'", plot->name);
        }
    }
    if (only != NULL && context->figures.count == 0) {
        return err_set(err, ERR_INPUT, "plot '%s' has nothing to show for these results", only);
    }
    return true;
}

bool report_write(struct results *results, const struct report_options *options, struct err *err)
{
    ASSERT(results != NULL);
    ASSERT(options->folder != NULL);
    struct report_data data;
    if (!report_data_load(&data, results, err)) {
        return false;
    }
    char version[64];
    struct err missing = {0};
    struct plot_context context = {
        .data = &data, .folder = options->folder, .format = options->format};
    vec_init(&context.figures, sizeof(struct plot_figure), FIGURES_MAX);
    vec_init(&context.notes, sizeof(const char *), NOTES_MAX);
    context.has_gnuplot = gnuplot_version(version, sizeof(version), &missing);
    struct html_options html = {options->title != NULL ? options->title : data.scenario, version};
    bool is_fine = report_fleet_load(&context.fleet, &data, err) &&
                   make_folders(options->folder, err) &&
                   write_plots(&context, options->plot, err) && html_write(&context, &html, err);
    if (is_fine && !context.has_gnuplot) {
        is_fine = err_set(err, ERR_SYSTEM,
                          "%s; page, data and scripts are in '%.300s', the pictures are not",
                          missing.text, options->folder);
    }
    vec_release(&context.notes);
    vec_release(&context.figures);
    report_data_release(&data);
    return is_fine;
}
