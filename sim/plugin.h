/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Plug-ins: a user's own model in a shared object that exports squall_plugin_v1. */
#ifndef SQUALL_SIM_PLUGIN_H
#define SQUALL_SIM_PLUGIN_H

#include "sim/base/err.h"
#include "squall.h"

/* Plug-ins that were built with a header of this version or a later one still run: since then
 * tables that squall fills have grown at their ends, and nothing that a plug-in fills. */
#define PLUGIN_ABI_OLDEST 2

/* Loads `path`, checks ABI version, size and the table. The object stays loaded for the life of
 * the process. NULL: `err` is set (ERR_INPUT when the file is not there or is no plug-in,
 * ERR_SYSTEM when the loader failed otherwise). */
const struct sq_model *plugin_load(const char *path, struct err *err);
/* Is this table one that this squall can run? */
bool plugin_check(const struct sq_model *model, const char *path, struct err *err);

#endif
