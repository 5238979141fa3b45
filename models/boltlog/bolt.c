/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Bolt. A commit is as in bolt's tx.go: the tree puts its changed nodes on new pages; the pages of
 * the old free list are freed, and the new list, which is all free and all pending pages, gets
 * size / 4096 + 1 contiguous pages of its own; all of it is written and synced; then the meta is
 * written and synced. With NoFreelistSync the list is left out and made by a scan of the tree at
 * the next open. Pages that a transaction frees may be used by the next one, unless a reader
 * (bolt_hold) may still look at them: the meta before last is then the oldest that can come back,
 * and it does not refer to them any more.
 *
 * What the list costs the processor (sorting, merging, walking through it) is charged as a price
 * for each thousand of its ids.
 *
 * Names: the file is made, and made anew by a compaction, under another name, synced, and renamed;
 * an open syncs file and directory, so that what a killed process left in the page cache is relied
 * on only when it is durable.
 *
 * Where this is not bolt: the numbers of the second bucket lie in the meta page, where bolt has a
 * page for the directory of buckets, so a transaction writes one page less; the file grows by the
 * page, not by 16 MB; and after a failed write or sync nothing more is written, where bolt rolls
 * back and goes on (what is on the disk is then not known: the failed transaction may be there, and
 * its pages must not be used for another). Not here at all: a memory map, and files larger than
 * what the simulated disk takes. */
#include "bolt.h"

#include <assert.h>
#include <stdio.h>

#include "../raft/bytes.h"
#include "../raft/checksum.h"
#include "tree.h"

#define MAGIC          UINT32_C(0x544c4f42) /* "BOLT" */
#define FORMAT_VERSION 1
#define META_BYTES     (PAGE_HEADER + 48 + 8 * BOLT_NUMBERS) /* without the checksum */
#define NO_FREELIST    UINT64_MAX
#define NAME_SIZE      80
#define COPY_BYTES     (1 << 20) /* of entries in a transaction of a compaction */
#define COPY_ENTRIES   4096

struct meta {
    uint64_t root;
    uint64_t freelist; /* its first page, or NO_FREELIST */
    uint64_t end;      /* number of pages */
    uint64_t transaction;
    uint64_t numbers[BOLT_NUMBERS];
};

struct waiter {
    struct waiter *next;
    sq_fiber fiber;
    bool is_next;
};

struct hold {
    uint64_t transaction;
    uint32_t count;
};

struct bolt {
    struct sq_env *env;
    struct bolt_options options;
    char name[NAME_SIZE];
    char temporary[NAME_SIZE];
    struct pager pager;
    struct meta meta; /* as committed */
    struct meta open; /* as the open transaction will leave it */
    uint64_t freelist_pages;
    struct tree tree;
    enum sq_status failure; /* the first of the open transaction */
    bool is_broken;
    bool is_locked;
    struct waiter *first;
    struct waiter *last;
    struct hold holds[BOLT_HOLDS];
    struct bolt_stats stats;
};

/* ---------------------------------------------------------------------------------- the writer */

static void lock(struct bolt *bolt)
{
    struct sq_env *env = bolt->env;
    if (!bolt->is_locked) {
        bolt->is_locked = true;
        return;
    }
    struct waiter *waiter = env->mem->alloc(env, sizeof(*waiter));
    *waiter = (struct waiter){.fiber = env->fiber->self(env)};
    if (bolt->last != NULL) {
        bolt->last->next = waiter;
    } else {
        bolt->first = waiter;
    }
    bolt->last = waiter;
    while (!waiter->is_next) {
        env->fiber->park(env);
    }
    env->mem->free(env, waiter);
}

static void unlock(struct bolt *bolt)
{
    struct waiter *waiter = bolt->first;
    assert(bolt->is_locked);
    if (waiter == NULL) {
        bolt->is_locked = false;
        return;
    }
    bolt->first = waiter->next;
    if (bolt->first == NULL) {
        bolt->last = NULL;
    }
    waiter->is_next = true;
    bolt->env->fiber->unpark(bolt->env, waiter->fiber);
}

