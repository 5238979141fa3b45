/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A sweep over a key that never comes to bear looks like a comparison in which both sides are
 * equally good. Digests tell: where every event of every run is the same, nothing was compared.
 * Each cell is held against the first one that differs from it in one key. Keys that only judge
 * (what counts as up, thresholds, the relief of a stuck run) may leave the runs as they are, and
 * are not looked at; nor are estimates, which simulate no code. */
#include "sim/cli/summary_same.h"

#include "sim/base/base.h"
#include "sim/cli/runner.h"

#include <string.h>

#define CELLS_LOOKED_AT 1000
#define LINES_SHOWN     8

/* Does the setting "client.retry.pushback=exact" belong to what is simulated? */
static bool is_simulated(const char *setting)
{
    static const char *const heads[] = {"system.", "network.", "disk.",
                                        "load.",   "client.",  "faults"};
    for (uint32_t i = 0; i < ARRAY_COUNT(heads); i++) {
        if (strncmp(setting, heads[i], strlen(heads[i])) == 0) {
            return true;
        }
    }
    return false;
}

/* The setting of `left` in which alone the two differ; NULL: there are more, or it only judges. */
static const char *only_difference(const struct cell *left, const struct cell *right)
{
    const char *found = NULL;
    if (left->set_count != right->set_count) {
        return NULL;
    }
    for (uint32_t i = 0; i < left->set_count; i++) {
        if (strcmp(left->sets[i], right->sets[i]) == 0) {
            continue;
        }
        if (found != NULL || !is_simulated(left->sets[i])) {
            return NULL;
        }
        found = left->sets[i];
    }
    return found;
}

static bool on_answer(void *context, const struct results_row *row)
{
    *(int64_t *)context = row->values[0].integer;
    return true;
}

static bool are_same(struct results *results, int64_t left_id, int64_t right_id, int64_t *answer,
                     struct err *err)
{
    static const char sql[] =
        "WITH both AS (SELECT a.trace_hash=b.trace_hash AS is_same FROM run a JOIN run b ON "
        "b.cell_id=CAST(?2 AS INTEGER) AND b.seed=a.seed WHERE a.cell_id=CAST(?1 AS INTEGER)) "
        "SELECT EXISTS(SELECT 1 FROM both) AND NOT EXISTS(SELECT 1 FROM both WHERE NOT is_same)";
    char left[24];
    char right[24];
    snprintf(left, sizeof(left), "%lld", (long long)left_id);
    snprintf(right, sizeof(right), "%lld", (long long)right_id);
    const char *parameters[] = {left, right};
    return results_query(results, sql, parameters, 2, on_answer, answer, err);
}

static bool is_looked_at(const struct cell *cell)
{
    return !runner_is_estimate(&cell->spec) && !cell->spec.fleet.is_asked;
}

bool summary_same(struct results *results, const struct plan *plan, const int64_t *cell_ids,
                  FILE *out, struct err *err)
{
    uint32_t lines = 0;
    const uint32_t count = plan->cell_count > CELLS_LOOKED_AT ? 0 : plan->cell_count;
    for (uint32_t i = 0; i < count; i++) {
        const struct cell *cell = &plan->cells[i];
        for (uint32_t j = 0; j < i && is_looked_at(cell); j++) {
            const char *setting = only_difference(cell, &plan->cells[j]);
            int64_t answer = 0;
            if (setting == NULL) {
                continue;
            }
            if (!are_same(results, cell_ids[j], cell_ids[i], &answer, err)) {
                return false;
            }
            if (answer != 0 && lines++ < LINES_SHOWN) {
                fprintf(out, "%s  no difference: %s ran as %s did, event for event\n",
                        lines == 1 ? "\n" : "", cell->label, plan->cells[j].label);
            }
            if (answer != 0) {
                break;
            }
        }
    }
    if (lines > LINES_SHOWN) {
        fprintf(out, "    and %u more\n", lines - LINES_SHOWN);
    }
    return true;
}
