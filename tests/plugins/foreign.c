/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Shared objects that squall must refuse. By default: a table of another ABI version;
 * -DWITHOUT_SYMBOL: no entry at all; -DSHORTER: a table of another size; -DWITHOUT_BOOT: a table
 * that cannot run; -DNOTHING: an entry that gives none. */
#include "squall.h"

__attribute__((visibility("default"))) const struct sq_model *squall_plugin_v1(void);
__attribute__((visibility("default"))) const struct sq_model *another_entry(void);

#ifndef WITHOUT_BOOT
static enum sq_status boot(struct sq_env *env)
{
    (void)env;
    return SQ_OK;
}
#endif

static const struct sq_model model = {
#if defined(WITHOUT_BOOT) || defined(SHORTER) || defined(WITHOUT_SYMBOL) || defined(NOTHING)
    .abi_version = SQ_ABI_VERSION,
#else
    .abi_version = SQ_ABI_VERSION + 41,
#endif
#ifdef SHORTER
    .size = 16,
#else
    .size = sizeof(struct sq_model),
#endif
    .name = "foreign",
    .version = "1",
    .description = "not to be loaded",
#ifndef WITHOUT_BOOT
    .boot = boot,
#endif
};

#ifdef WITHOUT_SYMBOL
const struct sq_model *another_entry(void)
#else
const struct sq_model *squall_plugin_v1(void)
#endif
{
#ifdef NOTHING
    return (void)model, NULL;
#else
    return &model;
#endif
}
