/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Model `memcache`: a node of a cache that knows of no database. Whoever uses it (look_aside.c)
 * reads a key, finds out that it is not there, asks elsewhere, and sets it. Up to `capacity` keys
 * are kept, the least recently used one goes first. Nodes of a group do not know each other: users
 * ask the node that tier_shard names. A crash forgets everything, so a node that comes back is the
 * empty spare that takes its place.
 *
 *     read       the value and that it was there, or 0 and that it was not
 *     update     sets the key, to 0 as well (a load that updates a memcache sets keys of it)
 *     delete     TIER_DELETE
 *     signal     flush k: forgets the keys below k, the k most popular ones of a Zipf load;
 *                flush 0: all
 *
 * `warm: k` starts the first incarnation with keys 0 to k - 1 in memory, each node with its own of
 * them, the most popular used last, and with the value 0, which is what a database has that nobody
 * has written to.
 *
 * A request costs one operation of the processor and its bytes. It shows cache.hits, cache.misses
 * and cache.hit-rate (meter.h).
 *
 * Not here: expiry by time, compare-and-swap, leases: two users of one key may leave the older
 * value in it. */
#include "../models.h"
#include "lru.h"
#include "meter.h"
#include "tier.h"

enum option {
    OPTION_CAPACITY,
    OPTION_WARM,
    OPTION_COUNT,
};

static const struct sq_option options[OPTION_COUNT] = {
    [OPTION_CAPACITY] = {"capacity", SQ_OPTION_COUNT, "100000", NULL,
                         "keys that a node keeps; 0 keeps nothing"},
    [OPTION_WARM] = {"warm", SQ_OPTION_COUNT, "0", NULL,
                     "keys 0 to this less one are there at the first boot"},
};

struct memcache {
    struct lru lru;
    struct meter meter;
};

static void answer(struct sq_env *env, const struct sq_request *request, enum sq_status status,
                   struct tier_reply reply)
{
    env->call->reply(env, request->reply_to, status, SQ_NODE_NONE, &reply, sizeof(reply));
}

static void on_read(struct sq_env *env, const struct sq_request *request, uint64_t key)
{
    struct memcache *memcache = env->state;
    struct lru_entry *entry = lru_find(&memcache->lru, key);
    meter_count(&memcache->meter, env, entry != NULL);
    if (entry == NULL) {
        answer(env, request, SQ_OK, (struct tier_reply){0});
        return;
    }
    lru_touch(&memcache->lru, entry);
    answer(env, request, SQ_OK, (struct tier_reply){{entry->value}, 1});
}

static void on_request(struct sq_env *env, const struct sq_request *request)
{
    struct memcache *memcache = env->state;
    struct sq_kv_request kv = {0};
    if (request->size >= sizeof(kv)) {
        memcpy(&kv, request->data, sizeof(kv));
    }
    env->cpu->charge(env, 1, request->size);
    if (kv.kind == SQ_KV_READ) {
        on_read(env, request, kv.key);
    } else if (kv.kind == SQ_KV_UPDATE) {
        if (lru_keep(&memcache->lru, env, kv.key, kv.value)) {
            env->trace->sometimes(env, "cache.evicted");
        }
        answer(env, request, SQ_OK, (struct tier_reply){0});
    } else if (kv.kind == TIER_DELETE) {
        struct lru_entry *entry = lru_find(&memcache->lru, kv.key);
        if (entry != NULL) {
            lru_drop(&memcache->lru, env, entry);
        }
        answer(env, request, SQ_OK, (struct tier_reply){0});
    } else {
        env->call->reply(env, request->reply_to, SQ_E_MALFORMED, SQ_NODE_NONE, NULL, 0);
    }
}

static void on_signal(struct sq_env *env, const char *name, int64_t value)
{
    struct memcache *memcache = env->state;
    if (strcmp(name, "flush") == 0 && value >= 0) {
        lru_flush(&memcache->lru, env, (uint64_t)value);
        env->trace->sometimes(env, "cache.flushed");
    }
}

static enum sq_status boot(struct sq_env *env)
{
    struct memcache *memcache = env->mem->alloc(env, sizeof(*memcache));
    *memcache = (struct memcache){0};
    env->state = memcache;
    lru_init(&memcache->lru, env, env->options[OPTION_CAPACITY].number);
    const uint64_t warm =
        env->incarnation == 1 ? (uint64_t)env->options[OPTION_WARM].number : UINT64_C(0);
    for (uint64_t key = warm; key > 0; key--) {
        if (tier_shard(key - 1, env->group_size) == env->self - env->group_first) {
            lru_keep(&memcache->lru, env, key - 1, 0);
        }
    }
    return SQ_OK;
}

const struct sq_model model_memcache = {
    .abi_version = SQ_ABI_VERSION,
    .size = sizeof(struct sq_model),
    .name = "memcache",
    .version = "1",
    .description = "keys in memory that others set; knows of no database (see look-aside)",
    .options = options,
    .option_count = OPTION_COUNT,
    .boot = boot,
    .request = on_request,
    .signal = on_signal,
};
