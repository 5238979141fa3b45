/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The run as the scenario has it is the trigger arm: asking for a verdict changes neither it nor
 * its digest. */
#include "sim/cli/arms.h"

#include "analysis/metastability.h"
#include "sim/base/base.h"

#include <string.h>

void arms_init(struct arms *arms)
{
    arena_init(&arms->arena);
    result_init(&arms->result);
}

void arms_release(struct arms *arms)
{
    result_release(&arms->result);
    arena_release(&arms->arena);
}

void arms_run(struct arms *arms, const struct run_spec *spec, struct run_result *result,
              void (*run)(void *context, const struct run_spec *spec, struct run_result *result),
              void *context)
{
    if (!spec->metastability.is_asked) {
        return;
    }
    arena_reset(&arms->arena);
    metastability_add_arm(spec, ARM_TRIGGER, result, result);
    enum run_arm arm;
    while (metastability_next(result, &arm)) {
        struct run_spec *derived = arena_alloc(&arms->arena, sizeof(*derived));
        metastability_derive(spec, arm, &arms->arena, derived);
        run(context, derived, &arms->result);
        metastability_add_arm(spec, arm, &arms->result, result);
    }
    metastability_decide(spec, result);
}

bool arms_find(const char *name, enum run_arm *arm)
{
    for (uint32_t i = 0; i < ARM_COUNT; i++) {
        if (strcmp(arm_name((enum run_arm)i), name) == 0) {
            *arm = (enum run_arm)i;
            return true;
        }
    }
    return false;
}