/* --------------------------------------------------------------------------------------- metas */

static void meta_stage(struct pager *pager, const struct meta *meta)
{
    struct page_header header = {.page = meta->transaction % 2, .kind = PAGE_META};
    uint8_t *image = pager_stage(pager, &header);
    uint8_t *at = put_u32(image + PAGE_HEADER, MAGIC);
    at = put_u32(at, FORMAT_VERSION);
    at = put_u32(at, PAGE_BYTES);
    at = put_u32(at, 0);
    at = put_u64(at, meta->root);
    at = put_u64(at, meta->freelist);
    at = put_u64(at, meta->end);
    at = put_u64(at, meta->transaction);
    for (uint32_t i = 0; i < BOLT_NUMBERS; i++) {
        at = put_u64(at, meta->numbers[i]);
    }
    assert(at == image + META_BYTES);
    put_u64(at, checksum_bytes(MAGIC, image, META_BYTES));
}

static bool meta_decode(const uint8_t *image, uint64_t page, struct meta *meta)
{
    const uint8_t *at = image + PAGE_HEADER;
    if (get_u64(image) != page || get_u32(at) != MAGIC || get_u32(at + 4) != FORMAT_VERSION ||
        get_u32(at + 8) != PAGE_BYTES ||
        get_u64(image + META_BYTES) != checksum_bytes(MAGIC, image, META_BYTES)) {
        return false;
    }
    meta->root = get_u64(at + 16);
    meta->freelist = get_u64(at + 24);
    meta->end = get_u64(at + 32);
    meta->transaction = get_u64(at + 40);
    for (uint32_t i = 0; i < BOLT_NUMBERS; i++) {
        meta->numbers[i] = get_u64(at + 48 + (size_t)i * 8);
    }
    return true;
}

/* The valid meta of the higher transaction. */
static enum sq_status read_metas(struct bolt *bolt)
{
    struct sq_env *env = bolt->env;
    uint8_t image[PAGE_BYTES];
    bool is_found = false;
    enum sq_status status = SQ_OK;
    for (uint64_t page = 0; status == SQ_OK && page < 2; page++) {
        size_t got;
        struct meta meta;
        status =
            env->disk->read(env, bolt->pager.file, image, sizeof(image), page * PAGE_BYTES, &got);
        if (status == SQ_OK && got == sizeof(image) && meta_decode(image, page, &meta) &&
            (!is_found || meta.transaction > bolt->meta.transaction)) {
            bolt->meta = meta;
            is_found = true;
        }
    }
    if (status == SQ_OK && (!is_found || bolt->meta.root >= bolt->meta.end)) {
        status = SQ_E_INVALID;
    }
    bolt->pager.end = bolt->meta.end;
    bolt->pager.transaction = bolt->meta.transaction;
    return status;
}

/* ---------------------------------------------------------------------------------- free pages */

static enum sq_status read_freelist(struct bolt *bolt)
{
    struct sq_env *env = bolt->env;
    struct page_header header;
    uint8_t *image;
    enum sq_status status = pager_read(&bolt->pager, bolt->meta.freelist, &header, &image);
    if (status != SQ_OK) {
        return status;
    }
    uint64_t count = header.count;
    const uint8_t *at = image + PAGE_HEADER;
    size_t room = ((size_t)header.overflow + 1) * PAGE_BYTES - PAGE_HEADER;
    if (count == FREELIST_COUNT_WIDE) {
        count = get_u64(at);
        at += 8;
        room -= 8;
    }
    bolt->freelist_pages = (uint64_t)header.overflow + 1;
    bool is_sound = header.kind == PAGE_FREELIST && count <= room / 8 &&
                    freelist_read(&bolt->pager.free, at, count);
    env->mem->free(env, image);
    return is_sound ? SQ_OK : SQ_E_INVALID;
}

enum { USE_NONE, USE_META, USE_FREELIST, USE_TREE, USE_FREE, USE_PENDING, USE_COUNT };

