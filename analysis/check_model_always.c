/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The model's own invariants (env->trace->always). A broken one fails the run under the name that
 * the model gave it, whether or not the scenario asks for this check; the judge does that, because
 * only it may name a violation after something else than a checker. Naming `model.always` in a
 * scenario puts it on the list of what was watched. Models tell of an invariant only when it is
 * broken, so what is counted is the incarnations that were watched. */
#include "analysis/check.h"

static void on_life(struct check *check, const struct sq_life_event *life)
{
    check->comparisons += life->what == SQ_LIFE_BOOT;
}

const struct check_ops check_model_always = {
    .name = "model.always",
    .description = "the invariants that the model states itself (env->trace->always) hold",
    .on_life = on_life,
};
