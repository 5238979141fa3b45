/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Plug-in: one of squall's own models, compiled from the same sources as the built-in one but with
 * tests/bugs/plants.h before them, and with one option more: `plant`, the name of the bug to plant.
 * PLANTED_MODEL names the model (model_raft, ...). The executable has its own copy of all that is
 * in here; nothing but squall_plugin_v1 is exported, so the two cannot be mixed up, and only one of
 * them is prepared in one process. */
#include "plants.h"

#include "../../models/models.h"

#define OPTION_COUNT_MAX 64

static const struct sq_option option_plant = {
#define PLANT_CHOICE(code, name) "|" name
    "plant",
    SQ_OPTION_CHOICE,
    "none",
    "none" PLANT_MAP(PLANT_CHOICE),
#undef PLANT_CHOICE
    "the bug that this node has",
};

bool plant_is(const struct sq_env *env, enum plant plant)
{
    return env->options[PLANTED_MODEL.option_count].number == (int64_t)plant;
}

__attribute__((visibility("default"))) const struct sq_model *squall_plugin_v1(void);

const struct sq_model *squall_plugin_v1(void)
{
    static struct sq_option options[OPTION_COUNT_MAX + 1];
    static struct sq_model model; /* the same at every call */
    model = PLANTED_MODEL;
    if (model.option_count > OPTION_COUNT_MAX) {
        return NULL;
    }
    memcpy(options, model.options, model.option_count * sizeof(options[0]));
    options[model.option_count] = option_plant;
    model.option_count++;
    model.options = options;
    return &model;
}
