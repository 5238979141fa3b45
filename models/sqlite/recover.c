/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A failing disk and a corrupt database are told apart: the first is waited for, the second is
 * reported and final, for a node that serves what it knows to be damaged helps nobody. */
#include "recover.h"

#define RETRY_NS (INT64_C(100) * 1000 * 1000)

/* Tells what a database that was there before is like. */
static enum sq_status examine(struct sq_env *env, struct kv *kv, bool examines, char *message)
{
    enum sq_status status = examines ? kv_examine(kv, message) : SQ_OK;
    if (status == SQ_OK) {
        if (examines) {
            env->trace->see(env, SQ_SEE_INTEGRITY, 1, 0, 0, NULL);
        }
        env->trace->see(env, SQ_SEE_RECOVERED, kv_position(kv), 0, 0, NULL);
        env->trace->see(env, SQ_SEE_STATE, kv_position(kv), kv_digest(kv), 0, NULL);
    }
    return status;
}

/* What kv_recover was asked for. */
struct order {
    const char *path;
    const struct kv_options *options;
    bool examines;
};

static enum sq_status attempt(struct sq_env *env, const struct order *order, struct kv **kv,
                              char *message)
{
    enum sq_status status = kv_open(env, order->path, order->options, kv, message);
    if (status == SQ_OK && (env->incarnation > 1 || kv_was_there(*kv))) {
        status = examine(env, *kv, order->examines, message);
        if (status != SQ_OK) {
            kv_close(*kv);
            *kv = NULL;
        }
    }
    return status;
}

enum sq_status kv_recover(struct sq_env *env, const char *path, const struct kv_options *options,
                          bool examines, struct kv **kv)
{
    struct order order = {path, options, examines};
    char message[KV_MESSAGE_SIZE] = "";
    enum sq_status status = attempt(env, &order, kv, message);
    while (status == SQ_E_IO || status == SQ_E_NOSPC) {
        env->trace->log(env, "the database cannot be opened: %s", message);
        env->clock->sleep(env, RETRY_NS);
        status = attempt(env, &order, kv, message);
    }
    if (status == SQ_E_INVALID) {
        env->trace->log(env, "the database is corrupt: %s", message);
        env->trace->see(env, SQ_SEE_INTEGRITY, 0, 0, 0, message);
        status = SQ_E_IO;
    }
    return status;
}
