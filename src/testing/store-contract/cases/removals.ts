import type { ListQuery } from '../../../store/port.js'
import { ensureEqual, ensureSameMembers } from '../../assert.js'
import { randomText } from '../../random.js'
import { batch, event, findOne, insert, inserted, list, readFeed, START, token } from '../build.js'
import type { StoreCases } from '../types.js'

/** List queries that match a certain token. The last one matches any. */
const LISTS: readonly Partial<ListQuery>[] = [
  { tenantIds: ['a'] },
  { ownerId: 'o' },
  { createdBy: 'bob' },
  { nameContains: 'find' },
  { nameContains: 'd' },
  { rotationDue: true },
  { expiresBefore: START + 10 },
  { unusedSince: START + 1, ownerId: 'o' },
  { statuses: ['active'] },
]

export const removalCases: StoreCases = {
  title: 'removals',
  cases: [
    {
      title: 'a removal deletes the token and its usage, keeps its events, and ignores ids that no longer exist',
      async run(stage) {
        const [gone, kept] = [await inserted(stage), await inserted(stage)]
        const uses = [gone.id, kept.id].map((tokenId) => ({
          tokenId,
          bucketAt: START,
          endpoint: '',
          outcome: 'allowed',
          scope: '',
          count: 2,
        }))
        const addresses = [{ tokenId: gone.id, ip: '192.0.2.1', count: 1, lastAt: START }]
        await stage.store.recordUsage(batch({ counts: uses, addresses, lastUses: [{ tokenId: gone.id, at: START }] }))
        const removals = [gone.id, randomText(16)]
        for (const round of ['first', 'second']) {
          const result = await stage.store.commit({ removals, events: [event(stage.prefix, { action: 'token.pruned' })] })
          ensureEqual(result, { ok: true }, `the ${round} removal of an id must be accepted`)
        }
        ensureEqual(await findOne(stage.store, gone.id), undefined, 'a removed token must not be found')
        // Another node may have counted uses earlier that it writes only now.
        ensureEqual(
          await stage.second.recordUsage(batch({ counts: uses.slice(0, 1), addresses, lastUses: [{ tokenId: gone.id, at: START }] })),
          true,
          'uses of a removed token must be taken',
        )
        ensureEqual(
          (await list(stage)).map(({ id }) => id),
          [kept.id],
          'a removed token must not be listed',
        )
        ensureEqual(
          await stage.store.usage({ tokenIds: [gone.id] }),
          { counts: [], addresses: [] },
          'the usage of a removed token must be gone, and not come back',
        )
        ensureEqual((await stage.store.usage({ tokenIds: [kept.id] })).counts, uses.slice(1), 'the usage of other tokens must stay')
        const events = await stage.store.events({ prefix: stage.prefix, tokenId: gone.id, limit: 10 })
        ensureEqual(events.length, 1, 'the events of a removed token must stay')
      },
    },
    {
      title: 'a removed token is in no list, and its id can be reused without anything of the old token',
      async run(stage) {
        const fields = { tenantId: 'a', ownerId: 'o', createdBy: 'bob', name: 'Find me', rotationDueAt: START, expiresAt: START + 9 }
        const old = await inserted(stage, fields)
        await stage.store.recordUsage(batch({ lastUses: [{ tokenId: old.id, at: START, ip: '192.0.2.1' }] }))
        await stage.store.commit({ removals: [old.id], events: [event(stage.prefix, { action: 'token.pruned' })] })
        for (const query of LISTS) {
          ensureEqual(await list(stage, query), [], `a removed token must not be listed by ${JSON.stringify(query)}`)
        }
        const again = await inserted(stage, { id: old.id, createdAt: START + 50, name: 'Other' })
        ensureEqual(await list(stage), [again], 'the new token must be listed once, without the last use of the old one')
        for (const query of LISTS.slice(0, -1)) {
          ensureEqual(await list(stage, query), [], `the new token must not be listed by ${JSON.stringify(query)}, as the old one was`)
        }
      },
    },
    {
      title: 'a thousand tokens are removed in one change',
      async run(stage) {
        const made = Array.from({ length: 1000 }, (_, index) => token(stage.prefix, { createdAt: START + index }))
        const kept = await inserted(stage, { createdAt: START - 1 })
        await insert(stage.store, made)
        const { cursor } = await stage.store.changes(undefined, 10)
        const removals = made.map(({ id }) => id)
        const result = await stage.store.commit({ removals, events: [event(stage.prefix, { action: 'token.pruned', count: 1000 })] })
        ensureEqual(result, { ok: true }, 'commit must accept a thousand removals')
        ensureEqual(await list(stage), [kept], 'all of them must be gone and no other')
        ensureSameMembers([...new Set((await readFeed(stage.store, cursor)).ids)], removals, 'the feed must tell each of them')
      },
    },
  ],
}
