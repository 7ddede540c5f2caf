import type { StoredToken } from '../../../model/record.js'
import { compileFilter } from '../../../store/compile-filter.js'
import type { BulkResult, RevocationStamp, TokenFilter } from '../../../store/port.js'
import { ensure, ensureEqual, ensureSameMembers } from '../../assert.js'
import { bulkEvent, bulkStamp, insert, inserted, readFeed, token } from '../build.js'
import type { Stage, StoreCases } from '../types.js'

async function revoke(stage: Stage, filter: Omit<TokenFilter, 'prefix'>, stamp: RevocationStamp = bulkStamp()): Promise<BulkResult> {
  return stage.store.revokeWhere({ prefix: stage.prefix, ...filter }, stamp, bulkEvent(stage.prefix, stamp))
}

/** Inserts tokens of two tenants, two owners, two creators and two lineages, and some without a tenant or a lineage. */
async function crowd(stage: Stage): Promise<readonly StoredToken[]> {
  const tokens = ['a', 'b', undefined].flatMap((tenantId) =>
    ['o', 'p'].flatMap((ownerId) =>
      ['alice', 'bob'].map((createdBy) =>
        token(stage.prefix, {
          ownerId,
          createdBy,
          ...(tenantId !== undefined && { tenantId }),
          ...(createdBy === 'bob' && { rootId: ownerId === 'o' ? '0000000000000001' : '0000000000000002' }),
        }),
      ),
    ),
  )
  await insert(stage.store, tokens)
  return tokens
}

const FILTERS: readonly Omit<TokenFilter, 'prefix'>[] = [
  { tenantIds: ['a'] },
  { tenantIds: ['b', 'zz', 'a'], createdBy: 'bob' },
  { ownerId: 'o' },
  { createdBy: 'alice', ownerId: 'p' },
  { rootId: '0000000000000001' },
  {},
]

export const bulkNewsCases: StoreCases = {
  title: 'bulk revocations in the change feed',
  cases: [
    ...FILTERS.map((filter) => ({
      title: `a bulk revocation by ${JSON.stringify(filter)} announces exactly the tokens that it affected`,
      async run(stage: Stage) {
        const tokens = await crowd(stage)
        const foreign = token(`${stage.prefix}x`, { tenantId: 'a', ownerId: 'o' })
        await insert(stage.store, [foreign])
        const { cursor } = await stage.store.changes(undefined, 10)
        await revoke(stage, filter)
        const found = await stage.store.find(tokens.map(({ id }) => id))
        const ended = found.filter(({ revokedAt }) => revokedAt !== undefined).map(({ id }) => id)
        const news = await readFeed(stage.second, cursor)
        ensure(!news.everything, 'the feed must not set `everything` for a bulk revocation')
        const says = (each: StoredToken): boolean =>
          news.ids.includes(each.id) || news.bulk.some((told) => told.prefix === each.prefix && compileFilter(told)(each))
        ensureSameMembers(
          tokens.filter(says).map(({ id }) => id),
          ended,
          'the feed must match exactly the revoked tokens',
        )
        ensure(!says(foreign), 'the feed must not match the tokens of another prefix')
        const later = await inserted(stage)
        const next = await readFeed(stage.second, news.cursor)
        ensureEqual(
          [next.ids, next.bulk, next.everything],
          [[later.id], [], false],
          'the feed must continue as usual after a bulk revocation',
        )
      },
    })),
    {
      title: 'the feed covers every token of a bulk revocation across very many tenants',
      async run(stage) {
        const tenantIds = Array.from({ length: 3000 }, (_, index) => `tenant-${index}`)
        const tokens = tenantIds.filter((_, index) => index % 300 === 0).map((tenantId) => token(stage.prefix, { tenantId }))
        await insert(stage.store, tokens)
        const { cursor } = await stage.store.changes(undefined, 10)
        ensureEqual((await revoke(stage, { tenantIds })).count, tokens.length, 'revokeWhere() must revoke the tokens of every given tenant')
        const { bulk, ids, everything } = await readFeed(stage.second, cursor)
        const told = (each: StoredToken): boolean =>
          everything || ids.includes(each.id) || bulk.some((filter) => compileFilter(filter)(each))
        ensure(tokens.every(told), 'the feed must cover every revoked token')
      },
    },
    {
      title: 'a bulk revocation that matches no token writes no event and no feed entry',
      async run(stage) {
        await inserted(stage, { tenantId: 'a' })
        await revoke(stage, { tenantIds: ['a'] })
        const before = await stage.store.events({ prefix: stage.prefix, limit: 100 })
        const { cursor } = await stage.store.changes(undefined, 10)
        for (const filter of [...FILTERS, { tenantIds: [] }, { ids: [] }]) {
          ensureEqual(
            await revoke(stage, filter),
            { count: 0, events: [] },
            `revokeWhere() must revoke nothing if no token is left to match ${JSON.stringify(filter)}`,
          )
        }
        ensureEqual(
          await stage.store.events({ prefix: stage.prefix, limit: 100 }),
          before,
          'a bulk revocation that matches no token must write no event',
        )
        const { cursor: _, ...news } = await readFeed(stage.second, cursor)
        ensureEqual(
          news,
          { ids: [], owners: [], bulk: [], everything: false },
          'a bulk revocation that matches no token must add no feed entry',
        )
      },
    },
  ],
}
