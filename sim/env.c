/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The seam: the tables of functions through which a node sees the world. Each is a thin door to
 * the engine; whatever takes time blocks the calling fiber. */
#include "sim/base/base.h"
#include "sim/net.h"
#include "sim/node.h"

#include <string.h>

static struct task *self(struct sq_env *env)
{
    struct task *task = node_of(env)->running;
    ASSERT(task != NULL);
    return task;
}

/* Something that takes no time happens on the running fiber. In a loop that never lets go of it the
 * run is over, and the fiber does not come back. */
static void step(struct sq_env *env)
{
    struct node *node = node_of(env);
    if (!world_step(node->world, node)) {
        task_block(self(env));
    }
}

/* ---------------------------------------------------------------------------------------- clock */

static sq_time clock_monotonic_op(struct sq_env *env)
{
    struct node *node = node_of(env);
    step(env);
    return clock_monotonic(&node->clock, world_now(node->world));
}

static sq_time clock_realtime_op(struct sq_env *env)
{
    struct node *node = node_of(env);
    step(env);
    return clock_realtime(&node->clock, world_now(node->world));
}

static void timer_fire(void *context, struct sched_event *event)
{
    struct node *node = context;
    if (node->life != event->words[1]) {
        return;
    }
    world_trace(node->world, TRACE_TIMER, node->index, event->words[0], 0);
    node_post(node, (struct item){.kind = ITEM_TIMER, .tag = event->words[0]});
}

static int64_t timer_time(struct node *node, sq_time delay)
{
    int64_t wait = clock_true_delay(&node->clock, delay < 0 ? 0 : delay);
    return time_add(world_now(node->world), wait);
}

static sq_timer timer_start(struct sq_env *env, sq_time delay, uint64_t tag)
{
    struct node *node = node_of(env);
    sched_handle handle;
    struct sched_event *event = sched_push(&node->world->sched, timer_time(node, delay), &handle);
    event->fire = timer_fire;
    event->context = node;
    event->kind = TRACE_TIMER;
    event->words[0] = tag;
    event->words[1] = node->life;
    return handle;
}

static bool timer_rearm(struct sq_env *env, sq_timer timer, sq_time delay)
{
    struct node *node = node_of(env);
    return sched_rearm(&node->world->sched, timer, timer_time(node, delay));
}

static bool timer_cancel(struct sq_env *env, sq_timer timer)
{
    return sched_cancel(&node_of(env)->world->sched, timer);
}

static void clock_sleep(struct sq_env *env, sq_time delay)
{
    struct node *node = node_of(env);
    task_sleep(self(env), clock_true_delay(&node->clock, delay < 0 ? 0 : delay), TRACE_WAKE);
}

static const struct sq_clock_ops clock_ops = {
    clock_monotonic_op, clock_realtime_op, timer_start, timer_rearm, timer_cancel, clock_sleep,
};

/* -------------------------------------------------------------------------------------- network */

static void net_send_op(struct sq_env *env, sq_node to, const struct sq_buffer *buffers,
                        uint32_t count)
{
    struct node *node = node_of(env);
    ASSERT(to < node->world->node_count);
    size_t size = 0;
    for (uint32_t i = 0; i < count; i++) {
        size += buffers[i].size;
    }
    struct packet *packet = packet_new(node->world->net, size);
    packet->from = node->index;
    packet->to = to;
    packet->kind = PACKET_MESSAGE;
    uint8_t *at = packet->data;
    for (uint32_t i = 0; i < count; i++) {
        if (buffers[i].size > 0) {
            memcpy(at, buffers[i].data, buffers[i].size);
            at += buffers[i].size;
        }
    }
    net_send(node->world->net, packet);
}

static const struct sq_net_ops net_ops = {net_send_op};

/* ----------------------------------------------------------------------------------------- disk */

static enum sq_status disk_do(struct sq_env *env, struct disk_call *call)
{
    struct node *node = node_of(env);
    struct world *world = node->world;
    int64_t now = world_now(world);
    step(env);
    uint64_t content = call->method == DISK_WRITE ? hash_bytes(call->source, call->size) : 0;
    disk_begin(node->disk, now, call);
    ASSERT(call->done_ns >= now);
    task_sleep(self(env), call->done_ns - now, TRACE_DISK);
    disk_end(node->disk, call);
    if (call->method == DISK_READ && call->status == SQ_OK) {
        content = hash_bytes(call->data, call->got);
    }
    world_trace(world, TRACE_DISK, node->index,
                ((uint64_t)call->method << 56) ^ ((uint64_t)call->status << 48) ^ call->size,
                content ^ call->offset);
    return call->status;
}

