/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * One connection, one transaction at a time. Statements are prepared when they are first needed.
 * The "unix" file system layer is asked for by name, because code under test may have put its own
 * in front of the default. The journal is the classical one (rollback, deleted at commit): a killed
 * process leaves a journal that the next one rolls back, and nothing but the last transaction is
 * lost.
 *
 * Sums over the runs of a cell (latency histogram, probes, counts of the checks) are gathered in
 * memory and added to their rows when the transaction ends, or when somebody asks: a hundred
 * updates for each run would cost more than the run. They are in the same transaction as the runs
 * they count, so the two can never disagree.
 *
 * After a write has failed (disk full, I/O error) the transaction is rolled back and the handle
 * refuses further writes; what was committed before is untouched. Several errors of SQLite become
 * one text that says what to do.
 *
 * Not here: merging of files, and anything that judges. */
#include "analysis/results.h"

#include "analysis/judge.h"
#include "analysis/metastability.h"
#include "analysis/results_schema.h"
#include "sim/base/base.h"
#include "sim/base/hash.h"
#include "sim/base/map.h"
#include "sim/base/text.h"
#include "sim/base/vec.h"

#include <inttypes.h>
#include <math.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#define BUSY_MS            10000
#define COMMIT_EVERY_USUAL 100
#define PENDING_CELLS_MAX  256

enum statement {
    STATEMENT_SCENARIO,
    STATEMENT_BUILD,
    STATEMENT_CELL,
    STATEMENT_REPLAY,
    STATEMENT_PARAM,
    STATEMENT_HAS_RUN,
    STATEMENT_RUN,
    STATEMENT_VIOLATION,
    STATEMENT_METRIC,
    STATEMENT_WINDOW,
    STATEMENT_WINDOW_GOOD,
    STATEMENT_FAULT,
    STATEMENT_COST,
    STATEMENT_RECHECK,
    STATEMENT_HIST,
    STATEMENT_PROBE,
    STATEMENT_CHECK,
    STATEMENT_THRESHOLD,
    STATEMENT_MODEL_VALUE,
    STATEMENT_METASTABLE,
    STATEMENT_VERDICT,
    STATEMENT_ARM,
    STATEMENT_ARM_WINDOW,
    STATEMENT_GAUGE,
    STATEMENT_ESTIMATE,
    STATEMENT_FLEET_SERVICE,
    STATEMENT_FLEET_ESTIMATOR,
    STATEMENT_EPISODE,
    STATEMENT_NO_EXPERIMENT,
    STATEMENT_EXPERIMENT,
    STATEMENT_EXPERIMENT_AXIS,
    STATEMENT_EXPERIMENT_POINT,
    STATEMENT_EXPERIMENT_VALUE,
    STATEMENT_BEGIN_SHARD,
    STATEMENT_END_SHARD,
    STATEMENT_COUNT
};

static const char *const statement_texts[STATEMENT_COUNT] = {
    [STATEMENT_SCENARIO] = "INSERT INTO scenario VALUES(?1,?2,?3,?4,?5) ON CONFLICT DO NOTHING",
    [STATEMENT_BUILD] = "INSERT INTO build VALUES(?1,?2,?3,?4,?5) ON CONFLICT DO NOTHING",
    [STATEMENT_REPLAY] = "INSERT INTO cell_replay VALUES(?1,?2) ON CONFLICT DO UPDATE SET "
                         "command=excluded.command",
    [STATEMENT_CELL] = "INSERT INTO cell VALUES(?1,?2,?3,?4,?5,?6) ON CONFLICT DO NOTHING",
    [STATEMENT_PARAM] = "INSERT INTO cell_param VALUES(?1,?2,?3,?4) ON CONFLICT DO NOTHING",
    [STATEMENT_HAS_RUN] = "SELECT 1 FROM run WHERE run_id=?1",
    [STATEMENT_RUN] =
        "INSERT INTO run VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17,?18)",
    [STATEMENT_VIOLATION] =
        "INSERT INTO violation(run_id,ord,invariant,sim_ns,event_no,node,message,known) "
        "VALUES(?1,?2,?3,?4,?5,?6,?7,?8)",
    [STATEMENT_METRIC] = "INSERT INTO metric VALUES(?1,?2,?3)",
    [STATEMENT_WINDOW] = "INSERT INTO window VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11)",
    [STATEMENT_WINDOW_GOOD] = "INSERT INTO window_good VALUES(?1,?2,?3,?4,?5,?6)",
    [STATEMENT_FAULT] = "INSERT INTO fault VALUES(?1,?2,?7,?3,?8,?4,?5,?6,NULL)",
    [STATEMENT_COST] = "INSERT INTO run_cost VALUES(?1,?2,?3,?4,?5)",
    [STATEMENT_RECHECK] = "INSERT INTO recheck VALUES(?1,?2,?3) ON CONFLICT DO NOTHING",
    [STATEMENT_HIST] = "INSERT INTO hist VALUES(?1,?2,'',?3,?4,?5) "
                       "ON CONFLICT DO UPDATE SET n=n+excluded.n",
    [STATEMENT_PROBE] = "INSERT INTO probe VALUES(?1,?2,?3,?4,?5) ON CONFLICT DO UPDATE SET "
                        "hits=hits+excluded.hits, "
                        "first_seed=min(coalesce(first_seed,excluded.first_seed),coalesce(excluded."
                        "first_seed,first_seed))",
    [STATEMENT_CHECK] =
        "INSERT INTO check_count VALUES(?1,?2,?3,?4,?5,?6,?7) ON CONFLICT DO UPDATE SET "
        "runs=runs+excluded.runs, violated=violated+excluded.violated, known=known+excluded.known, "
        "unknown=unknown+excluded.unknown, comparisons=comparisons+excluded.comparisons",
    [STATEMENT_THRESHOLD] =
        "INSERT INTO threshold VALUES(?1,?2,?3,?4,?5) ON CONFLICT DO UPDATE SET "
        "observed=excluded.observed, ok=excluded.ok, line=excluded.line",
    [STATEMENT_MODEL_VALUE] = "INSERT INTO model_value VALUES(?1,?2,?3,?4) ON CONFLICT DO UPDATE "
                              "SET value=excluded.value",
    [STATEMENT_METASTABLE] = "UPDATE run SET metastable=?2 WHERE run_id=?1",
    [STATEMENT_VERDICT] = "INSERT INTO metastability VALUES(?1,?2,?3,?4,?5)",
    [STATEMENT_ARM] =
        "INSERT INTO arm VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17,?18)",
    [STATEMENT_ARM_WINDOW] = "INSERT INTO arm_window VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11)",
    [STATEMENT_EPISODE] =
        "INSERT INTO episode VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15)",
    [STATEMENT_ESTIMATE] = "INSERT INTO estimate VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,"
                           "?14,?15,?16,?17,?18,?19,?20,?21,?22,?23,?24,?25)",
    [STATEMENT_FLEET_SERVICE] = "INSERT INTO fleet_service VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,"
                                "?11,?12,?13,?14,?15) ON CONFLICT DO NOTHING",
    [STATEMENT_FLEET_ESTIMATOR] =
        "INSERT INTO fleet_estimator VALUES(?1,?2,?3,?4) ON CONFLICT DO NOTHING",
    [STATEMENT_GAUGE] = "INSERT INTO gauge VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11)",
    [STATEMENT_NO_EXPERIMENT] = "DELETE FROM experiment WHERE kind=?1",
    [STATEMENT_EXPERIMENT] = "INSERT INTO experiment VALUES(?1,?2,?3,?4,?5)",
    [STATEMENT_EXPERIMENT_AXIS] = "INSERT INTO experiment_axis VALUES(?1,?2,?3,?4,?5)",
    [STATEMENT_EXPERIMENT_POINT] = "INSERT INTO experiment_point VALUES(?1,?2,?3,?4,?5)",
    [STATEMENT_EXPERIMENT_VALUE] = "INSERT INTO experiment_value VALUES(?1,?2,?3,?4,?5,?6,?7,?8)",
    [STATEMENT_BEGIN_SHARD] = "INSERT INTO shard(campaign,idx,of,engine,host,argv,started_at) "
                              "VALUES(?1,?2,?3,?4,?5,?6,?7)",
    [STATEMENT_END_SHARD] =
        "UPDATE shard SET finished_at=?2, runs=?3, exit_code=?4 WHERE shard_id=?1",
};

