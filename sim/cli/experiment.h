/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Experiment: a campaign over cells that the command line makes out of a scenario, and what a
 * command draws from their verdicts. `squall map` and its kin share what is here:
 *
 *     int cmd_map(int argc, char **argv)
 *         experiment_command(&command, &arguments, argc, argv);    options, scenario and theory
 *     static int run_map(struct experiment *e, void *arguments)
 *     experiment_add_axis(e, "load", text, &otherwise, &err)       as often as there are axes
 *     int status = experiment_open(e);                             cells, results file
 *     status = experiment_run(e, NULL);                            the campaign
 *     experiment_tally(e, tallies, &err);                          verdicts of each cell
 *     experiment_point(e, "half", x, y, interval, note);           what the report will draw
 *     status = experiment_report(e);                               stores, draws, says where
 *
 * Runs, progress, Ctrl-C, resuming, digests and `squall replay` are those of any campaign: a point
 * is a cell, and its settings are on the replay line. Results are in out/NAME-KIND. */
#ifndef SQUALL_CLI_EXPERIMENT_H
#define SQUALL_CLI_EXPERIMENT_H

#include "analysis/experiment.h"
#include "analysis/predict_text.h"
#include "analysis/results.h"
#include "sim/cli/campaign.h"
#include "sim/input/axis.h"

#include <argp.h>

#define EXPERIMENT_AXES_MAX 4
#define EXPERIMENT_SETS_MAX 64

/* What all experiments take on the command line. */
struct experiment_options {
    const char *scenario;
    const char *sets[EXPERIMENT_SETS_MAX];
    uint32_t set_count;
    const char *seeds; /* NULL: the scenario's */
    const char *out;   /* NULL: out/NAME-KIND */
    uint32_t jobs;
    int64_t deadline_ns;
    bool is_restart;
    bool is_quick;
    bool is_quiet;
    struct text command_line;
    const char *load; /* of the axes; NULL: not given */
    const char *trigger;
};

/* Rows of a command's own table of options, for what several commands take, each in its own words.
 * Keys of its own begin at EXPERIMENT_KEY_OWN. --arms is 'all', or 'stuck', which does without the
 * probe by a setting. */
enum { EXPERIMENT_KEY_LOAD = 256, EXPERIMENT_KEY_TRIGGER, EXPERIMENT_KEY_ARMS, EXPERIMENT_KEY_OWN };
#define EXPERIMENT_LOAD(about)                                                                     \
    {                                                                                              \
        "load", EXPERIMENT_KEY_LOAD, "[PATH=]FROM..TO[/COUNT]", 0, about, 0                        \
    }
#define EXPERIMENT_TRIGGER(form, about)                                                            \
    {                                                                                              \
        "trigger", EXPERIMENT_KEY_TRIGGER, form, 0, about, 0                                       \
    }
#define EXPERIMENT_ARMS                                                                            \
    {                                                                                              \
        "arms", EXPERIMENT_KEY_ARMS, "all|stuck", 0,                                               \
            "stuck: no probe, so that metastable and permanent stay one (faster; default all)", 0  \
    }
/* Reads these; a command with options of its own calls it for the others. The parser's input is
 * what the command's arguments are, and begins with a struct experiment_options. */
error_t experiment_parse(int key, char *argument, struct argp_state *state);

/* An axis that the command line does not give, or not whole. */
struct experiment_default {
    const char *path; /* NULL: it must be given */
    enum axis_unit unit;
    int64_t from; /* steps of the unit */
    int64_t to;   /* 0: no range is known, it must be given */
    uint32_t count;
};

struct experiment_axis {
    const char *name; /* "load" */
    const char *path;
    enum axis_unit unit;
    const char *const *values; /* as the scenario writes them, rising */
    const double *numbers;     /* the same in seconds, per second, as a share or as they are */
    uint32_t count;
};

struct experiment {
    const struct experiment_command *command;
    const struct experiment_options *options;
    struct arena arena;
    struct opened base;          /* the scenario alone, for its defaults */
    const struct run_spec *spec; /* of the first cell of `base` */
    struct opened opened;        /* scenario and axes: the cells, the last axis fastest */
    bool has_plan;
    struct experiment_axis axes[EXPERIMENT_AXES_MAX];
    uint32_t axis_count;
    struct predict_request request; /* of `spec` */
    bool has_theory;
    struct text theory; /* how it was read, or why there is none; lines */
    struct results *results;
    struct campaign_outcome outcome;
    char folder[2048];
    char path[4096];
    struct vec points; /* struct results_point */
};

struct experiment_command {
    const char *kind; /* its name */
    const char *doc;
    const struct argp_option *options;
    error_t (*parse)(int key, char *argument, struct argp_state *state);
    /* Every cell is one run and not four arms, its series is kept, and what the scenario sweeps
     * stays. */
    bool is_series;
    /* The scenario is open, and was read as theory does. The exit status. */
    int (*run)(struct experiment *experiment, void *arguments);
};
/* A whole command: reads the command line into `arguments`, which begin with a struct
 * experiment_options of zeros, opens the scenario, runs. The exit status. */
int experiment_command(const struct experiment_command *command, void *arguments, int argc,
                       char **argv);

/* "[PATH=]FROM..TO[/COUNT]" or values; NULL: all of `otherwise`. `name` is that of the option. */
bool experiment_add_axis(struct experiment *experiment, const char *name, const char *text,
                         const struct experiment_default *otherwise, struct err *err);
/* The rate of the first load that is no trigger, from a little below the hidden capacity to a
 * little below the capacity. */
struct experiment_default experiment_load_default(struct experiment *experiment, uint32_t count);
/* The duration of the first trigger, up to three times the largest one that theory expects to tip
 * at the values of the axis "load", if that was added before. */
struct experiment_default experiment_trigger_default(struct experiment *experiment, uint32_t count);
/* The same, from six tenths of the shortest one to seven fifths of the longest one. */
struct experiment_default experiment_search_default(struct experiment *experiment, uint32_t count);
/* Builds the cells and opens the results file. The exit status. */
int experiment_open(struct experiment *experiment);
/* Runs what is missing. EXIT_HELD when all is there, else EXIT_INTERRUPTED, EXIT_UNKNOWN (time
 * budget), EXIT_INTERNAL; the user was told. `source`: as for campaigns; NULL: every seed of every
 * cell. */
int experiment_run(struct experiment *experiment, const struct campaign_source *source);

/* What stands behind a number of the axis in a text: "s", "/s", "". */
const char *experiment_unit(const struct experiment_axis *axis);
/* What theory is told of a cell; false where it says nothing. */
bool experiment_request(const struct experiment *experiment, uint32_t cell,
                        struct predict_request *request);
/* The shortest duration of the cell's trigger that theory expects to stick, s; infinite: none does;
 * NaN: it says nothing. *with_service: the same when one mean service is taken off the
 * time-out, which the fluid neglects. */
double experiment_tipping_duration(const struct experiment *experiment, uint32_t cell,
                                   double *with_service);

/* How the runs of each cell came out, of all seeds in the file. `tallies` has one for each cell. */
bool experiment_tally(struct experiment *experiment, struct tally *tallies, struct err *err);
/* Adds a point of a series for the report; texts must live as long as the experiment (its arena).
 */
void experiment_point(struct experiment *experiment, const char *series, double x, double y,
                      struct interval interval, const char *note);
/* Stores axes and points, writes FOLDER/report, and prints where all is, and a command that does
 * one of the runs again. */
int experiment_report(struct experiment *experiment);

#endif
