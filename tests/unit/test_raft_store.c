/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The files of a raft node, on a small disk of our own that knows what is durable: names and
 * inodes, each with what the page cache shows and what a power loss leaves. After `calls_left`
 * disk calls the machine is dead: every further call fails and changes nothing. So a script can be
 * stopped at each of its disk calls, and the images that a crash may leave there be looked at one
 * by one. */
#include "models/raft/store.h"

#include <stdio.h>
#include <stdlib.h>

#include "models/raft/checksum.h"
#include "tests/unit/harness.h"

#define INODES     512
#define NAMES      64
#define FILE_BYTES (2 << 20)

struct inode {
    uint8_t *cached;
    size_t cached_size;
    uint8_t *durable;
    size_t durable_size;
};

struct names {
    char name[NAMES][40];
    uint32_t inode[NAMES];
    uint32_t count;
};

struct machine {
    struct sq_env env; /* first */
    struct inode inodes[INODES];
    uint32_t inode_count;
    struct names cached;
    struct names durable;
    int64_t calls_left;
    int64_t calls;
    enum sq_status failure; /* of calls past calls_left */
    void *blocks[4096];
    uint32_t block_count;
};

static struct machine *machine_of(struct sq_env *env)
{
    return (struct machine *)env;
}

static bool is_dead(struct machine *machine)
{
    machine->calls++;
    return machine->calls_left-- <= 0;
}

static int find_name(const struct names *names, const char *name)
{
    for (uint32_t i = 0; i < names->count; i++) {
        if (strcmp(names->name[i], name) == 0) {
            return (int)i;
        }
    }
    return -1;
}

static void drop_name(struct names *names, int place)
{
    for (uint32_t i = (uint32_t)place; i + 1 < names->count; i++) {
        memcpy(names->name[i], names->name[i + 1], sizeof(names->name[i]));
        names->inode[i] = names->inode[i + 1];
    }
    names->count--;
}

static void add_name(struct names *names, const char *name, uint32_t inode)
{
    CU_ASSERT_FATAL(names->count < NAMES);
    snprintf(names->name[names->count], sizeof(names->name[0]), "%s", name);
    names->inode[names->count++] = inode;
}

static enum sq_status disk_open(struct sq_env *env, const char *name, uint32_t flags, sq_file *file)
{
    struct machine *machine = machine_of(env);
    if (is_dead(machine)) {
        return machine->failure;
    }
    int place = find_name(&machine->cached, name);
    if (place >= 0 && (flags & SQ_OPEN_EXCLUSIVE) != 0) {
        return SQ_E_EXIST;
    }
    if (place < 0 && (flags & SQ_OPEN_CREATE) == 0) {
        return SQ_E_NOENT;
    }
    if (place < 0) {
        CU_ASSERT_FATAL(machine->inode_count < INODES);
        struct inode *inode = &machine->inodes[machine->inode_count];
        inode->cached = inode->cached != NULL ? inode->cached : malloc(FILE_BYTES);
        inode->durable = inode->durable != NULL ? inode->durable : malloc(FILE_BYTES);
        inode->cached_size = 0;
        inode->durable_size = 0;
        add_name(&machine->cached, name, machine->inode_count++);
        place = (int)machine->cached.count - 1;
    }
    *file = machine->cached.inode[place] + 1;
    if ((flags & SQ_OPEN_TRUNCATE) != 0) {
        machine->inodes[*file - 1].cached_size = 0;
    }
    return SQ_OK;
}

static void disk_close(struct sq_env *env, sq_file file)
{
    (void)env;
    (void)file;
}

static enum sq_status disk_read(struct sq_env *env, sq_file file, void *data, size_t size,
                                uint64_t offset, size_t *got)
{
    struct machine *machine = machine_of(env);
    const struct inode *inode = &machine->inodes[file - 1];
    if (is_dead(machine)) {
        return machine->failure;
    }
    *got = offset >= inode->cached_size ? 0 : inode->cached_size - (size_t)offset;
    *got = *got > size ? size : *got;
    memcpy(data, inode->cached + offset, *got);
    return SQ_OK;
}

static enum sq_status disk_write(struct sq_env *env, sq_file file, const void *data, size_t size,
                                 uint64_t offset)
{
    struct machine *machine = machine_of(env);
    struct inode *inode = &machine->inodes[file - 1];
    if (is_dead(machine)) {
        return machine->failure;
    }
    CU_ASSERT_FATAL(offset + size <= FILE_BYTES);
    if (offset > inode->cached_size) {
        memset(inode->cached + inode->cached_size, 0, offset - inode->cached_size);
    }
    memcpy(inode->cached + offset, data, size);
    if (offset + size > inode->cached_size) {
        inode->cached_size = (size_t)offset + size;
    }
    return SQ_OK;
}

