/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The disk against a reference: thousands of short random histories of calls, crashes and power
 * losses. The reference keeps every version of every file as a plain array and every change of
 * the directory as a list. What is visible must always equal its last version; what a power loss
 * leaves must be one of the states that it calls legal:
 *
 * - the directory is durable changes plus a prefix (ordered), or plus a subset in which a change
 *   survives only when all earlier ones of its names do (strict);
 * - some truncation, or none, is the last that survived; behind its end each sector is as the
 *   truncation or a later write to that very sector left it, before its end as any version had
 *   it;
 * - the size is that of the truncation, or the end of a later write, or a sector boundary inside
 *   of one.
 *
 * Legality alone would let a disk pass that always loses everything, or nothing: how often which
 * happens is counted. */
#include "tests/unit/harness.h"

#include "sim/base/base.h"
#include "sim/disk.h"

#include <stdio.h>
#include <stdlib.h>

#define FILE_BYTES 12288
#define VERSIONS   48
#define INODES     24
#define NAMES      3
#define CHANGES    9
#define FILES      4
#define FLIGHTS    2
#define NOTHING    UINT32_MAX

struct version {
    uint32_t size;
    uint32_t write_start; /* of the write that made it */
    uint32_t write_end;
    uint32_t cut; /* new size of the truncation that made it; NOTHING: a write */
    uint8_t data[FILE_BYTES];
};

struct reference_inode {
    uint32_t version_count; /* version 0 is durable, the last one is visible */
    struct version versions[VERSIONS];
};

struct change {
    uint32_t name;  /* index; loses its inode unless `inode` is set and `to` is NOTHING */
    uint32_t to;    /* of a rename */
    uint32_t inode; /* NOTHING: removal */
};

struct open_file {
    sq_file file; /* 0: closed */
    uint32_t inode;
};

struct open_sync {
    bool is_used;
    struct disk_call call;
    uint32_t inode; /* NOTHING: the directory */
    uint32_t version;
    uint32_t change_count;
};

struct reference {
    struct disk *disk;
    struct disk *other; /* for digests */
    struct spec_disk spec;
    struct rng rng;
    int64_t now_ns;
    uint32_t loss_count;    /* with something to lose */
    uint32_t nothing_count; /* of it that kept nothing */
    uint32_t everything_count;
    uint32_t inode_count;
    uint32_t durable[NAMES]; /* name -> inode */
    uint32_t cached[NAMES];
    uint32_t order[NAMES]; /* names in the order of creation of their entries */
    uint32_t order_count;
    uint32_t change_count;
    struct change changes[CHANGES];
    struct open_file files[FILES];
    struct open_sync syncs[FLIGHTS];
    struct reference_inode inodes[INODES];
    bool is_wrong;
};

static const char *const names[NAMES] = {"a", "journal", "c"};

static uint32_t below(struct reference *reference, uint32_t bound)
{
    return (uint32_t)rng_below(&reference->rng, bound);
}

static enum sq_status perform(struct reference *reference, struct disk_call *call)
{
    disk_begin(reference->disk, reference->now_ns, call);
    disk_end(reference->disk, call);
    return call->status;
}

static struct version *last_version(struct reference *reference, uint32_t inode)
{
    struct reference_inode *it = &reference->inodes[inode];
    return &it->versions[it->version_count - 1];
}

/* ------------------------------------------------------------------------------------------------
 * what is legal */

/* Is the size one that the writes behind version `start` may leave when the file had `base`
 * bytes there? */
static bool is_size_legal(const struct reference *reference, const struct reference_inode *inode,
                          uint32_t start, uint32_t base, uint32_t size)
{
    for (uint32_t i = start + 1; i < inode->version_count && size > base; i++) {
        const struct version *version = &inode->versions[i];
        bool is_inside = size > version->write_start && size <= version->write_end;
        bool is_boundary = size == version->write_end || size % reference->spec.sector_bytes == 0;
        if (is_inside && is_boundary) {
            return true;
        }
    }
    return size == base;
}

/* May the sector at `at` hold what it does if version `start` came from the last truncation that
 * survived (0: none did)? Then it is as some later write to it left it, or as it was at the
 * start, or, before the new end, anything. */
