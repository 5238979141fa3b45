/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Pager. Pages are read when they are needed and not kept: the file is mapped into memory in bolt,
 * and here the simulated page cache answers in no time. A tree's pages carry no checksum, as in
 * bolt; what is checked is that a page is the one that was asked for and that nothing in it points
 * outside of it. */
#include "pager.h"

#include <assert.h>

#include "../raft/bytes.h"

void pager_init(struct pager *pager, struct sq_env *env, sq_file file)
{
    *pager = (struct pager){.env = env, .file = file};
    freelist_init(&pager->free, env);
}

void pager_release(struct pager *pager)
{
    pager_drop(pager);
    pager->env->mem->free(pager->env, pager->writes);
    freelist_release(&pager->free);
    pager->writes = NULL;
    pager->write_capacity = 0;
}

/* ------------------------------------------------------------------------------------ reading */

static bool header_decode(const uint8_t *at, uint64_t page, uint64_t end,
                          struct page_header *header)
{
    *header = (struct page_header){
        .page = get_u64(at),
        .kind = (enum page_kind)at[8],
        .level = at[9],
        .count = get_u16(at + 10),
        .overflow = get_u32(at + 12),
    };
    return header->page == page && header->kind != PAGE_NONE && header->kind <= PAGE_LEAF &&
           page < end && header->overflow < end - page;
}

static enum sq_status read_at(struct pager *pager, uint64_t page, uint8_t *data, size_t size)
{
    struct sq_env *env = pager->env;
    size_t got = 0;
    enum sq_status status = env->disk->read(env, pager->file, data, size, page * PAGE_BYTES, &got);
    return status == SQ_OK && got < size ? SQ_E_INVALID : status;
}

enum sq_status pager_read_header(struct pager *pager, uint64_t page, struct page_header *header)
{
    uint8_t bytes[PAGE_HEADER];
    enum sq_status status = read_at(pager, page, bytes, sizeof(bytes));
    if (status == SQ_OK && !header_decode(bytes, page, pager->end, header)) {
        status = SQ_E_INVALID;
    }
    return status;
}

enum sq_status pager_read(struct pager *pager, uint64_t page, struct page_header *header,
                          uint8_t **image)
{
    struct sq_env *env = pager->env;
    uint8_t *bytes = env->mem->alloc(env, PAGE_BYTES);
    enum sq_status status = read_at(pager, page, bytes, PAGE_BYTES);
    if (status == SQ_OK && !header_decode(bytes, page, pager->end, header)) {
        status = SQ_E_INVALID;
    }
    if (status == SQ_OK && header->overflow > 0) {
        size_t size = ((size_t)header->overflow + 1) * PAGE_BYTES;
        bytes = env->mem->realloc(env, bytes, size);
        status = read_at(pager, page + 1, bytes + PAGE_BYTES, size - PAGE_BYTES);
    }
    if (status != SQ_OK) {
        env->mem->free(env, bytes);
        bytes = NULL;
    }
    *image = bytes;
    return status;
}

/* ------------------------------------------------------------------------------------ numbers */

uint64_t pager_take(struct pager *pager, uint64_t pages)
{
    uint64_t page = freelist_take(&pager->free, pages);
    if (page == 0) {
        page = pager->end;
        pager->end += pages;
    }
    return page;
}

void pager_put(struct pager *pager, uint64_t page, uint64_t pages)
{
    assert(page > 1);
    assert(page + pages <= pager->end);
    freelist_put(&pager->free, page, pages, pager->transaction);
}

/* ------------------------------------------------------------------------------------ writing */

uint8_t *pager_stage(struct pager *pager, const struct page_header *header)
{
    struct sq_env *env = pager->env;
    size_t size = ((size_t)header->overflow + 1) * PAGE_BYTES;
    if (pager->write_count == pager->write_capacity) {
        pager->write_capacity = pager->write_capacity == 0 ? 32 : pager->write_capacity * 2;
        pager->writes =
            env->mem->realloc(env, pager->writes, pager->write_capacity * sizeof(*pager->writes));
    }
    uint8_t *image = env->mem->alloc(env, size);
    memset(image, 0, size);
    put_u64(image, header->page);
    image[8] = (uint8_t)header->kind;
    image[9] = header->level;
    put_u16(image + 10, header->count);
    put_u32(image + 12, header->overflow);
    /* Insertion keeps them sorted; a transaction allocates mostly upwards. */
    size_t place = pager->write_count++;
    while (place > 0 && pager->writes[place - 1].page > header->page) {
        pager->writes[place] = pager->writes[place - 1];
        place--;
    }
    pager->writes[place] =
        (struct pager_write){header->page, image, (uint64_t)header->overflow + 1};
    return image;
}

enum sq_status pager_flush(struct pager *pager)
{
    struct sq_env *env = pager->env;
    enum sq_status status = SQ_OK;
    for (size_t i = 0; status == SQ_OK && i < pager->write_count; i++) {
        const struct pager_write *write = &pager->writes[i];
        size_t size = (size_t)write->pages * PAGE_BYTES;
        status = env->disk->write(env, pager->file, write->image, size, write->page * PAGE_BYTES);
        pager->written_bytes += size;
    }
    pager_drop(pager);
    return status;
}

void pager_drop(struct pager *pager)
{
    for (size_t i = 0; i < pager->write_count; i++) {
        pager->env->mem->free(pager->env, pager->writes[i].image);
    }
    pager->write_count = 0;
}