/* What each page is for. */
struct map {
    uint8_t *uses;
    uint64_t pages;
    bool is_sound; /* no page has two uses */
};

static void map_mark(struct map *map, uint64_t page, uint64_t pages, uint8_t use)
{
    for (uint64_t i = page; i < page + pages; i++) {
        if (i >= map->pages || map->uses[i] != USE_NONE) {
            map->is_sound = false;
        } else {
            map->uses[i] = use;
        }
    }
}

static void map_tree(void *context, const struct page_header *header)
{
    map_mark(context, header->page, (uint64_t)header->overflow + 1, USE_TREE);
}

/* Metas, list and tree; the caller frees map->uses. */
static enum sq_status map_make(struct bolt *bolt, struct map *map)
{
    struct sq_env *env = bolt->env;
    *map = (struct map){.pages = bolt->meta.end, .is_sound = true};
    map->uses = env->mem->alloc(env, map->pages);
    memset(map->uses, USE_NONE, map->pages);
    map_mark(map, 0, 2, USE_META);
    if (bolt->meta.freelist != NO_FREELIST) {
        map_mark(map, bolt->meta.freelist, bolt->freelist_pages, USE_FREELIST);
    }
    struct tree_visit visit = {.on_page = map_tree, .context = map};
    return tree_walk(&bolt->pager, bolt->meta.root, &visit);
}

/* The list of a file that has none: all that the tree does not use. */
static enum sq_status scan(struct bolt *bolt)
{
    struct map map;
    enum sq_status status = map_make(bolt, &map);
    if (status == SQ_OK && !map.is_sound) {
        status = SQ_E_INVALID;
    }
    for (uint64_t page = 0; status == SQ_OK && page < map.pages; page++) {
        if (map.uses[page] == USE_NONE) {
            freelist_add(&bolt->pager.free, page);
        }
    }
    bolt->env->mem->free(bolt->env, map.uses);
    return status;
}

/* ---------------------------------------------------------------------------------------- open */

/* A file with an empty tree and an empty list, synced; its name is not. */
static enum sq_status make_file(struct sq_env *env, const char *name)
{
    sq_file file;
    enum sq_status status = env->disk->open(env, name, SQ_OPEN_CREATE | SQ_OPEN_TRUNCATE, &file);
    if (status != SQ_OK) {
        return status;
    }
    struct pager pager;
    pager_init(&pager, env, file);
    struct meta meta = {.freelist = 2};
    struct page_header list = {.page = 2, .kind = PAGE_FREELIST};
    pager.end = 3;
    pager_stage(&pager, &list);
    meta.root = tree_make(&pager);
    meta.end = pager.end;
    meta_stage(&pager, &meta);
    meta.transaction = 1;
    meta_stage(&pager, &meta);
    status = pager_flush(&pager);
    if (status == SQ_OK) {
        status = env->disk->sync(env, file);
    }
    pager_release(&pager);
    env->disk->close(env, file);
    return status;
}

static enum sq_status open_file(struct bolt *bolt, const char *name, const char **problem)
{
    struct sq_env *env = bolt->env;
    sq_file file;
    enum sq_status status = env->disk->open(env, name, 0, &file);
    if (status != SQ_OK) {
        return status;
    }
    pager_init(&bolt->pager, env, file);
    *problem = "no valid meta page";
    status = read_metas(bolt);
    if (status == SQ_OK) {
        status = env->disk->sync(env, file);
    }
    if (status == SQ_OK) {
        *problem = "the free list is damaged, or a page of the tree";
        status = bolt->meta.freelist != NO_FREELIST ? read_freelist(bolt) : scan(bolt);
    }
    if (status != SQ_OK) {
        pager_release(&bolt->pager);
        env->disk->close(env, file);
    }
    return status;
}

