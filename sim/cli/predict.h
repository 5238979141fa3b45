/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What `squall predict` reads beside its options: a scenario, or the parameters of one law. */
#ifndef SQUALL_CLI_PREDICT_H
#define SQUALL_CLI_PREDICT_H

#include "analysis/predict_text.h"
#include "sim/cli/cli.h"
#include "sim/spec.h"

/* Fills in what the scenario says of the first load that is no trigger, its clients, the server
 * that it calls (the options of a model named as those of `server`), and the first trigger. What
 * theory does not know of, or what had to be read in some way, is added to `notes`, a line each.
 * The capacity stays 0 where the model does not state it. False when the scenario has no such
 * load. / */
bool predict_from_spec(const struct run_spec *spec, struct predict_request *request,
                       struct text *notes, struct err *err);

/* Appends what the law `name` gives for "KEY=VALUE" texts, and what a simulation gives. False when
 * the name or a value is wrong, or nothing simulates it; the text then lists what there is. */
bool predict_law(const char *name, char *const *settings, uint32_t count, bool is_simulated,
                 struct text *text, struct err *err);
/* Appends prediction beside simulation of a law, for the values of its parameters in order. */
bool predict_law_simulate(const char *name, const double *values, struct text *text,
                          struct err *err);

#define STAND_SEEDS_MAX 100

/* Runs what the request predicts and prints `text`, and behind it both columns and their
 * difference, line by line as they are known; what is left in `text` at the end has not been
 * printed. `opened`: the scenario, which it takes over and closes; NULL: a model server with the
 * numbers of the request. `seeds` of each question, 1 .. STAND_SEEDS_MAX; one where nothing is left
 * to chance. False: it cannot be run. */
bool predict_simulate(struct opened *opened, const struct predict_request *request, uint32_t seeds,
                      struct text *text, struct err *err);

#endif