static enum sq_status disk_open(struct sq_env *env, const char *name, uint32_t flags, sq_file *file)
{
    struct disk_call call = {.method = DISK_OPEN, .name = name, .flags = flags};
    enum sq_status status = disk_do(env, &call);
    *file = call.opened;
    return status;
}

static void disk_close(struct sq_env *env, sq_file file)
{
    struct disk_call call = {.method = DISK_CLOSE, .file = file};
    disk_do(env, &call);
}

static enum sq_status disk_read(struct sq_env *env, sq_file file, void *data, size_t size,
                                uint64_t offset, size_t *got)
{
    struct disk_call call = {
        .method = DISK_READ, .file = file, .data = data, .size = size, .offset = offset};
    enum sq_status status = disk_do(env, &call);
    *got = call.got;
    return status;
}

static enum sq_status disk_write(struct sq_env *env, sq_file file, const void *data, size_t size,
                                 uint64_t offset)
{
    struct disk_call call = {
        .method = DISK_WRITE, .file = file, .source = data, .size = size, .offset = offset};
    return disk_do(env, &call);
}

static enum sq_status disk_sync(struct sq_env *env, sq_file file)
{
    struct disk_call call = {.method = DISK_SYNC, .file = file};
    return disk_do(env, &call);
}

static enum sq_status disk_truncate(struct sq_env *env, sq_file file, uint64_t size)
{
    struct disk_call call = {.method = DISK_TRUNCATE, .file = file, .offset = size};
    return disk_do(env, &call);
}

static enum sq_status disk_size(struct sq_env *env, sq_file file, uint64_t *size)
{
    struct disk_call call = {.method = DISK_SIZE, .file = file};
    enum sq_status status = disk_do(env, &call);
    *size = call.file_size;
    return status;
}

static enum sq_status disk_remove(struct sq_env *env, const char *name)
{
    struct disk_call call = {.method = DISK_REMOVE, .name = name};
    return disk_do(env, &call);
}

static enum sq_status disk_rename(struct sq_env *env, const char *from, const char *to)
{
    struct disk_call call = {.method = DISK_RENAME, .name = from, .name_to = to};
    return disk_do(env, &call);
}

static bool disk_exists_op(struct sq_env *env, const char *name)
{
    step(env);
    return disk_exists(node_of(env)->disk, name);
}

static enum sq_status disk_sync_dir(struct sq_env *env)
{
    struct disk_call call = {.method = DISK_SYNC_DIR};
    return disk_do(env, &call);
}

static const char *disk_list_op(struct sq_env *env, uint32_t index)
{
    return disk_list(node_of(env)->disk, index);
}

static const struct sq_disk_ops disk_ops = {
    disk_open, disk_close,  disk_read,   disk_write,     disk_sync,     disk_truncate,
    disk_size, disk_remove, disk_rename, disk_exists_op, disk_sync_dir, disk_list_op,
};

/* ---------------------------------------------------------------------------- processor, fibers */

static void cpu_work(struct sq_env *env, sq_time ns)
{
    task_work(self(env), ns);
}

static void cpu_charge(struct sq_env *env, uint32_t operations, size_t bytes)
{
    const struct spec_host *host = &node_of(env)->group->host;
    int64_t ns = (int64_t)operations * host->per_operation_ns;
    ns += (int64_t)((__int128)bytes * host->per_byte_ps / 1000);
    task_work(self(env), ns);
}

static void cpu_pass(struct sq_env *env, sq_time ns)
{
    task_pass(self(env), ns);
}

static const struct sq_cpu_ops cpu_ops = {cpu_work, cpu_charge, cpu_pass};

static sq_fiber fiber_spawn(struct sq_env *env, void (*entry)(struct sq_env *env, void *argument),
                            void *argument)
{
    return task_id(task_spawn(node_of(env), entry, argument));
}

static sq_fiber fiber_self(struct sq_env *env)
{
    return task_id(self(env));
}

static void fiber_park(struct sq_env *env)
{
    struct task *task = self(env);
    if (task->has_permit) {
        task->has_permit = false;
        return;
    }
    task->is_parked = true;
    task_block(task);
    ASSERT(!task->is_parked);
}

static void fiber_unpark(struct sq_env *env, sq_fiber fiber)
{
    struct task *task = task_find(node_of(env), fiber);
    if (task == NULL) {
        return;
    }
    if (!task->is_parked) {
        task->has_permit = true;
        return;
    }
    task->is_parked = false;
    task_wake(task);
}