static enum sq_status disk_sync(struct sq_env *env, sq_file file)
{
    struct machine *machine = machine_of(env);
    struct inode *inode = &machine->inodes[file - 1];
    if (is_dead(machine)) {
        return machine->failure;
    }
    memcpy(inode->durable, inode->cached, inode->cached_size);
    inode->durable_size = inode->cached_size;
    return SQ_OK;
}

static enum sq_status disk_truncate(struct sq_env *env, sq_file file, uint64_t size)
{
    struct machine *machine = machine_of(env);
    if (is_dead(machine)) {
        return machine->failure;
    }
    CHECK(size <= machine->inodes[file - 1].cached_size);
    machine->inodes[file - 1].cached_size = (size_t)size;
    return SQ_OK;
}

static enum sq_status disk_size(struct sq_env *env, sq_file file, uint64_t *size)
{
    struct machine *machine = machine_of(env);
    if (is_dead(machine)) {
        return machine->failure;
    }
    *size = machine->inodes[file - 1].cached_size;
    return SQ_OK;
}

static enum sq_status disk_remove(struct sq_env *env, const char *name)
{
    struct machine *machine = machine_of(env);
    if (is_dead(machine)) {
        return machine->failure;
    }
    int place = find_name(&machine->cached, name);
    if (place < 0) {
        return SQ_E_NOENT;
    }
    drop_name(&machine->cached, place);
    return SQ_OK;
}

static enum sq_status disk_rename(struct sq_env *env, const char *from, const char *to)
{
    struct machine *machine = machine_of(env);
    if (is_dead(machine)) {
        return machine->failure;
    }
    uint32_t inode = machine->cached.inode[find_name(&machine->cached, from)];
    drop_name(&machine->cached, find_name(&machine->cached, from));
    if (find_name(&machine->cached, to) >= 0) {
        drop_name(&machine->cached, find_name(&machine->cached, to));
    }
    add_name(&machine->cached, to, inode);
    return SQ_OK;
}

static bool disk_exists(struct sq_env *env, const char *name)
{
    return find_name(&machine_of(env)->cached, name) >= 0;
}

static enum sq_status disk_sync_dir(struct sq_env *env)
{
    struct machine *machine = machine_of(env);
    if (is_dead(machine)) {
        return machine->failure;
    }
    machine->durable = machine->cached;
    return SQ_OK;
}

static const char *disk_list(struct sq_env *env, uint32_t index)
{
    struct machine *machine = machine_of(env);
    return index < machine->cached.count ? machine->cached.name[index] : NULL;
}

static const struct sq_disk_ops disk_ops = {
    disk_open, disk_close,  disk_read,   disk_write,  disk_sync,     disk_truncate,
    disk_size, disk_remove, disk_rename, disk_exists, disk_sync_dir, disk_list,
};

static void *mem_realloc(struct sq_env *env, void *pointer, size_t size)
{
    struct machine *machine = machine_of(env);
    for (uint32_t i = 0; i < machine->block_count; i++) {
        if (pointer != NULL && machine->blocks[i] == pointer) {
            machine->blocks[i] = realloc(pointer, size);
            return machine->blocks[i];
        }
    }
    CU_ASSERT_FATAL(pointer == NULL);
    CU_ASSERT_FATAL(machine->block_count < 4096);
    return machine->blocks[machine->block_count++] = malloc(size);
}

static void *mem_alloc(struct sq_env *env, size_t size)
{
    return mem_realloc(env, NULL, size);
}

static void mem_free(struct sq_env *env, void *pointer)
{
    struct machine *machine = machine_of(env);
    for (uint32_t i = 0; pointer != NULL && i < machine->block_count; i++) {
        if (machine->blocks[i] == pointer) {
            free(pointer);
            machine->blocks[i] = machine->blocks[--machine->block_count];
            return;
        }
    }
    CHECK(pointer == NULL);
}

static const struct sq_mem_ops mem_ops = {
    .alloc = mem_alloc, .realloc = mem_realloc, .free = mem_free};

static void forget_memory(struct machine *machine)
{
    for (uint32_t i = 0; i < machine->block_count; i++) {
        free(machine->blocks[i]);
    }
    machine->block_count = 0;
}

static struct machine *machine_new(void)
{
    struct machine *machine = calloc(1, sizeof(*machine));
    machine->env.disk = &disk_ops;
    machine->env.mem = &mem_ops;
    machine->calls_left = INT64_MAX;
    machine->failure = SQ_E_IO;
    return machine;
}

static void machine_free(struct machine *machine)
{
    forget_memory(machine);
    for (uint32_t i = 0; i < INODES; i++) {
        free(machine->inodes[i].cached);
        free(machine->inodes[i].durable);
    }
    free(machine);
}

