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
      title: 'a removal deletes the token and its usage, keeps its events, and ignores IDs that no longer exist',
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
          ensureEqual(result, { ok: true }, `commit() must accept the ${round} removal of the same ID`)
        }
        ensureEqual(await findOne(stage.store, gone.id), undefined, 'find() must not return a removed token')
        // Only now may another node write uses that it counted before the removal.
        ensureEqual(
          await stage.second.recordUsage(batch({ counts: uses.slice(0, 1), addresses, lastUses: [{ tokenId: gone.id, at: START }] })),
          true,
          'recordUsage() must accept uses of a removed token',
        )
        ensureEqual(
          (await list(stage)).map(({ id }) => id),
          [kept.id],
          'list() must not return a removed token',
        )
        ensureEqual(
          await stage.store.usage({ tokenIds: [gone.id] }),
          { counts: [], addresses: [] },
          'the usage of a removed token must be gone and must not come back',
        )
        ensureEqual(
          (await stage.store.usage({ tokenIds: [kept.id] })).counts,
          uses.slice(1),
          'a removal must keep the usage of other tokens',
        )
        const events = await stage.store.events({ prefix: stage.prefix, tokenId: gone.id, limit: 10 })
        ensureEqual(events.length, 1, 'a removal must keep the events of the removed token')
      },
    },
    {
      title: 'a removed token is in no list, and its ID can be reused without anything from the old token',
      async run(stage) {
        const fields = { tenantId: 'a', ownerId: 'o', createdBy: 'bob', name: 'Find me', rotationDueAt: START, expiresAt: START + 9 }
        const old = await inserted(stage, fields)
        await stage.store.recordUsage(batch({ lastUses: [{ tokenId: old.id, at: START, ip: '192.0.2.1' }] }))
        await stage.store.commit({ removals: [old.id], events: [event(stage.prefix, { action: 'token.pruned' })] })
        for (const query of LISTS) {
          ensureEqual(await list(stage, query), [], `list() must not find a removed token by ${JSON.stringify(query)}`)
        }
        const again = await inserted(stage, { id: old.id, createdAt: START + 50, name: 'Other' })
        ensureEqual(await list(stage), [again], 'a token that reuses an ID must be listed once, without the last use of the old token')
        for (const query of LISTS.slice(0, -1)) {
          ensureEqual(
            await list(stage, query),
            [],
            `list() must not find the token that reuses an ID by the old token's ${JSON.stringify(query)}`,
          )
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
        ensureEqual(result, { ok: true }, 'commit() must accept a thousand removals')
        ensureEqual(await list(stage), [kept], 'commit() must remove all of the given tokens and no others')
        ensureSameMembers([...new Set((await readFeed(stage.store, cursor)).ids)], removals, 'the feed must list every removed token')
      },
    },
  ],
}
