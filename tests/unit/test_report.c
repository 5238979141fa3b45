/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Reports over results files made here: what is in the folder, that pictures can be made again by
 * gnuplot alone, and that no name of a scenario can do anything but be shown. */
#include "tests/unit/harness.h"

#include "analysis/estimate.h"
#include "analysis/fleet_store.h"
#include "analysis/results.h"
#include "reports/html.h"
#include "reports/report.h"
#include "reports/statistics.h"
#include "sim/base/base.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define S INT64_C(1000000000)

/* ---------------------------------------------------------------------------------------- files */

struct lab {
    char folder[64];
    char report[80];
    struct results *results;
    struct run_result *result;
    int64_t scenario_id;
    int64_t build_id;
    int64_t shard_id;
    bool has_clients; /* runs have metrics of what clients saw */
};

static char *read_file(const char *folder, const char *name, size_t *size)
{
    struct text path;
    text_init(&path);
    text_printf(&path, "%s/%s", folder, name);
    FILE *file = fopen(text_of(&path), "rb");
    text_release(&path);
    struct text out;
    text_init(&out);
    text_add(&out, "");
    char buffer[4096];
    for (size_t got = 1; file != NULL && got > 0;) {
        got = fread(buffer, 1, sizeof(buffer), file);
        text_add_bytes(&out, buffer, got);
    }
    if (file != NULL) {
        fclose(file);
    }
    if (size != NULL) {
        *size = out.length;
    }
    return out.data;
}

static bool has_file(const char *folder, const char *name)
{
    size_t size = 0;
    free(read_file(folder, name, &size));
    return size > 0;
}

static bool file_has(const char *folder, const char *name, const char *text)
{
    char *data = read_file(folder, name, NULL);
    bool has = strstr(data, text) != NULL;
    free(data);
    return has;
}

static bool is_same_file(const char *left, const char *right, const char *name)
{
    size_t sizes[2];
    char *a = read_file(left, name, &sizes[0]);
    char *b = read_file(right, name, &sizes[1]);
    bool is_same = sizes[0] == sizes[1] && sizes[0] > 0 && memcmp(a, b, sizes[0]) == 0;
    free(a);
    free(b);
    return is_same;
}

/* Removes what is in a folder two levels deep, and the folder. */
static void remove_folder(const char *folder, uint32_t levels)
{
    DIR *open = opendir(folder);
    for (struct dirent *entry = open == NULL ? NULL : readdir(open); entry != NULL;
         entry = readdir(open)) {
        char path[512];
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
            snprintf(path, sizeof(path), "%.200s/%.255s", folder, entry->d_name);
            if (unlink(path) != 0 && levels > 0) {
                remove_folder(path, levels - 1);
            }
        }
    }
    if (open != NULL) {
        closedir(open);
    }
    rmdir(folder);
}

/* -------------------------------------------------------------------------------------- results */

static const char yaml_text[] = "squall: 1\n"
                                "name: storm\n"
                                "description: \"Two policies, \\\"one\\\" seed.\\n\"\n"
                                "expect:\n"
                                "  violated: [recovers]\n"
                                "sweep:\n"
                                "  client.retry.preset: [naive, aws]\n"
                                "  system.nodes: [1, 3, 5]\n";

static bool lab_open(struct lab *lab, const char *scenario)
{
    struct err err = {0};
    *lab = (struct lab){0};
    strcpy(lab->folder, "/tmp/squall-report-XXXXXX");
    if (mkdtemp(lab->folder) == NULL) {
        return false;
    }
    snprintf(lab->report, sizeof(lab->report), "%s/report", lab->folder);
    char path[96];
    snprintf(path, sizeof(path), "%s/results.sqlite", lab->folder);
    lab->results = results_open(path, RESULTS_APPEND, &err);
    lab->result = malloc(sizeof(*lab->result));
    if (lab->results == NULL || lab->result == NULL) {
        return false;
    }
    result_init(lab->result);
    struct results_scenario row = {scenario, yaml_text, 1};
    struct results_build build = {"0.1.0", "abcdef012345", "cc", "{\"raft\":\"libraft\"}"};
    struct results_shard shard = {.campaign = scenario,
                                  .index = 1,
                                  .of = 1,
                                  .engine = "squall 0.1.0",
                                  .host = "h",
                                  .argv = "squall run -o out/storm dir/storm.yaml --set a.b=it's",
                                  .started_at = "2026-01-02T00:00:00Z"};
    return results_add_scenario(lab->results, &row, &lab->scenario_id, &err) &&
           results_add_build(lab->results, &build, &lab->build_id, &err) &&
           results_begin_shard(lab->results, &shard, &lab->shard_id, &err);
}

static void lab_close(struct lab *lab)
{
    if (lab->result != NULL) {
        result_release(lab->result);
    }
    free(lab->result);
    results_close(lab->results, NULL);
    remove_folder(lab->folder, 3);
}

static int64_t add_cell(struct lab *lab, const char *preset, int64_t nodes)
{
    char label[160];
    char count[24];
    int64_t cell_id = 0;
    snprintf(label, sizeof(label), "preset=%.100s nodes=%lld", preset, (long long)nodes);
    snprintf(count, sizeof(count), "%lld", (long long)nodes);
    struct results_param params[] = {{"client.retry.preset", preset}, {"system.nodes", count}};
    struct results_cell cell = {lab->scenario_id, lab->build_id, label, nodes, params, 2};
    CHECK(results_add_cell(lab->results, &cell, &cell_id, NULL));
    return cell_id;
}

static void add_windows(struct run_result *result, bool is_stuck, uint32_t more)
{
    for (uint32_t i = 0; i < 40; i++) {
        bool is_fault = i >= 20 && i < 26;
        bool is_dead = is_fault || (is_stuck && i >= 26);
        struct result_window *window = vec_push(&result->windows);
        *window = (struct result_window){
            .t_ns = i * S / 2,
            .duration_ns = S / 2,
            .offered = 100 + i % 3 + more,
            .attempts = is_dead ? 900 : 110,
            .ok = is_dead ? 0 : 100,
            .p50_ns = is_dead ? -1 : 2000000 + (int64_t)i * 10000,
            .p99_ns = is_dead ? -1 : 9000000,
            .is_up = !is_dead,
        };
    }
}

/* A queue on two nodes that grows by five decades, and a counter. */
static void add_gauges(struct run_result *result)
{
    static const char *const names[] = {"a.queue", "a.queue", "b <i>hits</i> 'x'"};
    for (uint32_t i = 0; i < ARRAY_COUNT(names); i++) {
        struct result_gauge *gauge = vec_push(&result->gauges);
        *gauge = (struct result_gauge){.is_counter = i == 2, .window_ns = S / 2};
        result_copy_text(gauge->name, sizeof(gauge->name), names[i]);
        result_copy_text(gauge->node, sizeof(gauge->node), i == 1 ? "n2" : "n1");
        for (uint32_t w = 0; w < 40; w++) {
            struct result_gauge_window *window = vec_push(&result->gauge_windows);
            int64_t value = i == 2 ? 5 : (int64_t)1 << w / 2;
            *window = (struct result_gauge_window){.gauge = i,
                                                   .t_ns = w * S / 2,
                                                   .count = 2,
                                                   .sum = 2 * value,
                                                   .minimum = value,
                                                   .maximum = value,
                                                   .last = value};
        }
    }
}

/* What clients saw: half of the time of the worst second, three quarters of all; and a detector. */
static void add_client_metrics(struct run_result *result)
{
    const double worst = result->seed >= 10 && result->seed % 2 == 0 ? 0.75 : 0.5;
    const struct result_metric rows[] = {
        {"user_uptime", 0.75}, {"user_measured_s", 20}, {"mcr_1s", worst},
        {"mcr_10s", 0.625},    {"mcr_x", 0.1},          {"gray_up_up_s", 12},
        {"gray_up_down_s", 4}, {"gray_down_up_s", 1},   {"gray_down_down_s", 3}};
    for (uint32_t i = 0; i < ARRAY_COUNT(rows); i++) {
        vec_append(&result->metrics, &rows[i]);
    }
}

struct run_shape {
    int64_t cell_id;
    uint64_t seed;
    int64_t down_ns;
    bool is_failing;
    bool has_windows;
    const char *fault;
    uint32_t more; /* operations that are asked for in each window, beside the usual ones */
};

static void add_run(struct lab *lab, const struct run_shape *shape)
{
    struct run_result *result = lab->result;
    result_clear(result);
    result->seed = shape->seed;
    result->verdict = shape->is_failing ? VERDICT_FAIL : VERDICT_PASS;
    result->digest = shape->seed * 77;
    result->events = 1000 + shape->seed;
    result->sim_ns = 20 * S;
    result->offered = 1000;
    result->attempts = 1500;
    result->ok = 950;
    result->measured_ns = 100 * S;
    result->up_ns = 100 * S - shape->down_ns;
    result->recovery_ns = shape->is_failing ? RESULT_RECOVERY_NEVER : 2 * S;
    result->fault_total = 1;
    struct result_fault *fault = vec_push(&result->faults);
    *fault = (struct result_fault){.kind = "NodeChaos",
                                   .action = "pause",
                                   .target = "n1",
                                   .start_ns = 10 * S,
                                   .end_ns = 13 * S};
    result_copy_text(fault->name, sizeof(fault->name),
                     shape->fault == NULL ? "stall" : shape->fault);
    struct result_check *check = vec_push(&result->checks);
    *check = (struct result_check){
        .name = "recovers", .comparisons = 3, .is_violated = shape->is_failing};
    if (shape->is_failing) {
        strcpy(result->reason, "recovers");
        struct result_violation *violation = vec_push(&result->violations);
        *violation = (struct result_violation){.check = "recovers",
                                               .time_ns = 19 * S,
                                               .event = 12,
                                               .node = SQ_NODE_NONE,
                                               .message = "goodput <stayed> at 0 & more"};
    }
    for (uint64_t i = 1; i <= 1000; i++) {
        histogram_record(&result->latency, i * i * 500);
    }
    if (lab->has_clients) {
        add_client_metrics(result);
    }
    if (shape->has_windows) {
        add_gauges(result);
        add_windows(result, shape->is_failing, shape->more);
    }
    struct results_cost cost = {lab->shard_id, 1, 1};
    bool added = false;
    CHECK(results_add_run(lab->results, shape->cell_id, result, &cost, &added, NULL));
    CHECK(added);
}