/* Sums over runs that are not yet in the rows of their cell. */
struct pending_name {
    char name[RESULT_NAME_SIZE];
    uint64_t runs;
    uint64_t violated;
    uint64_t known;
    uint64_t unknown;
    uint64_t comparisons; /* probes: seeds that hit it */
    uint64_t first_seed;
};
struct pending_cell {
    int64_t cell_id;
    struct histogram latency;
    struct histogram visibility;
    struct vec checks; /* struct pending_name */
    struct vec probes; /* struct pending_name */
};

struct results {
    sqlite3 *db;
    char *path;
    enum results_mode mode;
    sqlite3_stmt *statements[STATEMENT_COUNT];
    struct map cell_of; /* cell_id -> index in cells */
    struct pending_cell *cells[PENDING_CELLS_MAX];
    uint32_t cell_count;
    uint32_t commit_every;
    uint32_t runs_since_commit;
    bool in_transaction;
    bool is_broken;
};

/* --------------------------------------------------------------------------------------- errors */

static enum err_code code_of(int rc)
{
    return rc == SQLITE_CORRUPT || rc == SQLITE_NOTADB ? ERR_INPUT : ERR_SYSTEM;
}

static const char *advice_for(int rc)
{
    switch (rc) {
    case SQLITE_FULL:
        return "the disk is full: free some space and run the same command again, it goes on where "
               "it stopped";
    case SQLITE_IOERR:
        return "the system could not read or write it: look at the disk and its limits, then run "
               "the same command again";
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return "another process is using it: wait for it to end, or write to another folder";
    case SQLITE_READONLY:
    case SQLITE_PERM:
        return "it may not be written: look at the permissions of the file and its folder";
    case SQLITE_CANTOPEN:
        return "it cannot be opened: does its folder exist, and may it be written?";
    case SQLITE_CORRUPT:
        return "it is damaged or cut short: keep a copy, then start a new file";
    case SQLITE_NOTADB:
        return "it is not a SQLite database";
    default:
        return NULL;
    }
}

/* Reports the last error of the connection; a failed write makes the handle unusable for more of
 * them. */
static bool fail(struct results *results, const char *what, struct err *err)
{
    int rc = sqlite3_errcode(results->db) & 0xff;
    const char *advice = advice_for(rc);
    char reason[256];
    snprintf(reason, sizeof(reason), "%s", sqlite3_errmsg(results->db));
    if (results->in_transaction) {
        sqlite3_exec(results->db, "ROLLBACK", NULL, NULL, NULL);
        results->in_transaction = false;
        results->is_broken = true;
    }
    if (advice == NULL) {
        return err_set(err, code_of(rc), "cannot %s '%s': %s", what, results->path, reason);
    }
    return err_set(err, code_of(rc), "cannot %s '%s': %s (%s)", what, results->path, advice,
                   reason);
}

static bool execute(struct results *results, const char *sql, const char *what, struct err *err)
{
    return sqlite3_exec(results->db, sql, NULL, NULL, NULL) == SQLITE_OK ||
           fail(results, what, err);
}

/* ----------------------------------------------------------------------------------- statements */

/* NULL: err is set. */
static sqlite3_stmt *prepare(struct results *results, enum statement which, struct err *err)
{
    if (results->statements[which] == NULL &&
        sqlite3_prepare_v3(results->db, statement_texts[which], -1, SQLITE_PREPARE_PERSISTENT,
                           &results->statements[which], NULL) != SQLITE_OK) {
        fail(results, "use", err);
        return NULL;
    }
    return results->statements[which];
}

/* Ready to write: in a transaction, with a statement to bind to. */
static sqlite3_stmt *prepare_write(struct results *results, enum statement which, struct err *err)
{
    ASSERT(results->mode == RESULTS_APPEND);
    if (results->is_broken) {
        err_set(err, ERR_SYSTEM, "cannot write '%s': an earlier write has failed", results->path);
        return NULL;
    }
    if (!results->in_transaction) {
        if (!execute(results, "BEGIN IMMEDIATE", "write", err)) {
            return NULL;
        }
        results->in_transaction = true;
    }
    return prepare(results, which, err);
}

static void bind_text(sqlite3_stmt *statement, int index, const char *text)
{
    int rc = text == NULL ? sqlite3_bind_null(statement, index)
                          : sqlite3_bind_text(statement, index, text, -1, SQLITE_TRANSIENT);
    ASSERT(rc == SQLITE_OK);
}

static void bind_integer(sqlite3_stmt *statement, int index, int64_t value)
{
    int rc = sqlite3_bind_int64(statement, index, value);
    ASSERT(rc == SQLITE_OK);
}

/* What does not fit 63 bits is cut to the largest number: SQLite's integers are signed. */
static void bind_count(sqlite3_stmt *statement, int index, uint64_t value)
{
    bind_integer(statement, index, value > INT64_MAX ? INT64_MAX : (int64_t)value);
}

static void bind_optional(sqlite3_stmt *statement, int index, int64_t value)
{
    int rc = value < 0 ? sqlite3_bind_null(statement, index)
                       : sqlite3_bind_int64(statement, index, value);
    ASSERT(rc == SQLITE_OK);
}

/* NaN becomes NULL. */
static void bind_real(sqlite3_stmt *statement, int index, double value)
{
    int rc = isnan(value) ? sqlite3_bind_null(statement, index)
                          : sqlite3_bind_double(statement, index, value);
    ASSERT(rc == SQLITE_OK);
}

/* Runs a statement that gives no rows, and makes it ready for the next time. */
static bool finish(struct results *results, sqlite3_stmt *statement, struct err *err)
{
    int rc = sqlite3_step(statement);
    bool is_fine = rc == SQLITE_DONE || fail(results, "write", err);
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    return is_fine;
}

static const char *format_hex(uint64_t value, char out[19])
{
    snprintf(out, 19, "0x%016" PRIx64, value);
    return out;
}

/* -------------------------------------------------------------------------------------- opening */

static bool read_integer(struct results *results, const char *sql, int64_t *value, struct err *err)
{
    sqlite3_stmt *statement = NULL;
    *value = 0;
    int rc = sqlite3_prepare_v2(results->db, sql, -1, &statement, NULL);
    if (rc == SQLITE_OK) {
        rc = sqlite3_step(statement);
    }
    if (rc == SQLITE_ROW) {
        *value = sqlite3_column_int64(statement, 0);
    }
    bool is_fine = rc == SQLITE_ROW || rc == SQLITE_DONE || fail(results, "read", err);
    sqlite3_finalize(statement);
    return is_fine;
}

static bool create_schema(struct results *results, struct err *err)
{
    if (!execute(results, "BEGIN IMMEDIATE", "write", err)) {
        return false;
    }
    results->in_transaction = true;
    if (!execute(results, results_schema, "create the tables of", err) ||
        !execute(results, "COMMIT", "create the tables of", err)) {
        return false;
    }
    results->in_transaction = false;
    return true;
}

static bool has_table(struct results *results, const char *name)
{
    int64_t count = 0;
    char sql[128];
    snprintf(sql, sizeof(sql), "SELECT count(*) FROM sqlite_schema WHERE name='%s'", name);
    return read_integer(results, sql, &count, NULL) && count > 0;
}

/* Thresholds of an older squall were held or not; the rows are kept as they are. */
static bool widen_thresholds(struct results *results, struct err *err)
{
    int64_t is_narrow = 0;
    if (!read_integer(results,
                      "SELECT count(*) FROM pragma_table_info('threshold') WHERE name='ok' AND "
                      "\"notnull\"=1",
                      &is_narrow, err)) {
        return false;
    }
    static const char rename[] = "ALTER TABLE threshold RENAME TO threshold_narrow";
    static const char copy[] = "INSERT INTO threshold SELECT cell_id,expr,observed,ok,line FROM "
                               "threshold_narrow; DROP TABLE threshold_narrow";
    int64_t is_left = has_table(results, "threshold_narrow");
    return (is_narrow == 0 || execute(results, rename, "widen the thresholds of", err)) &&
           (is_narrow == 0 || create_schema(results, err)) &&
           ((is_narrow == 0 && is_left == 0) ||
            execute(results, copy, "widen the thresholds of", err));
}

/* Is the file ours, of a version that we know, and whole as far as a first look shows? Fills an
 * empty one. */