static bool is_sector_legal(const struct reference *reference, const struct reference_inode *inode,
                            uint32_t start, uint32_t at, const uint8_t *data, uint32_t size)
{
    uint32_t end = at + reference->spec.sector_bytes;
    bool is_any = start > 0 && inode->versions[start].cut >= end;
    for (uint32_t i = is_any ? 0 : start; i < inode->version_count; i++) {
        const struct version *version = &inode->versions[i];
        bool is_touched = version->write_start < end && version->write_end > at;
        if ((is_any || i == start || is_touched) && memcmp(data, version->data + at, size) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_content_legal(const struct reference *reference, uint32_t inode_index,
                             const uint8_t *data, uint32_t size)
{
    const struct reference_inode *inode = &reference->inodes[inode_index];
    for (uint32_t start = 0; start < inode->version_count; start++) {
        const struct version *version = &inode->versions[start];
        if ((start > 0 && version->cut == NOTHING) ||
            !is_size_legal(reference, inode, start, version->size, size)) {
            continue;
        }
        bool is_legal = true;
        for (uint32_t at = 0; at < size && is_legal; at += reference->spec.sector_bytes) {
            uint32_t left = size - at;
            left = left < reference->spec.sector_bytes ? left : reference->spec.sector_bytes;
            is_legal = is_sector_legal(reference, inode, start, at, data + at, left);
        }
        if (is_legal) {
            return true;
        }
    }
    return false;
}

struct found {
    bool is_there;
    uint32_t size;
    uint8_t data[FILE_BYTES];
};

/* Does the directory after the changes in `mask` explain what was found? */
static bool explains(const struct reference *reference, uint32_t mask, const struct found *found)
{
    uint32_t state[NAMES];
    memcpy(state, reference->durable, sizeof(state));
    for (uint32_t i = 0; i < reference->change_count; i++) {
        const struct change *change = &reference->changes[i];
        if ((mask >> i & 1) == 0) {
            continue;
        }
        if (change->to != NOTHING) {
            state[change->to] = change->inode;
            state[change->name] = NOTHING;
        } else {
            state[change->name] = change->inode;
        }
    }
    for (uint32_t name = 0; name < NAMES; name++) {
        if (found[name].is_there != (state[name] != NOTHING)) {
            return false;
        }
    }
    for (uint32_t name = 0; name < NAMES; name++) {
        if (found[name].is_there &&
            !is_content_legal(reference, state[name], found[name].data, found[name].size)) {
            return false;
        }
    }
    return true;
}

static bool shares_name(const struct change *left, const struct change *right)
{
    return left->name == right->name || left->name == right->to ||
           (left->to != NOTHING && (left->to == right->name || left->to == right->to));
}

/* May exactly the changes in `mask` survive? */
static bool is_mask_legal(const struct reference *reference, uint32_t mask)
{
    if (reference->spec.directory == SPEC_DIRECTORY_ORDERED) {
        return (mask & (mask + 1)) == 0;
    }
    for (uint32_t i = 0; i < reference->change_count; i++) {
        for (uint32_t j = 0; j < i && (mask >> i & 1) != 0; j++) {
            if ((mask >> j & 1) == 0 &&
                shares_name(&reference->changes[i], &reference->changes[j])) {
                return false;
            }
        }
    }
    return true;
}

static bool is_state_legal(const struct reference *reference, const struct found *found)
{
    for (uint32_t mask = 0; mask < UINT32_C(1) << reference->change_count; mask++) {
        if (is_mask_legal(reference, mask) && explains(reference, mask, found)) {
            return true;
        }
    }
    return false;
}

/* ------------------------------------------------------------------------------------------------
 * what is there */

static void find_all(struct reference *reference, struct found *found)
{
    for (uint32_t name = 0; name < NAMES; name++) {
        found[name].is_there = disk_exists(reference->disk, names[name]);
        if (!found[name].is_there) {
            continue;
        }
        struct disk_call open = {.method = DISK_OPEN, .name = names[name]};
        CHECK_EQUAL(perform(reference, &open), SQ_OK);
        struct disk_call size = {.method = DISK_SIZE, .file = open.opened};
        CHECK_EQUAL(perform(reference, &size), SQ_OK);
        struct disk_call read = {
            .method = DISK_READ, .file = open.opened, .data = found[name].data, .size = FILE_BYTES};
        CHECK_EQUAL(perform(reference, &read), SQ_OK);
        found[name].size = (uint32_t)read.got;
        if (read.got != size.file_size) {
            reference->is_wrong = true;
        }
        struct disk_call close = {.method = DISK_CLOSE, .file = open.opened};
        CHECK_EQUAL(perform(reference, &close), SQ_OK);
    }
}

static void check_visible(struct reference *reference)
{
    static struct found found[NAMES];
    find_all(reference, found);
    for (uint32_t name = 0; name < NAMES; name++) {
        uint32_t inode = reference->cached[name];
        if (found[name].is_there != (inode != NOTHING)) {
            reference->is_wrong = true;
        } else if (inode != NOTHING) {
            const struct version *version = last_version(reference, inode);
            bool is_equal = found[name].size == version->size &&
                            memcmp(found[name].data, version->data, version->size) == 0;
            reference->is_wrong = reference->is_wrong || !is_equal;
        }
    }
    for (uint32_t i = 0; i <= reference->order_count; i++) {
        const char *listed = disk_list(reference->disk, i);
        bool is_equal = i < reference->order_count
                            ? listed != NULL && strcmp(listed, names[reference->order[i]]) == 0
                            : listed == NULL;
        reference->is_wrong = reference->is_wrong || !is_equal;
    }
    for (uint32_t i = 0; i < FILES; i++) {
        static uint8_t data[FILE_BYTES];
        if (reference->files[i].file != 0) {
            const struct version *version = last_version(reference, reference->files[i].inode);
            uint32_t offset = below(reference, FILE_BYTES);
            struct disk_call read = {.method = DISK_READ,
                                     .file = reference->files[i].file,
                                     .data = data,
                                     .size = 700,
                                     .offset = offset};
            CHECK_EQUAL(perform(reference, &read), SQ_OK);
            uint32_t there = offset < version->size ? version->size - offset : 0;
            there = there < 700 ? there : 700;
            bool is_equal = read.got == there && memcmp(data, version->data + offset, there) == 0;
            reference->is_wrong = reference->is_wrong || !is_equal;
        }
    }
}

/* ------------------------------------------------------------------------------------------------
 * steps */

static void forget_changes(struct reference *reference, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        const struct change *change = &reference->changes[i];
        if (change->to != NOTHING) {
            reference->durable[change->to] = change->inode;
            reference->durable[change->name] = NOTHING;
        } else {
            reference->durable[change->name] = change->inode;
        }
    }
    reference->change_count -= count;
    memmove(reference->changes, reference->changes + count,
            reference->change_count * sizeof(struct change));
    for (uint32_t i = 0; i < FLIGHTS; i++) {
        uint32_t *left = &reference->syncs[i].change_count;
        *left = *left > count ? *left - count : 0;
    }
}

static void forget_versions(struct reference *reference, uint32_t inode, uint32_t count)
{
    struct reference_inode *it = &reference->inodes[inode];
    ASSERT(count < it->version_count);
    it->version_count -= count;
    memmove(it->versions, it->versions + count, it->version_count * sizeof(struct version));
    for (uint32_t i = 0; i < FLIGHTS; i++) {
        if (reference->syncs[i].inode == inode) {
            uint32_t *left = &reference->syncs[i].version;
            *left = *left > count ? *left - count : 0;
        }
    }
}

static void end_sync(struct reference *reference, struct open_sync *sync)
{
    disk_end(reference->disk, &sync->call);
    CHECK_EQUAL(sync->call.status, SQ_OK);
    sync->is_used = false;
    if (sync->inode != NOTHING) {
        forget_versions(reference, sync->inode, sync->version);
    }
    if (sync->inode == NOTHING || reference->spec.directory == SPEC_DIRECTORY_ORDERED) {
        forget_changes(reference, sync->change_count);
    }
}

/* Begins a sync of an open file, or of the directory, and mostly ends it at once. */
static void step_sync(struct reference *reference, uint32_t inode, sq_file file)
{
    struct open_sync *sync = &reference->syncs[below(reference, FLIGHTS)];
    if (sync->is_used) {
        end_sync(reference, sync);
    }
    *sync = (struct open_sync){.is_used = true, .inode = inode};
    sync->call.method = inode == NOTHING ? DISK_SYNC_DIR : DISK_SYNC;
    sync->call.file = file;
    disk_begin(reference->disk, reference->now_ns, &sync->call);
    CHECK_EQUAL(sync->call.status, SQ_OK);
    sync->version = inode == NOTHING ? 0 : reference->inodes[inode].version_count - 1;
    sync->change_count = reference->change_count;
    if (below(reference, 3) > 0) {
        end_sync(reference, sync);
    }
}

static void push_change(struct reference *reference, struct change change)
{
    ASSERT(reference->change_count < CHANGES);
    reference->changes[reference->change_count] = change;
    reference->change_count++;
}

static void unlist(struct reference *reference, uint32_t name)
{
    uint32_t at = 0;
    while (reference->order[at] != name) {
        at++;
    }
    reference->order_count--;
    memmove(reference->order + at, reference->order + at + 1,
            (reference->order_count - at) * sizeof(uint32_t));
}

static struct version *push_version(struct reference *reference, uint32_t inode)
{
    struct reference_inode *it = &reference->inodes[inode];
    ASSERT(it->version_count < VERSIONS);
    it->versions[it->version_count] = it->versions[it->version_count - 1];
    it->version_count++;
    return last_version(reference, inode);
}

static void step_truncate(struct reference *reference, uint32_t inode, uint32_t size)
{
    if (last_version(reference, inode)->size != size) {
        struct version *version = push_version(reference, inode);
        version->write_start = 0;
        version->write_end = 0;
        version->cut = size;
        if (size < version->size) {
            memset(version->data + size, 0, version->size - size);
        }
        version->size = size;
    }
}

static void step_open(struct reference *reference, struct open_file *open)
{
    uint32_t name = below(reference, NAMES);
    uint32_t flags = below(reference, 8);
    bool is_new = reference->cached[name] == NOTHING;
    bool is_full = reference->inode_count == INODES;
    if (is_new && is_full) {
        flags &= ~(uint32_t)SQ_OPEN_CREATE;
    }
    struct disk_call call = {.method = DISK_OPEN, .name = names[name], .flags = flags};
    perform(reference, &call);
    enum sq_status expected = SQ_OK;
    if (is_new && (flags & SQ_OPEN_CREATE) == 0) {
        expected = SQ_E_NOENT;
    } else if (!is_new && (flags & 3) == 3) {
        expected = SQ_E_EXIST;
    }
    CHECK_EQUAL(call.status, expected);
    if (call.status != SQ_OK) {
        return;
    }
    if (is_new) {
        uint32_t inode = reference->inode_count;
        reference->inode_count++;
        memset(&reference->inodes[inode].versions[0], 0, sizeof(struct version));
        reference->inodes[inode].version_count = 1;
        reference->cached[name] = inode;
        reference->order[reference->order_count] = name;
        reference->order_count++;
        push_change(reference, (struct change){name, NOTHING, inode});
    } else if ((flags & SQ_OPEN_TRUNCATE) != 0) {
        step_truncate(reference, reference->cached[name], 0);
    }
    *open = (struct open_file){call.opened, reference->cached[name]};
}

static void step_file(struct reference *reference, struct open_file *open)
{
    static const uint32_t places[] = {0, 100, 511, 512, 1000, 4095, 4096, 5000, 8192};
    static const uint32_t sizes[] = {1, 100, 512, 700, 1024, 4000, 4096};
    static uint8_t data[4096];
    uint32_t offset = places[below(reference, ARRAY_COUNT(places))];
    uint32_t size = sizes[below(reference, ARRAY_COUNT(sizes))];
    uint32_t what = below(reference, 10);
    if (what < 5) {
        uint32_t end = last_version(reference, open->inode)->size;
        offset = below(reference, 2) == 0 && end + size <= FILE_BYTES ? end : offset;
        /* Half of the writes are nearly all zeros, as pages of many files are. */
        uint32_t filled = below(reference, 2) == 0 ? size : below(reference, 200);
        for (uint32_t i = 0; i < size; i++) {
            data[i] = i < filled ? (uint8_t)rng_u64(&reference->rng) : 0;
        }
        struct disk_call call = {.method = DISK_WRITE,
                                 .file = open->file,
                                 .source = data,
                                 .size = size,
                                 .offset = offset};
        CHECK_EQUAL(perform(reference, &call), SQ_OK);
        struct version *version = push_version(reference, open->inode);
        memcpy(version->data + offset, data, size);
        version->write_start = offset;
        version->write_end = offset + size;
        version->cut = NOTHING;
        version->size = offset + size > version->size ? offset + size : version->size;
    } else if (what < 7) {
        struct disk_call call = {.method = DISK_TRUNCATE, .file = open->file, .offset = offset};
        CHECK_EQUAL(perform(reference, &call), SQ_OK);
        step_truncate(reference, open->inode, offset);
    } else if (what < 9) {
        step_sync(reference, open->inode, open->file);
    } else {
        struct disk_call call = {.method = DISK_CLOSE, .file = open->file};
        CHECK_EQUAL(perform(reference, &call), SQ_OK);
        open->file = 0;
    }
}

static void step_remove(struct reference *reference)
{
    uint32_t name = below(reference, NAMES);
    struct disk_call call = {.method = DISK_REMOVE, .name = names[name]};
    perform(reference, &call);
    CHECK_EQUAL(call.status, reference->cached[name] == NOTHING ? SQ_E_NOENT : SQ_OK);
    if (call.status == SQ_OK) {
        reference->cached[name] = NOTHING;
        unlist(reference, name);
        push_change(reference, (struct change){name, NOTHING, NOTHING});
    }
}

static void step_rename(struct reference *reference)
{
    uint32_t name = below(reference, NAMES);
    uint32_t to = below(reference, NAMES);
    struct disk_call call = {.method = DISK_RENAME, .name = names[name], .name_to = names[to]};
    perform(reference, &call);
    CHECK_EQUAL(call.status, reference->cached[name] == NOTHING ? SQ_E_NOENT : SQ_OK);
    if (call.status == SQ_OK && name != to) {
        if (reference->cached[to] == NOTHING) {
            reference->order[reference->order_count] = to;
            reference->order_count++;
        }
        reference->cached[to] = reference->cached[name];
        reference->cached[name] = NOTHING;
        unlist(reference, name);
        push_change(reference, (struct change){name, to, reference->cached[to]});
    }
}

static void forget_process(struct reference *reference)
{
    memset(reference->files, 0, sizeof(reference->files));
    memset(reference->syncs, 0, sizeof(reference->syncs));
}

/* The state that was found is the new truth. */
static void adopt(struct reference *reference, const struct found *found)
{
    forget_process(reference);
    reference->change_count = 0;
    reference->inode_count = 0;
    reference->order_count = 0;
    for (uint32_t name = 0; name < NAMES; name++) {
        uint32_t inode = found[name].is_there ? reference->inode_count : NOTHING;
        reference->cached[name] = inode;
        reference->durable[name] = inode;
        if (inode != NOTHING) {
            reference->inode_count++;
            struct reference_inode *it = &reference->inodes[inode];
            memset(&it->versions[0], 0, sizeof(struct version));
            it->version_count = 1;
            it->versions[0].size = found[name].size;
            memcpy(it->versions[0].data, found[name].data, found[name].size);
        }
    }
    const char *listed;
    for (uint32_t i = 0; i < NAMES && (listed = disk_list(reference->disk, i)) != NULL; i++) {
        for (uint32_t name = 0; name < NAMES; name++) {
            if (strcmp(names[name], listed) == 0) {
                reference->order[reference->order_count] = name;
                reference->order_count++;
            }
        }
    }
}

/* The digest of a disk that holds just these files, made by plain writes. */
static uint64_t digest_of(struct reference *reference, bool is_durable)
{
    disk_reset(reference->other, &reference->spec, rng_stream(1, "other", 0, "disk"));
    struct disk *disk = reference->disk;
    reference->disk = reference->other;
    for (uint32_t name = 0; name < NAMES; name++) {
        uint32_t inode = is_durable ? reference->durable[name] : reference->cached[name];
        if (inode != NOTHING) {
            const struct version *version =
                is_durable ? &reference->inodes[inode].versions[0] : last_version(reference, inode);
            struct disk_call open = {.method = DISK_OPEN, .name = names[name], .flags = 1};
            perform(reference, &open);
            struct disk_call write = {.method = DISK_WRITE,
                                      .file = open.opened,
                                      .source = version->data,
                                      .size = version->size};
            perform(reference, &write);
            struct disk_call sync = {.method = DISK_SYNC, .file = open.opened};
            perform(reference, &sync);
        }
    }
    struct disk_call sync_dir = {.method = DISK_SYNC_DIR};
    perform(reference, &sync_dir);
    reference->disk = disk;
    return disk_durable_digest(reference->other);
}

static void step_power(struct reference *reference)
{
    static struct found found[NAMES];
    uint64_t durable = digest_of(reference, true);
    uint64_t visible = digest_of(reference, false);
    CHECK_EQUAL(disk_durable_digest(reference->disk), durable);
    disk_power_loss(reference->disk);
    uint64_t digest = disk_durable_digest(reference->disk);
    if (durable != visible) {
        reference->nothing_count += digest == durable ? 1 : 0;
        reference->everything_count += digest == visible ? 1 : 0;
        reference->loss_count++;
    }
    find_all(reference, found);
    if (!is_state_legal(reference, found)) {
        reference->is_wrong = true;
    }
    adopt(reference, found);
    CHECK_EQUAL(digest_of(reference, true), digest);
    check_visible(reference);
    /* Nothing is unsynced now: another power loss changes nothing. */
    disk_power_loss(reference->disk);
    check_visible(reference);
    CHECK_EQUAL(disk_durable_digest(reference->disk), digest);
}

static void step(struct reference *reference)
{
    uint32_t what = below(reference, 40);
    struct open_file *open = &reference->files[below(reference, FILES)];
    if (reference->change_count == CHANGES || what < 3) {
        step_sync(reference, NOTHING, 0);
        while (reference->change_count == CHANGES) {
            for (uint32_t i = 0; i < FLIGHTS; i++) {
                if (reference->syncs[i].is_used) {
                    end_sync(reference, &reference->syncs[i]);
                }
            }
        }
    } else if (what < 5) {
        step_remove(reference);
    } else if (what < 7) {
        step_rename(reference);
    } else if (what == 7) {
        disk_crash(reference->disk);
        forget_process(reference);
    } else if (what == 8) {
        step_power(reference);
    } else if (open->file != 0) {
        step_file(reference, open);
    } else {
        step_open(reference, open);
    }
}

static struct reference *reference_new(void)
{
    struct reference *reference = calloc(1, sizeof(*reference));
    ASSERT(reference != NULL);
    reference->disk = disk_new();
    reference->other = disk_new();
    return reference;
}

static void reference_free(struct reference *reference)
{
    disk_free(reference->disk);
    disk_free(reference->other);
    free(reference);
}

/* A history of `steps` steps that ends with a power loss; false when something was not as it
 * should be. */
static bool run_history(struct reference *reference, const struct spec_disk *spec, uint64_t seed,
                        uint32_t steps)
{
    static const struct found nothing[NAMES];
    reference->spec = *spec;
    reference->rng = rng_stream(seed, "history", 0, "steps");
    reference->is_wrong = false;
    disk_reset(reference->disk, &reference->spec, rng_stream(seed, "history", 0, "disk"));
    adopt(reference, nothing);
    for (uint32_t i = 0; i < steps && !reference->is_wrong; i++) {
        step(reference);
        check_visible(reference);
    }
    step_power(reference);
    if (reference->is_wrong) {
        printf("seed %u: the disk and the reference differ\n", (unsigned)seed);
    }
    return !reference->is_wrong;
}

static struct spec_disk plain(enum spec_directory directory, uint32_t sector_bytes)
{
    return (struct spec_disk){
        .capacity_bytes = INT64_MAX, .directory = directory, .sector_bytes = sector_bytes};
}

static uint32_t failures_of(const struct spec_disk *spec, uint64_t seed, uint32_t histories,
                            uint32_t steps)
{
    struct reference *reference = reference_new();
    uint32_t failures = 0;
    for (uint32_t i = 0; i < histories && failures < 3; i++) {
        failures += run_history(reference, spec, seed + i, steps) ? 0 : 1;
    }
    /* A third each; sometimes a subset is empty or everything. */
    CHECK(reference->loss_count > histories / 2);
    CHECK(reference->nothing_count > reference->loss_count / 4);
    CHECK(reference->everything_count > reference->loss_count / 4);
    CHECK(reference->nothing_count + reference->everything_count < reference->loss_count * 19 / 20);
    reference_free(reference);
    return failures;
}

TEST(disk_reference, ordered_directories_with_small_sectors)
{
    struct spec_disk spec = plain(SPEC_DIRECTORY_ORDERED, 512);
    CHECK_EQUAL(failures_of(&spec, 1000, 1000, 30), 0);
}

TEST(disk_reference, strict_directories_with_small_sectors)
{
    struct spec_disk spec = plain(SPEC_DIRECTORY_STRICT, 512);
    CHECK_EQUAL(failures_of(&spec, 20000, 1000, 30), 0);
}

TEST(disk_reference, strict_directories_with_large_sectors)
{
    struct spec_disk spec = plain(SPEC_DIRECTORY_STRICT, 4096);
    CHECK_EQUAL(failures_of(&spec, 300000, 700, 30), 0);
}

/* Short histories end in states that long ones hide. */
TEST(disk_reference, short_histories)
{
    struct spec_disk spec = plain(SPEC_DIRECTORY_ORDERED, 512);
    CHECK_EQUAL(failures_of(&spec, 4000000, 3000, 6), 0);
}
