/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * PHOLD on our scheduler, with the digest and the flight recorder that every run has. */
#include "sim/base/hash.h"
#include "sim/sched.h"
#include "tests/bench/peers/model.h"

#define RING 4096

struct record {
    int64_t time_ns;
    uint32_t kind;
    uint32_t node;
    uint64_t word;
    uint64_t extra;
};

static struct model model;
static struct sched sched;
static struct record ring[RING];
static uint64_t digest;

static void on_event(void *context, struct sched_event *event);

static void send(struct process *from)
{
    int64_t delay_ns = (int64_t)(model_delay_s(from) * 1e9);
    struct process *to = model_destination(&model, from);
    struct sched_event *event = sched_push(&sched, sched.now_ns + delay_ns, NULL);
    event->fire = on_event;
    event->context = to;
    event->kind = 1;
    event->words[0] = from->received;
}

static void on_event(void *context, struct sched_event *event)
{
    (void)event;
    struct process *process = context;
    model_event(&model, process);
    send(process);
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: phold_squall PROCESSES EVENTS\n");
        return 2;
    }
    model_init(&model, "squall", argv[1], argv[2]);
    sched_init(&sched, SCHED_QUEUE_AUTO);
    for (uint64_t i = 0; i < model.process_count; i++) {
        send(&model.processes[i]);
    }
    struct sched_event event;
    for (uint64_t i = 0; sched_pop(&sched, INT64_MAX, &event); i++) {
        digest = hash_mix(digest ^ (uint64_t)event.time_ns, event.kind) ^ event.words[0];
        ring[i % RING] = (struct record){event.time_ns, event.kind, 0, event.words[0], 0};
        event.fire(event.context, &event);
    }
    return (int)(digest & 1);
}