static bool check_file(struct results *results, struct err *err)
{
    int64_t application = 0;
    int64_t version = 0;
    int64_t tables = 0;
    if (!read_integer(results, "PRAGMA application_id", &application, err) ||
        !read_integer(results, "PRAGMA user_version", &version, err) ||
        !read_integer(results, "SELECT count(*) FROM sqlite_schema", &tables, err)) {
        return false;
    }
    bool is_empty = application == 0 && version == 0 && tables == 0;
    if (is_empty && results->mode == RESULTS_APPEND) {
        return create_schema(results, err);
    }
    if (is_empty) {
        return err_set(err, ERR_INPUT, "'%s' is empty: no campaign has written to it",
                       results->path);
    }
    if (application != RESULTS_APPLICATION_ID) {
        return err_set(err, ERR_INPUT,
                       "'%s' is a SQLite database of another program, not a results file",
                       results->path);
    }
    if (version > RESULTS_SCHEMA_VERSION) {
        return err_set(err, ERR_INPUT,
                       "'%s' was written by a newer squall (schema %" PRId64 ", this one knows %d)",
                       results->path, version, RESULTS_SCHEMA_VERSION);
    }
    if (version != RESULTS_SCHEMA_VERSION) {
        return err_set(err, ERR_INPUT, "'%s' has schema %" PRId64 ", which no squall has written",
                       results->path, version);
    }
    /* A file of an older squall gets the tables that came since; there is none to read in one that
     * is only read. */
    if (results->mode == RESULTS_APPEND &&
        (!has_table(results, "cell_replay") || !has_table(results, "window_good") ||
         !has_table(results, "gauge") || !has_table(results, "estimate") ||
         !has_table(results, "fleet_service") || !has_table(results, "episode") ||
         !has_table(results, "fleet_estimator")) &&
        !create_schema(results, err)) {
        return false;
    }
    if (results->mode == RESULTS_APPEND && !widen_thresholds(results, err)) {
        return false;
    }
    int64_t runs = 0;
    return read_integer(results,
                        "SELECT count(*) FROM (SELECT 1 FROM run JOIN cell USING(cell_id) LIMIT 1)",
                        &runs, err);
}

static bool connect(struct results *results, int flags, struct err *err)
{
    int rc = sqlite3_open_v2(results->path, &results->db, flags, "unix");
    if (rc != SQLITE_OK) {
        return results->db != NULL
                   ? fail(results, "open", err)
                   : err_set(err, ERR_SYSTEM, "cannot open '%s': out of memory", results->path);
    }
    sqlite3_busy_timeout(results->db, BUSY_MS);
    return execute(results, "PRAGMA foreign_keys=ON; PRAGMA temp_store=MEMORY", "open", err);
}

static void release(struct results *results)
{
    for (uint32_t i = 0; i < STATEMENT_COUNT; i++) {
        sqlite3_finalize(results->statements[i]);
    }
    for (uint32_t i = 0; i < results->cell_count; i++) {
        vec_release(&results->cells[i]->checks);
        vec_release(&results->cells[i]->probes);
        free(results->cells[i]);
    }
    map_release(&results->cell_of);
    sqlite3_close(results->db);
    free(results->path);
    free(results);
}

struct results *results_open(const char *path, enum results_mode mode, struct err *err)
{
    ASSERT(path != NULL);
    struct results *results = calloc(1, sizeof(*results));
    ASSERT(results != NULL);
    results->path = calloc(1, strlen(path) + 1);
    ASSERT(results->path != NULL);
    memcpy(results->path, path, strlen(path));
    results->mode = mode;
    results->commit_every = COMMIT_EVERY_USUAL;
    map_init(&results->cell_of);
    int flags =
        mode == RESULTS_READ ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
    bool is_fine = connect(results, flags, err) && check_file(results, err);
    if (!is_fine && mode == RESULTS_READ && results->db != NULL &&
        sqlite3_extended_errcode(results->db) == SQLITE_READONLY_ROLLBACK) {
        /* A killed writer left a journal: rolling it back needs write access, once. */
        sqlite3_close(results->db);
        results->db = NULL;
        if (err != NULL) {
            *err = (struct err){.code = ERR_NONE};
        }
        is_fine = connect(results, SQLITE_OPEN_READWRITE, err) && check_file(results, err);
    }
    if (!is_fine) {
        release(results);
        return NULL;
    }
    return results;
}

void results_commit_every(struct results *results, uint32_t runs)
{
    ASSERT(results != NULL);
    results->commit_every = runs;
}

/* ----------------------------------------------------------------------------------------- sums */

static struct pending_cell *pending_of(struct results *results, int64_t cell_id)
{
    const uint64_t *known = map_find(&results->cell_of, (uint64_t)cell_id);
    if (known != NULL) {
        return results->cells[*known];
    }
    ASSERT(results->cell_count < PENDING_CELLS_MAX);
    struct pending_cell *cell = calloc(1, sizeof(*cell));
    ASSERT(cell != NULL);
    cell->cell_id = cell_id;
    histogram_clear(&cell->latency);
    histogram_clear(&cell->visibility);
    vec_init(&cell->checks, sizeof(struct pending_name), RESULT_CHECKS_MAX * 16);
    vec_init(&cell->probes, sizeof(struct pending_name), RESULT_PROBES_MAX * 16);
    map_put(&results->cell_of, (uint64_t)cell_id, results->cell_count);
    results->cells[results->cell_count++] = cell;
    return cell;
}

static struct pending_name *pending_named(struct vec *names, const char *name)
{
    for (uint32_t i = 0; i < names->count; i++) {
        struct pending_name *known = vec_at(names, i);
        if (strcmp(known->name, name) == 0) {
            return known;
        }
    }
    struct pending_name *made = vec_push(names);
    result_copy_text(made->name, sizeof(made->name), name);
    made->first_seed = UINT64_MAX;
    return made;
}

static void add_sums(struct results *results, int64_t cell_id, const struct run_result *result)
{
    struct pending_cell *cell = pending_of(results, cell_id);
    histogram_merge(&cell->latency, &result->latency);
    histogram_merge(&cell->visibility, &result->visibility);
    for (uint32_t i = 0; i < result->checks.count; i++) {
        const struct result_check *check = vec_at(&result->checks, i);
        struct pending_name *sum = pending_named(&cell->checks, check->name);
        sum->runs++;
        sum->violated += check->is_violated;
        sum->known += check->is_known;
        sum->unknown += check->is_unknown;
        sum->comparisons += check->comparisons;
    }
    for (uint32_t i = 0; i < result->probes.count; i++) {
        const struct result_probe *probe = vec_at(&result->probes, i);
        struct pending_name *sum = pending_named(&cell->probes, probe->name);
        sum->comparisons += probe->hits > 0;
        if (probe->hits > 0 && (sum->comparisons == 1 || result->seed < sum->first_seed)) {
            sum->first_seed = result->seed;
        }
    }
}

static bool flush_histogram(struct results *results, int64_t cell_id, const char *metric,
                            const struct histogram *histogram, struct err *err)
{
    for (uint32_t bin = 0; bin < HISTOGRAM_BINS; bin++) {
        if (histogram->bins[bin] == 0) {
            continue;
        }
        sqlite3_stmt *statement = prepare_write(results, STATEMENT_HIST, err);
        if (statement == NULL) {
            return false;
        }
        bind_integer(statement, 1, cell_id);
        bind_text(statement, 2, metric);
        bind_count(statement, 3, histogram_bin_lo(bin));
        bind_count(statement, 4, histogram_bin_hi(bin));
        bind_integer(statement, 5, histogram->bins[bin]);
        if (!finish(results, statement, err)) {
            return false;
        }
    }
    return true;
}

static bool flush_checks(struct results *results, const struct pending_cell *cell, struct err *err)
{
    for (uint32_t i = 0; i < cell->checks.count; i++) {
        const struct pending_name *sum = vec_at(&cell->checks, i);
        sqlite3_stmt *statement = prepare_write(results, STATEMENT_CHECK, err);
        if (statement == NULL) {
            return false;
        }
        bind_integer(statement, 1, cell->cell_id);
        bind_text(statement, 2, sum->name);
        bind_count(statement, 3, sum->runs);
        bind_count(statement, 4, sum->violated);
        bind_count(statement, 5, sum->known);
        bind_count(statement, 6, sum->unknown);
        bind_count(statement, 7, sum->comparisons);
        if (!finish(results, statement, err)) {
            return false;
        }
    }
    return true;
}

/* Names of squall's own probes have a place; what else there is, models made. */
static const char *source_of(const char *probe)
{
    for (uint32_t i = 0; checks_probes[i] != NULL; i++) {
        if (strcmp(probe, checks_probes[i]) == 0) {
            return "squall";
        }
    }
    return "model";
}

