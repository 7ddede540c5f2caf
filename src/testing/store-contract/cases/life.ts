import { readDiagnosis } from '../../../store/diagnosis.js'
import { ensure, ensureEqual } from '../../assert.js'
import { batch, bulkEvent, bulkStamp, event, findOne, inserted, readFeed, START } from '../build.js'
import type { StoreCases } from '../types.js'

export const lifeCases: StoreCases = {
  title: 'opening, closing and reopening a store',
  cases: [
    {
      title: 'a store has a name',
      run(stage) {
        ensure(typeof stage.store.name === 'string' && stage.store.name.length > 0, 'the name of a store must be a non-empty string')
      },
    },
    {
      title: 'migrate() can run repeatedly and concurrently, and keeps existing data',
      async run(stage) {
        const made = await inserted(stage)
        await Promise.all(Array.from({ length: 10 }, async (_, turn) => stage.handle(turn).migrate?.()))
        await stage.store.migrate?.()
        ensureEqual(await findOne(stage.store, made.id), made, 'migrate() must not change existing tokens')
      },
    },
    {
      title: 'everything that was acknowledged is still stored after closing and reopening',
      async run(stage) {
        const start = (await stage.store.changes(undefined, 1)).cursor
        const made = await inserted(stage)
        const nodeId = `node-${stage.prefix}`
        const count = { tokenId: made.id, bucketAt: START, endpoint: 'GET /', outcome: 'allowed', scope: '', count: 3 }
        await stage.store.recordUsage(batch({ nodeId, seq: 1, counts: [count], lastUses: [{ tokenId: made.id, at: START + 5 }] }))
        const stamp = bulkStamp({ revokedAt: START + 7 })
        await stage.store.revokeWhere({ prefix: stage.prefix }, stamp, bulkEvent(stage.prefix, stamp))
        await stage.store.close?.()
        if (stage.second !== stage.store) await stage.second.close?.()

        const store = await stage.reopen()
        const revoked = { ...made, ...stamp, version: 2, updatedAt: START + 7 }
        ensureEqual(await findOne(store, made.id), revoked, 'the revoked token must survive reopening the store')
        const [row] = await store.list({ prefix: stage.prefix, now: START, limit: 10 })
        ensureEqual(row, { ...revoked, lastUsedAt: START + 5 }, 'the last use of a token must survive reopening the store')
        const told = await store.events({ prefix: stage.prefix, limit: 10 })
        ensureEqual(
          told.map(({ action }) => action),
          ['tokens.revoked', 'token.created'],
          'audit events must survive reopening the store',
        )
        await store.recordUsage(batch({ nodeId, seq: 1, counts: [count] }))
        ensureEqual(
          (await store.usage({ tokenIds: [made.id] })).counts,
          [count],
          'usage must survive reopening the store, and a repeated batch must not be counted again',
        )
        const page = await readFeed(store, start)
        ensure(page.everything || page.bulk.length === 1, 'a cursor from before reopening must report the revocation, or set `everything`')
        const later = await store.commit({ inserts: [{ ...made, id: [...made.id].reverse().join('') }], events: [event(stage.prefix)] })
        ensureEqual(later, { ok: true }, 'commit() must accept a change after reopening the store')
        const seqs = (await store.events({ prefix: stage.prefix, limit: 10 })).map(({ seq }) => seq)
        ensureEqual(
          seqs,
          seqs.toSorted((a, b) => b - a),
          'seq must keep growing after reopening the store',
        )
        ensureEqual(
          (await readFeed(store, page.cursor)).ids,
          [[...made.id].reverse().join('')],
          'the feed must list changes made after reopening the store',
        )
      },
    },
    {
      title: 'diagnose(), if implemented, reports how the server is set up and changes nothing',
      async run(stage) {
        const made = await inserted(stage)
        const { cursor } = await stage.store.changes(undefined, 1)
        const diagnosis = await stage.store.diagnose?.()
        if (diagnosis === undefined) return
        ensureEqual(
          readDiagnosis(diagnosis),
          diagnosis,
          'each finding must have a unique lowercase name, a detail, and optionally ok and advice',
        )
        ensure(diagnosis.findings.length > 0, 'diagnose() must return at least one finding')
        for (const { ok, advice } of diagnosis.findings)
          ensure(ok !== false || advice !== undefined, 'a finding with ok: false must have advice')
        ensureEqual(await findOne(stage.store, made.id), made, 'diagnose() must not change a token')
        ensureEqual((await readFeed(stage.store, cursor)).ids, [], 'diagnose() must add no feed entry')
      },
    },
    {
      title: 'close() can be called twice',
      async run(stage) {
        await inserted(stage)
        await stage.second.close?.()
        await stage.second.close?.()
      },
    },
  ],
}
