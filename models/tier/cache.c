/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Model `cache`: a look-aside cache in front of a store. A read of a key that is in memory is
 * answered from there; any other goes to the group that the option `target` names, and its answer
 * is kept. An update goes to the target, and its key is dropped from memory. Up to `capacity` keys
 * are kept, the least recently used one goes first. A crash forgets all of them, and every read
 * falls on the store until the cache is warm again; misses of one key are not gathered into one.
 *
 * WHAT IT PROMISES. One cache node in front of a linearizable store is linearizable. Several are
 * NOT: an update drops the key at the node it went through, and the others answer with the old
 * value until they happen to evict it. That is the point of this model: look-aside caches are run
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
 * Not here: expiry by time, invalidation between cache nodes, values bigger than a reply. */
#include "../models.h"
#include "tier.h"

#define BUCKETS 4096 /* a power of two */

enum option {
    OPTION_TARGET,
    OPTION_CAPACITY,
    OPTION_LEASE,
    OPTION_MAX_IN_FLIGHT,
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
};

/* A key in memory. */
struct entry {
    struct entry *next_in_bucket;
    struct entry *newer;
    struct entry *older;
    uint64_t key;
    uint64_t value;
};

/* A request that waits for the target. */
struct waiting {
    struct waiting *next_in_bucket;
    struct sq_reply_to reply_to;
    uint64_t key;
    uint32_t kind;     /* enum sq_kv_kind */
    bool is_overtaken; /* READ: its answer is not to be kept */
};

struct cache {
    struct entry *entries[BUCKETS];
    struct waiting *waiting[BUCKETS];
    struct entry *newest;
    struct entry *oldest;
    int64_t entry_count;
    int64_t waiting_count;
};

static uint32_t bucket_of(uint64_t key)
{
    return (uint32_t)((key * UINT64_C(0x9e3779b97f4a7c15)) >> 52) & (BUCKETS - 1);
}

/* ------------------------------------------------------------------------------------------- LRU
 */

static struct entry *find(const struct cache *cache, uint64_t key)
{
    struct entry *entry = cache->entries[bucket_of(key)];
    while (entry != NULL && entry->key != key) {
        entry = entry->next_in_bucket;
    }
    return entry;
}

static void unlink_age(struct cache *cache, struct entry *entry)
{
    *(entry->newer != NULL ? &entry->newer->older : &cache->newest) = entry->older;
    *(entry->older != NULL ? &entry->older->newer : &cache->oldest) = entry->newer;
}

static void link_newest(struct cache *cache, struct entry *entry)
{
    entry->newer = NULL;
    entry->older = cache->newest;
    *(cache->newest != NULL ? &cache->newest->newer : &cache->oldest) = entry;
    cache->newest = entry;
}

static void drop(struct sq_env *env, struct cache *cache, struct entry *entry)
{
    struct entry **link = &cache->entries[bucket_of(entry->key)];
    while (*link != entry) {
        link = &(*link)->next_in_bucket;
    }
    *link = entry->next_in_bucket;
    unlink_age(cache, entry);
    cache->entry_count--;
    env->mem->free(env, entry);
}

static void keep(struct sq_env *env, struct cache *cache, uint64_t key, uint64_t value)
{
    struct entry *entry = find(cache, key);
    if (entry != NULL) {
        drop(env, cache, entry);
    } else if (cache->entry_count >= env->options[OPTION_CAPACITY].number) {
        if (cache->oldest == NULL) {
            return;
        }
        env->trace->sometimes(env, "cache.evicted");
        drop(env, cache, cache->oldest);
    }
    entry = env->mem->alloc(env, sizeof(*entry));
    struct entry **bucket = &cache->entries[bucket_of(key)];
    *entry = (struct entry){.next_in_bucket = *bucket, .key = key, .value = value};
    *bucket = entry;
    link_newest(cache, entry);
    cache->entry_count++;
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
    cache->waiting_count--;
}

/* The store has answered a read. */
static void learn(struct sq_env *env, struct cache *cache, const struct waiting *waiting,
                  uint64_t value)
{
    if (env->options[OPTION_LEASE].number == 0) {
        keep(env, cache, waiting->key, value);
        return;
    }
    struct entry *entry = find(cache, waiting->key);
    if (entry != NULL && entry->value != value) {
        drop(env, cache, entry);
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
    env->call->reply(env, waiting->reply_to, tier_status(status), SQ_NODE_NONE, data, size);
    env->mem->free(env, waiting);
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
    if (kv->kind == SQ_KV_UPDATE) {
        overtake(cache, kv->key);
    }
    env->call->call(env, env->options[OPTION_TARGET].text, request->data, request->size, on_reply,
                    waiting);
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
    struct entry *entry = find(cache, kv.key);
    if (entry == NULL) {
        pass_on(env, request, &kv);
        return;
    }
    if (kv.kind == SQ_KV_UPDATE) {
        drop(env, cache, entry);
        pass_on(env, request, &kv);
        return;
    }
    env->trace->sometimes(env, "cache.hit");
    unlink_age(cache, entry);
    link_newest(cache, entry);
    struct sq_kv_reply reply = {entry->value};
    env->call->reply(env, request->reply_to, SQ_OK, SQ_NODE_NONE, &reply, sizeof(reply));
}

static enum sq_status boot(struct sq_env *env)
{
    struct cache *cache = env->mem->alloc(env, sizeof(*cache));
    memset(cache, 0, sizeof(*cache));
    env->state = cache;
    return SQ_OK;
}

const struct sq_model model_cache = {
    .abi_version = SQ_ABI_VERSION,
    .size = sizeof(struct sq_model),
    .name = "cache",
    .version = "1",
    .description = "look-aside cache in front of another group; linearizable only when alone",
    .options = options,
    .option_count = OPTION_COUNT,
    .boot = boot,
    .request = on_request,
};