/* How much of what was not synced survives. */
enum survival {
    NOTHING,
    HALF_OF_EACH_APPEND, /* of what had been written past the durable end, and the names */
    NAMES_ONLY,
    CONTENT_ONLY,
    EVERYTHING,
    SURVIVALS,
};

static void power_loss(struct machine *machine, enum survival survival)
{
    forget_memory(machine);
    for (uint32_t i = 0; i < machine->inode_count; i++) {
        struct inode *inode = &machine->inodes[i];
        bool keeps = survival == CONTENT_ONLY || survival == EVERYTHING;
        if (survival == HALF_OF_EACH_APPEND && inode->cached_size > inode->durable_size) {
            inode->cached_size = (inode->cached_size + inode->durable_size) / 2;
            keeps = true;
        }
        if (!keeps) {
            memcpy(inode->cached, inode->durable, inode->durable_size);
            inode->cached_size = inode->durable_size;
        }
        memcpy(inode->durable, inode->cached, inode->cached_size);
        inode->durable_size = inode->cached_size;
    }
    if (survival == NOTHING || survival == CONTENT_ONLY) {
        machine->cached = machine->durable;
    }
    machine->durable = machine->cached;
    machine->calls_left = INT64_MAX;
}

static struct inode *inode_named(struct machine *machine, const char *name)
{
    int place = find_name(&machine->cached, name);
    CU_ASSERT_FATAL(place >= 0);
    return &machine->inodes[machine->cached.inode[place]];
}

/* --------------------------------------------------------------------- the log as it should be */

#define ENTRIES_MAX 64

struct expected {
    uint64_t snapshot;
    uint64_t first; /* may be later on disk: whole segments go */
    uint64_t last;
    uint64_t term[ENTRIES_MAX];
    uint64_t meta_term;
    uint64_t meta_vote;
};

static size_t payload_of(uint64_t index, uint64_t term, uint8_t payload[256])
{
    size_t size = (size_t)((index * 37 + term * 11) % 200);
    for (size_t i = 0; i < size; i++) {
        payload[i] = (uint8_t)(index * 7 + term * 13 + i);
    }
    return size;
}

static enum sq_status append(struct store *store, uint64_t first, uint64_t last, uint64_t term)
{
    struct store_batch batch = {0};
    uint8_t payload[256];
    for (uint64_t index = first; index <= last; index++) {
        size_t size = payload_of(index, term, payload);
        store_batch_add(store->env, &batch, index, term, 1, payload, size);
    }
    enum sq_status status = store_append(store, &batch);
    store->env->mem->free(store->env, batch.bytes);
    return status;
}

static enum sq_status snapshot(struct store *store, uint64_t index, uint64_t term)
{
    struct store_snapshot put = {.index = index,
                                 .term = term,
                                 .configuration_index = 1,
                                 .configuration = {"conf", 4},
                                 .data = {"the state", 9}};
    return store_put_snapshot(store, &put);
}

/* True when the image holds `log`: all of it, or any prefix that reaches `loose` - 1. */
static bool holds(const struct store_image *image, const struct expected *log, uint64_t loose)
{
    uint8_t payload[256];
    uint64_t last = image->first_index + image->record_count - 1;
    if (image->snapshot.index != log->snapshot || image->first_index > log->snapshot + 1 ||
        last > log->last || last + 1 < loose || image->term != log->meta_term ||
        image->vote != log->meta_vote) {
        return false;
    }
    for (size_t i = 0; i < image->record_count; i++) {
        const struct store_record *record = &image->records[i];
        size_t size = payload_of(record->index, log->term[record->index], payload);
        if (record->index != image->first_index + i || record->term != log->term[record->index] ||
            record->size != size || memcmp(record->data, payload, size) != 0 ||
            record->hash != checksum_entry(record->term, record->type, payload, size)) {
            return false;
        }
    }
    return true;
}

enum step_kind {
    STEP_META,
    STEP_APPEND,
    STEP_CUT,
    STEP_SNAPSHOT,
    STEP_PRUNE,
    STEP_INSTALL,
};

struct step {
    enum step_kind kind;
    uint64_t first;
    uint64_t last;
    uint64_t term;
};