/* Two cells with a kept run each: one comes back, one does not. */
static void add_storm(struct lab *lab, const char *preset, const char *fault)
{
    int64_t aws = add_cell(lab, "aws", 3);
    int64_t naive = add_cell(lab, preset, 3);
    for (uint64_t seed = 1; seed <= 2; seed++) {
        struct run_shape stuck = {naive, seed, 40 * S, true, seed == 1, fault, 0};
        struct run_shape fine = {aws, seed, 3 * S, false, seed == 1, fault, 0};
        add_run(lab, &stuck);
        add_run(lab, &fine);
    }
}

static bool write_to(struct lab *lab, const char *folder, struct err *err)
{
    struct report_options options = {.folder = folder};
    return report_write(lab->results, &options, err);
}

static uint32_t count_files(const char *folder, const char *sub, const char *ending)
{
    char path[160];
    snprintf(path, sizeof(path), "%s/%s", folder, sub);
    DIR *open = opendir(path);
    uint32_t count = 0;
    for (struct dirent *entry = open == NULL ? NULL : readdir(open); entry != NULL;
         entry = readdir(open)) {
        size_t length = strlen(entry->d_name);
        size_t tail = strlen(ending);
        count += length > tail && strcmp(entry->d_name + length - tail, ending) == 0 ? 1 : 0;
    }
    if (open != NULL) {
        closedir(open);
    }
    return count;
}

/* Two loads by three sizes: nothing sticks at the first load, all but the smallest at the second.
 */
static void add_map(struct lab *lab)
{
    static const char *const loads[] = {"100/s", "200/s"};
    static const char *const sizes[] = {"1s", "2s", "3s"};
    static const double load_numbers[] = {100, 200};
    static const double size_numbers[] = {1, 2, 3};
    static const struct results_axis axes[] = {
        {"load", "load.a.rate", "1/s", loads, load_numbers, 2},
        {"trigger", "faults.x.duration", "s", sizes, size_numbers, 3}};
    static const struct results_point points[] = {
        {"tipping", 100, NAN, NAN, NAN, "none"},        {"region", 100, 0, NAN, NAN, "stable"},
        {"tipping", 200, 1.5, 1, 2, "between"},         {"region", 200, 1, NAN, NAN, "vulnerable"},
        {"predicted-tipping", 200, 1.4, NAN, NAN, ""},  {"hidden-capacity", NAN, 150, 100, 200, ""},
        {"advertised-capacity", NAN, NAN, 200, NAN, ""}};
    for (uint32_t i = 0; i < 6; i++) {
        struct results_param params[] = {{"load.a.rate", loads[i / 3]},
                                         {"faults.x.duration", sizes[i % 3]}};
        char label[64];
        int64_t cell_id = 0;
        snprintf(label, sizeof(label), "rate=%s duration=%s", loads[i / 3], sizes[i % 3]);
        struct results_cell cell = {lab->scenario_id, lab->build_id, label, -1, params, 2};
        CHECK(results_add_cell(lab->results, &cell, &cell_id, NULL));
        bool is_stuck = i > 3;
        for (uint64_t seed = 1; seed <= 4; seed++) {
            struct run_result *result = lab->result;
            result_clear(result);
            result->seed = seed;
            result->verdict = is_stuck ? VERDICT_FAIL : VERDICT_PASS;
            result->metastability = is_stuck ? METASTABILITY_METASTABLE : METASTABILITY_STABLE;
            struct result_arm *arm = vec_push(&result->arms);
            *arm = (struct result_arm){.arm = ARM_TRIGGER, .outcome = ARM_RECOVERED};
            arm = vec_push(&result->arms);
            *arm = (struct result_arm){.arm = ARM_DOUBLED,
                                       .outcome = is_stuck ? ARM_STUCK : ARM_RECOVERED};
            struct results_cost cost = {lab->shard_id, 1, 1};
            CHECK(results_add_run(lab->results, cell_id, result, &cost, NULL, NULL));
        }
    }
    struct results_experiment row = {"map", lab->scenario_id, lab->build_id,
                                     4,     "  - so\n",       axes,
                                     2,     points,           ARRAY_COUNT(points)};
    CHECK(results_set_experiment(lab->results, &row, NULL));
}

TEST(report, a_map_is_drawn_from_the_runs_and_the_stored_curves)
{
    struct lab lab;
    struct err err = {0};
    REQUIRE(lab_open(&lab, "storm"));
    add_map(&lab);
    CHECK(write_to(&lab, lab.report, &err));
    CHECK_TEXT(err.text, "");
    CHECK(has_file(lab.report, "img/map.svg"));
    CHECK_EQUAL(count_files(lab.report, "img", ".svg"), 1);
    CHECK(file_has(lab.report, "data/map.csv",
                   "\n100,3,50,150,2.5,3.5,0,NaN,NaN,4,4,0,0,0,0,0,0,0,"));
    CHECK(
        file_has(lab.report, "data/map.csv", "\n200,2,150,250,1.5,2.5,1,NaN,NaN,4,0,4,0,4,0,0,1,"));
    CHECK(file_has(lab.report, "data/map-rows.csv",
                   "\n200,150,250,1.5,1,2,1.4,NaN,between,vulnerable"));
    CHECK(file_has(lab.report, "index.html", "An experiment: 24 runs"));
    CHECK(file_has(lab.report, "index.html", "4 seeds for each tile"));
    CHECK(file_has(lab.report, "index.html",
                   " --set faults.x.duration=2s --set load.a.rate=200/s --seed "));
    char again[96];
    snprintf(again, sizeof(again), "%s/again", lab.folder);
    CHECK(write_to(&lab, again, &err));
    CHECK(is_same_file(lab.report, again, "img/map.svg"));
    CHECK(is_same_file(lab.report, again, "index.html"));
    lab_close(&lab);
}

TEST(report, seeds_that_tip_make_a_staircase)
{
    static const char *const sizes[] = {"1s", "2s", "3s"};
    static const double numbers[] = {1, 2, 3};
    static const struct results_axis axes[] = {
        {"trigger", "faults.x.duration", "s", sizes, numbers, 3}};
    static const struct results_point points[] = {{"tip", 280, 2.5, 2, 3, "0x1 "},
                                                  {"tip", 280, 1.5, 1, 2, "0x2 "},
                                                  {"tip", 280, NAN, NAN, NAN, "0x3 undecided"},
                                                  {"predicted-tipping", 280, 1.75, NAN, NAN, ""}};
    struct lab lab;
    struct err err = {0};
    REQUIRE(lab_open(&lab, "storm"));
    add_storm(&lab, "naive", NULL);
    struct results_experiment row = {"tip", lab.scenario_id, lab.build_id,       3, "", axes,
                                     1,     points,          ARRAY_COUNT(points)};
    CHECK(results_set_experiment(lab.results, &row, NULL));
    CHECK(write_to(&lab, lab.report, &err));
    CHECK_TEXT(err.text, "");
    CHECK(has_file(lab.report, "img/tip.svg"));
    CHECK(file_has(lab.report, "data/tip-steps.csv",
                   "\n1.5,0.333333333\n2.5,0.666666667\n3,0.666666667"));
    CHECK(file_has(lab.report, "data/tip.csv", "\n280,NaN,NaN,NaN,0x3,undecided"));
    CHECK(file_has(lab.report, "index.html", "found in 2 of 3 searches"));
    lab_close(&lab);
}

/* ----------------------------------------------------------------------------------- the folder */

TEST(report, folder_holds_page_pictures_scripts_and_data)
{
    struct lab lab;
    struct err err = {0};
    REQUIRE(lab_open(&lab, "storm"));
    add_storm(&lab, "naive", NULL);
    CHECK(write_to(&lab, lab.report, &err));
    CHECK_TEXT(err.text, "");
    static const char *const names[] = {"index.html",           "img/compare.svg",
                                        "img/cells.svg",        "img/latency.svg",
                                        "img/timeline-1-1.svg", "img/timeline-2-1.svg",
                                        "plot/compare.gp",      "plot/timeline-2-1.gp",
                                        "data/compare-1.csv",   "data/timeline-1-1-faults.csv"};
    for (uint32_t i = 0; i < ARRAY_COUNT(names); i++) {
        CHECK(has_file(lab.report, names[i]));
    }
    CHECK_EQUAL(count_files(lab.report, "img", ".svg"), 7);
    CHECK_EQUAL(count_files(lab.report, "plot", ".gp"), 7);
    CHECK_EQUAL(count_files(lab.report, "img", ".new"), 0);
    /* The cells do not differ in replicas. */
    CHECK(!has_file(lab.report, "img/availability.svg"));
    lab_close(&lab);
}

