/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Model `raft`: a key-value store in memory, replicated by the unmodified libraft. The disk holds
 * raft's files alone; the contents come back at boot from the last snapshot and the log behind it.
 *
 * Updates are idempotent: the store remembers the last sequence number of each session. A retry of
 * the last operation changes nothing and is answered again; an operation that is older still
 * changes nothing and its result is forgotten (SQ_E_TIMEOUT). Reads leave no trace in the state.
 *
 * Snapshots are taken as fsm version 1 has it: snapshot() serialises at once, on the main fiber,
 * so the bytes are the state at that index whatever is applied while they are being written. A
 * row's value counts with its padding, so a snapshot is as large as the data would be. */
#include "../models.h"
#include "../plant.h"

#include <assert.h>

#include "bytes.h"
#include "checksum.h"
#include "heap.h"
#include "replica.h"
#include "table.h"

#define SNAPSHOT_MAGIC  UINT32_C(0x32564b52) /* "RKV2" */
#define SNAPSHOT_HEADER 32
#define ROW_HEADER      20
#define SESSION_SIZE    16

#ifndef RAFT_VERSION
#define RAFT_VERSION "unknown"
#endif

struct raft_kv {
    struct replica replica; /* first */
    struct table rows;      /* value, extra: bytes of padding */
    struct table sessions;  /* value: last sequence, extra: not used */
    uint64_t digest;        /* sum over rows and sessions, so the order of writes does not matter */
    uint64_t value_bytes;   /* sum of paddings */
    uint64_t position;
    struct replica_answer result; /* of the last command applied */
};

static struct raft_kv *kv_of(const struct raft_fsm *fsm)
{
    return fsm->data;
}

static uint64_t digest_row(const struct table_row *row)
{
    return checksum_mix(checksum_mix(row->key, row->value), row->extra);
}

static uint64_t digest_session(const struct table_row *row)
{
    return checksum_mix(~row->key, row->value);
}

/* --------------------------------------------------------------------------------------- apply */

static enum sq_status update(struct raft_kv *kv, const struct sq_kv_request *request)
{
    struct sq_env *env = kv->replica.env;
    bool is_new;
    struct table_row *session = table_put(env, &kv->sessions, request->session, &is_new);
    if (!is_new && request->sequence <= session->value && !PLANTED(env, SESSION_IGNORED)) {
        return request->sequence == session->value ? SQ_OK : SQ_E_TIMEOUT;
    }
    if (!is_new) {
        kv->digest -= digest_session(session);
    }
    session->value = request->sequence;
    kv->digest += digest_session(session);
    struct table_row *row = table_put(env, &kv->rows, request->key, &is_new);
    if (!is_new) {
        kv->digest -= digest_row(row);
        kv->value_bytes -= row->extra;
    }
    row->value = request->value;
    row->extra = request->padding;
    kv->value_bytes += row->extra;
    kv->digest += digest_row(row);
    return SQ_OK;
}

static int fsm_apply(struct raft_fsm *fsm, const struct raft_buffer *buffer, void **result)
{
    struct raft_kv *kv = kv_of(fsm);
    struct sq_env *env = kv->replica.env;
    struct sq_kv_request request;
    uint64_t hash;
    uint64_t position = replica_applying(&kv->replica, buffer, &hash);
    kv->position = position;
    kv->result = (struct replica_answer){.status = SQ_E_MALFORMED};
    if (sq_kv_decode(buffer->base, buffer->len, &request)) {
        kv->result.status = SQ_OK;
        if (PLANTED(env, APPLY_SKIPPED) && kv->replica.raft.snapshot.pending.term != 0) {
            kv->result.value = request.value;
        } else if (request.kind == SQ_KV_UPDATE) {
            kv->result.status = update(kv, &request);
            kv->result.value = request.value;
        } else {
            const struct table_row *row = table_find(&kv->rows, request.key);
            kv->result.value = row == NULL ? 0 : row->value;
        }
    }
    replica_charge(&kv->replica, buffer->len);
    env->trace->see(env, SQ_SEE_APPLY, position, hash, 0, NULL);
    env->trace->see(env, SQ_SEE_STATE, position, kv->digest, 0, NULL);
    *result = &kv->result;
    return 0;
}

static void on_applied(struct replica *replica, struct sq_reply_to to, void *result)
{
    const struct replica_answer *answer = result;
    replica_answer(replica, to, answer->status, answer->value);
}

static void read_now(struct replica *replica, struct sq_reply_to to, uint64_t key)
{
    struct raft_kv *kv = (struct raft_kv *)replica;
    const struct table_row *row = table_find(&kv->rows, key);
    replica_charge(replica, sizeof(struct sq_kv_request));
    replica_answer(replica, to, SQ_OK, row == NULL ? 0 : row->value);
}

/* ----------------------------------------------------------------------------------- snapshots
 * u32 magic, u32 rows, u32 sessions, u32 0, u64 position, u64 digest; per row u64 key, u64 value,
 * u32 padding and as many zeros; per session u64 id, u64 sequence. */