/* Segments are of 600 bytes, so these rotate several times. */
static const struct step script[] = {
    {STEP_APPEND, 1, 1, 1},    {STEP_META, 0, 0, 1},      {STEP_APPEND, 2, 5, 1},
    {STEP_APPEND, 6, 9, 1},    {STEP_APPEND, 10, 11, 1},  {STEP_META, 0, 2, 2},
    {STEP_CUT, 11, 0, 0},      {STEP_APPEND, 11, 14, 2},  {STEP_CUT, 6, 0, 0},
    {STEP_META, 0, 0, 3},      {STEP_APPEND, 6, 9, 3},    {STEP_APPEND, 10, 20, 3},
    {STEP_APPEND, 21, 22, 3},  {STEP_SNAPSHOT, 18, 0, 3}, {STEP_PRUNE, 16, 0, 0},
    {STEP_APPEND, 23, 25, 3},  {STEP_META, 0, 0, 4},      {STEP_INSTALL, 40, 0, 4},
    {STEP_APPEND, 41, 43, 4},  {STEP_CUT, 42, 0, 0},      {STEP_APPEND, 42, 44, 4},
    {STEP_SNAPSHOT, 43, 0, 4},
};
#define STEPS (sizeof(script) / sizeof(script[0]))

static void expect_step(struct expected *log, const struct step *step)
{
    switch (step->kind) {
    case STEP_META:
        log->meta_term = step->term;
        log->meta_vote = step->last;
        break;
    case STEP_APPEND:
        for (uint64_t index = step->first; index <= step->last; index++) {
            log->term[index] = step->term;
        }
        log->last = step->last;
        break;
    case STEP_CUT:
        log->last = step->first - 1;
        break;
    case STEP_SNAPSHOT:
        log->snapshot = step->first;
        break;
    case STEP_PRUNE:
        break;
    case STEP_INSTALL:
        log->snapshot = step->first;
        log->last = step->first;
        log->term[step->first] = step->term;
        break;
    }
}

static enum sq_status do_step(struct store *store, const struct step *step)
{
    enum sq_status status;
    switch (step->kind) {
    case STEP_META:
        return store_set_meta(store, step->term, step->last);
    case STEP_APPEND:
        return append(store, step->first, step->last, step->term);
    case STEP_CUT:
        return store_cut(store, step->first);
    case STEP_SNAPSHOT:
        return snapshot(store, step->first, step->term);
    case STEP_PRUNE:
        return store_prune(store, step->first);
    case STEP_INSTALL:
        status = snapshot(store, step->first, step->term);
        return status == SQ_OK ? store_reset(store, step->first, step->term) : status;
    }
    return SQ_E_INVALID;
}

/* Is what is found what the steps before `done`, and the one in flight, may have left? */
static bool is_allowed(const struct store_image *image, const struct expected *before,
                       const struct expected *after, const struct step *in_flight)
{
    if (image->is_empty) {
        return before->meta_term == 0;
    }
    if (holds(image, before, before->last + 1) || holds(image, after, after->last + 1)) {
        return true;
    }
    if (in_flight == NULL) {
        return false;
    }
    if (in_flight->kind == STEP_APPEND) {
        return holds(image, after, before->last + 1);
    }
    /* Whole segments vanish, newest first. */
    return in_flight->kind == STEP_CUT && holds(image, before, in_flight->first);
}

/* The stores that the same script must get through. */
enum kind {
    SEGMENTS,
    BOLT,
    BOLT_UNSYNCED,
};

static enum sq_status open_as(enum kind kind, struct machine *machine, struct store *store,
                              struct store_image *image)
{
    const struct store_options options = {
        .segment_bytes = 600,
        .is_bolt = kind != SEGMENTS,
        .bolt = {.is_silent = true, .skips_freelist = kind == BOLT_UNSYNCED},
    };
    return store_open_with(store, &machine->env, &options, image);
}

/* Runs the script until the machine dies at its `calls`-th disk call; false when it got to the
 * end. */
static bool run_until(enum kind kind, struct machine *machine, int64_t calls,
                      struct expected *before, struct expected *after,
                      const struct step **in_flight)
{
    struct store store;
    struct store_image image;
    *before = (struct expected){0};
    *in_flight = NULL;
    CHECK_EQUAL(open_as(kind, machine, &store, &image), SQ_OK);
    CHECK(image.is_empty);
    machine->calls_left = calls;
    for (size_t i = 0; i < STEPS; i++) {
        *after = *before;
        expect_step(after, &script[i]);
        int64_t left = machine->calls_left;
        enum sq_status status = do_step(&store, &script[i]);
        if (machine->calls_left < 0) {
            *in_flight = &script[i];
            return true;
        }
        CHECK_EQUAL(status, SQ_OK);
        CHECK(left > machine->calls_left);
        *before = *after;
    }
    return false;
}

