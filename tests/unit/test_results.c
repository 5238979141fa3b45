/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * results.sqlite: rows that do not depend on order, files that are not ours, damaged files, a full
 * disk, a killed writer. */
#include "analysis/results.h"
#include "analysis/threshold.h"
#include "tests/unit/harness.h"

#include <math.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char path[64];

static void remove_file(void)
{
    char journal[80];
    snprintf(journal, sizeof(journal), "%s-journal", path);
    unlink(journal);
    unlink(path);
}

static void fresh_path(void)
{
    snprintf(path, sizeof(path), "/tmp/squall-results-%ld.sqlite", (long)getpid());
    remove_file();
}

static struct results *open_or_complain(enum results_mode mode)
{
    struct err err = {0};
    struct results *results = results_open(path, mode, &err);
    CHECK_TEXT(err.text, "");
    return results;
}

static void close_fine(struct results *results)
{
    struct err err = {0};
    CHECK(results_close(results, &err));
}

static int64_t add_cell(struct results *results, const char *replicas)
{
    struct results_scenario scenario = {
        .name = "storm", .yaml = "squall: 1\n", .schema_version = 1};
    struct results_build build = {
        .version = "0.1", .compiler = "gcc 12", .models_json = "{\"raft\":\"libraft 0.15.0\"}"};
    struct results_param param = {.name = "system.nodes", .value = replicas};
    struct results_cell cell = {
        .label = replicas, .replicas = atoi(replicas), .params = &param, .param_count = 1};
    int64_t cell_id = 0;
    struct err err = {0};
    CHECK(results_add_scenario(results, &scenario, &cell.scenario_id, &err));
    CHECK(results_add_build(results, &build, &cell.build_id, &err));
    CHECK(results_add_cell(results, &cell, &cell_id, &err));
    CHECK_TEXT(err.text, "");
    return cell_id;
}

/* A run with something in every table, a function of its seed. */
static void make_run(struct run_result *result, uint64_t seed)
{
    result_clear(result);
    result->seed = seed;
    result->verdict = seed % 3 == 0 ? VERDICT_FAIL : VERDICT_PASS;
    result_copy_text(result->reason, sizeof(result->reason), seed % 3 == 0 ? "linearizable" : "");
    result->digest = seed * 77;
    result->offered = 100 + seed;
    result->attempts = 150;
    result->ok = 90;
    result->up_ns = 900;
    result->measured_ns = 1000;
    result->fault_total = 1;
    result->recovery_ns = seed % 2 == 0 ? RESULT_RECOVERY_NEVER : (int64_t)seed;
    struct result_violation *violation = vec_push(&result->violations);
    result_copy_text(violation->check, sizeof(violation->check), "linearizable");
    result_copy_text(violation->message, sizeof(violation->message), "key 7: it's \"gone\"");
    violation->is_known = seed % 3 != 0;
    violation->event = RESULT_EVENT_NONE;
    struct result_fault *fault = vec_push(&result->faults);
    result_copy_text(fault->name, sizeof(fault->name), "stall");
    result_copy_text(fault->kind, sizeof(fault->kind), "NodeChaos");
    result_copy_text(fault->action, sizeof(fault->action), "pause");
    result_copy_text(fault->target, sizeof(fault->target), "n1");
    fault->end_ns = INT64_MAX;
    struct result_probe *probe = vec_push(&result->probes);
    result_copy_text(probe->name, sizeof(probe->name), "raft.leader-changed");
    probe->hits = seed % 2;
    struct result_check *check = vec_push(&result->checks);
    result_copy_text(check->name, sizeof(check->name), "linearizable");
    check->comparisons = 10;
    check->is_violated = seed % 3 == 0;
    struct result_window *window = vec_push(&result->windows);
    window->duration_ns = 100;
    window->p50_ns = -1;
    window->p99_ns = 5;
    histogram_record(&result->latency, seed * 1000);
    histogram_record(&result->latency, 5000);
}

static void add_run(struct results *results, int64_t cell_id, uint64_t seed)
{
    struct run_result result;
    struct err err = {0};
    result_init(&result);
    make_run(&result, seed);
    CHECK(results_add_run(results, cell_id, &result, NULL, NULL, &err));
    CHECK_TEXT(err.text, "");
    result_release(&result);
}