static struct bolt *bolt_new(struct sq_env *env, const struct bolt_options *options)
{
    struct bolt *bolt = env->mem->alloc(env, sizeof(*bolt));
    *bolt = (struct bolt){.env = env, .options = *options};
    assert(strlen(options->name) <= 64);
    snprintf(bolt->name, sizeof(bolt->name), "%s", options->name);
    snprintf(bolt->temporary, sizeof(bolt->temporary), "%s.tmp", options->name);
    bolt->options.name = bolt->name;
    return bolt;
}

enum sq_status bolt_open(struct sq_env *env, const struct bolt_options *options,
                         struct bolt **opened, const char **problem)
{
    struct bolt *bolt = bolt_new(env, options);
    enum sq_status status = SQ_OK;
    const char *text;
    if (env->disk->exists(env, bolt->temporary)) {
        status = env->disk->remove(env, bolt->temporary);
    }
    if (status == SQ_OK && !env->disk->exists(env, bolt->name)) {
        status = make_file(env, bolt->temporary);
        if (status == SQ_OK) {
            status = env->disk->rename(env, bolt->temporary, bolt->name);
        }
    }
    if (status == SQ_OK) {
        status = open_file(bolt, bolt->name, problem != NULL ? problem : &text);
    }
    if (status == SQ_OK) {
        status = env->disk->sync_dir(env);
        if (status != SQ_OK) {
            bolt_close(bolt);
            return status;
        }
    }
    if (status != SQ_OK) {
        env->mem->free(env, bolt);
        return status;
    }
    *opened = bolt;
    return SQ_OK;
}

void bolt_close(struct bolt *bolt)
{
    struct sq_env *env = bolt->env;
    env->disk->close(env, bolt->pager.file);
    pager_release(&bolt->pager);
    env->mem->free(env, bolt);
}

/* -------------------------------------------------------------------------------- transactions */

/* The last transaction whose freed pages no reader can see. */
static uint64_t settled(const struct bolt *bolt)
{
    uint64_t least = bolt->meta.transaction;
    for (uint32_t i = 0; i < BOLT_HOLDS; i++) {
        if (bolt->holds[i].count > 0 && bolt->holds[i].transaction < least) {
            least = bolt->holds[i].transaction;
        }
    }
    return least;
}

/* The lock is the caller's. */
static enum sq_status begin(struct bolt *bolt)
{
    bolt->open = bolt->meta;
    bolt->open.transaction++;
    bolt->pager.transaction = bolt->open.transaction;
    bolt->failure = SQ_OK;
    freelist_settle(&bolt->pager.free, settled(bolt));
    return tree_begin(&bolt->tree, &bolt->pager, bolt->meta.root);
}

enum sq_status bolt_begin(struct bolt *bolt)
{
    lock(bolt);
    enum sq_status status = bolt->is_broken ? SQ_E_IO : begin(bolt);
    if (status != SQ_OK) {
        bolt->is_broken = true;
        unlock(bolt);
    }
    return status;
}

void bolt_put(struct bolt *bolt, uint64_t key, const void *value, uint32_t size)
{
    assert(bolt->is_locked);
    if (bolt->failure == SQ_OK) {
        bolt->failure = tree_put(&bolt->tree, key, value, size);
    }
}

void bolt_remove(struct bolt *bolt, uint64_t first, uint64_t last)
{
    assert(bolt->is_locked);
    if (bolt->failure == SQ_OK) {
        bolt->failure = tree_remove(&bolt->tree, first, last);
    }
}

void bolt_set(struct bolt *bolt, uint32_t number, uint64_t value)
{
    assert(bolt->is_locked);
    assert(number < BOLT_NUMBERS);
    bolt->open.numbers[number] = value;
}

