import type { TokenStore } from '../../../store/port.js'
import { ensure, ensureEqual, ensureSameMembers } from '../../assert.js'
import { pause } from '../../pause.js'
import { event, insert, inserted, readFeed, replace, token } from '../build.js'
import type { Stage, StoreCases } from '../types.js'

const WRITERS = 32
const ROUNDS = 8
const NOTHING = { ids: [], owners: [], bulk: [], everything: false }

/** Follows the feed until `done` and then to its end, and returns each ID at its first occurrence. */
async function follow(stage: Stage, after: string, limit: number, done: () => boolean): Promise<string[]> {
  const seen = new Set<string>()
  let cursor = after
  for (let turn = 0; ; turn += 1) {
    const last = done()
    // A cursor is valid on every handle, because processes exchange their positions.
    const page = await stage.handle(turn).changes(cursor, limit)
    ensure(!page.everything, 'the feed must not set `everything` while its history is complete')
    ensure(
      page.ids.length + page.owners.length + page.bulk.length <= limit,
      `a page of the feed must not contain more than ${limit} changes`,
    )
    for (const id of page.ids) seen.add(id)
    cursor = page.cursor
    if (last && !page.more) return [...seen]
    if (!page.more) await pause(0)
  }
}

async function end(store: TokenStore): Promise<string> {
  const page = await store.changes(undefined, 10)
  const { cursor: _, ...news } = page
  ensureEqual(news, { ...NOTHING, more: false }, 'changes(undefined) must return no changes')
  return page.cursor
}

