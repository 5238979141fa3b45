/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * results.sqlite: the only thing that outlives a campaign, and all that a report reads. Schema and
 * views are in analysis/results_schema.c. Identities are hashes of content, so the same work done
 * with any number of workers, in any order, in one go or resumed, gives the same rows
 * (results_digest); only the tables that say how it was run differ.
 *
 * Writes go into a transaction that results_commit ends; a killed process loses what came after the
 * last commit and nothing else. All functions that can fail return false with ERR_SYSTEM (or
 * ERR_INPUT for a file that is not ours). */
#ifndef SQUALL_ANALYSIS_RESULTS_H
#define SQUALL_ANALYSIS_RESULTS_H

#include "analysis/result.h"
#include "sim/base/err.h"
#include "sim/base/text.h"

#include <stdbool.h>
#include <stdint.h>

#define RESULTS_APPLICATION_ID 0x5351554c /* 'SQUL' */
#define RESULTS_SCHEMA_VERSION 1

struct results;

enum results_mode {
    RESULTS_READ,   /* must exist; nothing is ever written */
    RESULTS_APPEND, /* created when absent, else continued */
};

/* NULL when it fails: not a database, another program's database, a newer schema, truncated or
 * damaged. */
struct results *results_open(const char *path, enum results_mode mode, struct err *err);
/* Commits and closes; the handle is gone even when it fails. NULL is allowed. */
bool results_close(struct results *results, struct err *err);
/* Writes everything since the last commit, with its journal, to stable storage. */
bool results_commit(struct results *results, struct err *err);
/* results_add_run commits by itself every `runs` runs (100 at the start); 0: never. */
void results_commit_every(struct results *results, uint32_t runs);

/* --------------------------------------------------------------------------------- what was run */

struct results_scenario {
    const char *name;
    const char *yaml; /* normalised text */
    int64_t schema_version;
};
/* Adds it unless it is there; *scenario_id is a hash of the text. */
bool results_add_scenario(struct results *results, const struct results_scenario *scenario,
                          int64_t *scenario_id, struct err *err);

struct results_build {
    const char *version;    /* of squall */
    const char *git_commit; /* NULL: unknown */
    const char *compiler;
    const char *models_json; /* {"raft": "libraft 0.15.0"} */
};
bool results_add_build(struct results *results, const struct results_build *build,
                       int64_t *build_id, struct err *err);

struct results_param {
    const char *name;  /* "system.nodes" */
    const char *value; /* as the scenario writes it */
};
struct results_cell {
    int64_t scenario_id;
    int64_t build_id;
    const char *label; /* "nodes=5 retry=aws-2026"; "" for a scenario without a sweep */
    int64_t replicas;  /* number of nodes when it is the swept axis or known; -1: NULL */
    const struct results_param *params; /* in the order of the sweep */
    uint32_t param_count;
};
bool results_add_cell(struct results *results, const struct results_cell *cell, int64_t *cell_id,
                      struct err *err);

/* The command that does runs of the cell again, without "--seed SEED"; replaces an older one. */
bool results_set_replay(struct results *results, int64_t cell_id, const char *command,
                        struct err *err);

/* -------------------------------------------------------------------------------- what came out */

int64_t results_run_id(int64_t cell_id, uint64_t seed);
/* For resuming. Sees rows that are not committed yet. */
bool results_has_run(struct results *results, int64_t cell_id, uint64_t seed, bool *has,
                     struct err *err);

struct results_cost {
    int64_t shard_id; /* 0: none */
    int64_t wall_ns;
    int64_t rss_kib;
};
/* A run that is there already is left as it is (*added false): adding twice changes nothing. `cost`
 * and `added` may be NULL. */
bool results_add_run(struct results *results, int64_t cell_id, const struct run_result *result,
                     const struct results_cost *cost, bool *added, struct err *err);
/* The same run done again: its digest is kept when it differs or not; v_nondeterministic lists
 * those that differ. */
bool results_add_recheck(struct results *results, int64_t cell_id, uint64_t seed, uint64_t digest,
                         int64_t shard_id, struct err *err);
/* Marks a run after the four-arm analysis. */
bool results_set_metastable(struct results *results, int64_t cell_id, uint64_t seed,
                            bool is_metastable, struct err *err);

enum results_judgement {
    RESULTS_CROSSED,
    RESULTS_HELD,
    RESULTS_UNSETTLED, /* nothing was observed, or too little to tell */
};

struct results_threshold {
    int64_t cell_id;
    const char *expression; /* "latency: p(99) < 250ms" */
    double observed;        /* NaN: nothing was observed */
    enum results_judgement judgement;
    uint32_t line; /* in the scenario; 0: none */
};
/* Replaces an older judgement of the same expression. */
bool results_add_threshold(struct results *results, const struct results_threshold *threshold,
                           struct err *err);
