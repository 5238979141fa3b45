/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The roof: commands, exit statuses, and what several commands share. Everything may be included
 * here; nobody includes this. The only mutable globals of the program live in this folder. */
#ifndef SQUALL_CLI_H
#define SQUALL_CLI_H

#include "sim/base/text.h"
#include "sim/base/vec.h"
#include "sim/input/plan.h"

#include <stdio.h>

#define SQUALL_VERSION "0.1.0"

/* Exit status of every command; precedence when several apply: 4 > 5 > 1 > 99 > 3. */
enum exit_status {
    EXIT_HELD = 0,
    EXIT_CHECK_FAILED = 1,
    EXIT_USAGE = 2,
    EXIT_UNKNOWN = 3,
    EXIT_NONDETERMINISM = 4,
    EXIT_INTERNAL = 5,
    EXIT_THRESHOLD = 99,
    EXIT_INTERRUPTED = 130,
};

struct command {
    const char *name;
    const char *summary;
    int (*run)(int argc, char **argv);
};

extern const struct command commands[]; /* ends with a NULL name */

int cmd_check(int argc, char **argv);
int cmd_run(int argc, char **argv);
int cmd_replay(int argc, char **argv);
int cmd_report(int argc, char **argv);
int cmd_map(int argc, char **argv);
int cmd_tip(int argc, char **argv);
int cmd_predict(int argc, char **argv);
int cmd_hysteresis(int argc, char **argv);
int cmd_recovery(int argc, char **argv);
int cmd_list(int argc, char **argv);
int cmd_explain(int argc, char **argv);
int cmd_doctor(int argc, char **argv);

struct argp_state;
/* Keeps one --set of the command line; more than `limit` is a usage error. */
void add_setting(struct argp_state *state, const char **sets, uint32_t limit, uint32_t *count,
                 const char *setting);
/* The value of an option that is a whole number, 1 .. `maximum`; --jobs; the end of --time-budget,
 * of real_wall_ns. What is wrong is a usage error. */
uint64_t parse_count(struct argp_state *state, const char *text, uint64_t maximum);
uint32_t parse_jobs(struct argp_state *state, const char *text);
int64_t parse_deadline(struct argp_state *state, const char *text);
/* Worker processes at most, and when --jobs is not given: one a processor. */
#define JOBS_MAX 256
uint32_t jobs_usual(void);
/* "squall run a.yaml --quick": as it was typed. */
void add_command_line(struct text *text, const char *command, char **argv);

/* The worse of two exit statuses by the precedence above. */
int exit_worse(int left, int right);
/* Prints "squall: <text>" to stderr and gives the exit status that the error stands for. */
int fail(const struct err *err);

/* Models and names of checks, for the input layer. */
const struct catalog *catalog_get(void);

/* A scenario and its plan, opened together. Texts of errors go to stderr. */
struct opened {
    struct scenario *scenario;
    struct plan plan;
};
/* Looks for `path`, `path`.yaml, and then in scenarios/, in its folders, in the installed
 * scenarios and in their folders, with and without ".yaml". Returns EXIT_HELD, EXIT_USAGE or
 * EXIT_INTERNAL. */
int open_plan(struct opened *opened, const char *path, const struct plan_options *options);
void close_plan(struct opened *opened);

/* The folder of the scenarios that `make install` put there, whether it exists or not. */
const char *installed_scenarios(void);

/* "0.1.0 (build 9f1c...)": the version and a hash of this program's own file, so that results of
 * different code never mix in one cell. */
const char *build_version(void);

/* Real clocks of this process, ns. */
int64_t real_wall_ns(void);
int64_t real_cpu_ns(void);

#endif