static int64_t integer(struct results *results, const char *sql)
{
    int64_t value = -1;
    struct err err = {0};
    CHECK(results_query_integer(results, sql, -1, &value, &err));
    CHECK_TEXT(err.text, "");
    return value;
}

TEST(results, what_is_added_can_be_asked_for)
{
    fresh_path();
    struct results *results = open_or_complain(RESULTS_APPEND);
    int64_t cell_id = add_cell(results, "3");
    for (uint64_t seed = 1; seed <= 6; seed++) {
        add_run(results, cell_id, seed);
    }
    CHECK_EQUAL(integer(results, "SELECT sum(n) FROM hist"),
                12); /* sums of runs not yet committed are seen */
    CHECK(results_set_replay(results, cell_id, "squall replay a/b.yaml --set c=1", NULL));
    close_fine(results);
    results = open_or_complain(RESULTS_READ);
    CHECK_EQUAL(integer(results, "SELECT runs FROM v_cell"), 6);
    CHECK_EQUAL(integer(results, "SELECT fail FROM v_cell"), 2);
    CHECK_EQUAL(integer(results, "SELECT replicas FROM cell"), 3);
    CHECK_EQUAL(integer(results, "SELECT num FROM cell_param"), 3);
    CHECK_EQUAL(integer(results, "SELECT count(*) FROM run WHERE recovery_ns IS NULL"), 3);
    CHECK_EQUAL(integer(results, "SELECT runs FROM check_count"), 6);
    CHECK_EQUAL(integer(results, "SELECT violated FROM check_count"), 2);
    CHECK_EQUAL(integer(results, "SELECT comparisons FROM check_count"), 60);
    CHECK_EQUAL(integer(results, "SELECT hits FROM probe"), 3);
    CHECK_EQUAL(integer(results, "SELECT first_seed='0x0000000000000001' FROM probe"), 1);
    CHECK_EQUAL(integer(results, "SELECT count(*) FROM violation WHERE known=1"), 4);
    CHECK_EQUAL(
        integer(results, "SELECT count(*) FROM fault WHERE end_ns IS NULL AND name='stall'"), 6);
    CHECK_EQUAL(integer(results, "SELECT count(*) FROM window WHERE p50_ns IS NULL AND p99_ns=5"),
                6);
    CHECK_EQUAL(integer(results, "SELECT count(*) FROM v_failure"), 2);
    CHECK_EQUAL(integer(results, "SELECT count(*) FROM v_failure WHERE replay='squall replay "
                                 "a/b.yaml --set c=1 --seed '||seed"),
                2);
    CHECK_EQUAL(integer(results, "SELECT count(*) FROM v_failure_rate WHERE lo95<p AND p<hi95"), 1);
    CHECK_EQUAL(integer(results, "SELECT count(*) FROM v_latency"), 6);
    struct err err = {0};
    CHECK(results_verify(results, &err));
    close_fine(results);
    remove_file();
}

TEST(results, the_digest_does_not_depend_on_order_or_commits)
{
    char first[17];
    char second[17];
    fresh_path();
    struct results *results = open_or_complain(RESULTS_APPEND);
    int64_t three = add_cell(results, "3");
    int64_t five = add_cell(results, "5");
    for (uint64_t seed = 1; seed <= 20; seed++) {
        add_run(results, three, seed);
        add_run(results, five, seed);
    }
    CHECK(results_digest(results, first, NULL));
    close_fine(results);
    fresh_path();
    results = open_or_complain(RESULTS_APPEND);
    results_commit_every(results, 3);
    CHECK_EQUAL(add_cell(results, "5"), five);
    for (uint64_t seed = 20; seed >= 1; seed--) {
        add_run(results, five, seed);
    }
    close_fine(results);
    results = open_or_complain(RESULTS_APPEND);
    CHECK_EQUAL(add_cell(results, "3"), three);
    for (uint64_t seed = 20; seed >= 1; seed--) {
        add_run(results, five, seed); /* again: nothing changes */
        add_run(results, three, seed);
    }
    struct results_shard shard = {.campaign = "c",
                                  .index = 1,
                                  .of = 1,
                                  .engine = "0.1",
                                  .host = "h",
                                  .argv = "squall",
                                  .started_at = "now"};
    int64_t shard_id = 0;
    CHECK(results_begin_shard(results, &shard, &shard_id, NULL));
    CHECK(results_digest(results, second, NULL));
    close_fine(results);
    CHECK_TEXT(first, second);
    results = open_or_complain(RESULTS_APPEND);
    add_run(results, three, 21);
    CHECK(results_digest(results, second, NULL));
    CHECK(strcmp(first, second) != 0);
    close_fine(results);
    remove_file();
}