/* What theory says about a cell; replaces an older value. */
bool results_add_model_value(struct results *results, int64_t cell_id, const char *model,
                             const char *name, double value, struct err *err);

struct results_fleet_service {
    const char *name;
    uint32_t order; /* in the scenario, from 0 */
    uint32_t machines;
    uint32_t needed;
    double failover_h;  /* 0: no leader */
    double half_width;  /* asked for, relative */
    double confidence;  /* of intervals */
    const char *theory; /* method of the exact model; "": there is none, the rest is NaN */
    double unavailability;
    double outages_per_h;
    double mttf_h; /* NaN: not known, as below */
    double month;  /* probability of an outage within it, from all up */
    double year;
    double decade;
};
/* What a cell asks of its fleet, and what theory says. One that is there is left as it is. */
bool results_add_fleet_service(struct results *results, int64_t cell_id,
                               const struct results_fleet_service *service, struct err *err);
/* How it is estimated: the word of the scenario, what auto chose and why ("": it was not asked),
 * and whether seeds were asked for until the interval was short enough. One that is there is left
 * as it is. */
bool results_add_fleet_estimator(struct results *results, int64_t cell_id, const char *asked,
                                 const char *why, bool is_sequential, struct err *err);

/* --------------------------------------------------------------------------------- experiments */

/* An axis of an experiment. */
struct results_axis {
    const char *name;          /* "load" */
    const char *path;          /* "load.application.rate" */
    const char *unit;          /* of the numbers: "s", "1/s", "" */
    const char *const *values; /* as the cells' parameters have them */
    const double *numbers;
    uint32_t count;
};
/* A point of a curve, or a single figure. Infinite and NaN become NULL. */
struct results_point {
    const char *series; /* "predicted-tipping"; points of a series keep their order */
    double x;
    double y;
    double low;
    double high;
    const char *note; /* NULL: "" */
};
struct results_experiment {
    const char *kind; /* "map" */
    int64_t scenario_id;
    int64_t build_id;
    uint64_t seeds;     /* of each cell */
    const char *theory; /* how theory read the scenario, or why it says nothing; lines */
    const struct results_axis *axes;
    uint32_t axis_count;
    const struct results_point *points;
    uint32_t point_count;
};
/* Replaces the experiment of the same kind. It is derived from the runs and not part of
 * results_digest. */
bool results_set_experiment(struct results *results, const struct results_experiment *experiment,
                            struct err *err);

/* ------------------------------------------------------------------------------- how it was run */

struct results_shard {
    const char *campaign;
    uint32_t index; /* from 1 */
    uint32_t of;
    const char *engine; /* squall's version */
    const char *host;
    const char *argv;
    const char *started_at; /* ISO 8601, by the caller's clock */
};
bool results_begin_shard(struct results *results, const struct results_shard *shard,
                         int64_t *shard_id, struct err *err);
bool results_end_shard(struct results *results, int64_t shard_id, const char *finished_at,
                       uint64_t runs, int exit_code, struct err *err);

/* ------------------------------------------------------------------------------------ questions */

enum results_type {
    RESULTS_NULL,
    RESULTS_INTEGER,
    RESULTS_REAL,
    RESULTS_TEXT,
};
struct results_value {
    enum results_type type;
    int64_t integer;  /* INTEGER; REAL cut to a whole number; else 0 */
    double real;      /* REAL, INTEGER; NaN for NULL */
    const char *text; /* as SQLite prints it; "" for NULL; good during the call only */
};
struct results_row {
    uint32_t count;
    const char *const *names; /* of the columns */
    const struct results_value *values;
};
/* Runs one SELECT (several statements, or one that writes, are ERR_INPUT) and calls on_row for each
 * row until it returns false. `parameters` are texts for ?1, ?2, ... Sees rows that are not
 * committed yet. */
bool results_query(struct results *results, const char *sql, const char *const *parameters,
                   uint32_t parameter_count,
                   bool (*on_row)(void *context, const struct results_row *row), void *context,
                   struct err *err);
/* First column of the first row as a number; *value is `otherwise` when there is no row or it is
 * NULL. */
bool results_query_integer(struct results *results, const char *sql, int64_t otherwise,
                           int64_t *value, struct err *err);
/* 16 hexadecimal digits over all rows of the deterministic tables in the order of their keys. */
bool results_digest(struct results *results, char hex[17], struct err *err);
/* Runs SQLite's own integrity check over the whole file; slow for large ones. */
bool results_verify(struct results *results, struct err *err);

#endif
