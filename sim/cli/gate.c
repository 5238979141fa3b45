/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The order of the seeds is that of the plan, not that of the file, so the verdicts of a cell are
 * first put at the places of their seeds. A run that is neither well nor down after twice its time
 * counts as stuck, as it does in `squall tip`: it did not come back, and a gate that left it out
 * would open too easily. */
#include "sim/cli/gate.h"

#include "analysis/result.h"
#include "sim/base/base.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHARE_ONE 4294967296.0

struct place {
    uint64_t seed;
    uint64_t index;
};

enum run_says { RUN_SAYS_NOTHING, RUN_STABLE, RUN_STUCK };

struct gate_loader {
    const struct place *places; /* in the order of their seeds */
    uint64_t count;
    unsigned char *says; /* by index */
};

bool gate_is_asked(const struct run_spec *spec)
{
    return spec->metastability.is_asked && spec->metastability.has_gate &&
           spec->verdicts_expected == 1u << SPEC_VERDICT_STABLE;
}

struct sprt gate_test(const struct run_spec *spec)
{
    const struct spec_metastability *asked = &spec->metastability;
    if (!asked->has_gate) {
        return sprt_usual;
    }
    return (struct sprt){.p0 = (double)asked->gate_accept / SHARE_ONE,
                         .p1 = (double)asked->gate_reject / SHARE_ONE,
                         .alpha = (double)asked->gate_error / SHARE_ONE,
                         .beta = (double)asked->gate_error / SHARE_ONE};
}

static int compare_places(const void *left, const void *right)
{
    const uint64_t a = ((const struct place *)left)->seed;
    const uint64_t b = ((const struct place *)right)->seed;
    return (a > b) - (a < b);
}

static bool on_row(void *context, const struct results_row *row)
{
    struct gate_loader *loader = context;
    const struct place wanted = {.seed = strtoull(row->values[0].text, NULL, 16)};
    const struct place *found =
        bsearch(&wanted, loader->places, loader->count, sizeof(wanted), compare_places);
    const char *verdict = row->values[1].text;
    const char *doubled = row->values[2].text;
    enum run_says says = RUN_SAYS_NOTHING;
    if (strcmp(verdict, "stable") == 0) {
        says = RUN_STABLE;
    } else if (strcmp(verdict, "unstable") != 0 &&
               (strcmp(doubled, arm_outcome_name(ARM_STUCK)) == 0 ||
                strcmp(doubled, arm_outcome_name(ARM_DEGRADED)) == 0)) {
        says = RUN_STUCK;
    }
    if (found != NULL) {
        loader->says[found->index] = (unsigned char)says;
    }
    return true;
}

static struct gate_outcome take(const struct sprt *test, const unsigned char *says, uint64_t count)
{
    struct gate_outcome outcome = {.decision = SPRT_OPEN};
    for (uint64_t i = 0; i < count && outcome.decision == SPRT_OPEN; i++) {
        outcome.stuck += says[i] == RUN_STUCK ? 1 : 0;
        outcome.taken += says[i] != RUN_SAYS_NOTHING ? 1 : 0;
        outcome.decision = sprt_decide(test, outcome.stuck, outcome.taken);
    }
    outcome.more =
        outcome.decision == SPRT_OPEN ? sprt_more_to_accept(test, outcome.stuck, outcome.taken) : 0;
    return outcome;
}

bool gate_judge(struct results *results, const struct plan *plan, uint32_t cell, int64_t cell_id,
                uint64_t seed_count, struct gate_outcome *outcome, struct err *err)
{
    ASSERT(seed_count <= plan->seed_count);
    struct place *places = calloc(seed_count + 1, sizeof(*places));
    unsigned char *says = calloc(seed_count + 1, 1);
    ASSERT(places != NULL && says != NULL);
    for (uint64_t i = 0; i < seed_count; i++) {
        places[i] = (struct place){plan_seed(plan, i), i};
    }
    qsort(places, seed_count, sizeof(*places), compare_places);
    struct gate_loader loader = {places, seed_count, says};
    char id[24];
    snprintf(id, sizeof(id), "%lld", (long long)cell_id);
    const char *const parameters[] = {id};
    bool is_fine = results_query(results,
                                 "SELECT r.seed, m.verdict, a.outcome FROM run r JOIN "
                                 "metastability m USING(run_id) LEFT JOIN arm a ON "
                                 "a.run_id=r.run_id AND a.arm='doubled' WHERE "
                                 "r.cell_id=CAST(?1 AS INTEGER)",
                                 parameters, 1, on_row, &loader, err);
    const struct sprt test = gate_test(&plan->cells[cell].spec);
    *outcome = take(&test, says, seed_count);
    free(places);
    free(says);
    return is_fine;
}