TEST(results, a_run_is_known_again)
{
    fresh_path();
    struct results *results = open_or_complain(RESULTS_APPEND);
    int64_t cell_id = add_cell(results, "3");
    bool has = true;
    CHECK(results_has_run(results, cell_id, 7, &has, NULL));
    CHECK(!has);
    add_run(results, cell_id, 7);
    CHECK(results_has_run(results, cell_id, 7, &has, NULL));
    CHECK(has);
    CHECK(results_has_run(results, cell_id, 8, &has, NULL));
    CHECK(!has);
    struct run_result result;
    bool added = true;
    result_init(&result);
    make_run(&result, 7);
    CHECK(results_add_run(results, cell_id, &result, NULL, &added, NULL));
    CHECK(!added);
    result_release(&result);
    CHECK_EQUAL(integer(results, "SELECT sum(n) FROM hist"), 2);
    close_fine(results);
    remove_file();
}

TEST(results, a_recheck_that_differs_is_listed)
{
    fresh_path();
    struct results *results = open_or_complain(RESULTS_APPEND);
    int64_t cell_id = add_cell(results, "3");
    add_run(results, cell_id, 7);
    CHECK(results_add_recheck(results, cell_id, 7, 7 * 77, 0, NULL));
    CHECK_EQUAL(integer(results, "SELECT count(*) FROM v_nondeterministic"), 0);
    CHECK(results_add_recheck(results, cell_id, 7, 1, 0, NULL));
    CHECK_EQUAL(integer(results, "SELECT count(*) FROM v_nondeterministic"), 1);
    close_fine(results);
    remove_file();
}

TEST(results, the_other_rows_are_kept_too)
{
    fresh_path();
    struct results *results = open_or_complain(RESULTS_APPEND);
    int64_t cell_id = add_cell(results, "3");
    struct results_shard shard = {.campaign = "c",
                                  .index = 1,
                                  .of = 2,
                                  .engine = "0.1",
                                  .host = "h",
                                  .argv = "squall",
                                  .started_at = "now"};
    struct results_cost cost = {.wall_ns = 5};
    struct results_threshold threshold = {
        .cell_id = cell_id, .expression = "latency: p(99) < 1s", .observed = 2.5};
    struct run_result result;
    result_init(&result);
    make_run(&result, 7);
    struct result_episode *episode = vec_push(&result.episodes);
    *episode = (struct result_episode){.number = 3,
                                       .class_ = "quorum-back:1-2",
                                       .has_struck = true,
                                       .outage_ns = -4,
                                       .recovery_ns = RESULT_RECOVERY_NEVER,
                                       .digest = 0xab};
    CHECK(results_begin_shard(results, &shard, &cost.shard_id, NULL));
    CHECK(results_add_run(results, cell_id, &result, &cost, NULL, NULL));
    CHECK(results_end_shard(results, cost.shard_id, "later", 1, 0, NULL));
    CHECK(results_set_metastable(results, cell_id, 7, true, NULL));
    CHECK(results_add_threshold(results, &threshold, NULL));
    CHECK_EQUAL(integer(results, "SELECT sum(ok) FROM threshold"), 0);
    threshold.judgement = RESULTS_UNSETTLED;
    CHECK(results_add_threshold(results, &threshold, NULL));
    CHECK_EQUAL(integer(results, "SELECT count(*) FROM threshold WHERE ok IS NULL"), 1);
    threshold.judgement = RESULTS_HELD;
    CHECK(results_add_threshold(results, &threshold, NULL));
    CHECK(results_add_model_value(results, cell_id, "majority", "availability", 0.5, NULL));
    CHECK_EQUAL(integer(results, "SELECT metastable FROM run"), 1);
    CHECK_EQUAL(integer(results, "SELECT runs FROM shard WHERE finished_at='later'"), 1);
    CHECK_EQUAL(integer(results, "SELECT wall_ns FROM run_cost"), 5);
    CHECK_EQUAL(integer(results, "SELECT count(*) FROM episode WHERE class='quorum-back:1-2' AND "
                                 "number=3 AND struck=1 AND recovered=0 AND outage_ns=-4 AND "
                                 "recovery_ns IS NULL AND trace_hash='00000000000000ab'"),
                1);
    CHECK_EQUAL(integer(results, "SELECT sum(ok) FROM threshold"), 1);
    CHECK_EQUAL(integer(results, "SELECT count(*) FROM v_model_vs_sim"), 1);
    result_release(&result);
    close_fine(results);
    remove_file();
}

