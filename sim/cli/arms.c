/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The run as the scenario has it is the trigger arm: asking for a verdict changes neither it nor
 * its digest.
 *
 * A control arm is a function of the seed and of all that is not the trigger, so a campaign over
 * sizes of a trigger would run the same one again for each of them. The caller says by a key which
 * cells have the same; the last few are kept. What is kept is the result as a worker would send it,
 * so a shared arm has the rows and the digest that a run of its own would have. */
#include "sim/cli/arms.h"

#include "analysis/metastability.h"
#include "sim/base/base.h"

#include <string.h>

void arms_init(struct arms *arms)
{
    *arms = (struct arms){0};
    arena_init(&arms->arena);
    result_init(&arms->result);
    for (uint32_t i = 0; i < ARMS_CONTROLS; i++) {
        result_init(&arms->controls[i].result);
    }
}

void arms_release(struct arms *arms)
{
    for (uint32_t i = 0; i < ARMS_CONTROLS; i++) {
        result_release(&arms->controls[i].result);
    }
    result_release(&arms->result);
    arena_release(&arms->arena);
}

static const struct run_result *find_control(const struct arms *arms, uint64_t seed)
{
    for (uint32_t i = 0; i < ARMS_CONTROLS && arms->control_key != 0; i++) {
        const struct arms_control *control = &arms->controls[i];
        if (control->key == arms->control_key && control->seed == seed) {
            return &control->result;
        }
    }
    return NULL;
}

static void keep_control(struct arms *arms, uint64_t seed)
{
    if (arms->control_key == 0 || arms->result.is_cut) {
        return;
    }
    struct arms_control *control = &arms->controls[arms->next_control];
    struct vec bytes;
    vec_init(&bytes, 1, UINT32_MAX);
    result_encode(&arms->result, &bytes);
    struct err err = {0};
    bool is_kept = result_decode(&control->result, bytes.items, bytes.count, &err);
    vec_release(&bytes);
    ASSERT(is_kept);
    control->key = arms->control_key;
    control->seed = seed;
    arms->next_control = (arms->next_control + 1) % ARMS_CONTROLS;
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
    bool has_probe = spec->metastability.probe != SPEC_PROBE_NONE;
    while (metastability_next(result, &arm) && (arm != ARM_PROBE || has_probe)) {
        const struct run_result *kept =
            arm == ARM_CONTROL ? find_control(arms, result->seed) : NULL;
        if (kept != NULL) {
            metastability_add_arm(spec, arm, kept, result);
            continue;
        }
        struct run_spec *derived = arena_alloc(&arms->arena, sizeof(*derived));
        metastability_derive(spec, arm, &arms->arena, derived);
        run(context, derived, &arms->result);
        metastability_add_arm(spec, arm, &arms->result, result);
        if (arm == ARM_CONTROL) {
            keep_control(arms, result->seed);
        }
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
