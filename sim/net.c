/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A message waits for the wire (bandwidth, first come first served), then travels for latency +
 * jitter. On a FIFO link it never overtakes the one before, as on one TCP connection; otherwise
 * jitter reorders. Each link draws from streams of its own, made when it is first used, so a busy
 * link moves nothing on another.
 *
 * What is deliberately not here: retransmission, congestion, routing. A lost message is lost;
 * protocols cope. */
#include "sim/net.h"

#include "sim/base/base.h"
#include "sim/base/units.h"
#include "sim/node.h"

#include <stdlib.h>
#include <string.h>

#define POOL_CLASSES 31 /* packets up to 1 GiB */
#define KEPT_CLASSES 17 /* those above 64 KiB go back to the system when they are not needed */

struct link {
    const struct spec_link *spec; /* NULL: not used yet in this run */
    struct net_filter *filters;
    int64_t wire_free_ns;
    int64_t last_arrival_ns;
    struct rng delay;
    struct rng loss;
    struct rng duplicate;
    int64_t *departures; /* ring of queue_limit times, when the queue is bounded */
    uint32_t departure_first;
    uint32_t departure_count;
};

struct net {
    struct world *world;
    const struct run_spec *spec;
    struct link *links; /* endpoint_count squared */
    uint32_t link_capacity;
    uint32_t endpoint_count;
    struct packet *pool[POOL_CLASSES]; /* free packets by log2 of capacity */
    struct packet *all;                /* every packet, for reset and free */
};

struct net *net_new(struct world *world)
{
    struct net *net = calloc(1, sizeof(*net));
    ASSERT(net != NULL);
    net->world = world;
    return net;
}

void net_free(struct net *net)
{
    while (net->all != NULL) {
        struct packet *packet = net->all;
        net->all = packet->all;
        free(packet);
    }
    free(net->links);
    free(net);
}

static void packet_free(struct net *net, struct packet *packet)
{
    if (packet->all != NULL) {
        packet->all->all_before = packet->all_before;
    }
    if (packet->all_before != NULL) {
        packet->all_before->all = packet->all;
    } else {
        ASSERT(net->all == packet);
        net->all = packet->all;
    }
    free(packet);
}

static void pool_put(struct net *net, struct packet *packet)
{
    uint32_t class = (uint32_t)__builtin_ctz(packet->capacity);
    ASSERT(class < POOL_CLASSES);
    if (class >= KEPT_CLASSES) {
        packet_free(net, packet);
        return;
    }
    packet->next = net->pool[class];
    net->pool[class] = packet;
}

/* Packets that were on their way or in an inbox when the last run ended come back. */
static void pool_recall(struct net *net)
{
    memset(net->pool, 0, sizeof(net->pool));
    for (struct packet *packet = net->all; packet != NULL;) {
        struct packet *next = packet->all;
        pool_put(net, packet);
        packet = next;
    }
}

void net_reset(struct net *net, const struct run_spec *spec)
{
    pool_recall(net);
    net->spec = spec;
    net->endpoint_count = spec->node_count + spec->load_count;
    uint32_t count = net->endpoint_count * net->endpoint_count;
    if (count > net->link_capacity) {
        free(net->links);
        net->links = malloc(count * sizeof(*net->links));
        ASSERT(net->links != NULL);
        net->link_capacity = count;
    }
    memset(net->links, 0, count * sizeof(*net->links));
}

struct packet *packet_new(struct net *net, size_t size)
{
    uint32_t class = size <= 64 ? 6 : 64 - (uint32_t)__builtin_clzll(size - 1);
    ASSERT(class < POOL_CLASSES);
    struct packet *packet = net->pool[class];
    if (packet != NULL) {
        net->pool[class] = packet->next;
    } else {
        size_t capacity = (size_t)1 << class;
        packet = malloc(sizeof(*packet) + capacity);
        if (packet == NULL) {
            fprintf(stderr, "squall: out of memory (message of %zu bytes)\n", size);
            abort();
        }
        packet->capacity = (uint32_t)capacity;
        packet->all = net->all;
        packet->all_before = NULL;
        if (net->all != NULL) {
            net->all->all_before = packet;
        }
        net->all = packet;
    }
    packet->next = NULL;
    packet->references = 1;
    packet->size = (uint32_t)size;
    packet->status = SQ_OK;
    packet->leader = SQ_NODE_NONE;
    packet->is_turned_away = false;
    packet->has_retry_after = false;
    packet->previous_attempts = 0;
    packet->slot = 0;
    packet->deadline_ns = INT64_MAX;
    packet->reply_to = (struct sq_reply_to){0, 0, 0};
    return packet;
}

void packet_unref(struct net *net, struct packet *packet)
{
    ASSERT(packet->references > 0);
    packet->references--;
    if (packet->references == 0) {
        pool_put(net, packet);
    }
}

/* Which law holds between two endpoints: the last rule that matches, in either direction. */
static const struct spec_link *link_law(const struct run_spec *spec, endpoint from, endpoint to)
{
    if (from >= spec->node_count || to >= spec->node_count) {
        return &spec->link_clients;
    }
    uint64_t left = UINT64_C(1) << from;
    uint64_t right = UINT64_C(1) << to;
    for (uint32_t i = spec->link_rule_count; i > 0; i--) {
        const struct spec_link_rule *rule = &spec->link_rules[i - 1];
        if (((rule->from & left) && (rule->to & right)) ||
            ((rule->from & right) && (rule->to & left))) {
            return &rule->link;
        }
    }
    return &spec->link_default;
}

