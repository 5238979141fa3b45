/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * From the text of a scenario to its plan, with the models of this build: what tests of real worlds
 * begin with. */
#ifndef SQUALL_TEST_PLANNED_H
#define SQUALL_TEST_PLANNED_H

#include "analysis/threshold.h"
#include "models/models.h"
#include "sim/input/plan.h"
#include "tests/unit/harness.h"

#include <string.h>

static inline const struct sq_model *planned_find_model(void *context, const char *name,
                                                        const char *base, struct err *err)
{
    (void)context;
    (void)base;
    for (uint32_t i = 0; models_builtin[i] != NULL; i++) {
        if (strcmp(models_builtin[i]->name, name) == 0) {
            if (models_builtin[i]->prepare != NULL) {
                models_builtin[i]->prepare();
            }
            return models_builtin[i];
        }
    }
    err_set(err, ERR_INPUT, "no model '%s' in this build", name);
    return NULL;
}

static const char *const planned_no_names[] = {NULL};
static const char *const planned_checks[] = {"linearizable", "no-lost-acked-write", NULL};
__attribute__((unused)) static const struct catalog planned_catalog = {
    NULL, planned_find_model, planned_no_names, planned_checks, threshold_check};

struct planned {
    struct scenario *scenario;
    struct plan plan;
};

/* `options`: NULL for none. False: stderr says what is wrong, and there is nothing to close. */
static inline bool planned_open(struct planned *planned, const char *yaml,
                                const struct plan_options *options, const struct catalog *catalog)
{
    static const struct plan_options none = {0};
    struct diag diag;
    diag_init(&diag);
    planned->scenario = scenario_parse("test.yaml", yaml, strlen(yaml), catalog, &diag);
    bool is_fine =
        planned->scenario != NULL &&
        plan_build(&planned->plan, planned->scenario, options != NULL ? options : &none, &diag);
    if (!is_fine) {
        scenario_free(planned->scenario);
    }
    diag_print(&diag, stderr);
    diag_release(&diag);
    return is_fine;
}

static inline void planned_close(struct planned *planned)
{
    plan_release(&planned->plan);
    scenario_free(planned->scenario);
}

#endif