TEST(report, what_nodes_showed_has_a_panel_for_each_name)
{
    struct lab lab;
    REQUIRE(lab_open(&lab, "storm"));
    add_storm(&lab, "naive", NULL);
    struct err err = {0};
    CHECK(write_to(&lab, lab.report, &err));
    CHECK(has_file(lab.report, "img/gauges-1.svg"));
    CHECK(file_has(lab.report, "data/gauges-1-1-2.csv", "t_s,mean,min,max"));
    CHECK(file_has(lab.report, "data/gauges-1-2-1.csv", "0.25,20,20,20"));
    CHECK(!has_file(lab.report, "data/gauges-1-2-2.csv"));
    CHECK(file_has(lab.report, "plot/gauges-1.gp", "'n2'"));
    CHECK(file_has(lab.report, "plot/gauges-1.gp", "\nset logscale y"));
    CHECK(file_has(lab.report, "plot/gauges-1.gp", "unset logscale y"));
    lab_close(&lab);
}

TEST(report, the_terms_of_a_decomposition_are_bars)
{
    struct lab lab;
    struct err err = {0};
    REQUIRE(lab_open(&lab, "parts"));
    add_storm(&lab, "naive", NULL);
    CHECK(write_to(&lab, lab.report, &err));
    CHECK(!has_file(lab.report, "img/parts.svg"));
    const int64_t cell = add_cell(&lab, "aws", 3);
    static const char model[] = "decomposition";
    CHECK(results_add_model_value(lab.results, cell, model, "no-quorum", 6e-5, NULL));
    CHECK(results_add_model_value(lab.results, cell, model, "leader-lost", 2e-5, NULL));
    CHECK(results_add_model_value(lab.results, cell, model, "quorum-lost", -1e-6, NULL));
    CHECK(results_add_model_value(lab.results, cell, "other", "leader-lost", 1, NULL));
    CHECK(write_to(&lab, lab.report, &err));
    CHECK_TEXT(err.text, "");
    CHECK(has_file(lab.report, "img/parts.svg"));
    CHECK(file_has(lab.report, "data/parts.csv", ",no-quorum,6e-05,0,0.75,0,"));
    CHECK(file_has(lab.report, "data/parts.csv", ",leader-lost,2e-05,0.75,1,0,"));
    CHECK(file_has(lab.report, "data/parts.csv", ",quorum-lost,-1e-06,1,1,0,"));
    CHECK(!file_has(lab.report, "data/parts.csv", "naive"));
    CHECK(file_has(lab.report, "plot/parts.gp", "41.55 min a year"));
    CHECK(file_has(lab.report, "index.html", "The largest part of it is no quorum (75 %)."));
    CHECK(!file_has(lab.report, "index.html", "accelerated faults"));
    CHECK(results_add_model_value(lab.results, cell, "validation", "agrees", 1, NULL));
    CHECK(write_to(&lab, lab.report, &err));
    CHECK(file_has(lab.report, "index.html", "accelerated faults agree"));
    CHECK(results_add_model_value(lab.results, cell, "validation", "agrees", 0, NULL));
    CHECK(write_to(&lab, lab.report, &err));
    CHECK(file_has(lab.report, "index.html", "accelerated faults DISAGREE with the sum in 1 of 1"));
    lab_close(&lab);
}

TEST(report, what_clients_saw_has_a_line_and_a_table)
{
    struct lab lab;
    REQUIRE(lab_open(&lab, "storm"));
    int64_t cell_id = add_cell(&lab, "aws <b>", 3);
    lab.has_clients = true;
    for (uint64_t seed = 1; seed <= 2; seed++) {
        struct run_shape shape = {cell_id, seed, 3 * S, false, false, NULL, 0};
        add_run(&lab, &shape);
    }
    struct err err = {0};
    CHECK(write_to(&lab, lab.report, &err));
    CHECK(has_file(lab.report, "img/users.svg"));
    CHECK(file_has(lab.report, "data/users-1.csv",
                   "window_s,worst_window,low,high,lowest_seed,highest_seed\n"
                   "1,0.5,NaN,NaN,0.5,0.5\n"
                   "10,0.625,NaN,NaN,0.625,0.625\n20,0.75,NaN,NaN,0.75,0.75\n"));
    CHECK(file_has(lab.report, "plot/users.gp", "\nset logscale x"));
    CHECK(has_file(lab.report, "img/gray.svg"));
    CHECK(file_has(lab.report, "data/gray.csv", ",24,8,2,6\n"));
    CHECK(file_has(lab.report, "plot/gray.gp", "'20.00%'"));
    lab_close(&lab);
}

TEST(report, the_worst_window_of_many_seeds_has_an_interval)
{
    struct lab lab;
    REQUIRE(lab_open(&lab, "storm"));
    int64_t cell_id = add_cell(&lab, "aws", 3);
    lab.has_clients = true;
    for (uint64_t seed = 10; seed < 30; seed++) {
        struct run_shape shape = {cell_id, seed, 3 * S, false, false, NULL, 0};
        add_run(&lab, &shape);
    }
    struct err err = {0};
    CHECK(write_to(&lab, lab.report, &err));
    CHECK(has_file(lab.report, "img/users.svg"));
    CHECK(file_has(lab.report, "plot/users.gp", "with yerrorlines"));
    char *csv = read_file(lab.report, "data/users-1.csv", NULL);
    double low = 0;
    double high = 0;
    const char *line = strstr(csv, "\n1,0.625,");
    REQUIRE(line != NULL);
    CHECK_EQUAL(sscanf(line, "\n1,0.625,%lf,%lf,0.5,0.75\n", &low, &high), 2);
    CHECK(low >= 0.55 && low <= 0.59); /* a normal law has .570 and .680 */
    CHECK(high >= 0.66 && high <= 0.70);
    free(csv);
    lab_close(&lab);
}

TEST(report, one_run_has_an_interval_by_its_parts)
{
    struct lab lab;
    REQUIRE(lab_open(&lab, "storm"));
    struct run_shape shape = {add_cell(&lab, "aws", 3), 1, 3 * S, false, true, NULL, 0};
    add_run(&lab, &shape);
    struct err err = {0};
    CHECK(write_to(&lab, lab.report, &err));
    /* 3 of 100 s are down; of 20 parts of the windows three are down: .15 +- .171. */
    CHECK(file_has(lab.report, "index.html",
                   "80% \xe2\x80\x93 100%, 20 parts of one run: too short to be believed"));
    shape.seed = 2;
    add_run(&lab, &shape);
    CHECK(write_to(&lab, lab.report, &err));
    CHECK(!file_has(lab.report, "index.html", "parts of one run"));
    lab_close(&lab);
}

TEST(report, runs_that_were_always_up_have_no_picture_of_it)
{
    struct lab lab;
    REQUIRE(lab_open(&lab, "storm"));
    add_storm(&lab, "naive", NULL);
    struct err err = {0};
    CHECK(write_to(&lab, lab.report, &err));
    CHECK(!has_file(lab.report, "img/users.svg"));
    CHECK(!has_file(lab.report, "img/gray.svg"));
    lab_close(&lab);
}

/* A run with nothing but a verdict. */
static void add_verdict(struct lab *lab, int64_t cell_id, uint64_t seed, enum metastability verdict)
{
    struct run_result *result = lab->result;
    result_clear(result);
    result->seed = seed;
    result->digest = seed;
    result->metastability = verdict;
    struct result_arm *arm = vec_push(&result->arms);
    *arm = (struct result_arm){.arm = ARM_TRIGGER, .offered = 10, .good = 5, .attempts = 10};
    struct results_cost cost = {lab->shard_id, 1, 1};
    CHECK(results_add_run(lab->results, cell_id, result, &cost, NULL, NULL));
}

TEST(report, verdicts_of_a_sweep_are_drawn_as_a_table)
{
    struct lab lab;
    struct err err = {0};
    REQUIRE(lab_open(&lab, "storm"));
    for (int64_t nodes = 1; nodes <= 3; nodes += 2) {
        int64_t naive = add_cell(&lab, "naive", nodes);
        int64_t aws = add_cell(&lab, "aws", nodes);
        for (uint64_t seed = 1; seed <= 4; seed++) {
            bool is_open = seed > 3 && nodes == 3;
            add_verdict(&lab, aws, seed, METASTABILITY_STABLE);
            add_verdict(&lab, naive, seed,
                        is_open ? METASTABILITY_UNDECIDED : METASTABILITY_METASTABLE);
        }
    }
    CHECK(write_to(&lab, lab.report, &err));
    CHECK(file_has(lab.report, "data/verdicts.csv",
                   "down,across,stable,metastable,unstable,permanent,undecided\n"
                   "naive,1,0,4,0,0,0\nnaive,3,0,3,0,0,1\naws,1,4,0,0,0,0\naws,3,4,0,0,0,0\n"));
    CHECK(file_has(lab.report, "plot/verdicts.gp", "'4 of 4 seeds'"));
    CHECK(file_has(lab.report, "plot/verdicts.gp", "'metastable 3 of 4'"));
    CHECK(file_has(lab.report, "plot/verdicts.gp", "'undecided 1 of 4'"));
    CHECK(!file_has(lab.report, "plot/verdicts.gp", "collapses without any trigger"));
    CHECK(has_file(lab.report, "img/verdicts.svg"));
    CHECK(file_has(lab.report, "index.html", "img/verdicts.svg"));
    lab_close(&lab);
}