static void crash_everywhere(enum kind kind)
{
    uint32_t crashes = 0;
    for (int64_t calls = 0;; calls++) {
        bool is_crash = true;
        for (int survival = 0; survival < SURVIVALS; survival++) {
            struct machine *machine = machine_new();
            struct expected before;
            struct expected after;
            const struct step *in_flight;
            is_crash = run_until(kind, machine, calls, &before, &after, &in_flight);
            power_loss(machine, (enum survival)survival);
            struct store store;
            struct store_image image;
            enum sq_status status = open_as(kind, machine, &store, &image);
            bool is_sound = status == SQ_OK && is_allowed(&image, &before, &after, in_flight);
            CHECK(is_sound);
            if (!is_sound) {
                printf("  call %lld, survival %d, step %d: status %d %s; first %llu, %zu records\n",
                       (long long)calls, survival,
                       in_flight == NULL ? -1 : (int)(in_flight - script), (int)status,
                       image.problem, (unsigned long long)image.first_index, image.record_count);
            }
            /* It must be able to go on. */
            uint64_t next = store.last_index + 1;
            if (is_sound && !image.is_empty && next < ENTRIES_MAX) {
                CHECK_EQUAL(append(&store, next, next, 9), SQ_OK);
            }
            machine_free(machine);
            crashes++;
        }
        if (!is_crash) {
            break;
        }
    }
    CHECK(crashes > 300);
}

TEST(raft_store, every_crash_leaves_what_was_acknowledged)
{
    crash_everywhere(SEGMENTS);
}

TEST(raft_store, every_crash_leaves_it_in_bolt_too)
{
    crash_everywhere(BOLT);
    crash_everywhere(BOLT_UNSYNCED);
}

/* The first, second, ... disk call of the boot itself fails: an error, never a wrong answer. */
static void fail_at_boot(enum kind kind)
{
    for (int64_t calls = 0;; calls++) {
        struct machine *machine = machine_new();
        struct expected before;
        struct expected after;
        const struct step *in_flight;
        run_until(kind, machine, INT64_MAX, &before, &after, &in_flight);
        power_loss(machine, NOTHING);
        machine->calls_left = calls;
        struct store store;
        struct store_image image;
        enum sq_status status = open_as(kind, machine, &store, &image);
        bool is_done = machine->calls_left >= 0;
        CHECK(is_done ? status == SQ_OK
                      : status != SQ_OK || holds(&image, &before, before.last + 1));
        machine_free(machine);
        if (is_done) {
            CHECK(calls > 10);
            break;
        }
    }
}

TEST(raft_store, a_failing_disk_at_boot_is_an_error)
{
    fail_at_boot(SEGMENTS);
}

TEST(raft_store, a_failing_disk_at_boot_is_an_error_in_bolt_too)
{
    fail_at_boot(BOLT);
    fail_at_boot(BOLT_UNSYNCED);
}

/* A log that was emptied knows what it follows, and goes on there. */
TEST(raft_store, an_empty_log_in_bolt_goes_on_where_it_ended)
{
    struct machine *machine = machine_new();
    struct store store;
    struct store_image image;
    CHECK_EQUAL(open_as(BOLT, machine, &store, &image), SQ_OK);
    CHECK(image.is_empty);
    CHECK_EQUAL(store_set_meta(&store, 3, 0), SQ_OK);
    CHECK_EQUAL(append(&store, 1, 8, 3), SQ_OK);
    CHECK_EQUAL(snapshot(&store, 8, 3), SQ_OK);
    CHECK_EQUAL(store_prune(&store, 9), SQ_OK);
    CHECK_EQUAL(store_prune(&store, 9), SQ_OK);
    CHECK_EQUAL(append(&store, 9, 9, 3), SQ_OK);
    for (uint64_t next = 10; next < 13; next++) {
        CHECK_EQUAL(open_as(BOLT, machine, &store, &image), SQ_OK);
        CHECK_EQUAL(image.first_index, 9);
        CHECK_EQUAL(image.record_count, next - 9);
        CHECK_EQUAL(store.last_index, next - 1);
        CHECK_EQUAL(store.last_term, 3);
        CHECK_EQUAL(append(&store, next, next, 3), SQ_OK);
    }
    machine_free(machine);
}

/* The crash between a snapshot from the leader and the reset of a log that is empty anyway. */
TEST(raft_store, an_empty_log_in_bolt_follows_a_newer_snapshot)
{
    struct machine *machine = machine_new();
    struct store store;
    struct store_image image;
    CHECK_EQUAL(open_as(BOLT, machine, &store, &image), SQ_OK);
    CHECK_EQUAL(store_set_meta(&store, 4, 0), SQ_OK);
    CHECK_EQUAL(append(&store, 1, 8, 3), SQ_OK);
    CHECK_EQUAL(snapshot(&store, 8, 3), SQ_OK);
    CHECK_EQUAL(store_prune(&store, 9), SQ_OK);
    CHECK_EQUAL(snapshot(&store, 20, 4), SQ_OK);
    for (uint64_t next = 21; next < 24; next++) {
        CHECK_EQUAL(open_as(BOLT, machine, &store, &image), SQ_OK);
        CHECK_EQUAL(image.first_index, 21);
        CHECK_EQUAL(image.record_count, next - 21);
        CHECK_EQUAL(append(&store, next, next, 4), SQ_OK);
    }
    machine_free(machine);
}