static int fsm_snapshot(struct raft_fsm *fsm, struct raft_buffer *bufs[], unsigned *n_bufs)
{
    struct raft_kv *kv = kv_of(fsm);
    size_t size = SNAPSHOT_HEADER + (size_t)kv->rows.count * ROW_HEADER + kv->value_bytes +
                  (size_t)kv->sessions.count * SESSION_SIZE;
    uint8_t *start = raft_malloc(size);
    uint8_t *at = put_u32(start, SNAPSHOT_MAGIC);
    at = put_u32(at, kv->rows.count);
    at = put_u32(at, kv->sessions.count);
    at = put_u32(at, 0);
    at = put_u64(at, kv->replica.raft.last_applied);
    at = put_u64(at, kv->digest);
    for (uint32_t i = 0; i < kv->rows.count; i++) {
        const struct table_row *row = &kv->rows.rows[i];
        at = put_u64(at, row->key);
        at = put_u64(at, row->value);
        at = put_u32(at, (uint32_t)row->extra);
        memset(at, 0, row->extra);
        at += row->extra;
    }
    for (uint32_t i = 0; i < kv->sessions.count; i++) {
        at = put_u64(at, kv->sessions.rows[i].key);
        at = put_u64(at, kv->sessions.rows[i].value);
    }
    assert(at == start + size);
    *bufs = raft_malloc(sizeof(**bufs));
    (*bufs)[0] = (struct raft_buffer){.base = start, .len = size};
    *n_bufs = 1;
    replica_charge(&kv->replica, size);
    return 0;
}

/* False: not a whole snapshot. */
static bool restore_rows(struct raft_kv *kv, const uint8_t *at, size_t left)
{
    struct sq_env *env = kv->replica.env;
    if (left < SNAPSHOT_HEADER || get_u32(at) != SNAPSHOT_MAGIC) {
        return false;
    }
    uint32_t rows = get_u32(at + 4);
    uint32_t sessions = get_u32(at + 8);
    kv->position = get_u64(at + 16);
    at += SNAPSHOT_HEADER;
    left -= SNAPSHOT_HEADER;
    for (uint32_t i = 0; i < rows; i++) {
        if (left < ROW_HEADER || left - ROW_HEADER < get_u32(at + 16)) {
            return false;
        }
        struct table_row *row = table_put(env, &kv->rows, get_u64(at), NULL);
        row->value = get_u64(at + 8);
        row->extra = get_u32(at + 16);
        kv->value_bytes += row->extra;
        kv->digest += digest_row(row);
        at += ROW_HEADER + row->extra;
        left -= ROW_HEADER + row->extra;
    }
    if (left != (size_t)sessions * SESSION_SIZE) {
        return false;
    }
    for (uint32_t i = 0; i < sessions; i++) {
        struct table_row *session = table_put(env, &kv->sessions, get_u64(at), NULL);
        session->value = get_u64(at + 8);
        kv->digest += digest_session(session);
        at += SESSION_SIZE;
    }
    return true;
}

static int fsm_restore(struct raft_fsm *fsm, struct raft_buffer *buffer)
{
    struct raft_kv *kv = kv_of(fsm);
    struct sq_env *env = kv->replica.env;
    table_clear(&kv->rows);
    table_clear(&kv->sessions);
    kv->digest = 0;
    kv->value_bytes = 0;
    if (!restore_rows(kv, buffer->base, buffer->len) ||
        kv->digest != get_u64((uint8_t *)buffer->base + 24)) {
        return RAFT_CORRUPT;
    }
    if (PLANTED(env, RESTORE_LOSES_KEY) && kv->rows.count > 0) {
        struct table_row *lost = &kv->rows.rows[kv->rows.count - 1];
        kv->digest -= digest_row(lost);
        lost->value = 0;
        kv->digest += digest_row(lost);
    }
    replica_charge(&kv->replica, buffer->len);
    raft_free(buffer->base); /* it is the state machine's now */
    env->trace->see(env, SQ_SEE_STATE, kv->position, kv->digest, 0, NULL);
    env->trace->sometimes(env, "raft.restored-snapshot");
    return 0;
}

/* ----------------------------------------------------------------------------------- the model */

static const struct replica_machine machine = {on_applied, read_now};

static const struct raft_fsm fsm_prototype = {
    .version = 1,
    .apply = fsm_apply,
    .snapshot = fsm_snapshot,
    .restore = fsm_restore,
};

static enum sq_status model_boot(struct sq_env *env)
{
    struct raft_kv *kv = env->mem->alloc(env, sizeof(*kv));
    memset(kv, 0, sizeof(*kv));
    env->state = kv;
    enum sq_status status = replica_boot(&kv->replica, env, &fsm_prototype, &machine);
    if (status == SQ_OK) {
        env->trace->see(env, SQ_SEE_RECOVERED, kv->replica.raft.last_applied, 0, 0, NULL);
    }
    return status;
}

static void model_deliver(struct sq_env *env, sq_node from, const void *data, size_t size)
{
    replica_deliver(env->state, from, data, size);
}

static void model_request(struct sq_env *env, const struct sq_request *request)
{
    replica_request(env->state, request);
}

static void model_signal(struct sq_env *env, const char *name, int64_t value)
{
    replica_signal(env->state, name, value);
}

static void model_timer(struct sq_env *env, uint64_t tag)
{
    replica_timer(env->state, tag);
}

static const struct sq_option options[REPLICA_OPTION_COUNT] = {REPLICA_OPTIONS};

const struct sq_model model_raft = {
    .abi_version = SQ_ABI_VERSION,
    .size = sizeof(struct sq_model),
    .name = "raft",
    .version = "libraft " RAFT_VERSION,
    .description = "key-value store in memory, replicated by the real libraft with its log on the "
                   "simulated disk",
    .options = options,
    .option_count = REPLICA_OPTION_COUNT,
    .prepare = raft_heap_install,
    .boot = model_boot,
    .deliver = model_deliver,
    .request = model_request,
    .timer = model_timer,
    .signal = model_signal,
};