TEST(report, verdicts_on_one_axis_have_no_table)
{
    struct lab lab;
    struct err err = {0};
    REQUIRE(lab_open(&lab, "storm"));
    add_verdict(&lab, add_cell(&lab, "naive", 3), 1, METASTABILITY_METASTABLE);
    add_verdict(&lab, add_cell(&lab, "aws", 3), 1, METASTABILITY_STABLE);
    CHECK(write_to(&lab, lab.report, &err));
    CHECK(!has_file(lab.report, "plot/verdicts.gp"));
    lab_close(&lab);
}

TEST(report, page_says_what_failed_and_how_to_repeat_it)
{
    struct lab lab;
    REQUIRE(lab_open(&lab, "storm"));
    add_storm(&lab, "naive", NULL);
    struct report_options options = {.folder = lab.report, .title = "A & B", .plot = "latency"};
    CHECK(report_write(lab.results, &options, NULL));
    static const char *const texts[] = {
        "<h1>A &amp; B</h1>",
        "Two policies, &quot;one&quot; seed.",
        "2 of 4 runs violated a check",
        "<code>violated: [recovers]</code>",
        "preset=naive nodes=3: 2",
        "goodput &lt;stayed&gt; at 0 &amp; more",
        "squall replay dir/storm.yaml --set &#39;a.b=it&#39;\\&#39;&#39;s&#39; --cell ",
        " --cell &#39;preset=naive nodes=3&#39; --seed 0x0000000000000001</code>",
        "squall 0.1.0",
        "commit abcdef012345",
        "scenario sha256 ",
        "results digest ",
        "gnuplot 5"};
    for (uint32_t i = 0; i < ARRAY_COUNT(texts); i++) {
        bool has = file_has(lab.report, "index.html", texts[i]);
        if (!has) {
            fprintf(stderr, "index.html lacks: %s\n", texts[i]);
        }
        CHECK(has);
    }
    CHECK(!file_has(lab.report, "index.html", "2026"));
    CHECK(!file_has(lab.report, "index.html", "<script"));
    lab_close(&lab);
}

TEST(report, cells_come_in_the_order_of_the_sweep)
{
    struct lab lab;
    REQUIRE(lab_open(&lab, "storm"));
    add_storm(&lab, "naive", NULL); /* adds "aws" first, and it sorts first by name */
    struct report_options options = {.folder = lab.report, .plot = "latency"};
    CHECK(report_write(lab.results, &options, NULL));
    char *page = read_file(lab.report, "index.html", NULL);
    const char *cells = strstr(page, "<h2 id=\"cells\">");
    REQUIRE(cells != NULL);
    const char *naive = strstr(cells, "<td class=\"name\">preset=naive");
    const char *aws = strstr(cells, "<td class=\"name\">preset=aws");
    CHECK(naive != NULL && aws != NULL && naive < aws);
    free(page);
    lab_close(&lab);
}

TEST(report, one_line_of_what_was_asked_stands_only_for_equal_loads)
{
    for (uint32_t more = 0; more <= 50; more += 50) {
        struct lab lab;
        struct err err = {0};
        REQUIRE(lab_open(&lab, "storm"));
        for (uint32_t i = 0; i < 2; i++) {
            struct run_shape shape = {.cell_id = add_cell(&lab, i == 0 ? "aws" : "naive", 3),
                                      .seed = 1,
                                      .has_windows = true,
                                      .more = i * more};
            add_run(&lab, &shape);
        }
        CHECK(write_to(&lab, lab.report, &err));
        CHECK_EQUAL(file_has(lab.report, "plot/compare.gp", "title 'asked for'"), more == 0);
        CHECK_EQUAL(file_has(lab.report, "index.html", "differs from cell to cell"), more > 0);
        lab_close(&lab);
    }
}

TEST(report, same_results_give_the_same_bytes)
{
    struct lab lab;
    char other[80];
    REQUIRE(lab_open(&lab, "storm"));
    add_storm(&lab, "naive", NULL);
    snprintf(other, sizeof(other), "%s/a/b/", lab.folder);
    struct report_options options = {.folder = lab.report, .plot = "compare"};
    CHECK(report_write(lab.results, &options, NULL));
    options.folder = other;
    CHECK(report_write(lab.results, &options, NULL));
    CHECK(is_same_file(lab.report, other, "index.html"));
    CHECK(is_same_file(lab.report, other, "img/compare.svg"));
    CHECK(is_same_file(lab.report, other, "plot/compare.gp"));
    CHECK(is_same_file(lab.report, other, "data/compare-2.csv"));
    lab_close(&lab);
}

/* Runs gnuplot as a person would, in the folder, with nothing of ours but the script. True: it
 * ended well, and silently. */