static bool flush_probes(struct results *results, const struct pending_cell *cell, struct err *err)
{
    for (uint32_t i = 0; i < cell->probes.count; i++) {
        const struct pending_name *sum = vec_at(&cell->probes, i);
        sqlite3_stmt *statement = prepare_write(results, STATEMENT_PROBE, err);
        if (statement == NULL) {
            return false;
        }
        char seed[19];
        bind_integer(statement, 1, cell->cell_id);
        bind_text(statement, 2, sum->name);
        bind_text(statement, 3, source_of(sum->name));
        bind_count(statement, 4, sum->comparisons);
        bind_text(statement, 5, sum->comparisons > 0 ? format_hex(sum->first_seed, seed) : NULL);
        if (!finish(results, statement, err)) {
            return false;
        }
    }
    return true;
}

static bool flush(struct results *results, struct err *err)
{
    bool is_fine = true;
    for (uint32_t i = 0; i < results->cell_count; i++) {
        struct pending_cell *cell = results->cells[i];
        is_fine = is_fine &&
                  flush_histogram(results, cell->cell_id, "latency", &cell->latency, err) &&
                  flush_histogram(results, cell->cell_id, "visibility", &cell->visibility, err) &&
                  flush_checks(results, cell, err) && flush_probes(results, cell, err);
        vec_release(&cell->checks);
        vec_release(&cell->probes);
        free(cell);
    }
    results->cell_count = 0;
    map_clear(&results->cell_of);
    return is_fine;
}

bool results_commit(struct results *results, struct err *err)
{
    ASSERT(results != NULL);
    if (!flush(results, err)) {
        return false;
    }
    results->runs_since_commit = 0;
    if (!results->in_transaction) {
        return true;
    }
    if (!execute(results, "COMMIT", "write", err)) {
        return false;
    }
    results->in_transaction = false;
    return true;
}

bool results_close(struct results *results, struct err *err)
{
    if (results == NULL) {
        return true;
    }
    bool is_fine =
        results->mode == RESULTS_READ || results->is_broken || results_commit(results, err);
    release(results);
    return is_fine;
}

/* --------------------------------------------------------------------------------- what was run */

/* 63 bits, never 0. */
static int64_t id_of(const struct text *content)
{
    uint64_t hash = hash_bytes(text_of(content), content->length) >> 1;
    return hash == 0 ? 1 : (int64_t)hash;
}

/* Texts that are hashed together are ended by a NUL each, so that no two lists of texts are the
 * same bytes. */
static void add_part(struct text *content, const char *part)
{
    text_add_bytes(content, part == NULL ? "" : part, part == NULL ? 1 : strlen(part) + 1);
}

static void add_number(struct text *content, int64_t number)
{
    char digits[24];
    snprintf(digits, sizeof(digits), "%" PRId64, number);
    add_part(content, digits);
}

bool results_add_scenario(struct results *results, const struct results_scenario *scenario,
                          int64_t *scenario_id, struct err *err)
{
    ASSERT(scenario->name != NULL);
    ASSERT(scenario->yaml != NULL);
    struct text content;
    text_init(&content);
    add_part(&content, scenario->yaml);
    *scenario_id = id_of(&content);
    text_release(&content);
    sqlite3_stmt *statement = prepare_write(results, STATEMENT_SCENARIO, err);
    if (statement == NULL) {
        return false;
    }
    bind_integer(statement, 1, *scenario_id);
    bind_text(statement, 2, scenario->name);
    bind_text(statement, 3, sha256_of(scenario->yaml, strlen(scenario->yaml)).hex);
    bind_text(statement, 4, scenario->yaml);
    bind_integer(statement, 5, scenario->schema_version);
    return finish(results, statement, err);
}

bool results_add_build(struct results *results, const struct results_build *build,
                       int64_t *build_id, struct err *err)
{
    struct text content;
    text_init(&content);
    add_part(&content, build->version);
    add_part(&content, build->git_commit);
    add_part(&content, build->compiler);
    add_part(&content, build->models_json);
    *build_id = id_of(&content);
    text_release(&content);
    sqlite3_stmt *statement = prepare_write(results, STATEMENT_BUILD, err);
    if (statement == NULL) {
        return false;
    }
    bind_integer(statement, 1, *build_id);
    bind_text(statement, 2, build->version);
    bind_text(statement, 3, build->git_commit);
    bind_text(statement, 4, build->compiler);
    bind_text(statement, 5, build->models_json);
    return finish(results, statement, err);
}

static void add_json_text(struct text *out, const char *text)
{
    text_add(out, "\"");
    for (const unsigned char *at = (const unsigned char *)text; *at != '\0'; at++) {
        if (*at == '"' || *at == '\\') {
            text_printf(out, "\\%c", *at);
        } else if (*at < 0x20) {
            text_printf(out, "\\u%04x", *at);
        } else {
            text_add_bytes(out, at, 1);
        }
    }
    text_add(out, "\"");
}

static bool add_param(struct results *results, int64_t cell_id, const struct results_param *param,
                      struct err *err)
{
    sqlite3_stmt *statement = prepare_write(results, STATEMENT_PARAM, err);
    if (statement == NULL) {
        return false;
    }
    char *end = NULL;
    double number = strtod(param->value, &end);
    bool is_number = end != param->value && *end == '\0' && isfinite(number);
    bind_integer(statement, 1, cell_id);
    bind_text(statement, 2, param->name);
    bind_text(statement, 3, param->value);
    bind_real(statement, 4, is_number ? number : NAN);
    return finish(results, statement, err);
}

bool results_add_cell(struct results *results, const struct results_cell *cell, int64_t *cell_id,
                      struct err *err)
{
    ASSERT(cell->label != NULL);
    struct text content;
    struct text json;
    text_init(&content);
    text_init(&json);
    add_number(&content, cell->scenario_id);
    add_number(&content, cell->build_id);
    add_part(&content, cell->label);
    text_add(&json, "{");
    for (uint32_t i = 0; i < cell->param_count; i++) {
        add_part(&content, cell->params[i].name);
        add_part(&content, cell->params[i].value);
        text_add(&json, i > 0 ? "," : "");
        add_json_text(&json, cell->params[i].name);
        text_add(&json, ":");
        add_json_text(&json, cell->params[i].value);
    }
    text_add(&json, "}");
    *cell_id = id_of(&content);
    sqlite3_stmt *statement = prepare_write(results, STATEMENT_CELL, err);
    bool is_fine = statement != NULL;
    if (is_fine) {
        bind_integer(statement, 1, *cell_id);
        bind_integer(statement, 2, cell->scenario_id);
        bind_integer(statement, 3, cell->build_id);
        bind_text(statement, 4, cell->label);
        bind_optional(statement, 5, cell->replicas);
        bind_text(statement, 6, text_of(&json));
        is_fine = finish(results, statement, err);
    }
    text_release(&content);
    text_release(&json);
    for (uint32_t i = 0; i < cell->param_count && is_fine; i++) {
        is_fine = add_param(results, *cell_id, &cell->params[i], err);
    }
    return is_fine;
}

bool results_set_replay(struct results *results, int64_t cell_id, const char *command,
                        struct err *err)
{
    sqlite3_stmt *statement = prepare_write(results, STATEMENT_REPLAY, err);
    if (statement == NULL) {
        return false;
    }
    bind_integer(statement, 1, cell_id);
    bind_text(statement, 2, command);
    return finish(results, statement, err);
}

/* -------------------------------------------------------------------------------- what came out */

int64_t results_run_id(int64_t cell_id, uint64_t seed)
{
    uint64_t words[2] = {(uint64_t)cell_id, seed};
    uint64_t hash = hash_bytes(words, sizeof(words)) >> 1;
    return hash == 0 ? 1 : (int64_t)hash;
}

bool results_has_run(struct results *results, int64_t cell_id, uint64_t seed, bool *has,
                     struct err *err)
{
    sqlite3_stmt *statement = prepare(results, STATEMENT_HAS_RUN, err);
    if (statement == NULL) {
        return false;
    }
    bind_integer(statement, 1, results_run_id(cell_id, seed));
    int rc = sqlite3_step(statement);
    *has = rc == SQLITE_ROW;
    bool is_fine = rc == SQLITE_ROW || rc == SQLITE_DONE || fail(results, "read", err);
    sqlite3_reset(statement);
    return is_fine;
}

