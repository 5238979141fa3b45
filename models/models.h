/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The models that are built in. The roof hands this table to the input layer; nothing else reads
 * it. */
#ifndef SQUALL_MODELS_MODELS_H
#define SQUALL_MODELS_MODELS_H

#include "squall.h"

/* NULL-terminated, in the order in which they are listed to users. Names are unique. */
extern const struct sq_model *const models_builtin[];

extern const struct sq_model model_sqlite_single;
extern const struct sq_model model_primary_backup;
extern const struct sq_model model_server;
extern const struct sq_model model_fleet;
extern const struct sq_model model_resync;
extern const struct sq_model model_proxy;
extern const struct sq_model model_cache;
extern const struct sq_model model_publisher;
extern const struct sq_model model_bolt_log;
extern const struct sq_model model_memcache;
extern const struct sq_model model_look_aside;
extern const struct sq_model model_scatter;
extern const struct sq_model model_pool;
extern const struct sq_model model_balancer;
extern const struct sq_model model_quorum;
#ifdef HAVE_RAFT /* libraft was found when squall was built */
extern const struct sq_model model_raft;
extern const struct sq_model model_raft_sqlite;
#endif

#endif