static void stage_freelist(struct bolt *bolt)
{
    struct pager *pager = &bolt->pager;
    if (bolt->meta.freelist != NO_FREELIST) {
        pager_put(pager, bolt->meta.freelist, bolt->freelist_pages);
    }
    bolt->open.freelist = NO_FREELIST;
    bolt->freelist_pages = 0;
    if (bolt->options.skips_freelist) {
        return;
    }
    /* Too much rather than too little: taking the pages makes the list shorter. */
    uint64_t pages = (PAGE_HEADER + freelist_bytes(&pager->free)) / PAGE_BYTES + 1;
    bolt->open.freelist = pager_take(pager, pages);
    bolt->freelist_pages = pages;
    size_t count = freelist_count(&pager->free);
    struct page_header header = {
        .page = bolt->open.freelist,
        .kind = PAGE_FREELIST,
        .count = count < FREELIST_COUNT_WIDE ? (uint16_t)count : FREELIST_COUNT_WIDE,
        .overflow = (uint32_t)(pages - 1),
    };
    freelist_write(&pager->free, pager_stage(pager, &header) + PAGE_HEADER);
}

static enum sq_status flush(struct bolt *bolt, bool is_synced)
{
    struct sq_env *env = bolt->env;
    enum sq_status status = pager_flush(&bolt->pager);
    return status == SQ_OK && is_synced ? env->disk->sync(env, bolt->pager.file) : status;
}

static void show(struct bolt *bolt)
{
    struct sq_env *env = bolt->env;
    struct bolt_stats stats;
    bolt->stats.commits++;
    bolt->stats.last_bytes = bolt->pager.written_bytes;
    bolt->stats.written_bytes += bolt->pager.written_bytes;
    if (bolt->options.is_silent) {
        return;
    }
    bolt_stats(bolt, &stats);
    env->trace->see(env, SQ_SEE_GAUGE, stats.last_bytes, 0, 0, "bolt.bytes-per-commit");
    env->trace->see(env, SQ_SEE_GAUGE, stats.free_pages, 0, 0, "bolt.free-pages");
    env->trace->see(env, SQ_SEE_GAUGE, stats.freelist_bytes, 0, 0, "bolt.freelist-bytes");
    env->trace->see(env, SQ_SEE_GAUGE, stats.pages * PAGE_BYTES, 0, 0, "bolt.file-bytes");
}

static enum sq_status commit(struct bolt *bolt, bool is_synced)
{
    struct sq_env *env = bolt->env;
    enum sq_status status = bolt->failure;
    bolt->pager.written_bytes = 0;
    if (status == SQ_OK) {
        bolt->open.root = tree_write(&bolt->tree);
        stage_freelist(bolt);
        bolt->open.end = bolt->pager.end;
    }
    tree_drop(&bolt->tree);
    sq_time ids = (sq_time)freelist_count(&bolt->pager.free);
    sq_time cost = bolt->options.commit_cost + bolt->options.list_cost * ids / 1000;
    if (status == SQ_OK && cost > 0) {
        env->cpu->work(env, cost);
    }
    if (status == SQ_OK) {
        status = flush(bolt, is_synced);
    }
    if (status == SQ_OK) {
        meta_stage(&bolt->pager, &bolt->open);
        status = flush(bolt, is_synced);
    }
    if (status == SQ_OK) {
        bolt->meta = bolt->open;
        show(bolt);
    } else {
        pager_drop(&bolt->pager);
        bolt->is_broken = true;
    }
    return status;
}

enum sq_status bolt_commit(struct bolt *bolt)
{
    assert(bolt->is_locked);
    enum sq_status status = commit(bolt, true);
    unlock(bolt);
    return status;
}

/* ------------------------------------------------------------------------------------- readers */

uint64_t bolt_number(const struct bolt *bolt, uint32_t number)
{
    assert(number < BOLT_NUMBERS);
    return bolt->meta.numbers[number];
}

uint64_t bolt_hold(struct bolt *bolt)
{
    struct hold *place = NULL;
    for (uint32_t i = 0; i < BOLT_HOLDS; i++) {
        struct hold *hold = &bolt->holds[i];
        bool is_same = hold->count > 0 && hold->transaction == bolt->meta.transaction;
        if (is_same || (place == NULL && hold->count == 0)) {
            place = hold;
        }
        if (is_same) {
            break;
        }
    }
    assert(place != NULL);
    place->transaction = bolt->meta.transaction;
    place->count++;
    return place->transaction;
}