static void fiber_post(struct sq_env *env, void (*run)(struct sq_env *env, void *argument),
                       void *argument)
{
    node_post(node_of(env), (struct item){.kind = ITEM_POST, .run = run, .argument = argument});
}

static const struct sq_fiber_ops fiber_ops = {fiber_spawn, fiber_self, fiber_park, fiber_unpark,
                                              fiber_post};

/* ------------------------------------------------------------------------------- chance, memory */

static uint64_t rand_u64(struct sq_env *env)
{
    return rng_u64(&node_of(env)->rand);
}

static uint64_t rand_below(struct sq_env *env, uint64_t bound)
{
    return rng_below(&node_of(env)->rand, bound);
}

static void rand_fill(struct sq_env *env, void *data, size_t size)
{
    uint8_t *at = data;
    while (size > 0) {
        uint64_t word = rng_u64(&node_of(env)->rand);
        size_t part = size < sizeof(word) ? size : sizeof(word);
        memcpy(at, &word, part);
        at += part;
        size -= part;
    }
}

static const struct sq_rand_ops rand_ops = {rand_u64, rand_below, rand_fill};

static void *mem_alloc(struct sq_env *env, size_t size)
{
    return heap_alloc(&node_of(env)->heap, size);
}

static void *mem_realloc(struct sq_env *env, void *pointer, size_t size)
{
    return heap_realloc(&node_of(env)->heap, pointer, size);
}

static void mem_free(struct sq_env *env, void *pointer)
{
    heap_free(&node_of(env)->heap, pointer);
}

static size_t mem_size(struct sq_env *env, const void *pointer)
{
    (void)env;
    return heap_size(pointer);
}

static const struct sq_mem_ops mem_ops = {mem_alloc, mem_realloc, mem_free, mem_size};

/* ---------------------------------------------------------------------------------------- calls */

static void call_reply(struct sq_env *env, struct sq_reply_to to, enum sq_status status,
                       sq_node leader, const void *data, size_t size)
{
    struct node *node = node_of(env);
    world_reply(node->world, node->index,
                &(struct sq_reply_options){.to = to,
                                           .status = status,
                                           .has_leader = leader != SQ_NODE_NONE,
                                           .leader = leader,
                                           .data = data,
                                           .size = size});
}

static void call_reply_with(struct sq_env *env, const struct sq_reply_options *options)
{
    struct node *node = node_of(env);
    world_reply(node->world, node->index, options);
}

/* A call in progress: kept in the node's memory, so a crash forgets it. */
struct pending_call {
    struct node *node;
    void (*on_reply)(struct sq_env *env, void *argument, enum sq_status status, const void *data,
                     size_t size);
    void *argument;
    enum sq_status status;
    void *data;
    size_t size;
};

static void call_answer(struct sq_env *env, void *argument)
{
    struct pending_call *call = argument;
    call->on_reply(env, call->argument, call->status, call->data, call->size);
    heap_free(&node_of(env)->heap, call->data);
    heap_free(&node_of(env)->heap, call);
}

static void call_done(void *context, uint64_t word, const struct stub_result *result)
{
    (void)word;
    struct pending_call *call = context;
    call->status = result->status;
    if (result->status != SQ_OK && !result->is_definite) {
        call->status = SQ_E_TIMEOUT;
    }
    call->size = result->size;
    call->data = heap_alloc(&call->node->heap, result->size);
    if (result->size > 0) {
        memcpy(call->data, result->data, result->size);
    }
    node_post(call->node, (struct item){.kind = ITEM_POST, .run = call_answer, .argument = call});
}

/* True time at which the node's clock shows `local_ns`. */
static int64_t true_time(const struct node *node, int64_t local_ns)
{
    const int64_t now = world_now(node->world);
    const int64_t left_ns = local_ns - clock_monotonic(&node->clock, now);
    return left_ns <= 0 ? now : now + clock_true_delay(&node->clock, left_ns);
}

/* Index of a group that this node's group has a client policy for; UINT32_MAX: none. */
static uint32_t callable_group(const struct node *node, const char *group)
{
    const struct run_spec *spec = node->world->spec;
    for (uint32_t i = 0; i < node->group->client_count; i++) {
        const uint32_t target = node->group->clients[i].target_group;
        if (strcmp(spec->groups[target].name, group) == 0) {
            return target;
        }
    }
    return UINT32_MAX;
}

