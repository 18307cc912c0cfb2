/* The fast engine's loop, by hand: same data, same counters, no k-splits, no prefetch, no masks.
 *
 * It is the limit that `make bench` holds the compiled Python against. Layouts are those of
 * simulator/engine/fast.py; a core's state is a struct of two cache lines.
 */
#include <stdint.h>
#include <stdlib.h>

typedef int64_t i64;

/* What loop_costs.py varies; none of it is defined for `make bench`. */
#ifdef HOT_TABLES
#define AT(block) ((block) & 255)
#else
#define AT(block) (block)
#endif
#ifdef NO_RECENCY
#define RECENCY 0
#else
#define RECENCY k->recency
#endif
#ifdef NO_HALVES
#define HALVES 0
#else
#define HALVES k->halves
#endif
#ifdef NO_COUNTERS
#define COUNT(counter)
#else
#define COUNT(counter) (counter)++
#endif

#define NEVER INT64_MAX
enum { ABSENT, CLEAN, DIRTY };

typedef struct {
    i64 request_key, epilogue_key, in_flight, issue_slot, done_slot, issue_time, done_time;
    i64 stage, stage_end, rows_block, columns_block, tile_class, exhausted, port_free, memory_ps;
    i64 taken, started, ended, prologue_ps, epilogue_ps, tile, ended_at, pad[2];
} core_t;

typedef struct {
    i64 arrive, kind, end, pad;
} flight_t;

typedef struct {
    i64 cores, core_bits, rows, columns, stages, columns_base, outputs_base, buffers, issue_ps;
    i64 drain_ps, l2_bytes, l2_latency, far_latency, halves, dram_latency, recency, tiles;
} run_t;

typedef struct {
    i64 l2_free, dram_free, link_free, l2_used, drain, evictions, hits_in_flight, ties, last;
} shared_t;

static inline i64 max(i64 a, i64 b) { return a > b ? a : b; }

static int insert(const run_t *k, shared_t *s, i64 now, i64 block, uint8_t state, int32_t (*lru)[2],
                  uint8_t *resident, const uint8_t *classes, const i64 (*costs)[7],
                  i64 (*counts)[16], i64 sentinel) {
    i64 size = costs[classes[block]][0];
    if (size > k->l2_bytes) return 0;
    if (RECENCY) {
        while (s->l2_used + size > k->l2_bytes) {
            int32_t victim = lru[sentinel][0], before = lru[victim][0];
            uint8_t kind = classes[victim];
            lru[sentinel][0] = before;
            lru[before][1] = (int32_t)sentinel;
            s->l2_used -= costs[kind][0];
            s->evictions++;
            if (resident[victim] == DIRTY) {
                s->dram_free = max(s->dram_free, now) + costs[kind][6];
                s->drain = max(s->drain, s->dram_free);
                counts[4][kind]++;
            }
            resident[victim] = ABSENT;
        }
        int32_t first = lru[sentinel][1];
        lru[block][0] = (int32_t)sentinel;
        lru[block][1] = first;
        lru[first][0] = (int32_t)block;
        lru[sentinel][1] = (int32_t)block;
    }
    s->l2_used += size;
    resident[block] = state;
    return 1;
}

static inline i64 fetch(const run_t *k, shared_t *s, core_t *c, i64 core, i64 now, i64 block,
                        i64 port_ps, int32_t (*lru)[2], uint8_t *resident, i64 *ready,
                        const uint8_t *classes, const i64 (*costs)[7], i64 (*counts)[16],
                        i64 sentinel) {
    uint8_t kind = classes[block];
    i64 filled;
    COUNT(counts[0][kind]);
    if (resident[block] != ABSENT) {
        filled = ready[block];
        s->hits_in_flight += filled > now;
        if (RECENCY && lru[sentinel][1] != block) {
            int32_t first = lru[sentinel][1], before = lru[block][0], after = lru[block][1];
            lru[before][1] = after;
            lru[after][0] = before;
            lru[block][0] = (int32_t)sentinel;
            lru[block][1] = first;
            lru[first][0] = (int32_t)block;
            lru[sentinel][1] = (int32_t)block;
        }
    } else {
        counts[1][kind]++;
        insert(k, s, now, block, CLEAN, lru, resident, classes, costs, counts, sentinel);
        s->dram_free = max(s->dram_free, now) + costs[kind][1];
        filled = ready[block] = s->dram_free + k->dram_latency;
    }
    i64 path = s->l2_free = max(s->l2_free, now) + costs[kind][2];
    c->port_free = max(c->port_free, now) + port_ps;
    path = max(path, c->port_free);
    i64 extra = 0;
    if (HALVES && ((block ^ core) & 1)) {
        COUNT(counts[2][kind]);
        s->link_free = max(s->link_free, now) + costs[kind][3];
        path = max(path, s->link_free);
        extra = k->far_latency;
    }
    return max(path + k->l2_latency, filled + port_ps) + extra;
}

static inline void update(i64 *tree, i64 leaf, i64 key) {
    tree[leaf] = key;
    while (leaf > 1) {
        i64 other = tree[leaf ^ 1];
        key = key < other ? key : other;
        leaf >>= 1;
        tree[leaf] = key;
    }
}