static struct link *link_at(struct net *net, endpoint from, endpoint to)
{
    ASSERT(from < net->endpoint_count);
    ASSERT(to < net->endpoint_count);
    struct link *link = &net->links[from * net->endpoint_count + to];
    if (link->spec == NULL) {
        link->spec = link_law(net->spec, from, to);
        uint64_t name = hash_mix(hash_mix(UINT64_C(0x6e6574), from), to);
        uint64_t seed = net->world->seed;
        link->delay = rng_keyed(seed, name, 0, 1);
        link->loss = rng_keyed(seed, name, 0, 2);
        link->duplicate = rng_keyed(seed, name, 0, 3);
        if (link->spec->queue_limit > 0 && link->departures == NULL) {
            link->departures =
                arena_alloc_array(&net->world->arena, link->spec->queue_limit, sizeof(int64_t));
        }
    }
    return link;
}

/* When the message has left for the wire; -1: the queue is full. */
static int64_t link_depart(struct link *link, int64_t now, uint32_t size, int64_t bandwidth)
{
    if (bandwidth == 0) {
        return now;
    }
    uint32_t limit = link->spec->queue_limit;
    while (link->departure_count > 0 && link->departures[link->departure_first] <= now) {
        link->departure_first = (link->departure_first + 1) % limit;
        link->departure_count--;
    }
    if (limit > 0 && link->departure_count == limit) {
        return -1;
    }
    int64_t start = link->wire_free_ns > now ? link->wire_free_ns : now;
    link->wire_free_ns = time_add(start, time_scale(size, NS_PER_S, bandwidth));
    if (limit > 0) {
        link->departures[(link->departure_first + link->departure_count) % limit] =
            link->wire_free_ns;
        link->departure_count++;
    }
    return link->wire_free_ns;
}

static void deliver(void *context, struct sched_event *event)
{
    struct net *net = context;
    struct packet *packet = (struct packet *)(uintptr_t)event->words[1];
    struct world *world = net->world;
    world_trace(world, TRACE_DELIVER, packet->to, ((uint64_t)packet->from << 32) | packet->size,
                packet->reply_to.call);
    if (packet->to < world->node_count) {
        node_receive(&world->nodes[packet->to], packet);
        return;
    }
    ASSERT(packet->kind == PACKET_REPLY);
    world_load_reply(world, packet);
    packet_unref(net, packet);
}

static void schedule(struct net *net, struct packet *packet, int64_t time_ns)
{
    struct sched_event *event = sched_push(&net->world->sched, time_ns, NULL);
    event->fire = deliver;
    event->context = net;
    event->kind = TRACE_DELIVER;
    event->words[0] = packet->to;
    event->words[1] = (uint64_t)(uintptr_t)packet;
}

static void drop(struct net *net, struct packet *packet, uint64_t why)
{
    world_trace(net->world, TRACE_DROP, packet->from, ((uint64_t)packet->to << 32) | packet->size,
                why);
    packet_unref(net, packet);
}

static struct net_verdict judge(struct link *link, const struct packet *packet)
{
    const struct spec_link *law = link->spec;
    struct net_verdict verdict = {.copies = 1, .bandwidth = law->bandwidth};
    if (law->loss > 0) {
        verdict.is_dropped = rng_chance(&link->loss, law->loss);
    }
    if (law->duplicate > 0 && rng_chance(&link->duplicate, law->duplicate)) {
        verdict.copies = 2;
    }
    for (struct net_filter *filter = link->filters; filter != NULL; filter = filter->next) {
        filter->apply(filter, &verdict, packet->size);
    }
    return verdict;
}

void net_send(struct net *net, struct packet *packet)
{
    struct world *world = net->world;
    int64_t now = world_now(world);
    world_trace(world, TRACE_SEND, packet->from, ((uint64_t)packet->to << 32) | packet->size,
                hash_bytes(packet->data, packet->size));
    if (packet->from == packet->to) {
        schedule(net, packet, now);
        return;
    }
    struct link *link = link_at(net, packet->from, packet->to);
    struct net_verdict verdict = judge(link, packet);
    if (verdict.is_dropped) {
        drop(net, packet, 1);
        return;
    }
    int64_t departed = link_depart(link, now, packet->size, verdict.bandwidth);
    if (departed < 0) {
        drop(net, packet, 2);
        return;
    }
    ASSERT(verdict.copies >= 1);
    ASSERT(verdict.copies <= UINT16_MAX);
    packet->references = (uint16_t)verdict.copies; /* they share the bytes, which nobody changes */
    for (uint32_t copy = 0; copy < verdict.copies; copy++) {
        int64_t jitter = dist_sample(&link->spec->jitter, &link->delay);
        int64_t arrival = time_add(departed, time_add(link->spec->latency_ns, jitter));
        arrival = time_add(arrival, verdict.extra_ns);
        if (link->spec->is_fifo && arrival < link->last_arrival_ns) {
            arrival = link->last_arrival_ns;
        }
        link->last_arrival_ns = arrival > link->last_arrival_ns ? arrival : link->last_arrival_ns;
        schedule(net, packet, arrival);
    }
}

void net_filter_add(struct net *net, endpoint from, endpoint to, struct net_filter *filter)
{
    struct net_filter **at = &link_at(net, from, to)->filters;
    while (*at != NULL) {
        at = &(*at)->next;
    }
    *at = filter;
    filter->next = NULL;
}

void net_filter_remove(struct net *net, endpoint from, endpoint to, struct net_filter *filter)
{
    struct net_filter **at = &link_at(net, from, to)->filters;
    while (*at != filter) {
        ASSERT(*at != NULL);
        at = &(*at)->next;
    }
    *at = filter->next;
}