static void call_with(struct sq_env *env, const struct sq_call_options *options)
{
    struct node *node = node_of(env);
    ASSERT(options->on_reply != NULL);
    struct pending_call *call = heap_alloc(&node->heap, sizeof(*call));
    *call = (struct pending_call){
        node, options->on_reply, options->argument, SQ_E_NODE_NOT_FOUND, NULL, 0};
    const uint32_t group = callable_group(node, options->group);
    if (group == UINT32_MAX ||
        (options->has_index && options->index >= node->world->spec->groups[group].count)) {
        node_post(node, (struct item){.kind = ITEM_POST, .run = call_answer, .argument = call});
        return;
    }
    stub_call(node_stub(node, group),
              &(struct stub_call_options){
                  .data = options->data,
                  .size = options->size,
                  .intended_ns = world_now(node->world),
                  .has_end = options->has_deadline,
                  .end_ns = options->has_deadline ? true_time(node, options->deadline) : 0,
                  .has_index = options->has_index,
                  .index = options->index,
                  .on_done = call_done,
                  .context = call,
              });
}

static void call_before(struct sq_env *env, const char *group, const void *data, size_t size,
                        void (*on_reply)(struct sq_env *env, void *argument, enum sq_status status,
                                         const void *data, size_t size),
                        void *argument, sq_time deadline)
{
    call_with(env, &(struct sq_call_options){.group = group,
                                             .data = data,
                                             .size = size,
                                             .on_reply = on_reply,
                                             .argument = argument,
                                             .has_deadline = deadline != INT64_MAX,
                                             .deadline = deadline});
}

static void call_call(struct sq_env *env, const char *group, const void *data, size_t size,
                      void (*on_reply)(struct sq_env *env, void *argument, enum sq_status status,
                                       const void *data, size_t size),
                      void *argument)
{
    call_before(env, group, data, size, on_reply, argument, INT64_MAX);
}

static uint32_t call_group_size(struct sq_env *env, const char *group)
{
    const struct node *node = node_of(env);
    const uint32_t index = callable_group(node, group);
    return index == UINT32_MAX ? 0 : node->world->spec->groups[index].count;
}

static const struct sq_call_ops call_ops = {call_reply, call_call,       call_before,
                                            call_with,  call_group_size, call_reply_with};

/* ----------------------------------------------------------------------------------- being seen */

static void trace_see(struct sq_env *env, enum sq_see what, uint64_t a, uint64_t b, uint64_t c,
                      const char *text)
{
    struct node *node = node_of(env);
    struct world *world = node->world;
    ASSERT((unsigned)what < SQ_SEE_COUNT);
    world_trace(world, TRACE_SEEN, node->index, ((uint64_t)what << 48) ^ a, hash_mix(b, c));
    if (world->observer->on_seen != NULL) {
        struct sq_seen seen = {world_now(world),
                               world_event(world),
                               node->index,
                               env->incarnation,
                               what,
                               a,
                               b,
                               c,
                               text};
        world->observer->on_seen(world->observer->context, &seen);
    }
}

static void trace_role(struct sq_env *env, enum sq_role role)
{
    node_of(env)->role = role;
}

static void trace_always(struct sq_env *env, bool holds, const char *name, const char *text)
{
    struct node *node = node_of(env);
    const struct sq_observer *observer = node->world->observer;
    if (!holds && observer->on_always != NULL) {
        observer->on_always(observer->context, node->index, world_now(node->world),
                            world_event(node->world), name, text);
    }
}

static void trace_sometimes(struct sq_env *env, const char *name)
{
    struct node *node = node_of(env);
    const struct sq_observer *observer = node->world->observer;
    if (observer->on_sometimes != NULL) {
        observer->on_sometimes(observer->context, node->index, world_now(node->world), name);
    }
}

__attribute__((format(printf, 2, 3))) static void trace_log(struct sq_env *env, const char *format,
                                                            ...)
{
    struct node *node = node_of(env);
    struct trace *trace = &node->world->trace;
    if (trace->sinks == NULL) {
        return;
    }
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    struct trace_record record = {world_now(node->world), TRACE_LOG, node->index, 0, 0};
    trace_tell(trace, &record, text);
}

static const struct sq_trace_ops trace_ops = {trace_see, trace_role, trace_always, trace_sometimes,
                                              trace_log};

void env_init(struct node *node)
{
    struct sq_env *env = &node->env;
    env->abi_version = SQ_ABI_VERSION;
    env->self = node->index;
    env->group_first = node->group->first;
    env->group_size = node->group->count;
    env->incarnation = 0;
    env->options = node->group->options;
    env->clock = &clock_ops;
    env->net = &net_ops;
    env->disk = &disk_ops;
    env->cpu = &cpu_ops;
    env->fiber = &fiber_ops;
    env->rand = &rand_ops;
    env->mem = &mem_ops;
    env->call = &call_ops;
    env->trace = &trace_ops;
}