/* Entry 2, of ten pages. */
static enum sq_status append_large(struct store *store)
{
    static const uint8_t payload[40000];
    struct store_batch batch = {0};
    store_batch_add(store->env, &batch, 2, 1, 1, payload, sizeof(payload));
    enum sq_status status = store_append(store, &batch);
    store->env->mem->free(store->env, batch.bytes);
    return status;
}

/* Entries of a file that begins aged are gone, their pages are free, and it happens once. */
TEST(raft_store, a_file_can_begin_aged)
{
    struct machine *machine = machine_new();
    struct store store;
    struct store_image image;
    struct bolt_stats stats;
    struct store_options options = {
        .is_bolt = true, .bolt = {.is_silent = true}, .aged_pages = 256};
    for (uint32_t boot = 0; boot < 3; boot++) {
        CHECK_EQUAL(store_open_with(&store, &machine->env, &options, &image), SQ_OK);
        CHECK_EQUAL(image.record_count, boot == 2 ? 2 : 0);
        CHECK_EQUAL(store.last_index, boot == 2 ? 2 : 0);
        bolt_stats(store.bolt, &stats);
        CHECK(stats.free_pages >= 240);
        CHECK(stats.pages < 300);
        CHECK(boot == 2 || stats.free_pages >= 256);
        if (boot == 1) {
            CHECK_EQUAL(append(&store, 1, 1, 1), SQ_OK);
            CHECK_EQUAL(store_set_meta(&store, 1, 0), SQ_OK);
            CHECK_EQUAL(append_large(&store), SQ_OK);
        }
    }
    machine_free(machine);
}

/* -------------------------------------------------------------------------------------- damage */

struct seen {
    uint64_t count;
    bool is_wrong;
};

static void visit(void *context, const struct store_record *record)
{
    struct seen *seen = context;
    uint8_t payload[256];
    size_t size = payload_of(record->index, 1, payload);
    seen->count++;
    seen->is_wrong = seen->is_wrong || record->index != seen->count || record->size != size ||
                     record->term != 1 || record->type != 1 ||
                     memcmp(record->data, payload, size) != 0;
}

/* One segment, entries 1..8 written as batches 1..4 and 5..8. Returns its bytes. */
static struct inode *two_batches(struct machine *machine, struct store *store)
{
    struct store_image image;
    CHECK_EQUAL(store_open(store, &machine->env, 1 << 20, &image), SQ_OK);
    CHECK_EQUAL(append(store, 1, 4, 1), SQ_OK);
    CHECK_EQUAL(append(store, 5, 8, 1), SQ_OK);
    CHECK_EQUAL(store_set_meta(store, 1, 0), SQ_OK);
    return inode_named(machine, "raft.log.0000000000000001");
}

TEST(raft_store, every_truncation_of_a_segment_gives_a_prefix)
{
    struct machine *machine = machine_new();
    struct store store;
    struct inode *inode = two_batches(machine, &store);
    struct store_segment segment = {.first_index = 1};
    uint64_t before = 0;
    for (size_t size = 0; size <= inode->cached_size; size++) {
        struct seen seen = {0};
        size_t end;
        uint64_t next;
        uint8_t *copy = malloc(size > 0 ? size : 1);
        memcpy(copy, inode->cached, size);
        CHECK(store_scan(copy, size, &segment, visit, &seen, &end, &next));
        CHECK(!seen.is_wrong);
        CHECK(seen.count >= before);
        CHECK_EQUAL(next, seen.count + 1);
        CHECK(end <= size);
        before = seen.count;
        free(copy);
    }
    CHECK_EQUAL(before, 8);
    machine_free(machine);
}

/* Damage in the first batch, which was durable before the second was written, is told from a torn
 * write. */
TEST(raft_store, every_damaged_byte_of_a_segment_is_detected)
{
    struct machine *machine = machine_new();
    struct store store;
    struct inode *inode = two_batches(machine, &store);
    struct store_segment segment = {.first_index = 1};
    size_t second_batch = STORE_SEGMENT_HEADER;
    uint8_t payload[256];
    for (uint64_t index = 1; index <= 4; index++) {
        second_batch += STORE_RECORD_HEADER + ((payload_of(index, 1, payload) + 7) & ~(size_t)7);
    }
    for (size_t place = STORE_SEGMENT_HEADER; place < inode->cached_size; place++) {
        for (int bit = 0; bit < 8; bit += 3) {
            struct seen seen = {0};
            size_t end;
            uint64_t next;
            inode->cached[place] ^= (uint8_t)(1 << bit);
            bool is_sound =
                store_scan(inode->cached, inode->cached_size, &segment, visit, &seen, &end, &next);
            CHECK(!seen.is_wrong);
            CHECK(seen.count < 8);
            CHECK(end <= place);
            CHECK_EQUAL(is_sound, place >= second_batch);
            inode->cached[place] ^= (uint8_t)(1 << bit);
        }
    }
    machine_free(machine);
}