static bool gnuplot_alone(const char *folder, const char *script)
{
    char command[512];
    snprintf(command, sizeof(command),
             "cd '%s' && LC_ALL=de_DE.UTF-8 gnuplot -d '%s' > words 2>&1 && ! test -s words",
             folder, script);
    int status = system(command);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* Each picture is removed, made again by gnuplot alone, and compared. */
static void check_scripts(const char *folder)
{
    char plot_folder[160];
    snprintf(plot_folder, sizeof(plot_folder), "%s/plot", folder);
    DIR *open = opendir(plot_folder);
    uint32_t count = 0;
    REQUIRE(open != NULL);
    for (struct dirent *entry = readdir(open); entry != NULL; entry = readdir(open)) {
        size_t length = strlen(entry->d_name);
        if (length < 4 || strcmp(entry->d_name + length - 3, ".gp") != 0) {
            continue;
        }
        char script[300];
        char picture[300];
        char full[512];
        snprintf(script, sizeof(script), "plot/%s", entry->d_name);
        snprintf(picture, sizeof(picture), "img/%.*s.svg", (int)(length - 3), entry->d_name);
        size_t sizes[2];
        char *before = read_file(folder, picture, &sizes[0]);
        snprintf(full, sizeof(full), "%.180s/%s", folder, picture);
        CHECK_EQUAL(unlink(full), 0);
        CHECK(gnuplot_alone(folder, script));
        char *after = read_file(folder, picture, &sizes[1]);
        CHECK(sizes[0] > 1000);
        CHECK(sizes[0] == sizes[1] && memcmp(before, after, sizes[0]) == 0);
        free(before);
        free(after);
        count++;
    }
    closedir(open);
    CHECK(count > 0);
}

TEST(report, gnuplot_alone_makes_the_same_pictures_again)
{
    struct lab lab;
    REQUIRE(lab_open(&lab, "storm"));
    add_storm(&lab, "naive", NULL);
    CHECK(write_to(&lab, lab.report, NULL));
    check_scripts(lab.report);
    lab_close(&lab);
}

TEST(report, hostile_names_are_only_shown)
{
    static const char hostile[] =
        "a' ; system('touch pwned') #`touch pwned`\"$(touch pwned)<script>x</script>&_{^}@%d\\";
    struct lab lab;
    struct err err = {0};
    REQUIRE(lab_open(&lab, hostile));
    add_storm(&lab, "n`touch pwned`'\\\n\"<b>%s {/Bold x}", "f'`touch pwned`\"<i>%d,\x01\xff");
    CHECK(write_to(&lab, lab.report, &err));
    CHECK_TEXT(err.text, "");
    check_scripts(lab.report);
    CHECK(!has_file(lab.report, "pwned"));
    CHECK(access("pwned", F_OK) != 0);
    CHECK(!file_has(lab.report, "index.html", "<script"));
    CHECK(!file_has(lab.report, "index.html", "<b>%s"));
    CHECK(!file_has(lab.report, "index.html", "<i>"));
    CHECK(file_has(lab.report, "index.html", "&lt;script&gt;x&lt;/script&gt;&amp;_{^}@%d\\"));
    CHECK(!file_has(lab.report, "img/compare.svg", "<script"));
    CHECK(file_has(lab.report, "img/compare.svg", "`touch pwned`"));
    CHECK(file_has(lab.report, "img/timeline-1-1.svg", "&lt;i>%d"));
    lab_close(&lab);
}

/* -------------------------------------------------------------------------------------- gnuplot */

TEST(report, without_gnuplot_all_but_the_pictures_is_written)
{
    struct lab lab;
    struct err err = {0};
    REQUIRE(lab_open(&lab, "storm"));
    add_storm(&lab, "naive", NULL);
    setenv("GNUPLOT", "/nonexistent/gnuplot", 1);
    CHECK(!write_to(&lab, lab.report, &err));
    CHECK_EQUAL(err.code, ERR_SYSTEM);
    CHECK(strstr(err.text, "/nonexistent/gnuplot") != NULL);
    CHECK(strstr(err.text, "install gnuplot") != NULL);
    CHECK(has_file(lab.report, "plot/compare.gp"));
    CHECK(has_file(lab.report, "data/compare-1.csv"));
    CHECK(file_has(lab.report, "index.html", "Not drawn: gnuplot was not found"));
    CHECK_EQUAL(count_files(lab.report, "img", ".svg"), 0);
    unsetenv("GNUPLOT");
    CHECK(gnuplot_alone(lab.report, "plot/compare.gp"));
    CHECK(has_file(lab.report, "img/compare.svg"));
    lab_close(&lab);
}

TEST(report, a_program_that_is_not_gnuplot_is_not_believed)
{
    char version[64];
    struct err err = {0};
    setenv("GNUPLOT", "/bin/echo", 1);
    CHECK(!gnuplot_version(version, sizeof(version), &err));
    CHECK(strstr(err.text, "does not answer like gnuplot") != NULL);
    setenv("GNUPLOT", "", 1); /* as if it were not set */
    CHECK(gnuplot_version(version, sizeof(version), NULL));
    CHECK(strncmp(version, "gnuplot ", 8) == 0);
    unsetenv("GNUPLOT");
}

TEST(report, what_gnuplot_complains_about_is_in_the_error)
{
    struct lab lab;
    struct err err = {0};
    REQUIRE(lab_open(&lab, "storm"));
    CHECK(!gnuplot_run(lab.folder, "absent", &err));
    CHECK(strstr(err.text, "plot/absent.gp") != NULL);
    CHECK(strstr(err.text, "absent.gp'") != NULL);
    CHECK(!gnuplot_run("/nonexistent", "absent", &err));
    CHECK_EQUAL(err.code, ERR_SYSTEM);
    lab_close(&lab);
}

TEST(report, other_formats_are_drawn_too)
{
    struct lab lab;
    REQUIRE(lab_open(&lab, "storm"));
    add_storm(&lab, "naive", NULL);
    struct report_options options = {.folder = lab.report, .plot = "latency", .format = REPORT_PNG};
    CHECK(report_write(lab.results, &options, NULL));
    char *picture = read_file(lab.report, "img/latency.png", NULL);
    CHECK(memcmp(picture, "\x89PNG", 4) == 0);
    free(picture);
    CHECK(file_has(lab.report, "index.html", "<img src=\"img/latency.png\""));
    options.format = REPORT_PDF;
    CHECK(report_write(lab.results, &options, NULL));
    picture = read_file(lab.report, "img/latency.pdf", NULL);
    CHECK(memcmp(picture, "%PDF", 4) == 0);
    free(picture);
    lab_close(&lab);
    enum report_format format = REPORT_PNG;
    CHECK(gnuplot_format("svg", &format));
    CHECK_EQUAL(format, REPORT_SVG);
    CHECK(!gnuplot_format("gif", &format));
}

/* ---------------------------------------------------------------------- what cannot be reported */

TEST(report, an_empty_results_file_is_refused)
{
    struct lab lab;
    struct err err = {0};
    REQUIRE(lab_open(&lab, "storm"));
    CHECK(!write_to(&lab, lab.report, &err));
    CHECK_EQUAL(err.code, ERR_INPUT);
    CHECK(strstr(err.text, "no cell") != NULL);
    CHECK(access(lab.report, F_OK) != 0);
    lab_close(&lab);
}

TEST(report, a_plot_with_nothing_to_show_is_an_error_when_asked_for)
{
    struct lab lab;
    struct err err = {0};
    REQUIRE(lab_open(&lab, "storm"));
    add_storm(&lab, "naive", NULL);
    struct report_options options = {.folder = lab.report, .plot = "availability"};
    CHECK(!report_write(lab.results, &options, &err));
    CHECK_EQUAL(err.code, ERR_INPUT);
    CHECK(strstr(err.text, "'availability' has nothing to show") != NULL);
    lab_close(&lab);
}

TEST(report, a_folder_that_cannot_be_made_is_named)
{
    struct lab lab;
    struct err err = {0};
    char folder[128];
    REQUIRE(lab_open(&lab, "storm"));
    add_storm(&lab, "naive", NULL);
    snprintf(folder, sizeof(folder), "%s/results.sqlite/report", lab.folder); /* below a file */
    CHECK(!write_to(&lab, folder, &err));
    CHECK_EQUAL(err.code, ERR_SYSTEM);
    CHECK(strstr(err.text, folder) != NULL);
    lab_close(&lab);
}

TEST(report, cells_without_runs_or_series_still_make_a_page)
{
    struct lab lab;
    REQUIRE(lab_open(&lab, "storm"));
    add_cell(&lab, "aws", 3);
    CHECK(write_to(&lab, lab.report, NULL));
    CHECK(file_has(lab.report, "index.html", "Nothing was run"));
    CHECK_EQUAL(count_files(lab.report, "plot", ".gp"), 0);
    lab_close(&lab);
}

TEST(report, only_the_newest_build_is_shown_and_the_others_are_counted)
{
    struct lab lab;
    struct err err = {0};
    REQUIRE(lab_open(&lab, "storm"));
    add_storm(&lab, "naive", NULL);
    struct results_build build = {"0.2.0", NULL, "cc", "{}"};
    struct results_shard shard = {.campaign = "storm",
                                  .index = 1,
                                  .of = 1,
                                  .engine = "squall 0.2.0",
                                  .host = "h",
                                  .argv = "squall run storm",
                                  .started_at = "2026-01-03T00:00:00Z"};
    CHECK(results_add_build(lab.results, &build, &lab.build_id, &err));
    CHECK(results_begin_shard(lab.results, &shard, &lab.shard_id, &err));
    struct run_shape run = {add_cell(&lab, "aws", 3), 9, 0, false, false, NULL, 0};
    add_run(&lab, &run);
    struct report_options options = {.folder = lab.report, .plot = "latency"};
    CHECK(report_write(lab.results, &options, &err));
    CHECK(file_has(lab.report, "index.html", "squall 0.2.0"));
    CHECK(file_has(lab.report, "index.html", "commit unknown"));
    CHECK(file_has(lab.report, "index.html", "The only run passed."));
    CHECK(
        file_has(lab.report, "index.html", "2 other cells in the same results file are left out"));
    CHECK(!file_has(lab.report, "index.html", "preset=naive"));
    lab_close(&lab);
}

TEST(report, the_command_names_the_file_that_was_run)
{
    struct lab lab;
    struct err err = {0};
    REQUIRE(lab_open(&lab, "storm"));
    struct results_shard shard = {.campaign = "storm",
                                  .index = 1,
                                  .of = 1,
                                  .engine = "squall 0.1.0",
                                  .host = "h",
                                  .argv = "squall run mine/a-file.yaml --out out/storm.d -j 2",
                                  .started_at = "2026-01-03T00:00:00Z"};
    CHECK(results_begin_shard(lab.results, &shard, &lab.shard_id, &err));
    struct run_shape run = {add_cell(&lab, "aws", 3), 9, 0, true, false, NULL, 0};
    add_run(&lab, &run);
    struct report_options options = {.folder = lab.report, .plot = "latency"};
    CHECK(report_write(lab.results, &options, &err));
    CHECK(file_has(lab.report, "index.html", "squall replay mine/a-file.yaml --cell "));
    lab_close(&lab);
}

TEST(report, thresholds_that_are_not_held_are_said_first)
{
    struct lab lab;
    REQUIRE(lab_open(&lab, "storm"));
    struct run_shape run = {add_cell(&lab, "aws", 3), 9, 0, false, false, NULL, 0};
    add_run(&lab, &run);
    struct report_options options = {.folder = lab.report, .plot = "latency"};
    struct results_threshold held = {run.cell_id, "goodput: rate > 1/s", 20, RESULTS_HELD, 3};
    CHECK(results_add_threshold(lab.results, &held, NULL));
    CHECK(report_write(lab.results, &options, NULL));
    CHECK(file_has(lab.report, "index.html", "class=\"outcome good\""));
    CHECK(!file_has(lab.report, "index.html", "not held"));
    struct results_threshold missed = {run.cell_id, "goodput: rate > 30/s", 20, RESULTS_CROSSED, 3};
    struct results_threshold empty = {run.cell_id, "recovery: avg < 1s", NAN, RESULTS_UNSETTLED, 4};
    CHECK(results_add_threshold(lab.results, &missed, NULL));
    CHECK(results_add_threshold(lab.results, &empty, NULL));
    CHECK(report_write(lab.results, &options, NULL));
    CHECK(file_has(lab.report, "index.html", "class=\"outcome bad\""));
    CHECK(file_has(lab.report, "index.html", "One threshold is not held"));
    CHECK(file_has(lab.report, "index.html", "\xe2\x9c\x97 not held"));
    CHECK(file_has(lab.report, "index.html", "? not settled"));
    CHECK(file_has(lab.report, "index.html", "? One threshold is not settled by so many runs"));
    lab_close(&lab);
}

TEST(report, nondeterminism_is_said_first)
{
    struct lab lab;
    REQUIRE(lab_open(&lab, "storm"));
    struct run_shape run = {add_cell(&lab, "aws", 3), 9, 0, false, false, NULL, 0};
    add_run(&lab, &run);
    CHECK(results_add_recheck(lab.results, run.cell_id, 9, 1234, lab.shard_id, NULL));
    struct report_options options = {.folder = lab.report, .plot = "latency"};
    CHECK(report_write(lab.results, &options, NULL));
    CHECK(file_has(lab.report, "index.html", "class=\"outcome bad\""));
    CHECK(file_has(lab.report, "index.html", "One run was not deterministic"));
    lab_close(&lab);
}

/* --------------------------------------------------------------------------------- availability */

TEST(report, textbook_lines_come_from_the_cell_with_one_replica)
{
    struct lab lab;
    REQUIRE(lab_open(&lab, "storm"));
    int64_t one = add_cell(&lab, "aws", 1);
    int64_t three = add_cell(&lab, "aws", 3);
    int64_t five = add_cell(&lab, "aws", 5);
    for (uint64_t seed = 1; seed <= 4; seed++) {
        int64_t odd = (int64_t)(seed % 2) * 2 - 1;
        struct run_shape runs[] = {{one, seed, 10 * S + odd * S, false, false, NULL, 0},
                                   {three, seed, 4 * S + odd * S, false, false, NULL, 0},
                                   {five, seed, 0, false, false, NULL, 0}};
        for (uint32_t i = 0; i < 3; i++) {
            add_run(&lab, &runs[i]);
        }
    }
    struct report_options options = {.folder = lab.report, .plot = "availability"};
    CHECK(report_write(lab.results, &options, NULL));
    CHECK(file_has(lab.report, "data/availability-textbook.csv",
                   "\n1,0.1,0.1\n3,0.001,0.028\n5,1e-05,0.00856\n"));
    CHECK(file_has(lab.report, "data/availability-1.csv", "\n3,0.04,"));
    /* Nothing was down with five: a bound, never a zero. */
    CHECK(file_has(lab.report, "data/availability-1-bound.csv", "\n5,0,0,0.0"));
    CHECK(file_has(lab.report, "index.html", "no downtime was seen"));
    check_scripts(lab.report);
    lab_close(&lab);
}

TEST(report, interval_comes_from_the_spread_between_seeds)
{
    struct share same = {0};
    struct share spread = {0};
    for (uint32_t i = 0; i < 10; i++) {
        share_add(&same, 10 + i % 2, 100);
        share_add(&spread, i % 2 == 0 ? 0 : 21, 100);
    }
    struct share_interval narrow = share_interval_of(&same, 0);
    struct share_interval wide = share_interval_of(&spread, 0);
    CHECK(fabs(narrow.estimate - 0.105) < 1e-12);
    CHECK(fabs(wide.estimate - 0.105) < 1e-12);
    CHECK(narrow.low > 0.095 && narrow.high < 0.115);
    CHECK(wide.low > 0 && wide.low < 0.06 && wide.high > 0.17);
    CHECK_EQUAL(spread.hit, 5);
}

TEST(report, no_downtime_is_a_bound_and_one_seed_has_no_interval)
{
    struct share none = {0};
    struct share one = {0};
    share_add(&none, 0, 100);
    share_add(&none, 0, 100);
    share_add(&one, 5, 100);
    struct share_interval bound = share_interval_of(&none, 5);
    CHECK(bound.is_bound);
    CHECK(fabs(bound.high - 0.00299125) < 1e-7); /* 1000 trials */
    CHECK(fabs(share_interval_of(&none, 0).high - (1 - sqrt(0.05))) < 1e-12);
    struct share_interval single = share_interval_of(&one, 0);
    CHECK(fabs(single.estimate - 0.05) < 1e-12);
    CHECK(isnan(single.low) && isnan(single.high));
    struct share empty = {0};
    CHECK(isnan(share_interval_of(&empty, 0).estimate));
}

TEST(report, statistics_agree_with_tables)
{
    static const struct {
        uint32_t degrees;
        double t;
    } students[] = {{1, 12.7062}, {4, 2.7764},  {5, 2.5706},
                    {9, 2.2622},  {19, 2.0930}, {100, 1.9840}};
    for (uint32_t i = 0; i < ARRAY_COUNT(students); i++) {
        CHECK(fabs(student_975(students[i].degrees) - students[i].t) < 6e-4);
    }
    CHECK(fabs(binomial_tail(3, 2, 0.01) / 2.98e-4 - 1) < 1e-9);
    CHECK(fabs(binomial_tail(5, 3, 0.01) / 9.850600e-6 - 1) < 1e-6);
    CHECK(fabs(binomial_tail(10, 5, 0.01) / 2.416784e-8 - 1) < 1e-6);
    CHECK(fabs(binomial_tail(4, 0, 0.3) - 1) < 1e-12);
}

/* ---------------------------------------------------------------------------------------- texts */

TEST(report, texts_are_quoted_for_where_they_go)
{
    struct text out;
    text_init(&out);
    gnuplot_quote(&out, "it's `x` \"y\"\n", 100);
    CHECK_TEXT(text_of(&out), "'it''s `x` \"y\" '");
    text_clear(&out);
    gnuplot_quote(&out, "\xc3\xa9\xff\x01\xed\xa0\x80", 100);
    CHECK_TEXT(text_of(&out),
               "'\xc3\xa9\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd'");
    text_clear(&out);
    gnuplot_quote(&out, "abcdefghijkl", 8);
    CHECK_TEXT(text_of(&out), "'abcde\xe2\x80\xa6'");
    text_clear(&out);
    html_escape(&out, "<a href='x'>&\"\n\x02");
    CHECK_TEXT(text_of(&out), "&lt;a href=&#39;x&#39;&gt;&amp;&quot;\n\xef\xbf\xbd");
    text_clear(&out);
    csv_field(&out, "plain");
    csv_field(&out, "a,\"b\"");
    csv_number(&out, NAN);
    csv_number(&out, 0.1);
    CHECK_TEXT(text_of(&out), "plain\"a,\"\"b\"\"\"NaN0.1");
    text_release(&out);
}

TEST(report, a_file_that_cannot_be_written_is_named_and_leaves_nothing)
{
    struct err err = {0};
    CHECK(!report_file_write("/nonexistent", "x.csv", "a", 1, &err));
    CHECK_EQUAL(err.code, ERR_SYSTEM);
    CHECK(strstr(err.text, "/nonexistent/x.csv") != NULL);
    CHECK(!report_file_write("/dev", "full/x", "a", 1, &err));
}

TEST(report, plots_are_listed_by_name)
{
    const char *name = NULL;
    const char *summary = NULL;
    uint32_t count = 0;
    while (report_plot(count, &name, &summary)) {
        CHECK(name[0] != '\0' && summary[0] != '\0');
        count++;
    }
    CHECK(count >= 16);
}

/* --------------------------------------------------------------------------------------- fleets */

#define HOUR (3600 * S)

static struct dist exponential(int64_t mean_ns)
{
    return (struct dist){.kind = DIST_EXPONENTIAL, .a = mean_ns};
}

/* A cell of a sweep over machines, shared failures and estimators, with two seeds. */
static void add_fleet_cell(struct lab *lab, uint32_t machines, const char *share,
                           enum spec_estimator estimator)
{
    static const char *const names[] = {"auto", "exact", "crude", "is", "restart"};
    char label[160];
    char count[24];
    int64_t cell_id = 0;
    struct spec_service services[] = {{.name = "any-copy", .needed = 1},
                                      {.name = "majority", .needed = machines / 2 + 1}};
    struct spec_fleet fleet = {.is_asked = true,
                               .machines = machines,
                               .life = exponential(99 * HOUR),
                               .repair = exponential(HOUR),
                               .shock_share = strcmp(share, "1%") == 0 ? 42949673 : 0,
                               .services = services,
                               .service_count = 2,
                               .estimator = estimator,
                               .half_width_millionths = 100000,
                               .confidence_millionths = 950000};
    snprintf(count, sizeof(count), "%u", machines);
    snprintf(label, sizeof(label), "nodes=%u share=%s estimator=%s", machines, share,
             names[estimator]);
    struct results_param params[] = {{"system.nodes", count},
                                     {"availability.shocks.share", share},
                                     {"availability.estimator", names[estimator]}};
    struct results_cell cell = {lab->scenario_id, lab->build_id, label, machines, params, 3};
    CHECK(results_add_cell(lab->results, &cell, &cell_id, NULL));
    CHECK(fleet_store_add(lab->results, cell_id, &fleet, NULL));
    for (uint64_t seed = 1; seed <= 2; seed++) {
        struct estimate_sums sums[2];
        struct run_result *result = lab->result;
        result_clear(result);
        result->seed = seed;
        CHECK(estimate_run(&fleet, seed, sums, &result->digest, &result->events, NULL));
        vec_append(&result->estimates, &sums[0]);
        vec_append(&result->estimates, &sums[1]);
        struct results_cost cost = {lab->shard_id, 1, 1};
        CHECK(results_add_run(lab->results, cell_id, result, &cost, NULL, NULL));
    }
}

static void add_fleets(struct lab *lab)
{
    static const char *const shares[] = {"0%", "0.5%", "1%"};
    for (uint32_t i = 0; i < 3; i++) {
        for (uint32_t machines = 1; machines <= 5; machines += 2) {
            add_fleet_cell(lab, machines, shares[i], SPEC_ESTIMATOR_EXACT);
            add_fleet_cell(lab, machines, shares[i], SPEC_ESTIMATOR_IS);
        }
    }
}

TEST(report, what_was_not_measured_has_no_curve_of_availability)
{
    struct lab lab;
    REQUIRE(lab_open(&lab, "storm"));
    for (int64_t nodes = 1; nodes <= 3; nodes += 2) {
        add_cell(&lab, "naive", nodes); /* the first series, without a run */
        struct run_shape shape = {add_cell(&lab, "aws", nodes), 1, 4 * S, false, false, NULL, 0};
        add_run(&lab, &shape);
    }
    CHECK(write_to(&lab, lab.report, NULL));
    CHECK(has_file(lab.report, "img/availability.svg"));
    CHECK(!file_has(lab.report, "plot/availability.gp", "preset=naive"));
    lab_close(&lab);
}

TEST(report, what_clients_saw_stands_beside_the_fleet)
{
    struct lab lab;
    REQUIRE(lab_open(&lab, "fleets"));
    add_fleet_cell(&lab, 1, "0%", SPEC_ESTIMATOR_EXACT);
    add_fleet_cell(&lab, 3, "0%", SPEC_ESTIMATOR_EXACT);
    struct run_shape shape = {add_cell(&lab, "naive", 3), 1, 4 * S, false, false, NULL, 0};
    struct spec_service service = {.name = "majority", .needed = 2};
    struct spec_fleet fleet = {.is_asked = true,
                               .machines = 3,
                               .life = exponential(99 * HOUR),
                               .repair = exponential(HOUR),
                               .services = &service,
                               .service_count = 1,
                               .half_width_millionths = 100000,
                               .confidence_millionths = 950000};
    CHECK(fleet_store_add(lab.results, shape.cell_id, &fleet, NULL));
    add_run(&lab, &shape);
    CHECK(write_to(&lab, lab.report, NULL));
    /* 4 of 100 s; from one seed there is no interval. */
    CHECK(file_has(lab.report, "data/fleet-clients.csv",
                   "3.000000000e+00,1.262304000e+06,1.262304000e+06,1.262304000e+06,"));
    CHECK(file_has(lab.report, "plot/fleet-downtime.gp", "what clients saw in runs"));
    CHECK(file_has(lab.report, "index.html", "id=\"cells\""));
    lab_close(&lab);
}

TEST(report, fleets_have_curves_a_map_and_tables)
{
    struct lab lab;
    REQUIRE(lab_open(&lab, "fleets"));
    add_fleets(&lab);
    CHECK(write_to(&lab, lab.report, NULL));
    CHECK(has_file(lab.report, "img/fleet-downtime.svg"));
    CHECK(has_file(lab.report, "img/fleet-linear.svg"));
    CHECK(has_file(lab.report, "img/fleet-ratio.svg"));
    CHECK(has_file(lab.report, "img/fleet-price.svg"));
    CHECK(has_file(lab.report, "img/fleet-map-1.svg"));
    CHECK(has_file(lab.report, "img/fleet-map-2.svg"));
    CHECK(!has_file(lab.report, "img/availability.svg"));
    CHECK(file_has(lab.report, "index.html", "Availability of the fleet"));
    CHECK(file_has(lab.report, "index.html", "importance sampling"));
    CHECK(file_has(lab.report, "index.html", "5.181 min"));
    CHECK(file_has(lab.report, "index.html", "31.56 s"));
    CHECK(file_has(lab.report, "index.html", "0.02088")); /* majority of five lost in a month */
    CHECK(file_has(lab.report, "data/fleet-1.csv",
                   ",\"two means, t\",nodes=5 share=0% estimator=is"));
    CHECK(!file_has(lab.report, "index.html", "<em>auto</em>"));
    /* Nothing against 1 % common cause, the same machines, by importance sampling. */
    CHECK(file_has(lab.report, "index.html", "Variants on the same seeds"));
    CHECK(file_has(lab.report, "data/differences.csv",
                   ",any-copy,nodes=5 share=0% estimator=is,nodes=5 share=1% estimator=is"));
    CHECK(!file_has(lab.report, "data/differences.csv", "estimator=exact"));
    /* What is only for runs of a system is left out. */
    CHECK(!file_has(lab.report, "index.html", "id=\"cells\""));
    CHECK(!file_has(lab.report, "index.html", "id=\"faults\""));
    check_scripts(lab.report);
    lab_close(&lab);
}

/* A cell with one service: its exact chain, or, above 0, what episodes of real code gave. */
static void add_needing(struct lab *lab, uint32_t machines, const char *service, uint32_t needed,
                        const char *share, double measured)
{
    char label[160];
    char count[24];
    int64_t cell_id = 0;
    struct spec_service services = {.name = service, .needed = needed};
    struct spec_fleet fleet = {.is_asked = true,
                               .machines = machines,
                               .life = exponential(99 * HOUR),
                               .repair = exponential(HOUR),
                               .shock_share = strcmp(share, "1%") == 0 ? 42949673 : 0,
                               .services = &services,
                               .service_count = 1,
                               .estimator = SPEC_ESTIMATOR_EXACT,
                               .half_width_millionths = 100000,
                               .confidence_millionths = 950000};
    snprintf(count, sizeof(count), "%u", machines);
    snprintf(label, sizeof(label), "nodes=%u services=%s", machines, service);
    struct results_param params[] = {{"system.nodes", count},
                                     {"availability.services", service},
                                     {"availability.shocks.share", share}};
    struct results_cell cell = {lab->scenario_id, lab->build_id, label, machines, params, 3};
    CHECK(results_add_cell(lab->results, &cell, &cell_id, NULL));
    CHECK(fleet_store_add(lab->results, cell_id, &fleet, NULL));
    for (uint64_t seed = 1; seed <= 2; seed++) {
        struct estimate_sums sums;
        struct run_result *result = lab->result;
        result_clear(result);
        result->seed = seed;
        CHECK(estimate_run(&fleet, seed, &sums, &result->digest, &result->events, NULL));
        if (measured > 0) {
            estimate_begin(&sums, service, ESTIMATE_DECOMPOSE);
            sums.count = 1;
            sums.hits = 50;
            sums.down = measured;
            sums.down2 = measured * measured / 900; /* variance of the mean: 3.3 % */
            sums.outages = .01;
        }
        vec_append(&result->estimates, &sums);
        struct results_cost cost = {lab->shard_id, 1, 1};
        CHECK(results_add_run(lab->results, cell_id, result, &cost, NULL, NULL));
    }
}

static void add_story(struct lab *lab, uint32_t machines, const char *service, const char *share,
                      double measured)
{
    const bool is_any = strcmp(service, "any-copy") == 0;
    add_needing(lab, machines, service, is_any ? 1 : machines / 2 + 1, share, measured);
}

TEST(report, stories_are_named_at_their_ends_and_the_heading_is_the_finding)
{
    static const uint32_t machines[] = {1, 3, 5, 7, 9};
    static const double measured[] = {1e-2, 3.3e-4, 4e-5, 3e-5, 3e-5};
    struct lab lab;
    REQUIRE(lab_open(&lab, "fleets"));
    for (uint32_t i = 0; i < ARRAY_COUNT(machines); i++) {
        add_story(&lab, machines[i], "any-copy", "0%", 0);
        add_story(&lab, machines[i], "common-cause", "1%", 0);
        add_story(&lab, machines[i], "real-code", "0%", measured[i]);
    }
    CHECK(write_to(&lab, lab.report, NULL));
    static const char gp[] = "plot/fleet-downtime.gp";
    /* What only follows the services is no variant of theirs, and there is no legend of lines. */
    CHECK(file_has(lab.report, gp, "set label 'any-copy: 31.56 ps' at screen"));
    CHECK(file_has(lab.report, gp, "set label 'common-cause: 39.89 min' at screen"));
    CHECK(!file_has(lab.report, gp, "title 'any-copy"));
    CHECK(!file_has(lab.report, gp, "share"));
    CHECK(file_has(lab.report, gp,
                   "'9 machines: any-copy is down 31.56 ps a year, real-code 15.78 min'"));
    /* The line of what was measured goes through it, and its intervals are shown closely. */
    CHECK(file_has(lab.report, gp, "'data/fleet-3-measured.csv' using 1:($2 * 1) with lines"));
    CHECK(file_has(lab.report, gp, "closely: minutes a year, with intervals"));
    CHECK(file_has(lab.report, gp, "from 7 machines on real-code stays at 15.78 min"));
    CHECK(file_has(lab.report, "plot/fleet-ratio.gp", "times as long as its model"));
    CHECK(!file_has(lab.report, "plot/fleet-ratio.gp", "title 'any-copy"));
    CHECK(!has_file(lab.report, "plot/fleet-price.gp"));
    CHECK(!has_file(lab.report, "plot/fleet-map-1.gp"));
    CHECK(!file_has(lab.report, "index.html", "nan%"));
    lab_close(&lab);
}

TEST(report, variants_of_the_last_service_are_set_against_each_other)
{
    struct lab lab;
    REQUIRE(lab_open(&lab, "fleets"));
    add_fleets(&lab);
    CHECK(write_to(&lab, lab.report, NULL));
    CHECK(file_has(lab.report, "plot/fleet-downtime.gp",
                   "'5 machines: majority is down 5.181 min a year with shocks.share=0%, "));
    CHECK(file_has(lab.report, "plot/fleet-downtime.gp", " min with shocks.share=1%'"));
    CHECK(file_has(lab.report, "plot/fleet-map-1.gp", "'any-copy has 2.0 to 10.0 nines'"));
    CHECK(file_has(lab.report, "plot/fleet-ratio.gp", " of 18 intervals hold the exact value'"));
    CHECK(
        file_has(lab.report, "plot/fleet-linear.gp", "'From 5 machines on there is nothing to be"));
    CHECK(file_has(lab.report, "plot/fleet-price.gp", "'5 machines: ten per cent of precision"));
    lab_close(&lab);
}

TEST(report, codes_are_named_by_what_they_need)
{
    static const uint32_t machines[] = {6, 9};
    struct lab lab;
    REQUIRE(lab_open(&lab, "codes"));
    for (uint32_t i = 0; i < 2; i++) {
        add_needing(&lab, machines[i], "data", machines[i] * 2 / 3, "0%", 0);
    }
    CHECK(write_to(&lab, lab.report, NULL));
    CHECK(file_has(lab.report, "plot/fleet-downtime.gp", "'6 of 9' 9"));
    CHECK(file_has(lab.report, "plot/fleet-downtime.gp",
                   "'data is down 10.28 min a year with 4 of 6, 38.20 s with 6 of 9'"));
    lab_close(&lab);
}

TEST(report, how_soon_reads_see_a_write_is_a_curve)
{
    struct lab lab;
    REQUIRE(lab_open(&lab, "reads"));
    for (int64_t nodes = 1; nodes <= 3; nodes += 2) {
        const int64_t cell_id = add_cell(&lab, "naive", nodes);
        result_clear(lab.result);
        lab.result->seed = 1;
        for (uint32_t i = 0; i < 10000; i++) {
            /* One read in 200, or in 500, is too early, by up to 50 ms; nine of ten at once. */
            const uint32_t rare = nodes == 1 ? 200 : 500;
            histogram_record(&lab.result->visibility, i % rare == 0 ? (uint64_t)i * 5000 : 0);
        }
        struct results_cost cost = {lab.shard_id, 1, 1};
        CHECK(results_add_run(lab.results, cell_id, lab.result, &cost, NULL, NULL));
    }
    CHECK(write_to(&lab, lab.report, NULL));
    CHECK(has_file(lab.report, "img/visibility.svg"));
    CHECK(file_has(lab.report, "plot/visibility.gp", "'99.9% of the reads see a write after "));
    CHECK(file_has(lab.report, "plot/visibility.gp", "title 'nodes=1'")); /* not what both have */
    CHECK(!file_has(lab.report, "plot/visibility.gp", "naive"));
    CHECK(has_file(lab.report, "data/visibility-2.csv"));
    lab_close(&lab);
}

TEST(report, placements_have_a_picture_of_what_they_lose)
{
    static const uint32_t nodes[] = {500, 5000};
    static const enum spec_placement_policy policies[] = {SPEC_PLACEMENT_WINDOW,
                                                          SPEC_PLACEMENT_COPYSETS};
    static const char *const names[] = {"ring", "sets"};
    struct lab lab;
    REQUIRE(lab_open(&lab, "placements"));
    for (uint32_t i = 0; i < 4; i++) {
        char label[64];
        char count[24];
        int64_t cell_id = 0;
        struct spec_service service = {.name = names[i / 2], .needed = 1};
        struct spec_fleet fleet = {.is_asked = true,
                                   .machines = nodes[i % 2],
                                   .services = &service,
                                   .service_count = 1,
                                   .estimator = SPEC_ESTIMATOR_CRUDE,
                                   .confidence_millionths = 950000,
                                   .placement = {.is_asked = true,
                                                 .policy = policies[i / 2],
                                                 .nodes = nodes[i % 2],
                                                 .lost = nodes[i % 2] / 100,
                                                 .replicas = 3,
                                                 .scatter = 10,
                                                 .trials = 400}};
        struct estimate_sums sums;
        snprintf(count, sizeof(count), "%u", nodes[i % 2]);
        snprintf(label, sizeof(label), "placement=%s nodes=%u", service.name, nodes[i % 2]);
        struct results_param params[] = {{"availability.placement", service.name},
                                         {"availability.placement.nodes", count}};
        struct results_cell cell = {lab.scenario_id, lab.build_id, label, 1, params, 2};
        CHECK(results_add_cell(lab.results, &cell, &cell_id, NULL));
        CHECK(fleet_store_add(lab.results, cell_id, &fleet, NULL));
        result_clear(lab.result);
        lab.result->seed = 1;
        CHECK(estimate_run(&fleet, 1, &sums, &lab.result->digest, &lab.result->events, NULL));
        vec_append(&lab.result->estimates, &sums);
        struct results_cost cost = {lab.shard_id, 1, 1};
        CHECK(results_add_run(lab.results, cell_id, lab.result, &cost, NULL, NULL));
    }
    CHECK(write_to(&lab, lab.report, NULL));
    CHECK(has_file(lab.report, "img/fleet-loss.svg"));
    CHECK(!has_file(lab.report, "img/fleet-downtime.svg")); /* there is no year in it */
    CHECK(file_has(lab.report, "plot/fleet-loss.gp", "set label '5000 nodes: data is lost in 1"));
    CHECK(file_has(lab.report, "plot/fleet-loss.gp", "set label 'ring: 1"));
    CHECK(file_has(lab.report, "index.html", "Loss of data"));
    /* 400 trials with 500 nodes lose nothing in sets: a bound, 3 in 400, and the closed form. */
    CHECK(file_has(lab.report, "data/fleet-loss-2.csv", "500,NaN,NaN,NaN,7.461"));
    CHECK(file_has(lab.report, "data/fleet-loss-2.csv", ",4.0233"));
    lab_close(&lab);
}

TEST(report, lines_of_fleets_are_the_exact_model)
{
    struct lab lab;
    REQUIRE(lab_open(&lab, "fleets"));
    add_fleets(&lab);
    CHECK(write_to(&lab, lab.report, NULL));
    /* Any copy, 0 %: one machine, three, five; then the majority. */
    char *any = read_file(lab.report, "data/fleet-1-theory.csv", NULL);
    char *majority = read_file(lab.report, "data/fleet-2-theory.csv", NULL);
    CHECK_TEXT(any, "x,unavailability,downtime_s,theory,machines\n"
                    "1.000000000e+00,1.000000000e-02,3.155760000e+05,exact,1\n"
                    "3.000000000e+00,1.000000000e-06,3.155760000e+01,exact,3\n"
                    "5.000000000e+00,1.000000000e-10,3.155760000e-03,exact,5\n");
    CHECK_TEXT(majority, "x,unavailability,downtime_s,theory,machines\n"
                         "1.000000000e+00,1.000000000e-02,3.155760000e+05,exact,1\n"
                         "3.000000000e+00,2.980000000e-04,9.404164800e+03,exact,3\n"
                         "5.000000000e+00,9.850600000e-06,3.108612946e+02,exact,5\n");
    free(any);
    free(majority);
    /* 1 % common cause: the last of three rows of the map, three machines. */
    CHECK(file_has(lab.report, "data/fleet-map-1.csv", "1,2,4.458"));
    CHECK(file_has(lab.report, "data/fleet-map-1.csv", "0,0,2.000000000e+00,1.000000000e-02,1,0%"));
    CHECK(file_has(lab.report, "data/fleet-1.csv", ",0,4,is,5,"));
    CHECK(!file_has(lab.report, "data/fleet-1.csv", "exact"));
    lab_close(&lab);
}

TEST(report, the_same_fleets_give_the_same_bytes)
{
    static const char *const files[] = {
        "index.html",          "img/fleet-downtime.svg", "img/fleet-ratio.svg",
        "img/fleet-map-1.svg", "data/fleet-1.csv",       "data/fleet-2-price-is.csv",
        "plot/fleet-price.gp", "data/fleet-map-2.csv",   "data/differences.csv"};
    struct lab lab;
    char other[80];
    REQUIRE(lab_open(&lab, "fleets"));
    add_fleets(&lab);
    snprintf(other, sizeof(other), "%s/other", lab.folder);
    CHECK(write_to(&lab, lab.report, NULL));
    CHECK(write_to(&lab, other, NULL));
    for (uint32_t i = 0; i < ARRAY_COUNT(files); i++) {
        CHECK(is_same_file(lab.report, other, files[i]));
    }
    lab_close(&lab);
}

/* Plain simulation of seven machines never sees all of them down. */
TEST(report, what_was_never_seen_is_a_bound_and_has_no_price)
{
    struct lab lab;
    REQUIRE(lab_open(&lab, "fleets"));
    add_fleet_cell(&lab, 1, "0%", SPEC_ESTIMATOR_CRUDE);
    add_fleet_cell(&lab, 7, "0%", SPEC_ESTIMATOR_CRUDE);
    CHECK(write_to(&lab, lab.report, NULL));
    CHECK(file_has(lab.report, "data/fleet-1.csv", "7.000000000e+00,NaN,NaN,"));
    CHECK(file_has(lab.report, "data/fleet-1.csv", ",2,3,crude,7,0,"));
    CHECK(file_has(lab.report, "plot/fleet-downtime.gp", "with vectors head"));
    CHECK(!file_has(lab.report, "data/fleet-1-price-crude.csv", "7.0000"));
    CHECK(file_has(lab.report, "index.html", "\xe2\x89\xa4 "));
    CHECK(file_has(lab.report, "index.html", "bound on the share of cycles"));
    lab_close(&lab);
}

TEST(report, what_auto_took_is_said)
{
    struct lab lab;
    REQUIRE(lab_open(&lab, "fleets"));
    add_fleet_cell(&lab, 3, "0%", SPEC_ESTIMATOR_AUTO);
    add_fleet_cell(&lab, 5, "0%", SPEC_ESTIMATOR_AUTO);
    CHECK(write_to(&lab, lab.report, NULL));
    CHECK(file_has(lab.report, "index.html",
                   "<em>auto</em> was <em>exact</em> in 2 cells: all laws are exponential"));
    lab_close(&lab);
}

TEST(report, a_fleet_without_an_exact_model_has_points_alone)
{
    struct lab lab;
    struct spec_service service = {.name = "majority", .needed = 2};
    struct spec_fleet fleet = {.is_asked = true,
                               .machines = 3,
                               .life = exponential(99 * HOUR),
                               .repair = exponential(HOUR),
                               .maintenance_every_ns = 168 * HOUR,
                               .maintenance_ns = HOUR,
                               .services = &service,
                               .service_count = 1,
                               .half_width_millionths = 100000,
                               .confidence_millionths = 950000};
    REQUIRE(lab_open(&lab, "fleets"));
    int64_t cell_id = add_cell(&lab, "naive", 3);
    CHECK(fleet_store_add(lab.results, cell_id, &fleet, NULL));
    struct fleet_store_row rows[FLEET_STORE_SERVICES];
    uint32_t count = 0;
    CHECK(fleet_store_load(lab.results, cell_id, rows, &count, NULL));
    CHECK_EQUAL(count, 1);
    CHECK_TEXT(rows[0].name, "majority");
    CHECK_TEXT(rows[0].theory, "");
    CHECK(isnan(rows[0].service.unavailability));
    CHECK(isnan(rows[0].service.year));
    CHECK(rows[0].service.half_width == 0.1);
    CHECK(write_to(&lab, lab.report, NULL));
    CHECK(file_has(lab.report, "index.html", "There is none for these cells"));
    CHECK(!has_file(lab.report, "img/fleet-downtime.svg"));
    lab_close(&lab);
}
