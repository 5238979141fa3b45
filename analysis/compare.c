/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Which cells are variants of each other is read from their parameters: two cells differ in a set
 * of axes, and a pair is worth showing when no third cell is nearer to the second one, and the
 * first one has the value of the first cell on all of these axes. So every cell is compared with
 * few others, and axes that go hand in hand (zip) are one.
 *
 * The estimate of one replication is a ratio of two means, and the mean of such ratios is only
 * nearly the ratio of all: fine for a difference, where what both have in common goes out. Nothing
 * is corrected for looking at many pairs. */
#include "analysis/compare.h"

#include "sim/base/arena.h"
#include "sim/base/base.h"
#include "sim/base/vec.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AXES_MAX   32
#define SEEDS_MAX  (1u << 24)
#define CONFIDENCE 0.95 /* of runs, which ask for none */

struct compared {
    int64_t cell_id;
    int64_t machines;
    bool has_estimate;
    bool has_runs;                /* with clients, and not in arms */
    const char *values[AXES_MAX]; /* whole, in the arena; NULL: the cell has no such parameter */
};

struct comparing {
    struct results *results;
    struct compared *cells;
    uint32_t count;
    struct arena arena;
    const char *axes[AXES_MAX];
    uint32_t axis_count;
    uint32_t *differ; /* [left * count + right]: a bit for each axis */
    struct compared *loading;
    compare_on_pair *on_pair;
    void *context;
    struct err *err;
};

static bool on_param(void *context, const struct results_row *row)
{
    struct comparing *comparing = context;
    uint32_t axis = 0;
    while (axis < comparing->axis_count &&
           strcmp(comparing->axes[axis], row->values[0].text) != 0) {
        axis++;
    }
    if (axis == AXES_MAX) {
        return true;
    }
    if (axis == comparing->axis_count) {
        comparing->axes[axis] = arena_strdup(&comparing->arena, row->values[0].text);
        comparing->axis_count++;
    }
    comparing->loading->values[axis] = arena_strdup(&comparing->arena, row->values[1].text);
    return true;
}

static bool on_about(void *context, const struct results_row *row)
{
    struct compared *cell = ((struct comparing *)context)->loading;
    cell->machines = row->values[0].integer;
    cell->has_estimate = row->values[1].integer > 0;
    cell->has_runs = row->values[2].integer > 0 && row->values[3].integer == 0;
    return true;
}

static bool load_cell(struct comparing *comparing, uint32_t index, bool has_fleets)
{
    static const char params[] =
        "SELECT name, value FROM cell_param WHERE cell_id=CAST(?1 AS INTEGER) ORDER BY name";
    static const char about_fleet[] =
        "SELECT coalesce((SELECT max(machines) FROM fleet_service f WHERE f.cell_id=c.cell_id), "
        "replicas, 0), (SELECT count(*) FROM estimate e JOIN run r USING(run_id) WHERE "
        "r.cell_id=c.cell_id), (SELECT count(*) FROM run r WHERE r.cell_id=c.cell_id AND "
        "measured_ns>0), (SELECT count(*) FROM metastability m JOIN run r USING(run_id) WHERE "
        "r.cell_id=c.cell_id) FROM cell c WHERE cell_id=CAST(?1 AS INTEGER)";
    static const char about[] =
        "SELECT coalesce(replicas, 0), 0, (SELECT count(*) FROM run r WHERE r.cell_id=c.cell_id "
        "AND measured_ns>0), 0 FROM cell c WHERE cell_id=CAST(?1 AS INTEGER)";
    char id[24];
    const char *parameters[] = {id};
    comparing->loading = &comparing->cells[index];
    snprintf(id, sizeof(id), "%lld", (long long)comparing->loading->cell_id);
    return results_query(comparing->results, params, parameters, 1, on_param, comparing,
                         comparing->err) &&
           results_query(comparing->results, has_fleets ? about_fleet : about, parameters, 1,
                         on_about, comparing, comparing->err);
}

static bool text_is_same(const char *left, const char *right)
{
    return strcmp(left != NULL ? left : "", right != NULL ? right : "") == 0;
}