TEST(raft_store, a_damaged_durable_entry_stops_the_boot)
{
    struct machine *machine = machine_new();
    struct store store;
    struct store_image image;
    struct inode *inode = two_batches(machine, &store);
    inode->cached[STORE_SEGMENT_HEADER + STORE_RECORD_HEADER + 3] ^= 4;
    CHECK_EQUAL(store_open(&store, &machine->env, 1 << 20, &image), SQ_E_INVALID);
    CHECK(strstr(image.problem, "raft.log.0000000000000001") != NULL);
    machine_free(machine);
}

TEST(raft_store, a_damaged_segment_header_stops_the_boot)
{
    for (size_t place = 0; place < STORE_SEGMENT_HEADER; place++) {
        struct machine *machine = machine_new();
        struct store store;
        struct store_image image;
        struct inode *inode = two_batches(machine, &store);
        inode->cached[place] ^= 0x10;
        CHECK_EQUAL(store_open(&store, &machine->env, 1 << 20, &image), SQ_E_INVALID);
        machine_free(machine);
    }
}

TEST(raft_store, the_older_slot_of_term_and_vote_stands_when_the_newer_is_torn)
{
    struct machine *machine = machine_new();
    struct store store;
    struct store_image image;
    CHECK_EQUAL(store_open(&store, &machine->env, 1 << 20, &image), SQ_OK);
    CHECK_EQUAL(store_set_meta(&store, 5, 2), SQ_OK);
    CHECK_EQUAL(store_set_meta(&store, 6, 3), SQ_OK);
    struct inode *inode = inode_named(machine, "raft.meta");
    for (size_t place = 0; place < 40; place++) { /* update 2 is in slot 0 */
        inode->cached[place] ^= 0x40;
        CHECK_EQUAL(store_open(&store, &machine->env, 1 << 20, &image), SQ_OK);
        CHECK_EQUAL(image.term, 5);
        CHECK_EQUAL(image.vote, 2);
        inode->cached[place] ^= 0x40;
    }
    CHECK_EQUAL(store_open(&store, &machine->env, 1 << 20, &image), SQ_OK);
    CHECK_EQUAL(image.term, 6);
    CHECK_EQUAL(image.vote, 3);
    CHECK(!image.is_empty);
    machine_free(machine);
}

TEST(raft_store, a_lost_term_file_stops_the_boot)
{
    struct machine *machine = machine_new();
    struct store store;
    struct store_image image;
    two_batches(machine, &store);
    CHECK_EQUAL(disk_remove(&machine->env, "raft.meta"), SQ_OK);
    CHECK_EQUAL(store_open(&store, &machine->env, 1 << 20, &image), SQ_E_INVALID);
    CHECK(strstr(image.problem, "raft.meta") != NULL);
    machine_free(machine);
}

TEST(raft_store, a_term_older_than_the_log_stops_the_boot)
{
    struct machine *machine = machine_new();
    struct store store;
    struct store_image image;
    two_batches(machine, &store);
    CHECK_EQUAL(append(&store, 9, 9, 7), SQ_OK);
    CHECK_EQUAL(store_open(&store, &machine->env, 1 << 20, &image), SQ_E_INVALID);
    machine_free(machine);
}

TEST(raft_store, a_missing_segment_stops_the_boot)
{
    struct machine *machine = machine_new();
    struct store store;
    struct store_image image;
    CHECK_EQUAL(store_open(&store, &machine->env, 300, &image), SQ_OK);
    CHECK_EQUAL(store_set_meta(&store, 1, 0), SQ_OK);
    for (uint64_t index = 1; index <= 20; index++) {
        CHECK_EQUAL(append(&store, index, index, 1), SQ_OK);
    }
    REQUIRE(store.segment_count >= 4);
    char name[40];
    snprintf(name, sizeof(name), "raft.log.%016llx",
             (unsigned long long)store.segments[1].first_index);
    CHECK_EQUAL(disk_remove(&machine->env, name), SQ_OK);
    CHECK_EQUAL(store_open(&store, &machine->env, 300, &image), SQ_E_INVALID);
    machine_free(machine);
}

