import { ensure, ensureEqual, ensureSameMembers } from '../../assert.js'
import { changed, event, findOne, inserted, list, readFeed, token } from '../build.js'
import type { Stage, StoreCases } from '../types.js'

async function increment(stage: Stage, turn: number, id: string): Promise<void> {
  for (;;) {
    const record = await findOne(stage.handle(turn), id)
    if (record === undefined) throw new Error(`the token ${id} is gone`)
    const count = record.metadata?.count
    const next = changed(record, { metadata: { count: (typeof count === 'number' ? count : 0) + 1 } })
    const events = [event(stage.prefix, { action: 'token.updated', tokenId: id })]
    const result = await stage.handle(turn).commit({ updates: [{ expectedVersion: record.version, record: next }], events })
    if (result.ok) return
    ensureEqual(result.conflict, id, 'commit() must report the token of a stale update as the conflict')
  }
}

export const raceCases: StoreCases = {
  title: 'races',
  cases: [
    {
      title: 'of 100 parallel rotations of one token, exactly one succeeds, and only its successor and event exist',
      async run(stage) {
        const old = await inserted(stage)
        const { cursor } = await stage.store.changes(undefined, 10)
        const attempts = Array.from({ length: 100 }, () => {
          const successor = token(stage.prefix, { replacesId: old.id })
          const update = { expectedVersion: 1, record: changed(old, { replacedById: successor.id }) }
          return { successor, update, told: event(stage.prefix, { action: 'token.rotated', tokenId: old.id }) }
        })
        const results = await Promise.all(
          attempts.map(async ({ successor, update, told }, turn) =>
            stage.handle(turn).commit({ inserts: [successor], updates: [update], events: [told] }),
          ),
        )
        const winners = attempts.filter((_, index) => results[index]?.ok)
        ensureEqual(winners.length, 1, 'exactly one of 100 updates that expect the same version must succeed')
        for (const result of results)
          if (!result.ok) ensureEqual(result.conflict, old.id, 'the other updates must report the stale token as the conflict')
        const [winner] = winners
        const present = await findOne(stage.store, old.id)
        ensureEqual(present, winner?.update.record, 'the stored record must be the one that the successful commit wrote')
        ensureSameMembers(
          (await list(stage)).map(({ id }) => id),
          [old.id, winner?.successor.id ?? ''],
          'only the successor of the successful rotation must exist',
        )
        const rotations = await stage.store.events({ prefix: stage.prefix, actions: ['token.rotated'], limit: 100 })
        ensureEqual(
          rotations.map(({ id }) => id),
          [winner?.told.id],
          'only the event of the successful rotation must exist',
        )
        const feed = await readFeed(stage.store, cursor)
        ensureSameMembers(
          [...new Set(feed.ids)],
          [old.id, winner?.successor.id ?? ''],
          'the feed must list only the tokens of the successful rotation',
        )
      },
    },
    {
      title: 'of 32 parallel inserts of one ID, exactly one succeeds',
      async run(stage) {
        const { id } = token(stage.prefix)
        const attempts = Array.from({ length: 32 }, (_, index) => ({
          made: token(stage.prefix, { id, name: `Try ${index}` }),
          told: event(stage.prefix),
        }))
        const results = await Promise.all(
          attempts.map(async ({ made, told }, turn) => stage.handle(turn).commit({ inserts: [made], events: [told] })),
        )
        const winners = attempts.filter((_, index) => results[index]?.ok)
        ensureEqual(winners.length, 1, 'exactly one of 32 inserts with the same ID must succeed')
        for (const result of results)
          if (!result.ok) ensureEqual(result.conflict, id, 'the other inserts must report the ID as the conflict')
        ensureEqual(await findOne(stage.store, id), winners[0]?.made, 'the stored record must be the one that the successful insert wrote')
        const events = await stage.store.events({ prefix: stage.prefix, limit: 100 })
        ensureEqual(
          events.map((each) => each.id),
          [winners[0]?.told.id],
          'only the event of the successful insert must exist',
        )
      },
    },
    {
      title: 'of 32 parallel commits of one event, exactly one succeeds',
      async run(stage) {
        const { id } = event(stage.prefix)
        const made = Array.from({ length: 32 }, () => token(stage.prefix))
        const results = await Promise.all(
          made.map(async (each, turn) =>
            stage.handle(turn).commit({ inserts: [each], events: [event(stage.prefix, { id, tokenId: each.id })] }),
          ),
        )
        const winners = made.filter((_, index) => results[index]?.ok)
        ensureEqual(winners.length, 1, 'exactly one of 32 commits with the same event ID must succeed')
        for (const result of results)
          if (!result.ok) ensureEqual(result.conflict, id, 'the other commits must report the event ID as the conflict')
        ensureEqual(
          (await list(stage)).map((each) => each.id),
          winners.map((each) => each.id),
          'only the token of the successful commit must exist',
        )
      },
    },
    {
      title: 'no update is lost when concurrent writers retry',
      async run(stage) {
        const { id } = await inserted(stage, { metadata: { count: 0 } })
        await Promise.all(
          Array.from({ length: 8 }, async (_, turn) => {
            for (let round = 0; round < 6; round += 1) await increment(stage, turn, id)
          }),
        )
        const record = await findOne(stage.store, id)
        ensureEqual(record?.metadata, { count: 48 }, '48 acknowledged increments must add up to 48')
        ensureEqual(record?.version, 49, 'each acknowledged update must increment the version once')
      },
    },
    {
      title: 'two changes to the same tokens in opposite order both finish',
      async run(stage) {
        const [a, b] = [await inserted(stage), await inserted(stage)]
        const results = await Promise.all(
          Array.from({ length: 24 }, async (_, turn) => {
            const order = turn % 2 === 0 ? [a, b] : [b, a]
            const updates = order.map((each) => ({ expectedVersion: 1, record: changed(each, { name: `Turn ${turn}` }) }))
            return stage.handle(turn).commit({ updates, events: [event(stage.prefix, { action: 'token.updated' })] })
          }),
        )
        ensure(results.filter(({ ok }) => ok).length === 1, 'exactly one of 24 changes that expect the same two versions must succeed')
        const names = (await stage.store.find([a.id, b.id])).map(({ name }) => name)
        ensureEqual(new Set(names).size, 1, 'both tokens must have been changed by the same writer')
      },
    },
  ],
}