TEST(results, an_experiment_replaces_the_last_of_its_kind_and_is_not_hashed)
{
    static const char *const values[] = {"1s", "2s", "3s"};
    static const double numbers[] = {1, 2, 3};
    static const struct results_axis axes[] = {
        {"trigger", "faults.x.duration", "s", values, numbers, 3}};
    static const struct results_point points[] = {{"tip", 1, 2, NAN, INFINITY, NULL},
                                                  {"tip", 2, 3, 1, 4, "note"}};
    fresh_path();
    struct results *results = open_or_complain(RESULTS_APPEND);
    int64_t cell_id = add_cell(results, "3");
    add_run(results, cell_id, 1);
    char before[17];
    char after[17];
    CHECK(results_digest(results, before, NULL));
    struct results_experiment row = {.kind = "tip",
                                     .seeds = 4,
                                     .theory = "",
                                     .axes = axes,
                                     .axis_count = 1,
                                     .points = points,
                                     .point_count = 2};
    row.scenario_id = integer(results, "SELECT scenario_id FROM scenario");
    row.build_id = integer(results, "SELECT build_id FROM build");
    CHECK(results_set_experiment(results, &row, NULL));
    CHECK_EQUAL(integer(results, "SELECT count(*) FROM experiment_point"), 3);
    CHECK_EQUAL(integer(results, "SELECT count(*) FROM experiment_value WHERE low IS NULL AND high "
                                 "IS NULL"),
                1);
    row.point_count = 1;
    row.axis_count = 0;
    CHECK(results_set_experiment(results, &row, NULL));
    CHECK_EQUAL(integer(results, "SELECT count(*) FROM experiment"), 1);
    CHECK_EQUAL(integer(results, "SELECT count(*) FROM experiment_point"), 0);
    CHECK_EQUAL(integer(results, "SELECT count(*) FROM experiment_value"), 1);
    CHECK(results_digest(results, after, NULL));
    CHECK_TEXT(after, before);
    close_fine(results);
    remove_file();
}

TEST(results, thresholds_can_be_judged_from_the_file)
{
    fresh_path();
    struct results *results = open_or_complain(RESULTS_APPEND);
    int64_t cell_id = add_cell(results, "3");
    struct threshold_data data;
    struct threshold_data loaded;
    struct run_result result;
    threshold_data_init(&data);
    threshold_data_init(&loaded);
    result_init(&result);
    for (uint64_t seed = 1; seed <= 9; seed++) {
        add_run(results, cell_id, seed);
        make_run(&result, seed);
        threshold_data_add(&data, &result);
    }
    struct err err = {0};
    CHECK(threshold_data_load(&loaded, results, cell_id, &err));
    CHECK_EQUAL(loaded.runs.count, 9);
    static const char *const asked[][2] = {{"failures", "rate < 50% @ 95%"},
                                           {"availability", "rate > 89%"},
                                           {"recovery", "p(50) < 1s"},
                                           {"amplification", "value < 2"},
                                           {"latency", "p(99) < 1s"}};
    for (uint32_t i = 0; i < sizeof(asked) / sizeof(asked[0]); i++) {
        struct threshold threshold;
        CHECK(threshold_parse(asked[i][0], asked[i][1], &threshold, NULL));
        CHECK_EQUAL(threshold_judge(&threshold, &loaded).verdict,
                    threshold_judge(&threshold, &data).verdict);
    }
    threshold_data_release(&data);
    threshold_data_release(&loaded);
    result_release(&result);
    close_fine(results);
    remove_file();
}