static bool add_run_row(struct results *results, int64_t run_id, int64_t cell_id,
                        const struct run_result *result, struct err *err)
{
    sqlite3_stmt *statement = prepare_write(results, STATEMENT_RUN, err);
    if (statement == NULL) {
        return false;
    }
    char hex[19];
    char digest[17];
    snprintf(digest, sizeof(digest), "%016" PRIx64, result->digest);
    bind_integer(statement, 1, run_id);
    bind_integer(statement, 2, cell_id);
    bind_text(statement, 3, format_hex(result->seed, hex));
    bind_text(statement, 4, verdict_name(result->verdict));
    bind_text(statement, 5, result->reason);
    bind_text(statement, 6, digest);
    bind_count(statement, 7, result->events);
    bind_integer(statement, 8, result->sim_ns);
    bind_count(statement, 9, result->offered);
    bind_count(statement, 10, result->attempts);
    bind_count(statement, 11, result->ok);
    bind_count(statement, 12, result->failed);
    bind_count(statement, 13, result->info);
    bind_integer(statement, 14, result->up_ns);
    bind_integer(statement, 15, result->measured_ns);
    bind_count(statement, 16, result->fault_total);
    bind_integer(statement, 17, result->is_metastable);
    bind_optional(statement, 18, result->recovery_ns);
    return finish(results, statement, err);
}

/* Those that fail the run come first: `ord` 0 is the one to look at. */
static bool add_violations(struct results *results, int64_t run_id, const struct run_result *result,
                           bool is_known, uint32_t *ord, struct err *err)
{
    for (uint32_t i = 0; i < result->violations.count; i++) {
        const struct result_violation *violation = vec_at(&result->violations, i);
        if (violation->is_known != is_known) {
            continue;
        }
        sqlite3_stmt *statement = prepare_write(results, STATEMENT_VIOLATION, err);
        if (statement == NULL) {
            return false;
        }
        bind_integer(statement, 1, run_id);
        bind_integer(statement, 2, (*ord)++);
        bind_text(statement, 3, violation->check);
        bind_integer(statement, 4, violation->time_ns);
        bind_integer(statement, 5,
                     violation->event == RESULT_EVENT_NONE ? -1 : (int64_t)violation->event);
        bind_text(statement, 6, violation->node_name[0] == '\0' ? NULL : violation->node_name);
        bind_text(statement, 7, violation->message);
        bind_integer(statement, 8, violation->is_known);
        if (!finish(results, statement, err)) {
            return false;
        }
    }
    return true;
}

static bool add_metric(struct results *results, int64_t run_id, const char *name, double value,
                       struct err *err)
{
    sqlite3_stmt *statement = prepare_write(results, STATEMENT_METRIC, err);
    if (statement == NULL) {
        return false;
    }
    bind_integer(statement, 1, run_id);
    bind_text(statement, 2, name);
    bind_real(statement, 3, value);
    return finish(results, statement, err);
}

/* What the columns of `run` and the sums of its cell cannot give. */
static bool add_metrics(struct results *results, int64_t run_id, const struct run_result *result,
                        struct err *err)
{
    bool is_fine = true;
    if (result->latency.count > 0) {
        is_fine = add_metric(results, run_id, "latency_p50_ns",
                             (double)histogram_quantile(&result->latency, 500), err) &&
                  add_metric(results, run_id, "latency_p99_ns",
                             (double)histogram_quantile(&result->latency, 990), err);
    }
    if (is_fine && result->baseline_per_1000s >= 0) {
        is_fine = add_metric(results, run_id, "baseline_per_s",
                             (double)result->baseline_per_1000s / 1000, err);
    }
    for (uint32_t i = 0; i < result->metrics.count && is_fine; i++) {
        const struct result_metric *metric = vec_at(&result->metrics, i);
        is_fine = add_metric(results, run_id, metric->name, metric->value, err);
    }
    return is_fine;
}

static bool add_arm(struct results *results, int64_t run_id, const struct result_arm *arm,
                    struct err *err)
{
    sqlite3_stmt *statement = prepare_write(results, STATEMENT_ARM, err);
    if (statement == NULL) {
        return false;
    }
    char digest[17];
    snprintf(digest, sizeof(digest), "%016" PRIx64, arm->digest);
    bind_integer(statement, 1, run_id);
    bind_text(statement, 2, arm_name(arm->arm));
    bind_text(statement, 3, digest);
    bind_text(statement, 4, arm_outcome_name(arm->outcome));
    bind_count(statement, 5, arm->events);
    bind_integer(statement, 6, arm->sim_ns);
    bind_integer(statement, 7, arm->since_ns);
    bind_optional(statement, 8, arm->after_ns);
    bind_integer(statement, 9, arm->looked_ns);
    bind_count(statement, 10, arm->offered);
    bind_count(statement, 11, arm->good);
    bind_count(statement, 12, arm->attempts);
    bind_count(statement, 13, arm->ok);
    bind_count(statement, 14, arm->timeouts);
    bind_count(statement, 15, arm->unwanted);
    bind_real(statement, 16, metastability_ratio(arm));
    bind_real(statement, 17, metastability_amplification(arm));
    bind_real(statement, 18, metastability_useless(arm));
    return finish(results, statement, err);
}

static bool add_arm_window(struct results *results, int64_t run_id,
                           const struct result_arm_window *one, struct err *err)
{
    sqlite3_stmt *statement = prepare_write(results, STATEMENT_ARM_WINDOW, err);
    if (statement == NULL) {
        return false;
    }
    const struct result_window *window = &one->window;
    bind_integer(statement, 1, run_id);
    bind_text(statement, 2, arm_name(one->arm));
    bind_integer(statement, 3, window->t_ns);
    bind_integer(statement, 4, window->duration_ns);
    bind_integer(statement, 5, window->offered);
    bind_integer(statement, 6, window->judged);
    bind_integer(statement, 7, window->good);
    bind_integer(statement, 8, window->attempts);
    bind_integer(statement, 9, window->ok);
    bind_integer(statement, 10, window->timeouts);
    bind_integer(statement, 11, window->unwanted);
    return finish(results, statement, err);
}

/* The verdict of the four arms, as rows of its own and as metrics. */
static bool add_verdict(struct results *results, int64_t run_id, const struct run_result *result,
                        struct err *err)
{
    const struct result_arm *arm = metastability_outcome(result);
    if (result->metastability == METASTABILITY_NONE || arm == NULL) {
        return true;
    }
    sqlite3_stmt *statement = prepare_write(results, STATEMENT_VERDICT, err);
    if (statement == NULL) {
        return false;
    }
    bool has_recovery = result->metastability == METASTABILITY_STABLE;
    bool is_stuck = result->metastability == METASTABILITY_METASTABLE ||
                    result->metastability == METASTABILITY_PERMANENT;
    bind_integer(statement, 1, run_id);
    bind_text(statement, 2, metastability_name(result->metastability));
    bind_integer(statement, 3, arm->since_ns);
    bind_optional(statement, 4, has_recovery ? arm->after_ns : RESULT_RECOVERY_NEVER);
    bind_integer(statement, 5, arm->looked_ns);
    bool is_fine =
        finish(results, statement, err) &&
        add_metric(results, run_id, "metastability.stuck", is_stuck, err) &&
        add_metric(results, run_id, "metastability.goodput_ratio", metastability_ratio(arm), err) &&
        add_metric(results, run_id, "metastability.amplification", metastability_amplification(arm),
                   err) &&
        add_metric(results, run_id, "metastability.useless_share", metastability_useless(arm),
                   err) &&
        add_metric(results, run_id, "metastability.recovery_s",
                   has_recovery ? (double)arm->after_ns / 1e9 : (double)NAN, err);
    for (uint32_t i = 0; i < result->arms.count && is_fine; i++) {
        is_fine = add_arm(results, run_id, vec_at(&result->arms, i), err);
    }
    for (uint32_t i = 0; i < result->arm_windows.count && is_fine; i++) {
        is_fine = add_arm_window(results, run_id, vec_at(&result->arm_windows, i), err);
    }
    return is_fine;
}

/* What of a window is judged by when an operation was meant to start. */
static bool add_window_good(struct results *results, int64_t run_id,
                            const struct result_window *window, struct err *err)
{
    sqlite3_stmt *statement = prepare_write(results, STATEMENT_WINDOW_GOOD, err);
    if (statement == NULL) {
        return false;
    }
    bind_integer(statement, 1, run_id);
    bind_integer(statement, 2, window->t_ns);
    bind_integer(statement, 3, window->judged);
    bind_integer(statement, 4, window->good);
    bind_integer(statement, 5, window->timeouts);
    bind_integer(statement, 6, window->unwanted);
    return finish(results, statement, err);
}