export const feedCases: StoreCases = {
  title: 'change feed',
  cases: [
    {
      title: 'without a cursor, the feed returns its end; from there it lists every later change in commit order',
      async run(stage) {
        await inserted(stage)
        const start = await end(stage.store)
        const [a, b] = [await inserted(stage), await inserted(stage)]
        await replace(stage.second, a, { name: 'New' })
        const c = await inserted(stage)
        await stage.store.commit({ removals: [b.id], events: [event(stage.prefix, { action: 'token.pruned' })] })
        await stage.store.commit({ ownersChanged: [{ ownerId: 'owner-1' }, { ownerId: 'owner-2', tenantId: 'a' }], events: [] })
        for (const limit of [1, 2, 100]) {
          const feed = await readFeed(stage.store, start, limit)
          ensureEqual(feed.ids, [a.id, b.id, a.id, c.id, b.id], `the feed must list token IDs in commit order, in pages of ${limit}`)
          const owners = [{ ownerId: 'owner-1' }, { ownerId: 'owner-2', tenantId: 'a' }]
          ensureEqual(feed.owners, owners, `the feed must list owners with their tenants in commit order, in pages of ${limit}`)
          ensureEqual(
            [feed.bulk, feed.everything],
            [[], false],
            'changes to single tokens and owners must not be reported as bulk revocations or through `everything`',
          )
          const { cursor: _, ...news } = await stage.second.changes(feed.cursor, limit)
          ensureEqual(news, { ...NOTHING, more: false }, 'changes() must return nothing after the end of the feed')
        }
      },
    },
    {
      title: 'an event alone creates no feed entry',
      async run(stage) {
        const start = await end(stage.store)
        await stage.store.commit({ events: [event(stage.prefix, { action: 'token.refused' })] })
        const { cursor: _, ...news } = await readFeed(stage.store, start)
        ensureEqual(news, NOTHING, 'an event alone must add no feed entry')
      },
    },
    {
      title: 'feed entries keep every byte of the names of owners and of their tenants',
      async run(stage) {
        const start = await end(stage.store)
        const names = ['a', 'A', 'a ', 'a:b', '__proto__', '%', '😀', '"', "'", '\\', '0', 'null', '']
        const owners = names.flatMap((name) => [{ ownerId: name }, { ownerId: 'a', tenantId: name }])
        await stage.store.commit({ ownersChanged: owners, events: [] })
        const told = (await readFeed(stage.store, start, 5)).owners
        ensureSameMembers(
          told.map((owner) => JSON.stringify(owner)),
          owners.map((owner) => JSON.stringify(owner)),
          'the feed must return owners and tenants exactly as they were passed',
        )
      },
    },
    {
      title: `readers that follow ${WRITERS} concurrent writers miss nothing and agree on the order`,
      async run(stage) {
        const start = await end(stage.store)
        const work = Array.from({ length: WRITERS }, () => Array.from({ length: ROUNDS }, () => token(stage.prefix)))
        let writing = true
        const readers = [1, 7, 100].map((limit) => follow(stage, start, limit, () => !writing))
        try {
          await Promise.all(
            work.map(async (tokens, writer) => {
              for (const each of tokens) await insert(stage.handle(writer), [each])
            }),
          )
        } finally {
          writing = false
        }
        const orders = await Promise.all(readers)
        const all = work.flat().map(({ id }) => id)
        for (const order of orders) {
          const seen = new Set(order)
          ensureEqual(
            all.filter((id) => !seen.has(id)),
            [],
            'a reader that follows the feed must see every acknowledged change',
          )
          for (const tokens of work) {
            const mine = new Set(tokens.map(({ id }) => id))
            const told = order.filter((id) => mine.has(id))
            ensureEqual(
              told,
              tokens.map(({ id }) => id),
              'the feed must list the changes of one writer in the order of its commits',
            )
          }
        }
        const later = (await readFeed(stage.store, start)).ids.filter((id, index, ids) => ids.indexOf(id) === index)
        for (const order of orders)
          ensureEqual(order, later, 'a reader that follows the feed and one that reads it later must see the same order')
      },
    },
    {
      title: 'an invalid cursor or one beyond the end reports that everything changed, and reading continues from the end',
      async run(stage) {
        const cursor = await end(stage.store)
        const beyond = cursor.replace(/\d(?=\D*$)/, (digit) => `${digit}99999999`)
        for (const strange of [
          '',
          'x',
          'undefined',
          'NaN',
          '-1',
          '1.5',
          '1e3',
          ' ',
          '%',
          "' OR 1=1 --",
          `${'9'.repeat(30)}`,
          '😀',
          'x'.repeat(10_000),
          beyond,
        ]) {
          if (strange === cursor) continue
          const page = await stage.store.changes(strange, 10)
          const what = `the cursor ${JSON.stringify(strange.slice(0, 40))}`
          ensure(page.everything, `changes() with ${what} must report that everything may have changed`)
          const { cursor: _, ...news } = await readFeed(stage.store, page.cursor)
          ensureEqual(news, NOTHING, `${what}: the returned cursor must continue from the end of the feed`)
        }
      },
    },
    {
      title: 'a cursor whose history was removed reports that everything changed, and a current cursor continues',
      async run(stage) {
        const old = await end(stage.store)
        await inserted(stage)
        const trim = stage.trimFeed
        // A store that keeps its whole history loses nothing, so the old cursor must still return every change.
        if (trim === undefined) {
          ensureEqual((await readFeed(stage.store, old)).ids.length, 1, 'a cursor must stay valid as long as its history is kept')
          return
        }
        await trim()
        const page = await stage.store.changes(old, 10)
        ensure(page.everything, 'changes() must set `everything` for a cursor whose history was removed')
        const present = await end(stage.store)
        const made = await inserted(stage)
        for (const cursor of [page.cursor, present]) {
          const feed = await readFeed(stage.second, cursor)
          ensureEqual([feed.ids, feed.everything], [[made.id], false], 'the feed must continue from a current cursor after it is trimmed')
        }
      },
    },
    {
      title: 'reads bounded by a feed position return no older records, and find newer tokens',
      async run(stage) {
        const made = await inserted(stage)
        for (let version = 1; version <= 8; version += 1) {
          const record = { ...made, version: version + 1, name: `round ${version}` }
          await stage.handle(version).commit({ updates: [{ expectedVersion: version, record }], events: [event(stage.prefix)] })
          const notBefore = await end(stage.handle(version + 1))
          const [found] = await stage.store.find([made.id], { notBefore })
          ensureEqual(found?.name, record.name, 'find() with notBefore must return at least the state at that position')
          const newer = await inserted(stage)
          const all = await stage.second.find([made.id, newer.id], { notBefore })
          ensureSameMembers(
            all.map(({ id }) => id),
            [made.id, newer.id],
            'find() with notBefore must also return tokens created after that position',
          )
        }
      },
    },
    {
      title: 'reached() compares positions, not strings',
      async run(stage) {
        const cursors = [await end(stage.store)]
        for (let round = 0; round < 24; round += 1) {
          // Ten changes at a time, so that the positions soon differ in their number of digits.
          await stage.store.commit({ ownersChanged: Array.from({ length: 10 }, (_, index) => ({ ownerId: `owner-${index}` })), events: [] })
          cursors.push(await end(stage.handle(round)))
        }
        for (const [i, cursor] of cursors.entries()) {
          for (const [j, target] of cursors.entries()) {
            ensureEqual(stage.second.reached(cursor, target), i >= j, `reached(${JSON.stringify(cursor)}, ${JSON.stringify(target)})`)
          }
        }
      },
    },
    {
      title: 'a position in the middle of a change has not reached the end of the change',
      async run(stage) {
        const start = await end(stage.store)
        await stage.store.commit({ inserts: [token(stage.prefix), token(stage.prefix), token(stage.prefix)], events: [] })
        const target = await end(stage.store)
        let page = await stage.store.changes(start, 1)
        while (page.more) {
          ensure(!stage.store.reached(page.cursor, target), 'reached() must be false while the reader has more to read')
          page = await stage.store.changes(page.cursor, 1)
        }
        ensure(stage.store.reached(page.cursor, target), 'reached() must be true once the reader has read everything')
      },
    },
    {
      title: 'subscribe(), if implemented, wakes after changes through any handle until it is stopped',
      async run(stage) {
        if (stage.store.subscribe === undefined) return
        for (const writer of [stage.store, stage.second]) {
          let wakes = 0
          const stop = await stage.store.subscribe(() => {
            wakes += 1
          })
          try {
            // A wake-up is only a hint and may be lost, but one of twenty must arrive.
            for (let attempt = 0; attempt < 20 && wakes === 0; attempt += 1) {
              await insert(writer, [token(stage.prefix)])
              for (let wait = 0; wait < 25 && wakes === 0; wait += 1) await pause(10)
            }
            ensure(wakes > 0, 'subscribe() must wake after a change')
          } finally {
            await stop()
          }
          await pause(50)
          wakes = 0
          await insert(writer, [token(stage.prefix)])
          await pause(100)
          ensureEqual(wakes, 0, 'a stopped subscription must not wake')
        }
      },
    },
  ],
}