void bolt_let_go(struct bolt *bolt, uint64_t hold)
{
    for (uint32_t i = 0; i < BOLT_HOLDS; i++) {
        if (bolt->holds[i].count > 0 && bolt->holds[i].transaction == hold) {
            bolt->holds[i].count--;
            return;
        }
    }
    assert(!"a hold is let go once");
}

static enum sq_status edge(struct bolt *bolt, bool is_last, uint64_t *key)
{
    uint64_t hold = bolt_hold(bolt);
    enum sq_status status = tree_edge(&bolt->pager, bolt->meta.root, is_last, key);
    bolt_let_go(bolt, hold);
    return status;
}

enum sq_status bolt_first(struct bolt *bolt, uint64_t *key)
{
    return edge(bolt, false, key);
}

enum sq_status bolt_last(struct bolt *bolt, uint64_t *key)
{
    return edge(bolt, true, key);
}

enum sq_status bolt_visit(struct bolt *bolt, uint64_t first,
                          bool (*on_entry)(void *context, uint64_t key, const uint8_t *value,
                                           uint32_t size),
                          void *context)
{
    struct tree_visit visit = {.on_entry = on_entry, .context = context, .first = first};
    uint64_t hold = bolt_hold(bolt);
    enum sq_status status = tree_walk(&bolt->pager, bolt->meta.root, &visit);
    bolt_let_go(bolt, hold);
    return status;
}

struct search {
    struct sq_env *env;
    uint64_t key;
    void *value; /* NULL: not found */
    uint32_t size;
};

static bool take_value(void *context, uint64_t key, const uint8_t *value, uint32_t size)
{
    struct search *search = context;
    if (key == search->key) {
        search->value = search->env->mem->alloc(search->env, size > 0 ? size : 1);
        search->size = size;
        memcpy(search->value, value, size);
    }
    return false;
}

enum sq_status bolt_get(struct bolt *bolt, uint64_t key, void **value, uint32_t *size)
{
    struct search search = {.env = bolt->env, .key = key};
    enum sq_status status = bolt_visit(bolt, key, take_value, &search);
    *value = search.value;
    *size = search.size;
    return status == SQ_OK && search.value == NULL ? SQ_E_KEY_NOT_FOUND : status;
}

/* ------------------------------------------------------------------------------------- compact */

struct copied {
    uint64_t key;
    size_t at; /* in the bytes */
    uint32_t size;
};

struct copy {
    struct bolt *target;
    struct copied *entries; /* COPY_ENTRIES */
    uint32_t count;
    uint8_t *bytes;
    size_t size;
    size_t capacity;
    enum sq_status status;
};

static void copy_flush(struct copy *copy, bool is_last)
{
    struct bolt *target = copy->target;
    copy->status = copy->status == SQ_OK ? begin(target) : copy->status;
    if (copy->status != SQ_OK) {
        return;
    }
    for (uint32_t i = 0; i < copy->count; i++) {
        const struct copied *entry = &copy->entries[i];
        bolt_put(target, entry->key, copy->bytes + entry->at, entry->size);
    }
    copy->count = 0;
    copy->size = 0;
    copy->status = commit(target, is_last);
}

static bool copy_entry(void *context, uint64_t key, const uint8_t *value, uint32_t size)
{
    struct copy *copy = context;
    struct sq_env *env = copy->target->env;
    if (copy->count == COPY_ENTRIES || (copy->count > 0 && copy->size + size > COPY_BYTES)) {
        copy_flush(copy, false);
    }
    if (copy->size + size > copy->capacity) {
        copy->capacity = copy->size + size > COPY_BYTES ? copy->size + size : COPY_BYTES;
        copy->bytes = env->mem->realloc(env, copy->bytes, copy->capacity);
    }
    if (size > 0) {
        memcpy(copy->bytes + copy->size, value, size);
    }
    copy->entries[copy->count++] = (struct copied){key, copy->size, size};
    copy->size += size;
    return copy->status == SQ_OK;
}