static bool add_windows(struct results *results, int64_t run_id, const struct run_result *result,
                        struct err *err)
{
    for (uint32_t i = 0; i < result->windows.count; i++) {
        const struct result_window *window = vec_at(&result->windows, i);
        sqlite3_stmt *statement = prepare_write(results, STATEMENT_WINDOW, err);
        if (statement == NULL) {
            return false;
        }
        bind_integer(statement, 1, run_id);
        bind_integer(statement, 2, window->t_ns);
        bind_integer(statement, 3, window->duration_ns);
        bind_integer(statement, 4, window->offered);
        bind_integer(statement, 5, window->attempts);
        bind_integer(statement, 6, window->ok);
        bind_integer(statement, 7, (int64_t)window->failed + window->info);
        bind_optional(statement, 8, window->p50_ns);
        bind_optional(statement, 9, window->p99_ns);
        bind_real(statement, 10, window->in_flight);
        bind_integer(statement, 11, window->is_up);
        if (!finish(results, statement, err) || !add_window_good(results, run_id, window, err)) {
            return false;
        }
    }
    return true;
}

static bool add_gauges(struct results *results, int64_t run_id, const struct run_result *result,
                       struct err *err)
{
    for (uint32_t i = 0; i < result->gauge_windows.count; i++) {
        const struct result_gauge_window *window = vec_at(&result->gauge_windows, i);
        const struct result_gauge *gauge = vec_at(&result->gauges, window->gauge);
        sqlite3_stmt *statement = prepare_write(results, STATEMENT_GAUGE, err);
        if (statement == NULL) {
            return false;
        }
        bind_integer(statement, 1, run_id);
        bind_text(statement, 2, gauge->name);
        bind_text(statement, 3, gauge->node);
        bind_text(statement, 4, gauge->is_counter ? "counter" : "gauge");
        bind_integer(statement, 5, window->t_ns);
        bind_integer(statement, 6, gauge->window_ns);
        bind_count(statement, 7, window->count);
        bind_integer(statement, 8, window->sum);
        bind_integer(statement, 9, window->minimum);
        bind_integer(statement, 10, window->maximum);
        bind_integer(statement, 11, window->last);
        if (!finish(results, statement, err)) {
            return false;
        }
    }
    return true;
}

static bool add_estimates(struct results *results, int64_t run_id, const struct run_result *result,
                          struct err *err)
{
    for (uint32_t i = 0; i < result->estimates.count; i++) {
        const struct estimate_sums *sums = vec_at(&result->estimates, i);
        const double numbers[] = ESTIMATE_NUMBERS(sums);
        sqlite3_stmt *statement = prepare_write(results, STATEMENT_ESTIMATE, err);
        if (statement == NULL) {
            return false;
        }
        bind_integer(statement, 1, run_id);
        bind_text(statement, 2, sums->service);
        bind_text(statement, 3, estimate_method_name(sums->method));
        bind_integer(statement, 4, i);
        bind_integer(statement, 5, sums->is_paired);
        bind_count(statement, 6, sums->count);
        bind_count(statement, 7, sums->lengths);
        bind_count(statement, 8, sums->hits);
        bind_count(statement, 9, sums->events);
        for (uint32_t n = 0; n < ARRAY_COUNT(numbers); n++) {
            bind_real(statement, 10 + (int)n, numbers[n]);
        }
        char digest[17];
        snprintf(digest, sizeof(digest), "%016llx", (unsigned long long)sums->worst_digest);
        bind_text(statement, 24, sums->worst_path);
        bind_text(statement, 25, digest);
        if (!finish(results, statement, err)) {
            return false;
        }
    }
    return true;
}

static bool add_episodes(struct results *results, int64_t run_id, const struct run_result *result,
                         struct err *err)
{
    for (uint32_t i = 0; i < result->episodes.count; i++) {
        const struct result_episode *episode = vec_at(&result->episodes, i);
        char digest[17];
        sqlite3_stmt *statement = prepare_write(results, STATEMENT_EPISODE, err);
        if (statement == NULL) {
            return false;
        }
        snprintf(digest, sizeof(digest), "%016" PRIx64, episode->digest);
        bind_integer(statement, 1, run_id);
        bind_integer(statement, 2, i);
        bind_text(statement, 3, episode->class_);
        bind_integer(statement, 4, episode->number);
        bind_integer(statement, 5, episode->has_struck);
        bind_integer(statement, 6, episode->is_recovered);
        bind_integer(statement, 7, episode->at_ns);
        bind_integer(statement, 8, episode->outage_ns);
        bind_integer(statement, 9, episode->up_ns);
        bind_optional(statement, 10, episode->recovery_ns);
        bind_integer(statement, 11, episode->steady_ns);
        bind_integer(statement, 12, episode->steady_down_ns);
        bind_text(statement, 13, digest);
        bind_count(statement, 14, episode->events);
        bind_integer(statement, 15, episode->sim_ns);
        if (!finish(results, statement, err)) {
            return false;
        }
    }
    return true;
}

static bool add_faults(struct results *results, int64_t run_id, const struct run_result *result,
                       struct err *err)
{
    for (uint32_t i = 0; i < result->faults.count; i++) {
        const struct result_fault *fault = vec_at(&result->faults, i);
        sqlite3_stmt *statement = prepare_write(results, STATEMENT_FAULT, err);
        if (statement == NULL) {
            return false;
        }
        bind_integer(statement, 1, run_id);
        bind_integer(statement, 2, i);
        bind_text(statement, 3, fault->kind);
        bind_text(statement, 4, fault->target);
        bind_integer(statement, 5, fault->start_ns);
        bind_optional(statement, 6, fault->end_ns == INT64_MAX ? -1 : fault->end_ns);
        bind_text(statement, 7, fault->name);
        bind_text(statement, 8, fault->action);
        if (!finish(results, statement, err)) {
            return false;
        }
    }
    return true;
}

static bool add_cost(struct results *results, int64_t run_id, const struct run_result *result,
                     const struct results_cost *cost, struct err *err)
{
    sqlite3_stmt *statement = prepare_write(results, STATEMENT_COST, err);
    if (statement == NULL) {
        return false;
    }
    bind_integer(statement, 1, run_id);
    bind_optional(statement, 2, cost->shard_id == 0 ? -1 : cost->shard_id);
    bind_integer(statement, 3, result->cpu_ns);
    bind_optional(statement, 4, cost->wall_ns == 0 ? -1 : cost->wall_ns);
    bind_optional(statement, 5, cost->rss_kib == 0 ? -1 : cost->rss_kib);
    return finish(results, statement, err);
}

bool results_add_run(struct results *results, int64_t cell_id, const struct run_result *result,
                     const struct results_cost *cost, bool *added, struct err *err)
{
    ASSERT(results != NULL);
    ASSERT(result != NULL);
    bool has = false;
    if (!results_has_run(results, cell_id, result->seed, &has, err)) {
        return false;
    }
    if (added != NULL) {
        *added = !has;
    }
    if (has) {
        return true;
    }
    int64_t run_id = results_run_id(cell_id, result->seed);
    uint32_t ord = 0;
    if (!add_run_row(results, run_id, cell_id, result, err) ||
        !add_violations(results, run_id, result, false, &ord, err) ||
        !add_violations(results, run_id, result, true, &ord, err) ||
        !add_metrics(results, run_id, result, err) || !add_windows(results, run_id, result, err) ||
        !add_faults(results, run_id, result, err) || !add_gauges(results, run_id, result, err) ||
        !add_estimates(results, run_id, result, err) ||
        !add_episodes(results, run_id, result, err) || !add_verdict(results, run_id, result, err) ||
        (cost != NULL && !add_cost(results, run_id, result, cost, err))) {
        return false;
    }
    if (results->cell_count == PENDING_CELLS_MAX && !flush(results, err)) {
        return false;
    }
    add_sums(results, cell_id, result);
    results->runs_since_commit++;
    bool is_due = results->commit_every > 0 && results->runs_since_commit >= results->commit_every;
    return !is_due || results_commit(results, err);
}

bool results_add_recheck(struct results *results, int64_t cell_id, uint64_t seed, uint64_t digest,
                         int64_t shard_id, struct err *err)
{
    sqlite3_stmt *statement = prepare_write(results, STATEMENT_RECHECK, err);
    if (statement == NULL) {
        return false;
    }
    char hex[17];
    snprintf(hex, sizeof(hex), "%016" PRIx64, digest);
    bind_integer(statement, 1, results_run_id(cell_id, seed));
    bind_optional(statement, 2, shard_id == 0 ? -1 : shard_id);
    bind_text(statement, 3, hex);
    return finish(results, statement, err);
}

bool results_set_metastable(struct results *results, int64_t cell_id, uint64_t seed,
                            bool is_metastable, struct err *err)
{
    sqlite3_stmt *statement = prepare_write(results, STATEMENT_METASTABLE, err);
    if (statement == NULL) {
        return false;
    }
    bind_integer(statement, 1, results_run_id(cell_id, seed));
    bind_integer(statement, 2, is_metastable);
    return finish(results, statement, err);
}

