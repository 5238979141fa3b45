/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The table of built-in models. */
#include "models.h"

const struct sq_model *const models_builtin[] = {
    &model_sqlite_single,
    &model_primary_backup,
    &model_server,
    &model_fleet,
    &model_resync,
#ifdef HAVE_RAFT
    &model_raft,
    &model_raft_sqlite,
#endif
    &model_proxy,
    &model_cache,
    &model_publisher,
    &model_bolt_log,
    &model_memcache,
    &model_look_aside,
    &model_scatter,
    &model_pool,
    &model_balancer,
    &model_quorum,
    NULL,
};
