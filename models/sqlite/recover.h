/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Opening the store at boot, as all models that store through SQL do it. */
#ifndef SQUALL_MODELS_SQLITE_RECOVER_H
#define SQUALL_MODELS_SQLITE_RECOVER_H

#include "kv.h"

/* Opens or creates the store; on an existing one (or in any incarnation but the first) examines it
 * if `examines`, and tells the checkers INTEGRITY, RECOVERED and STATE. While the disk fails it
 * tries again every 100 ms, as a supervisor would restart the process. SQ_E_IO: the database is
 * corrupt (which was told) and *kv is NULL; boot should return this status. */
enum sq_status kv_recover(struct sq_env *env, const char *path, const struct kv_options *options,
                          bool examines, struct kv **kv);

#endif