bool results_add_threshold(struct results *results, const struct results_threshold *threshold,
                           struct err *err)
{
    sqlite3_stmt *statement = prepare_write(results, STATEMENT_THRESHOLD, err);
    if (statement == NULL) {
        return false;
    }
    bind_integer(statement, 1, threshold->cell_id);
    bind_text(statement, 2, threshold->expression);
    bind_real(statement, 3, threshold->observed);
    bind_optional(statement, 4,
                  threshold->judgement == RESULTS_UNSETTLED ? -1 : (int64_t)threshold->judgement);
    bind_optional(statement, 5, threshold->line == 0 ? -1 : (int64_t)threshold->line);
    return finish(results, statement, err);
}

bool results_add_model_value(struct results *results, int64_t cell_id, const char *model,
                             const char *name, double value, struct err *err)
{
    sqlite3_stmt *statement = prepare_write(results, STATEMENT_MODEL_VALUE, err);
    if (statement == NULL) {
        return false;
    }
    bind_integer(statement, 1, cell_id);
    bind_text(statement, 2, model);
    bind_text(statement, 3, name);
    bind_real(statement, 4, value);
    return finish(results, statement, err);
}

bool results_add_fleet_service(struct results *results, int64_t cell_id,
                               const struct results_fleet_service *service, struct err *err)
{
    sqlite3_stmt *statement = prepare_write(results, STATEMENT_FLEET_SERVICE, err);
    if (statement == NULL) {
        return false;
    }
    const double numbers[] = {service->failover_h, service->half_width, service->confidence};
    const double theory[] = {service->unavailability, service->outages_per_h, service->mttf_h,
                             service->month,          service->year,          service->decade};
    bind_integer(statement, 1, cell_id);
    bind_text(statement, 2, service->name);
    bind_integer(statement, 3, service->order);
    bind_integer(statement, 4, service->machines);
    bind_integer(statement, 5, service->needed);
    for (uint32_t i = 0; i < ARRAY_COUNT(numbers); i++) {
        bind_real(statement, 6 + (int)i, numbers[i]);
    }
    bind_text(statement, 9, service->theory);
    for (uint32_t i = 0; i < ARRAY_COUNT(theory); i++) {
        bind_real(statement, 10 + (int)i, theory[i]);
    }
    return finish(results, statement, err);
}

bool results_add_fleet_estimator(struct results *results, int64_t cell_id, const char *asked,
                                 const char *why, bool is_sequential, struct err *err)
{
    sqlite3_stmt *statement = prepare_write(results, STATEMENT_FLEET_ESTIMATOR, err);
    if (statement == NULL) {
        return false;
    }
    bind_integer(statement, 1, cell_id);
    bind_text(statement, 2, asked);
    bind_text(statement, 3, why);
    bind_integer(statement, 4, is_sequential);
    return finish(results, statement, err);
}

/* --------------------------------------------------------------------------------- experiments */

static bool add_experiment_axis(struct results *results, const char *kind, uint32_t index,
                                const struct results_axis *axis, struct err *err)
{
    sqlite3_stmt *statement = prepare_write(results, STATEMENT_EXPERIMENT_AXIS, err);
    if (statement == NULL) {
        return false;
    }
    bind_text(statement, 1, kind);
    bind_integer(statement, 2, index);
    bind_text(statement, 3, axis->name);
    bind_text(statement, 4, axis->path);
    bind_text(statement, 5, axis->unit);
    bool is_fine = finish(results, statement, err);
    for (uint32_t i = 0; i < axis->count && is_fine; i++) {
        statement = prepare_write(results, STATEMENT_EXPERIMENT_POINT, err);
        if (statement == NULL) {
            return false;
        }
        bind_text(statement, 1, kind);
        bind_integer(statement, 2, index);
        bind_integer(statement, 3, i);
        bind_text(statement, 4, axis->values[i]);
        bind_real(statement, 5, axis->numbers[i]);
        is_fine = finish(results, statement, err);
    }
    return is_fine;
}

static bool add_experiment_value(struct results *results, const char *kind, uint32_t ord,
                                 const struct results_point *point, struct err *err)
{
    sqlite3_stmt *statement = prepare_write(results, STATEMENT_EXPERIMENT_VALUE, err);
    if (statement == NULL) {
        return false;
    }
    const double numbers[] = {point->x, point->y, point->low, point->high};
    bind_text(statement, 1, kind);
    bind_text(statement, 2, point->series);
    bind_integer(statement, 3, ord);
    for (int i = 0; i < 4; i++) {
        bind_real(statement, 4 + i, isfinite(numbers[i]) ? numbers[i] : (double)NAN);
    }
    bind_text(statement, 8, point->note == NULL ? "" : point->note);
    return finish(results, statement, err);
}

static bool replace_experiment(struct results *results, const struct results_experiment *experiment,
                               struct err *err)
{
    sqlite3_stmt *statement = prepare_write(results, STATEMENT_NO_EXPERIMENT, err);
    if (statement == NULL) {
        return false;
    }
    bind_text(statement, 1, experiment->kind);
    if (!finish(results, statement, err)) {
        return false;
    }
    statement = prepare_write(results, STATEMENT_EXPERIMENT, err);
    if (statement == NULL) {
        return false;
    }
    bind_text(statement, 1, experiment->kind);
    bind_integer(statement, 2, experiment->scenario_id);
    bind_integer(statement, 3, experiment->build_id);
    bind_count(statement, 4, experiment->seeds);
    bind_text(statement, 5, experiment->theory);
    return finish(results, statement, err);
}

bool results_set_experiment(struct results *results, const struct results_experiment *experiment,
                            struct err *err)
{
    ASSERT(experiment->kind != NULL);
    ASSERT(experiment->theory != NULL);
    bool is_fine = replace_experiment(results, experiment, err);
    for (uint32_t i = 0; i < experiment->axis_count && is_fine; i++) {
        is_fine = add_experiment_axis(results, experiment->kind, i, &experiment->axes[i], err);
    }
    uint32_t ord = 0;
    for (uint32_t i = 0; i < experiment->point_count && is_fine; i++) {
        is_fine =
            add_experiment_value(results, experiment->kind, ord++, &experiment->points[i], err);
    }
    return is_fine;
}

/* ------------------------------------------------------------------------------- how it was run */

bool results_begin_shard(struct results *results, const struct results_shard *shard,
                         int64_t *shard_id, struct err *err)
{
    sqlite3_stmt *statement = prepare_write(results, STATEMENT_BEGIN_SHARD, err);
    if (statement == NULL) {
        return false;
    }
    bind_text(statement, 1, shard->campaign);
    bind_integer(statement, 2, shard->index);
    bind_integer(statement, 3, shard->of);
    bind_text(statement, 4, shard->engine);
    bind_text(statement, 5, shard->host);
    bind_text(statement, 6, shard->argv);
    bind_text(statement, 7, shard->started_at);
    if (!finish(results, statement, err)) {
        return false;
    }
    *shard_id = sqlite3_last_insert_rowid(results->db);
    return true;
}

bool results_end_shard(struct results *results, int64_t shard_id, const char *finished_at,
                       uint64_t runs, int exit_code, struct err *err)
{
    sqlite3_stmt *statement = prepare_write(results, STATEMENT_END_SHARD, err);
    if (statement == NULL) {
        return false;
    }
    bind_integer(statement, 1, shard_id);
    bind_text(statement, 2, finished_at);
    bind_count(statement, 3, runs);
    bind_integer(statement, 4, exit_code);
    return finish(results, statement, err);
}

/* ------------------------------------------------------------------------------------ questions */

static struct results_value value_of(sqlite3_stmt *statement, int column)
{
    struct results_value value = {.type = RESULTS_NULL, .real = NAN, .text = ""};
    switch (sqlite3_column_type(statement, column)) {
    case SQLITE_INTEGER:
        value.type = RESULTS_INTEGER;
        value.integer = sqlite3_column_int64(statement, column);
        value.real = (double)value.integer;
        break;
    case SQLITE_FLOAT:
        value.type = RESULTS_REAL;
        value.real = sqlite3_column_double(statement, column);
        value.integer = fabs(value.real) < 9.2e18 ? (int64_t)value.real : 0;
        break;
    case SQLITE_NULL:
        return value;
    default:
        value.type = RESULTS_TEXT;
        value.real = NAN;
        break;
    }
    value.text = (const char *)sqlite3_column_text(statement, column);
    return value;
}