TEST(raft_store, a_snapshot_comes_back_and_any_damage_to_it_is_detected)
{
    struct machine *machine = machine_new();
    struct store store;
    struct store_image image;
    struct store_snapshot got;
    uint8_t *bytes;
    CHECK_EQUAL(store_open(&store, &machine->env, 1 << 20, &image), SQ_OK);
    CHECK_EQUAL(store_get_snapshot(&store, &got, &bytes), SQ_E_NOENT);
    CHECK_EQUAL(store_set_meta(&store, 3, 0), SQ_OK);
    CHECK_EQUAL(snapshot(&store, 10, 2), SQ_OK);
    CHECK_EQUAL(snapshot(&store, 12, 3), SQ_OK);
    CHECK_EQUAL(store_get_snapshot(&store, &got, &bytes), SQ_OK);
    CHECK_EQUAL(got.index, 12);
    CHECK_EQUAL(got.term, 3);
    CHECK_EQUAL(got.configuration_index, 1);
    CHECK(got.data.size == 9 && memcmp(got.data.data, "the state", 9) == 0);
    CHECK(got.configuration.size == 4 && memcmp(got.configuration.data, "conf", 4) == 0);
    CHECK(find_name(&machine->cached, "raft.snap.000000000000000a") < 0);
    struct inode *inode = inode_named(machine, "raft.snap.000000000000000c");
    for (size_t place = 0; place < inode->cached_size; place++) {
        inode->cached[place] ^= 1;
        CHECK_EQUAL(store_get_snapshot(&store, &got, &bytes), SQ_E_INVALID);
        CHECK_EQUAL(store_open(&store, &machine->env, 1 << 20, &image), SQ_E_INVALID);
        inode->cached[place] ^= 1;
        /* What store_open says is final; a later look needs its fields back. */
        CHECK_EQUAL(store_open(&store, &machine->env, 1 << 20, &image), SQ_OK);
        store_image_release(&store, &image);
    }
    machine_free(machine);
}

/* Entries of another history behind an installed snapshot must not come back. */
TEST(raft_store, a_log_that_contradicts_the_snapshot_is_removed)
{
    struct machine *machine = machine_new();
    struct store store;
    struct store_image image;
    two_batches(machine, &store);
    CHECK_EQUAL(store_set_meta(&store, 4, 0), SQ_OK);
    CHECK_EQUAL(snapshot(&store, 6, 4),
                SQ_OK); /* entry 6 of the log is of term 1; the reset does not happen */
    CHECK_EQUAL(store_open(&store, &machine->env, 1 << 20, &image), SQ_OK);
    CHECK_EQUAL(image.record_count, 0);
    CHECK_EQUAL(image.first_index, 7);
    CHECK_EQUAL(store.last_index, 6);
    CHECK_EQUAL(store.last_term, 4);
    CHECK_EQUAL(append(&store, 7, 8, 4), SQ_OK);
    CHECK_EQUAL(store_open(&store, &machine->env, 1 << 20, &image), SQ_OK);
    CHECK_EQUAL(image.record_count, 2);
    CHECK_EQUAL(image.first_index, 7);
    machine_free(machine);
}

TEST(raft_store, pruning_keeps_what_it_must)
{
    struct machine *machine = machine_new();
    struct store store;
    struct store_image image;
    CHECK_EQUAL(store_open(&store, &machine->env, 300, &image), SQ_OK);
    CHECK_EQUAL(store_set_meta(&store, 1, 0), SQ_OK);
    for (uint64_t index = 1; index <= 20; index++) {
        CHECK_EQUAL(append(&store, index, index, 1), SQ_OK);
    }
    CHECK_EQUAL(snapshot(&store, 19, 1), SQ_OK);
    CHECK_EQUAL(store_prune(&store, 12), SQ_OK);
    CHECK(store.segments[0].first_index <= 12);
    CHECK(store.segments[1].first_index > 12);
    CHECK_EQUAL(store_prune(&store, 1000), SQ_OK);
    CHECK_EQUAL(store.segment_count, 1);
    CHECK_EQUAL(store_open(&store, &machine->env, 300, &image), SQ_OK);
    CHECK_EQUAL(image.first_index + image.record_count, 21);
    machine_free(machine);
}

/* A killed process leaves its writes in the page cache; they count only after the boot has synced
 * them. */
TEST(raft_store, the_boot_makes_durable_what_it_relies_on)
{
    struct machine *machine = machine_new();
    struct store store;
    struct store_image image;
    struct inode *inode = two_batches(machine, &store);
    inode->durable_size = 0;
    CHECK_EQUAL(store_open(&store, &machine->env, 1 << 20, &image), SQ_OK);
    CHECK_EQUAL(image.record_count, 8);
    power_loss(machine, NOTHING);
    CHECK_EQUAL(store_open(&store, &machine->env, 1 << 20, &image), SQ_OK);
    CHECK_EQUAL(image.record_count, 8);
    machine_free(machine);
}