static void find_differences(struct comparing *comparing)
{
    for (uint32_t a = 0; a < comparing->count; a++) {
        for (uint32_t b = 0; b < comparing->count; b++) {
            uint32_t *differ = &comparing->differ[a * comparing->count + b];
            for (uint32_t axis = 0; axis < comparing->axis_count; axis++) {
                const bool is_same = text_is_same(comparing->cells[a].values[axis],
                                                  comparing->cells[b].values[axis]);
                *differ |= is_same ? 0 : UINT32_C(1) << axis;
            }
        }
    }
}

static bool is_variant(const struct comparing *comparing, uint32_t left, uint32_t right)
{
    const uint32_t differ = comparing->differ[left * comparing->count + right];
    const bool counts = comparing->cells[left].machines != comparing->cells[right].machines;
    if (differ == 0 || (differ & comparing->differ[left]) != 0 ||
        (counts && comparing->count > 2)) {
        return false;
    }
    for (uint32_t axis = 0; axis < comparing->axis_count; axis++) {
        if ((differ >> axis & 1) != 0 &&
            strcmp(comparing->axes[axis], "availability.estimator") == 0) {
            return false;
        }
    }
    for (uint32_t other = 0; other < comparing->count; other++) {
        const uint32_t nearer = comparing->differ[other * comparing->count + right];
        if (nearer != 0 && nearer != differ && (nearer & ~differ) == 0) {
            return false;
        }
    }
    return true;
}

/* ---------------------------------------------------------------------------------------- pairs */

struct seeds {
    struct vec left; /* double */
    struct vec right;
};

static bool on_seed(void *context, const struct results_row *row)
{
    struct seeds *seeds = context;
    vec_append(&seeds->left, &row->values[0].real);
    vec_append(&seeds->right, &row->values[1].real);
    return true;
}

/* `sql` with the two cells as ?1 and ?2, and a service, if any, as ?3: one row a seed. */
static bool compare_by(struct results *results, const char *sql,
                       const struct compare_question *question, struct paired *paired,
                       struct err *err)
{
    struct seeds seeds;
    char ids[2][24];
    const char *parameters[] = {ids[0], ids[1], question->service};
    vec_init(&seeds.left, sizeof(double), SEEDS_MAX);
    vec_init(&seeds.right, sizeof(double), SEEDS_MAX);
    snprintf(ids[0], sizeof(ids[0]), "%lld", (long long)question->left_id);
    snprintf(ids[1], sizeof(ids[1]), "%lld", (long long)question->right_id);
    const bool is_fine = results_query(results, sql, parameters, question->service == NULL ? 2 : 3,
                                       on_seed, &seeds, err);
    if (is_fine) {
        *paired = paired_difference(seeds.left.items, seeds.right.items, seeds.left.count,
                                    question->confidence);
    }
    vec_release(&seeds.left);
    vec_release(&seeds.right);
    return is_fine;
}

#define SHARE(e) "(" e ".down/" e ".n)/(" e ".hours/" e ".lengths)"

bool compare_two(struct results *results, const struct compare_question *question,
                 struct paired *paired, struct err *err)
{
    static const char estimates[] = "SELECT " SHARE("a") ", " SHARE(
        "b") " FROM estimate a JOIN run r ON r.run_id=a.run_id "
             "JOIN run q ON q.seed=r.seed JOIN estimate b ON "
             "b.run_id=q.run_id AND b.service=a.service AND b.method=a.method "
             "WHERE r.cell_id=CAST(?1 AS INTEGER) AND "
             "q.cell_id=CAST(?2 AS INTEGER) AND a.service=?3 "
             "AND a.method<>'decompose' AND a.hours>0 AND b.hours>0 ORDER BY r.seed";
    static const char runs[] =
        "SELECT 1.0*(a.measured_ns-a.up_ns)/a.measured_ns, 1.0*(b.measured_ns-b.up_ns)/"
        "b.measured_ns FROM run a JOIN run b ON b.seed=a.seed WHERE a.cell_id=CAST(?1 AS INTEGER) "
        "AND b.cell_id=CAST(?2 AS INTEGER) AND a.measured_ns>0 AND b.measured_ns>0 ORDER BY a.seed";
    ASSERT(question->confidence > 0 && question->confidence < 1);
    return compare_by(results, question->service == NULL ? runs : estimates, question, paired, err);
}