/* -------------------------------------------------------------------------------------- queries */

static bool count_row(void *context, const struct results_row *row)
{
    CHECK_EQUAL(row->count, 2);
    CHECK_TEXT(row->names[1], "b");
    ++*(int *)context;
    return true;
}

TEST(results, only_one_select_is_a_question)
{
    fresh_path();
    struct results *results = open_or_complain(RESULTS_APPEND);
    int rows = 0;
    struct err err = {0};
    const char *const parameters[] = {"x"};
    CHECK(results_query(results, "SELECT ?1 a, 2 b UNION ALL SELECT 3, 4;  ", parameters, 1,
                        count_row, &rows, &err));
    CHECK_EQUAL(rows, 2);
    CHECK(
        !results_query(results, "SELECT 1, 2 b; DROP TABLE run", NULL, 0, count_row, &rows, &err));
    CHECK_EQUAL(err.code, ERR_INPUT);
    CHECK(!results_query(results, "DELETE FROM run", NULL, 0, count_row, &rows, &err));
    CHECK_EQUAL(err.code, ERR_INPUT);
    CHECK(
        !results_query(results, "DELETE FROM run RETURNING 1, 2", NULL, 0, count_row, &rows, &err));
    CHECK(!results_query(results, "SELEC 1", NULL, 0, count_row, &rows, &err));
    CHECK(strstr(err.text, "syntax error") != NULL);
    CHECK(!results_query(results, "  ", NULL, 0, count_row, &rows, &err));
    CHECK(!results_query(results, "SELECT ?1, 2 b", NULL, 0, count_row, &rows, &err));
    CHECK_EQUAL(rows, 2);
    close_fine(results);
    remove_file();
}

/* ------------------------------------------------------------------------------------ bad files */

static void check_refused(enum results_mode mode, enum err_code code, const char *part)
{
    struct err err = {0};
    struct results *results = results_open(path, mode, &err);
    CHECK(results == NULL);
    CHECK_EQUAL(err.code, code);
    if (strstr(err.text, part) == NULL) {
        CHECK_TEXT(err.text, part);
    }
    if (results != NULL) {
        results_close(results, NULL);
    }
}

static void write_file(const void *data, size_t size)
{
    FILE *file = fopen(path, "wb");
    REQUIRE(file != NULL);
    CHECK_EQUAL(fwrite(data, 1, size, file), size);
    fclose(file);
}

