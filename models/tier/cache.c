/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Model `cache`: a read-through cache in front of a store. A read of a key that is in memory is
 * answered from there; any other goes to the group that the option `target` names, and its answer
 * is kept. An update goes to the target, and its key is dropped from memory. Up to `capacity` keys
 * are kept, the least recently used one goes first. A crash forgets all of them, and every read
 * falls on the store until the cache is warm again.
 *
 * WHAT IT PROMISES. One cache node in front of a linearizable store is linearizable. Several are
 * NOT: an update drops the key at the node it went through, and the others answer with the old
 * value until they happen to evict it. That is the point of this model: caches are run
 * like that everywhere, and a checker shows what it costs.
 *
 * Even one node needs care. A read that missed may have been answered by the store before an
 * update, and its answer may arrive after the update has dropped the key: kept, it would be stale
 * for ever. So a read that was overtaken by an update of its key, or that began while one was under
 * way, is answered and not kept. Memcache calls that a lease (Nishtala et al., "Scaling Memcache at
 * Facebook", NSDI 2013, section 3.2.1). `lease: false` leaves it out, as many caches do.
 *
 * An update whose outcome is unknown may take effect much later, behind the cache's back. What the
 * cache then holds is the value before it, which is right as long as nobody has seen the one after
 * it. So of several reads of one key that are under way together only the first answer is kept, and
 * a later one that differs from what is kept drops it.
 *
 * With singleFlight: true a read that misses while the store is being asked for its key waits for
 * that answer, whatever it will be, instead of asking too (as golang.org/x/sync/singleflight); not
 * for one that an update has overtaken. So an empty cache costs the store one query for each key,
 * however popular, and not one for each reader.
 *
 * With fillAfterTimeout: false a read ends when its caller has given up, and what the store then
 * answers is not kept. The default is what caches in front of a store do: the answer is kept for
 * those who come later, so the cache fills even when everybody gives up.
 *
 * `warm: k` starts the first incarnation with keys 0 to k - 1, the most popular ones of a Zipf
 * load, with value 0, which is what a store has that nobody has written to. The signal `flush k`
 * drops these keys again, `flush 0` all. It shows cache.hits, cache.misses, cache.hit-rate
 * (meter.h).
 *
 * Not here: expiry by time, invalidation between cache nodes, values bigger than a reply. */
#include "../models.h"
#include "lru.h"
#include "meter.h"
#include "tier.h"

#define BUCKETS 4096 /* a power of two */

enum option {
    OPTION_TARGET,
    OPTION_CAPACITY,
    OPTION_LEASE,
    OPTION_MAX_IN_FLIGHT,
    OPTION_SINGLE_FLIGHT,
    OPTION_FILL_AFTER_TIMEOUT,
    OPTION_WARM,
    OPTION_COUNT,
};

static const struct sq_option options[OPTION_COUNT] = {
    [OPTION_TARGET] = {"target", SQ_OPTION_TEXT, "store", NULL,
                       "group in front of which it stands; the one that the group's `client` "
                       "targets"},
    [OPTION_CAPACITY] = {"capacity", SQ_OPTION_COUNT, "1000", NULL,
                         "keys that are kept; 0 keeps nothing"},
    [OPTION_LEASE] = {"lease", SQ_OPTION_BOOLEAN, "true", NULL,
                      "a read that an update of its key overtook is not kept"},
    [OPTION_MAX_IN_FLIGHT] = {"maxInFlight", SQ_OPTION_COUNT, "10000", NULL,
                              "requests that may wait for the target; more get `overloaded`"},
    [OPTION_SINGLE_FLIGHT] = {"singleFlight", SQ_OPTION_BOOLEAN, "false", NULL,
                              "reads that miss the same key together ask the target once"},
    [OPTION_FILL_AFTER_TIMEOUT] = {"fillAfterTimeout", SQ_OPTION_BOOLEAN, "true", NULL,
                                   "the answer to a read is kept though its caller gave up"},
    [OPTION_WARM] = {"warm", SQ_OPTION_COUNT, "0", NULL,
                     "keys 0 to this less one are there at the first boot"},
};

/* A request that waits for the target. */
struct waiting {
    struct waiting *next_in_bucket;
    struct waiting *next; /* the first, and from there on the next one that gets the same answer */
    struct waiting *last; /* of those, or NULL */
    struct sq_reply_to reply_to;
    uint64_t key;
    uint32_t kind;     /* enum sq_kv_kind */
    bool is_overtaken; /* READ: its answer is not to be kept */
};

struct cache {
    struct lru lru;
    struct meter meter;
    struct waiting *waiting[BUCKETS];
    int64_t waiting_count; /* followers included */
};

static uint32_t bucket_of(uint64_t key)
{
    return (uint32_t)((key * UINT64_C(0x9e3779b97f4a7c15)) >> 52) & (BUCKETS - 1);
}

static void keep(struct sq_env *env, struct cache *cache, uint64_t key, uint64_t value)
{
    if (lru_keep(&cache->lru, env, key, value)) {
        env->trace->sometimes(env, "cache.evicted");
    }
}

/* ----------------------------------------------------------------------------- towards the store
 */

/* An update of this key begins, or a read of it was answered: other reads that are under way must
 * not be kept. */
static void overtake(const struct cache *cache, uint64_t key)
{
    for (struct waiting *one = cache->waiting[bucket_of(key)]; one != NULL;
         one = one->next_in_bucket) {
        one->is_overtaken |= one->key == key;
    }
}

static bool is_being_updated(const struct cache *cache, uint64_t key)
{
    const struct waiting *one = cache->waiting[bucket_of(key)];
    while (one != NULL && (one->key != key || one->kind != SQ_KV_UPDATE)) {
        one = one->next_in_bucket;
    }
    return one != NULL;
}

static void forget(struct cache *cache, struct waiting *waiting)
{
    struct waiting **link = &cache->waiting[bucket_of(waiting->key)];
    while (*link != waiting) {
        link = &(*link)->next_in_bucket;
    }
    *link = waiting->next_in_bucket;
}

/* The store has answered a read. */
static void learn(struct sq_env *env, struct cache *cache, const struct waiting *waiting,
                  uint64_t value)
{
    if (env->options[OPTION_LEASE].number == 0) {
        keep(env, cache, waiting->key, value);
        return;
    }
    struct lru_entry *entry = lru_find(&cache->lru, waiting->key);
    if (entry != NULL && entry->value != value) {
        lru_drop(&cache->lru, env, entry);
    }
    if (waiting->is_overtaken) {
        env->trace->sometimes(env, "cache.overtaken");
        return;
    }
    overtake(cache, waiting->key);
    keep(env, cache, waiting->key, value);
}

static void on_reply(struct sq_env *env, void *argument, enum sq_status status, const void *data,
                     size_t size)
{
    struct waiting *waiting = argument;
    struct cache *cache = env->state;
    struct sq_kv_reply reply;
    env->cpu->charge(env, 0, size);
    forget(cache, waiting);
    if (waiting->kind == SQ_KV_READ && status == SQ_OK && size == sizeof(reply)) {
        memcpy(&reply, data, sizeof(reply));
        learn(env, cache, waiting, reply.value);
    }
    while (waiting != NULL) {
        struct waiting *next = waiting->next;
        env->call->reply(env, waiting->reply_to, tier_status(status), SQ_NODE_NONE, data, size);
        env->mem->free(env, waiting);
        cache->waiting_count--;
        waiting = next;
    }
}

/* A read of the key that others may wait for, or NULL. */
static struct waiting *flight_of(const struct cache *cache, uint64_t key)
{
    struct waiting *one = cache->waiting[bucket_of(key)];
    while (one != NULL && (one->key != key || one->kind != SQ_KV_READ || one->is_overtaken)) {
        one = one->next_in_bucket;
    }
    return one;
}

static void pass_on(struct sq_env *env, const struct sq_request *request,
                    const struct sq_kv_request *kv)
{
    struct cache *cache = env->state;
    if (cache->waiting_count >= env->options[OPTION_MAX_IN_FLIGHT].number) {
        env->trace->sometimes(env, "cache.overloaded");
        env->call->reply(env, request->reply_to, SQ_E_OVERLOADED, SQ_NODE_NONE, NULL, 0);
        return;
    }
    struct waiting *waiting = env->mem->alloc(env, sizeof(*waiting));
    struct waiting **bucket = &cache->waiting[bucket_of(kv->key)];
    *waiting = (struct waiting){
        .next_in_bucket = *bucket,
        .reply_to = request->reply_to,
        .key = kv->key,
        .kind = kv->kind,
        .is_overtaken = is_being_updated(cache, kv->key),
    };
    *bucket = waiting;
    cache->waiting_count++;
    const bool is_read = kv->kind == SQ_KV_READ;
    if (!is_read) {
        overtake(cache, kv->key);
    }
    const bool is_cut = is_read && env->options[OPTION_FILL_AFTER_TIMEOUT].number == 0;
    env->call->call_before(env, env->options[OPTION_TARGET].text, request->data, request->size,
                           on_reply, waiting, is_cut ? request->deadline : INT64_MAX);
}

/* The read waits for the answer to another one. */
static void follow(struct sq_env *env, struct waiting *leader, const struct sq_request *request)
{
    struct cache *cache = env->state;
    struct waiting *waiting = env->mem->alloc(env, sizeof(*waiting));
    *waiting = (struct waiting){.reply_to = request->reply_to};
    struct waiting **link = leader->last != NULL ? &leader->last->next : &leader->next;
    *link = waiting;
    leader->last = waiting;
    cache->waiting_count++;
    env->trace->sometimes(env, "cache.followed");
}

/* A read of a key that is not there. */
static void miss(struct sq_env *env, const struct sq_request *request,
                 const struct sq_kv_request *kv)
{
    struct cache *cache = env->state;
    struct waiting *leader =
        env->options[OPTION_SINGLE_FLIGHT].number != 0 ? flight_of(cache, kv->key) : NULL;
    if (leader != NULL && cache->waiting_count < env->options[OPTION_MAX_IN_FLIGHT].number) {
        follow(env, leader, request);
    } else {
        pass_on(env, request, kv);
    }
}

/* ----------------------------------------------------------------------------------------- model
 */

static void on_request(struct sq_env *env, const struct sq_request *request)
{
    struct cache *cache = env->state;
    struct sq_kv_request kv;
    if (!sq_kv_decode(request->data, request->size, &kv)) {
        env->call->reply(env, request->reply_to, SQ_E_MALFORMED, SQ_NODE_NONE, NULL, 0);
        return;
    }
    env->cpu->charge(env, 1, request->size);
    struct lru_entry *entry = lru_find(&cache->lru, kv.key);
    if (kv.kind == SQ_KV_UPDATE) {
        if (entry != NULL) {
            lru_drop(&cache->lru, env, entry);
        }
        pass_on(env, request, &kv);
        return;
    }
    meter_count(&cache->meter, env, entry != NULL);
    if (entry == NULL) {
        miss(env, request, &kv);
        return;
    }
    env->trace->sometimes(env, "cache.hit");
    lru_touch(&cache->lru, entry);
    struct sq_kv_reply reply = {entry->value};
    env->call->reply(env, request->reply_to, SQ_OK, SQ_NODE_NONE, &reply, sizeof(reply));
}

static void on_signal(struct sq_env *env, const char *name, int64_t value)
{
    struct cache *cache = env->state;
    if (strcmp(name, "flush") == 0 && value >= 0) {
        lru_flush(&cache->lru, env, (uint64_t)value);
        env->trace->sometimes(env, "cache.flushed");
    }
}

static enum sq_status boot(struct sq_env *env)
{
    struct cache *cache = env->mem->alloc(env, sizeof(*cache));
    memset(cache, 0, sizeof(*cache));
    env->state = cache;
    lru_init(&cache->lru, env, env->options[OPTION_CAPACITY].number);
    const uint64_t warm =
        env->incarnation == 1 ? (uint64_t)env->options[OPTION_WARM].number : UINT64_C(0);
    for (uint64_t key = warm; key > 0; key--) {
        lru_keep(&cache->lru, env, key - 1, 0);
    }
    return SQ_OK;
}

const struct sq_model model_cache = {
    .abi_version = SQ_ABI_VERSION,
    .size = sizeof(struct sq_model),
    .name = "cache",
    .version = "1",
    .description = "read-through cache in front of another group; linearizable only when alone",
    .options = options,
    .option_count = OPTION_COUNT,
    .boot = boot,
    .request = on_request,
    .signal = on_signal,
};
