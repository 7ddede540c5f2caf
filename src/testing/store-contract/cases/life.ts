import { readDiagnosis } from '../../../store/diagnosis.js'
import { ensure, ensureEqual } from '../../assert.js'
import { batch, bulkEvent, bulkStamp, event, findOne, inserted, readFeed, START } from '../build.js'
import type { StoreCases } from '../types.js'

export const lifeCases: StoreCases = {
  title: 'life of a store',
  cases: [
    {
      title: 'has a name',
      run(stage) {
        ensure(typeof stage.store.name === 'string' && stage.store.name.length > 0, 'a store must say what messages call it')
      },
    },
    {
      title: 'migrate() can run repeatedly and concurrently, and keeps existing data',
      async run(stage) {
        const made = await inserted(stage)
        await Promise.all(Array.from({ length: 10 }, async (_, turn) => stage.handle(turn).migrate?.()))
        await stage.store.migrate?.()
        ensureEqual(await findOne(stage.store, made.id), made, 'a token must survive migrate')
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
        ensureEqual(await findOne(store, made.id), revoked, 'the token must be there, revoked')
        const [row] = await store.list({ prefix: stage.prefix, now: START, limit: 10 })
        ensureEqual(row, { ...revoked, lastUsedAt: START + 5 }, 'the list must show it with its last use')
        const told = await store.events({ prefix: stage.prefix, limit: 10 })
        ensureEqual(
          told.map(({ action }) => action),
          ['tokens.revoked', 'token.created'],
          'the events must be there',
        )
        await store.recordUsage(batch({ nodeId, seq: 1, counts: [count] }))
        ensureEqual((await store.usage({ tokenIds: [made.id] })).counts, [count], 'usage must be there, and a repeated batch still known')
        const page = await readFeed(store, start)
        ensure(page.everything || page.bulk.length === 1, 'a cursor from before must tell the revocation, or everything')
        const later = await store.commit({ inserts: [{ ...made, id: [...made.id].reverse().join('') }], events: [event(stage.prefix)] })
        ensureEqual(later, { ok: true }, 'the store must go on')
        const seqs = (await store.events({ prefix: stage.prefix, limit: 10 })).map(({ seq }) => seq)
        ensureEqual(
          seqs,
          seqs.toSorted((a, b) => b - a),
          'seq must go on growing',
        )
        ensureEqual((await readFeed(store, page.cursor)).ids, [[...made.id].reverse().join('')], 'the feed must go on')
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
          'a finding has a name of its own in lower case, a detail, and perhaps ok and advice',
        )
        ensure(diagnosis.findings.length > 0, 'a diagnosis must find something')
        for (const { ok, advice } of diagnosis.findings) ensure(ok !== false || advice !== undefined, 'what is wrong needs advice')
        ensureEqual(await findOne(stage.store, made.id), made, 'a token must survive it')
        ensureEqual((await readFeed(stage.store, cursor)).ids, [], 'the feed must not tell of it')
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