static void execute(const char *sql)
{
    sqlite3 *db = NULL;
    CHECK_EQUAL(sqlite3_open(path, &db), SQLITE_OK);
    CHECK_EQUAL(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

TEST(results, what_is_not_there_cannot_be_read)
{
    fresh_path();
    check_refused(RESULTS_READ, ERR_SYSTEM, "it cannot be opened");
    snprintf(path, sizeof(path), "/tmp/squall-no-such-folder/x.sqlite");
    check_refused(RESULTS_APPEND, ERR_SYSTEM, "does its folder exist");
}

TEST(results, an_empty_file_is_filled_and_not_read)
{
    fresh_path();
    write_file("", 0);
    check_refused(RESULTS_READ, ERR_INPUT, "is empty");
    close_fine(open_or_complain(RESULTS_APPEND));
    close_fine(open_or_complain(RESULTS_READ));
    remove_file();
}

TEST(results, text_is_not_a_database)
{
    fresh_path();
    char text[2048];
    memset(text, 'x', sizeof(text));
    write_file(text, sizeof(text));
    check_refused(RESULTS_READ, ERR_INPUT, "not a SQLite database");
    check_refused(RESULTS_APPEND, ERR_INPUT, "not a SQLite database");
    remove_file();
}

TEST(results, a_database_of_another_program_is_left_alone)
{
    fresh_path();
    execute("CREATE TABLE run(x)");
    check_refused(RESULTS_APPEND, ERR_INPUT, "of another program");
    check_refused(RESULTS_READ, ERR_INPUT, "of another program");
    remove_file();
}

TEST(results, a_newer_schema_is_refused)
{
    fresh_path();
    close_fine(open_or_complain(RESULTS_APPEND));
    execute("PRAGMA user_version=2");
    check_refused(RESULTS_APPEND, ERR_INPUT, "newer squall");
    execute("PRAGMA user_version=0");
    check_refused(RESULTS_READ, ERR_INPUT, "which no squall has written");
    remove_file();
}

TEST(results, thresholds_of_an_older_file_stay_and_new_ones_may_be_open)
{
    fresh_path();
    struct results *results = open_or_complain(RESULTS_APPEND);
    struct results_threshold threshold = {
        .cell_id = add_cell(results, "3"), .expression = "a: b", .judgement = RESULTS_CROSSED};
    CHECK(results_add_threshold(results, &threshold, NULL));
    close_fine(results);
    execute("CREATE TABLE old(cell_id INTEGER NOT NULL, expr TEXT NOT NULL, observed REAL, ok "
            "INTEGER NOT NULL, line INTEGER, PRIMARY KEY(cell_id,expr)) STRICT, WITHOUT ROWID; "
            "INSERT INTO old SELECT * FROM threshold; DROP TABLE threshold; "
            "ALTER TABLE old RENAME TO threshold");
    results = open_or_complain(RESULTS_APPEND);
    threshold.expression = "a: c";
    threshold.judgement = RESULTS_UNSETTLED;
    CHECK(results_add_threshold(results, &threshold, NULL));
    CHECK_EQUAL(integer(results, "SELECT count(*) FROM threshold WHERE ok=0 AND expr='a: b'"), 1);
    CHECK_EQUAL(integer(results, "SELECT count(*) FROM threshold WHERE ok IS NULL"), 1);
    CHECK_EQUAL(integer(results, "SELECT count(*) FROM sqlite_schema WHERE name LIKE '%narrow%'"),
                0);
    close_fine(results);
    remove_file();
}

TEST(results, a_file_that_is_cut_short_is_refused)
{
    fresh_path();
    struct results *results = open_or_complain(RESULTS_APPEND);
    int64_t cell_id = add_cell(results, "3");
    for (uint64_t seed = 1; seed <= 50; seed++) {
        add_run(results, cell_id, seed);
    }
    close_fine(results);
    struct stat stat_buffer;
    REQUIRE(stat(path, &stat_buffer) == 0);
    for (int part = 1; part < 4; part++) {
        CHECK_EQUAL(truncate(path, stat_buffer.st_size * part / 4), 0);
        check_refused(RESULTS_READ, ERR_INPUT, "damaged or cut short");
        check_refused(RESULTS_APPEND, ERR_INPUT, "damaged or cut short");
        CHECK_EQUAL(truncate(path, stat_buffer.st_size), 0);
    }
    remove_file();
}

TEST(results, damage_inside_is_found_by_verify)
{
    fresh_path();
    struct results *results = open_or_complain(RESULTS_APPEND);
    int64_t cell_id = add_cell(results, "3");
    for (uint64_t seed = 1; seed <= 50; seed++) {
        add_run(results, cell_id, seed);
    }
    close_fine(results);
    execute("PRAGMA foreign_keys=OFF; DELETE FROM cell");
    struct err err = {0};
    results = results_open(path, RESULTS_READ, &err);
    if (results != NULL) {
        CHECK(!results_verify(results, &err));
        CHECK(strstr(err.text, "is damaged") != NULL);
        results_close(results, NULL);
    }
    remove_file();
}

/* ------------------------------------------------------------------------------------- bad days */

static int in_child(void (*run)(void))
{
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        run();
        _exit(99);
    }
    int status = 0;
    waitpid(child, &status, 0);
    return status;
}

/* Exits with 0 when the write failed as it should. */
static void fill_the_disk(void)
{
    struct err err = {0};
    struct results *results = results_open(path, RESULTS_APPEND, &err);
    struct run_result result;
    result_init(&result);
    int64_t cell_id = results_run_id(1, 1);
    struct results_scenario scenario = {
        .name = "storm", .yaml = "squall: 1\n", .schema_version = 1};
    struct results_build build = {.version = "0.1", .compiler = "gcc 12", .models_json = "{}"};
    struct results_cell cell = {.label = "", .replicas = -1};
    bool is_fine = results != NULL &&
                   results_add_scenario(results, &scenario, &cell.scenario_id, &err) &&
                   results_add_build(results, &build, &cell.build_id, &err) &&
                   results_add_cell(results, &cell, &cell_id, &err);
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit limit = {400000, 400000};
    setrlimit(RLIMIT_FSIZE, &limit);
    uint64_t seed = 1;
    for (; seed < 5000 && is_fine; seed++) {
        make_run(&result, seed);
        is_fine = results_add_run(results, cell_id, &result, NULL, NULL, &err);
    }
    bool is_right = !is_fine && seed > 100 && err.code == ERR_SYSTEM &&
                    strstr(err.text, "run the same command again") != NULL;
    struct err later = {0};
    is_right = is_right && !results_add_run(results, cell_id, &result, NULL, NULL, &later) &&
               strstr(later.text, "an earlier write has failed") != NULL;
    is_right = is_right && results_close(results, &later);
    _exit(is_right ? 0 : 1);
}

TEST(results, a_full_disk_loses_only_the_last_transaction)
{
    fresh_path();
    int status = in_child(fill_the_disk);
    CHECK(WIFEXITED(status));
    CHECK_EQUAL(WEXITSTATUS(status), 0);
    struct results *results = open_or_complain(RESULTS_APPEND);
    int64_t runs = integer(results, "SELECT count(*) FROM run");
    CHECK(runs >= 100);
    CHECK_EQUAL(runs % 100, 0);
    CHECK_EQUAL(integer(results, "SELECT sum(n) FROM hist"), 2 * runs);
    CHECK(results_verify(results, NULL));
    int64_t cell_id = integer(results, "SELECT cell_id FROM cell");
    add_run(results, cell_id, 1000000);
    CHECK_EQUAL(integer(results, "SELECT count(*) FROM run"), runs + 1);
    close_fine(results);
    remove_file();
}

/* Dies with a few runs in memory, or with so many that some have reached the file uncommitted. */
static void be_killed(uint64_t last)
{
    struct results *results = results_open(path, RESULTS_APPEND, NULL);
    int64_t cell_id = add_cell(results, "3");
    results_commit_every(results, 10);
    for (uint64_t seed = 1; seed <= last; seed++) {
        add_run(results, cell_id, seed);
        if (seed == 20) {
            results_commit_every(results, 0);
        }
    }
    raise(SIGKILL);
}

static void be_killed_early(void)
{
    be_killed(25);
}

static void be_killed_late(void)
{
    be_killed(8000);
}

static void check_killed(void (*run)(void), enum results_mode mode)
{
    fresh_path();
    int status = in_child(run);
    CHECK(WIFSIGNALED(status));
    struct results *results = open_or_complain(mode);
    REQUIRE(results != NULL);
    CHECK_EQUAL(integer(results, "SELECT count(*) FROM run"), 20);
    CHECK_EQUAL(integer(results, "SELECT sum(n) FROM hist"), 40);
    CHECK(results_verify(results, NULL));
    close_fine(results);
    remove_file();
}

TEST(results, a_killed_writer_loses_what_it_had_not_committed)
{
    check_killed(be_killed_early, RESULTS_READ);
    check_killed(be_killed_early, RESULTS_APPEND);
}

/* The journal must be rolled back, which a reader cannot do without writing. */
TEST(results, a_half_written_transaction_is_rolled_back)
{
    check_killed(be_killed_late, RESULTS_READ);
    check_killed(be_killed_late, RESULTS_APPEND);
}

TEST(results, closing_nothing_is_fine)
{
    struct err err = {0};
    CHECK(results_close(NULL, &err));
}