static bool is_blank(const char *text)
{
    return text[strspn(text, " \t\r\n;")] == '\0';
}

/* A statement of the user's: NULL, with ERR_INPUT, unless it is one that only reads. */
static sqlite3_stmt *prepare_question(struct results *results, const char *sql, struct err *err)
{
    sqlite3_stmt *statement = NULL;
    const char *rest = "";
    if (sqlite3_prepare_v2(results->db, sql, -1, &statement, &rest) != SQLITE_OK) {
        err_set(err, ERR_INPUT, "query: %s", sqlite3_errmsg(results->db));
        return NULL;
    }
    if (statement == NULL) {
        err_set(err, ERR_INPUT, "query is empty");
        return NULL;
    }
    if (!is_blank(rest)) {
        err_set(err, ERR_INPUT, "query has more than one statement");
        sqlite3_finalize(statement);
        return NULL;
    }
    if (sqlite3_column_count(statement) == 0 || !sqlite3_stmt_readonly(statement)) {
        err_set(err, ERR_INPUT, "query is not a SELECT");
        sqlite3_finalize(statement);
        return NULL;
    }
    return statement;
}

static bool answer(struct results *results, sqlite3_stmt *statement,
                   bool (*on_row)(void *context, const struct results_row *row), void *context,
                   struct err *err)
{
    uint32_t count = (uint32_t)sqlite3_column_count(statement);
    struct results_value *values = calloc(count, sizeof(*values));
    const char **names = calloc(count, sizeof(*names));
    ASSERT(values != NULL);
    ASSERT(names != NULL);
    for (uint32_t i = 0; i < count; i++) {
        names[i] = sqlite3_column_name(statement, (int)i);
    }
    int rc;
    while ((rc = sqlite3_step(statement)) == SQLITE_ROW) {
        for (uint32_t i = 0; i < count; i++) {
            values[i] = value_of(statement, (int)i);
        }
        struct results_row row = {.count = count, .names = names, .values = values};
        if (!on_row(context, &row)) {
            rc = SQLITE_DONE;
            break;
        }
    }
    free(values);
    free(names);
    return rc == SQLITE_DONE || fail(results, "read", err);
}

bool results_query(struct results *results, const char *sql, const char *const *parameters,
                   uint32_t parameter_count,
                   bool (*on_row)(void *context, const struct results_row *row), void *context,
                   struct err *err)
{
    ASSERT(results != NULL);
    ASSERT(sql != NULL);
    ASSERT(on_row != NULL);
    if (!flush(results, err)) {
        return false;
    }
    sqlite3_stmt *statement = prepare_question(results, sql, err);
    if (statement == NULL) {
        return false;
    }
    if (sqlite3_bind_parameter_count(statement) != (int)parameter_count) {
        int expected = sqlite3_bind_parameter_count(statement);
        sqlite3_finalize(statement);
        return err_set(err, ERR_INPUT, "query has %d parameters, got %u", expected,
                       parameter_count);
    }
    for (uint32_t i = 0; i < parameter_count; i++) {
        bind_text(statement, (int)i + 1, parameters[i]);
    }
    bool is_fine = answer(results, statement, on_row, context, err);
    sqlite3_finalize(statement);
    return is_fine;
}

static bool take_integer(void *context, const struct results_row *row)
{
    int64_t *value = context;
    if (row->values[0].type == RESULTS_INTEGER || row->values[0].type == RESULTS_REAL) {
        *value = row->values[0].integer;
    }
    return false;
}

bool results_query_integer(struct results *results, const char *sql, int64_t otherwise,
                           int64_t *value, struct err *err)
{
    *value = otherwise;
    return results_query(results, sql, NULL, 0, take_integer, value, err);
}

/* The deterministic tables, each in the order of its key. */
static const char *const digest_queries[] = {
    "SELECT * FROM scenario ORDER BY scenario_id",
    "SELECT * FROM build ORDER BY build_id",
    "SELECT * FROM cell ORDER BY cell_id",
    "SELECT * FROM cell_param ORDER BY cell_id,name",
    "SELECT * FROM run ORDER BY run_id",
    "SELECT * FROM violation ORDER BY run_id,ord",
    "SELECT * FROM metric ORDER BY run_id,name",
    "SELECT * FROM hist ORDER BY cell_id,metric,phase,lo",
    "SELECT * FROM window ORDER BY run_id,t_ns",
    "SELECT * FROM fault ORDER BY run_id,ord",
    "SELECT * FROM probe ORDER BY cell_id,name",
    "SELECT * FROM check_count ORDER BY cell_id,name",
    "SELECT * FROM threshold ORDER BY cell_id,expr",
    "SELECT * FROM model_value ORDER BY cell_id,model,name",
};
/* Only of files that have rows of the kind: the digest of others is what it was without them. */
static const char *const digest_queries_arms[] = {
    "SELECT * FROM metastability ORDER BY run_id",
    "SELECT * FROM arm ORDER BY run_id,arm",
    "SELECT * FROM arm_window ORDER BY run_id,arm,t_ns",
};

/* Likewise, each by itself. */
static const char *const digest_tables[] = {"gauge", "estimate", "fleet_service", "episode"};
static const char *const digest_table_queries[] = {
    "SELECT * FROM gauge ORDER BY run_id,name,node,kind,t_ns",
    "SELECT * FROM estimate ORDER BY run_id,service,method",
    "SELECT * FROM fleet_service ORDER BY cell_id,service",
    "SELECT * FROM episode ORDER BY run_id,ord",
};

static bool add_row(void *context, const struct results_row *row)
{
    uint64_t *digest = context;
    for (uint32_t i = 0; i < row->count; i++) {
        const struct results_value *value = &row->values[i];
        uint64_t word = 0;
        if (value->type == RESULTS_INTEGER) {
            word = (uint64_t)value->integer;
        } else if (value->type == RESULTS_REAL) {
            memcpy(&word, &value->real, sizeof(word));
        } else if (value->type == RESULTS_TEXT) {
            word = hash_text(value->text);
        }
        *digest = hash_mix(*digest, hash_mix((uint64_t)value->type + 1, word));
    }
    return true;
}

bool results_digest(struct results *results, char hex[17], struct err *err)
{
    uint64_t digest = RESULTS_SCHEMA_VERSION;
    for (uint32_t i = 0; i < ARRAY_COUNT(digest_queries); i++) {
        digest = hash_mix(digest, i + 1);
        if (!results_query(results, digest_queries[i], NULL, 0, add_row, &digest, err)) {
            return false;
        }
    }
    int64_t verdicts = 0;
    if (has_table(results, "arm_window") &&
        !results_query_integer(results, "SELECT count(*) FROM metastability", 0, &verdicts, err)) {
        return false;
    }
    for (uint32_t i = 0; verdicts > 0 && i < ARRAY_COUNT(digest_queries_arms); i++) {
        digest = hash_mix(digest, ARRAY_COUNT(digest_queries) + i + 1);
        if (!results_query(results, digest_queries_arms[i], NULL, 0, add_row, &digest, err)) {
            return false;
        }
    }
    for (uint32_t i = 0; i < ARRAY_COUNT(digest_tables); i++) {
        if (has_table(results, digest_tables[i]) &&
            !results_query(results, digest_table_queries[i], NULL, 0, add_row, &digest, err)) {
            return false;
        }
    }
    snprintf(hex, 17, "%016" PRIx64, digest);
    return true;
}

static bool take_complaint(void *context, const struct results_row *row)
{
    struct text *complaint = context;
    text_add(complaint, row->values[0].text);
    return false;
}

bool results_verify(struct results *results, struct err *err)
{
    struct text complaint;
    text_init(&complaint);
    bool is_fine = results_query(results, "SELECT integrity_check FROM pragma_integrity_check",
                                 NULL, 0, take_complaint, &complaint, err);
    if (is_fine && strcmp(text_of(&complaint), "ok") != 0) {
        is_fine =
            err_set(err, ERR_INPUT, "'%s' is damaged: %s", results->path, text_of(&complaint));
    }
    text_clear(&complaint);
    if (is_fine) {
        is_fine = results_query(results, "SELECT \"table\" FROM pragma_foreign_key_check", NULL, 0,
                                take_complaint, &complaint, err);
        if (is_fine && complaint.length > 0) {
            is_fine = err_set(err, ERR_INPUT,
                              "'%s' is damaged: rows of '%s' refer to rows that are not there",
                              results->path, text_of(&complaint));
        }
    }
    text_release(&complaint);
    return is_fine;
}