/* Tells of a pair of at least two seeds. */
static bool tell(struct comparing *comparing, struct compare_pair *pair)
{
    const struct compare_question question = {
        .left_id = comparing->cells[pair->left].cell_id,
        .right_id = comparing->cells[pair->right].cell_id,
        .service = pair->service[0] == '\0' ? NULL : pair->service,
        .confidence = pair->confidence,
    };
    if (!compare_two(comparing->results, &question, &pair->paired, comparing->err)) {
        return false;
    }
    if (pair->paired.difference.count >= 2) {
        comparing->on_pair(comparing->context, pair);
    }
    return true;
}

struct services {
    struct compare_pair pairs[16];
    uint32_t count;
};

static bool on_service(void *context, const struct results_row *row)
{
    struct services *services = context;
    if (services->count < ARRAY_COUNT(services->pairs)) {
        struct compare_pair *pair = &services->pairs[services->count++];
        snprintf(pair->service, sizeof(pair->service), "%s", row->values[0].text);
        pair->confidence = row->values[1].real;
    }
    return true;
}

static bool compare_estimates(struct comparing *comparing, uint32_t left, uint32_t right)
{
    static const char list[] = "SELECT service, confidence FROM fleet_service WHERE "
                               "cell_id=CAST(?1 AS INTEGER) ORDER BY ord, service";
    struct services services = {.count = 0};
    char id[24];
    const char *parameters[] = {id};
    snprintf(id, sizeof(id), "%lld", (long long)comparing->cells[left].cell_id);
    bool is_fine = results_query(comparing->results, list, parameters, 1, on_service, &services,
                                 comparing->err);
    for (uint32_t i = 0; i < services.count && is_fine; i++) {
        services.pairs[i].left = left;
        services.pairs[i].right = right;
        is_fine = tell(comparing, &services.pairs[i]);
    }
    return is_fine;
}

static bool compare_runs(struct comparing *comparing, uint32_t left, uint32_t right)
{
    struct compare_pair pair = {.left = left, .right = right, .confidence = CONFIDENCE};
    return tell(comparing, &pair);
}

static bool compare_all(struct comparing *comparing)
{
    bool is_fine = true;
    for (uint32_t right = 0; right < comparing->count && is_fine; right++) {
        for (uint32_t left = 0; left < comparing->count && is_fine; left++) {
            const struct compared *a = &comparing->cells[left];
            const struct compared *b = &comparing->cells[right];
            if (!is_variant(comparing, left, right)) {
                continue;
            }
            if (a->has_estimate && b->has_estimate) {
                is_fine = compare_estimates(comparing, left, right);
            } else if (a->has_runs && b->has_runs) {
                is_fine = compare_runs(comparing, left, right);
            }
        }
    }
    return is_fine;
}

bool compare_cells(struct results *results, const int64_t *cell_ids, uint32_t count,
                   compare_on_pair *on_pair, void *context, struct err *err)
{
    struct comparing comparing = {
        .results = results, .count = count, .on_pair = on_pair, .context = context, .err = err};
    int64_t tables = 0;
    if (count < 2 || count > COMPARE_CELLS_MAX) {
        return true;
    }
    if (!results_query_integer(results,
                               "SELECT count(*) FROM sqlite_master WHERE name IN('estimate',"
                               "'fleet_service','metastability')",
                               0, &tables, err)) {
        return false;
    }
    arena_init(&comparing.arena);
    comparing.cells = calloc(count, sizeof(*comparing.cells));
    comparing.differ = calloc((size_t)count * count, sizeof(*comparing.differ));
    ASSERT(comparing.cells != NULL && comparing.differ != NULL);
    bool is_fine = true;
    for (uint32_t i = 0; i < count && is_fine; i++) {
        comparing.cells[i].cell_id = cell_ids[i];
        is_fine = load_cell(&comparing, i, tables == 3);
    }
    if (is_fine) {
        find_differences(&comparing);
        is_fine = compare_all(&comparing);
    }
    free(comparing.cells);
    free(comparing.differ);
    arena_release(&comparing.arena);
    return is_fine;
}