i64 run(const run_t *k, const i64 *tiles, const i64 (*times)[4], const i64 (*costs)[7],
        const uint8_t *classes, core_t *cores, flight_t *flights, int32_t (*lru)[2],
        uint8_t *resident, i64 *ready, i64 *tree, i64 leaves, i64 (*stages)[8], i64 (*counts)[16],
        i64 blocks, i64 *evictions) {
    shared_t s = {.last = -1};
    i64 next_tile = 0, mask = (1LL << k->core_bits) - 1, end = 0;
    for (i64 core = 0; core < k->cores; core++) {
        cores[core].request_key = (1LL << k->core_bits) | core;
        cores[core].epilogue_key = NEVER;
        update(tree, leaves + core, cores[core].request_key);
    }
    while (tree[1] != NEVER) {
        i64 key = tree[1], core = key & mask, now = key >> (k->core_bits + 1);
        core_t *c = &cores[core];
        flight_t *flight = flights + core * k->buffers;
        if ((key >> k->core_bits) & 1) {
            i64 flags = 0;
            c->request_key = NEVER;
            if (c->stage == c->stage_end) {
                if (next_tile == k->tiles) {
                    c->exhausted = 1;
                    update(tree, leaves + core, c->epilogue_key);
                    continue;
                }
                i64 tile = tiles[next_tile++], row = tile / k->columns, column = tile % k->columns;
                c->tile = tile;
                c->taken++;
                c->rows_block = row * k->stages;
                c->columns_block = k->columns_base + column * k->stages;
                c->tile_class = 4 * (row == k->rows - 1) + 2 * (column == k->columns - 1);
                c->stage = 0;
                c->stage_end = k->stages;
                flags = 8;
            }
            i64 stage = c->stage, kind = c->tile_class + (stage == k->stages - 1);
            s.ties += s.last == now;
            s.last = now;
            i64 arrive = fetch(k, &s, c, core, now, AT(c->rows_block + stage), times[kind][2], lru,
                               resident, ready, classes, costs, counts, blocks);
            i64 also = fetch(k, &s, c, core, now, AT(c->columns_block + stage), times[kind][3], lru,
                             resident, ready, classes, costs, counts, blocks);
            COUNT(stages[core][kind]);
            if (stage + 1 == c->stage_end) flags |= 16;
            flight_t *f = &flight[c->issue_slot];
            f->arrive = max(arrive, also);
            f->kind = kind | flags;
            f->end = times[kind][0];
            c->in_flight++;
            c->issue_slot = c->issue_slot + 1 < k->buffers ? c->issue_slot + 1 : 0;
            c->issue_time = now;
            c->stage = stage + 1;
        } else {
            i64 block = k->outputs_base + c->tile;
            uint8_t kind = classes[block];
            c->epilogue_key = NEVER;
            int stays = insert(k, &s, now, block, DIRTY, lru, resident, classes, costs, counts, blocks);
            s.l2_free = max(s.l2_free, now) + costs[kind][2];
            s.drain = max(s.drain, s.l2_free);
            counts[3][kind]++;
            ready[block] = now;
            if (!stays) {
                s.dram_free = max(s.dram_free, now) + costs[kind][6];
                s.drain = max(s.drain, s.dram_free);
                counts[4][kind]++;
            }
            c->ended_at = now;
            c->ended++;
            end = max(end, now);
        }
        while (c->in_flight) {
            flight_t *f = &flight[c->done_slot];
            i64 kind = f->kind & 7, before = c->done_time, start = max(f->arrive, before);
            if (f->kind & 8) {
                if (c->ended + 1 <= c->started) break;
                i64 freed = c->started ? c->ended_at : 0;
                start = max(start, freed);
                i64 held = max(freed - before, 0);
                c->epilogue_ps += held;
                c->prologue_ps += start - before - held + times[kind][1];
                c->started++;
                start += times[kind][1];
            } else {
                c->memory_ps += start - before;
            }
            f->end += start;
            c->done_time = f->end;
            c->in_flight--;
            c->done_slot = c->done_slot + 1 < k->buffers ? c->done_slot + 1 : 0;
            if (f->kind & 16) {
                i64 hold = costs[classes[k->outputs_base + c->tile]][4];
                c->epilogue_key = ((c->done_time + k->drain_ps + hold) << 1) << k->core_bits | core;
            }
        }
        if (c->request_key == NEVER && !c->exhausted && c->in_flight < k->buffers) {
            i64 at = max(c->issue_time + k->issue_ps, flight[c->issue_slot].end);
            int known = 1;
            if (c->stage == c->stage_end) {
                known = !c->in_flight && c->ended == c->taken;
                if (c->taken) at = max(at, c->ended_at);
                at = max(at, c->done_time);
            }
            if (known) c->request_key = ((at << 1) | 1) << k->core_bits | core;
        }
#ifdef PREFETCH
        i64 next[2] = {c->rows_block + c->stage, c->columns_block + c->stage};
        for (int one = 0; one < 2; one++) {
            __builtin_prefetch(&resident[next[one]]);
            __builtin_prefetch(&classes[next[one]]);
            __builtin_prefetch(&ready[next[one]]);
            __builtin_prefetch(&lru[next[one]]);
        }
#endif
#ifdef TREE_TWICE
        update(tree, leaves + core, c->issue_time);
        __asm__ volatile("" ::: "memory");
#endif
        update(tree, leaves + core,
               c->request_key < c->epilogue_key ? c->request_key : c->epilogue_key);
    }
    *evictions = s.evictions;
    return max(end, s.drain);
}
