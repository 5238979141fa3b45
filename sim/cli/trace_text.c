/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A line is: virtual time, number, who, what, and the words of the record in the form that fits
 * its kind. */
#include "sim/cli/trace_text.h"

#include "sim/base/base.h"
#include "sim/node.h"

static const char *name_of(const struct world *world, uint32_t node)
{
    if (node < world->node_count) {
        return world->nodes[node].env.name;
    }
    if (node == TRACE_NOBODY) {
        return "-";
    }
    uint32_t load = node - world->node_count;
    return load < world->spec->load_count ? world->spec->loads[load].name : "audit";
}

static const char *life_name(uint64_t what)
{
    static const char *const names[] = {"boot",  "ready",      "pause", "resume",
                                        "crash", "power-loss", "wipe",  "exit"};
    return what < ARRAY_COUNT(names) ? names[what] : "?";
}

static const char *see_name(uint64_t what)
{
    static const char *const names[] = {
#define SEE_TEXT(code, name) name,
        SQ_SEE_MAP(SEE_TEXT)
#undef SEE_TEXT
    };
    return what < ARRAY_COUNT(names) ? names[what] : "?";
}

static const char *method_name(uint64_t method)
{
    static const char *const names[] = {"open",     "close", "read",   "write",  "sync",
                                        "truncate", "size",  "remove", "rename", "sync-dir"};
    return method < ARRAY_COUNT(names) ? names[method] : "?";
}

static void print_words(const struct world *world, const struct trace_record *record, FILE *out)
{
    uint32_t high = (uint32_t)(record->word >> 32);
    uint32_t low = (uint32_t)record->word;
    switch ((enum trace_kind)record->kind) {
    case TRACE_SEND:
        fprintf(out, "to %s, %u bytes, hash %016llx", name_of(world, high), low,
                (unsigned long long)record->extra);
        break;
    case TRACE_DELIVER:
        fprintf(out, "from %s, %u bytes", name_of(world, high), low);
        break;
    case TRACE_LIFE:
        fprintf(out, "%s, incarnation %llu", life_name(record->word),
                (unsigned long long)record->extra);
        break;
    case TRACE_SEEN:
        fprintf(out, "%s %llu", see_name(record->word >> 48),
                (unsigned long long)(record->word & ((UINT64_C(1) << 48) - 1)));
        break;
    case TRACE_DISK:
        fprintf(out, "%s, %llu bytes", method_name(record->word >> 56),
                (unsigned long long)(record->word & ((UINT64_C(1) << 48) - 1)));
        break;
    default:
        fprintf(out, "%llu %016llx", (unsigned long long)record->word,
                (unsigned long long)record->extra);
        break;
    }
}

void trace_text_print(const struct world *world, uint64_t number, const struct trace_record *record,
                      const char *text, FILE *out)
{
    fprintf(out, "%4lld.%09lld %8llu  %-8s %-8s ", (long long)(record->time_ns / 1000000000),
            (long long)(record->time_ns % 1000000000), (unsigned long long)number,
            name_of(world, record->node), trace_kind_name(record->kind));
    if (text != NULL) {
        fputs(text, out);
    } else {
        print_words(world, record, out);
    }
}

static void on_record(struct trace_sink *sink, uint64_t number, const struct trace_record *record,
                      const char *text)
{
    struct trace_text *reader = (struct trace_text *)sink;
    if (reader->records != NULL && record->kind != TRACE_LOG) {
        fwrite(record, sizeof(*record), 1, reader->records);
    }
    if (reader->out != NULL && record->time_ns >= reader->from_ns) {
        trace_text_print(reader->world, number, record, text, reader->out);
        fputc('\n', reader->out);
    }
}

void trace_text_init(struct trace_text *text, const struct world *world)
{
    *text = (struct trace_text){.sink = {.on_record = on_record}, .world = world};
}

void trace_text_tail(const struct world *world, uint32_t count, FILE *out)
{
    const struct trace *trace = &world->trace;
    ASSERT(count <= TRACE_RING);
    uint64_t first = trace->count > count ? trace->count - count : 0;
    for (uint64_t i = first; i < trace->count; i++) {
        trace_text_print(world, i + 1, &trace->ring[i & (TRACE_RING - 1)], NULL, out);
        fputc('\n', out);
    }
}