/* Copies into `target`, an empty store, and makes it durable. */
static enum sq_status copy_all(struct bolt *bolt, struct bolt *target)
{
    struct sq_env *env = bolt->env;
    struct copy copy = {.target = target};
    struct tree_visit visit = {.on_entry = copy_entry, .context = &copy};
    copy.entries = env->mem->alloc(env, COPY_ENTRIES * sizeof(*copy.entries));
    target->is_locked = true;
    memcpy(target->meta.numbers, bolt->meta.numbers, sizeof(bolt->meta.numbers));
    enum sq_status status = tree_walk(&bolt->pager, bolt->meta.root, &visit);
    copy.status = status != SQ_OK ? status : copy.status;
    copy_flush(&copy, true);
    env->mem->free(env, copy.entries);
    env->mem->free(env, copy.bytes);
    return copy.status;
}

/* The new file takes the old one's name and place. */
static enum sq_status replace(struct bolt *bolt, struct bolt *target)
{
    struct sq_env *env = bolt->env;
    enum sq_status status = env->disk->rename(env, bolt->temporary, bolt->name);
    if (status == SQ_OK) {
        status = env->disk->sync_dir(env);
    }
    if (status == SQ_OK) {
        env->disk->close(env, bolt->pager.file);
        pager_release(&bolt->pager);
        bolt->pager = target->pager;
        bolt->meta = target->meta;
        bolt->freelist_pages = target->freelist_pages;
        env->mem->free(env, target);
    }
    return status;
}

enum sq_status bolt_compact(struct bolt *bolt)
{
    struct sq_env *env = bolt->env;
    lock(bolt);
    if (bolt->is_broken) {
        unlock(bolt);
        return SQ_E_IO;
    }
    struct bolt_options options = bolt->options;
    options.is_silent = true;
    struct bolt *target = bolt_new(env, &options);
    const char *problem;
    enum sq_status status = make_file(env, bolt->temporary);
    if (status == SQ_OK) {
        status = open_file(target, bolt->temporary, &problem);
    }
    if (status != SQ_OK) {
        env->mem->free(env, target);
    } else {
        status = copy_all(bolt, target);
        if (status == SQ_OK) {
            status = replace(bolt, target);
        } else {
            bolt_close(target);
        }
    }
    bolt->is_broken = status != SQ_OK;
    unlock(bolt);
    return status;
}

/* -------------------------------------------------------------------------------------- looking */

void bolt_stats(const struct bolt *bolt, struct bolt_stats *stats)
{
    const struct freelist *list = &bolt->pager.free;
    *stats = bolt->stats;
    stats->pages = bolt->meta.end;
    stats->free_pages = freelist_count(list);
    stats->pending_pages = list->pending_count;
    stats->freelist_pages = bolt->freelist_pages;
    stats->freelist_bytes = PAGE_HEADER + freelist_bytes(list);
}

enum sq_status bolt_audit(struct bolt *bolt, struct bolt_audit *audit)
{
    const struct freelist *list = &bolt->pager.free;
    struct map map;
    uint64_t counts[USE_COUNT] = {0};
    enum sq_status status = map_make(bolt, &map);
    for (size_t i = 0; i < list->count; i++) {
        map_mark(&map, list->ids[list->head + i], 1, USE_FREE);
    }
    for (size_t i = 0; i < list->pending_count; i++) {
        map_mark(&map, list->pending[i].page, 1, USE_PENDING);
    }
    for (uint64_t i = 0; i < map.pages; i++) {
        counts[map.uses[i]]++;
    }
    *audit = (struct bolt_audit){
        .pages = map.pages,
        .metas = counts[USE_META],
        .freelist = counts[USE_FREELIST],
        .tree = counts[USE_TREE],
        .free = counts[USE_FREE],
        .pending = counts[USE_PENDING],
        .is_sound = map.is_sound && counts[USE_NONE] == 0,
    };
    bolt->env->mem->free(bolt->env, map.uses);
    return status;
}
