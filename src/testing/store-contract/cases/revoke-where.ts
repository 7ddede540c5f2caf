import type { StoredToken } from '../../../model/record.js'
import type { RevocationStamp, TokenFilter } from '../../../store/port.js'
import { ensureEqual, ensureSameMembers } from '../../assert.js'
import { bulkEvent, bulkStamp, changed, event, findOne, insert, inserted, list, replace, START, token } from '../build.js'
import type { Stage, StoreCases } from '../types.js'

const stamp: RevocationStamp = bulkStamp({ revokedReason: 'left the company' })

function revoked(old: StoredToken, by: RevocationStamp = stamp): StoredToken {
  return { ...old, ...by, version: old.version + 1, updatedAt: by.revokedAt }
}

async function revokeWhere(stage: Stage, filter: Omit<TokenFilter, 'prefix'>, by: RevocationStamp = stamp): Promise<number> {
  const { count, events } = await stage.store.revokeWhere({ prefix: stage.prefix, ...filter }, by, bulkEvent(stage.prefix, by))
  const sum = events.reduce((total, event) => total + (event.count ?? 0), 0)
  ensureEqual(sum, count, 'the counts of the returned events must add up to the returned count')
  return count
}

export const revokeWhereCases: StoreCases = {
  title: 'revokeWhere',
  cases: [
    {
      title: 'revokeWhere() revokes, stamps and counts the matching tokens, and changes no others',
      async run(stage) {
        const mine = [await inserted(stage, { tenantId: 'a' }), await inserted(stage, { tenantId: 'a', ownerId: 'o', expiresAt: 1 })]
        const others = [await inserted(stage, { tenantId: 'b' }), await inserted(stage), token(`${stage.prefix}x`, { tenantId: 'a' })]
        await insert(stage.store, others.slice(2))
        ensureEqual(await revokeWhere(stage, { tenantIds: ['a'] }), 2, 'revokeWhere() must return the number of tokens that it revoked')
        for (const old of mine) {
          ensureEqual(
            await findOne(stage.second, old.id),
            revoked(old),
            'revokeWhere() must write the stamp, version + 1 and updatedAt, and nothing else',
          )
        }
        for (const old of others)
          ensureEqual(await findOne(stage.store, old.id), old, 'revokeWhere() must not change a token that does not match')
        ensureEqual((await list(stage, { statuses: ['revoked'] })).length, 2, 'list() must return the revoked tokens as revoked')
      },
    },
    {
      title: 'revokeWhere() neither changes nor counts tokens that were already revoked',
      async run(stage) {
        const before = { revokedAt: START + 1, revokedBy: 'dave', revokedCode: 'manual', revokedReason: 'first' } as const
        const old = await inserted(stage, { ...before, version: 7 })
        const fresh = await inserted(stage)
        ensureEqual(await revokeWhere(stage, {}), 1, 'revokeWhere() must not count a token that was already revoked')
        ensureEqual(await findOne(stage.store, old.id), old, 'revokeWhere() must not change an earlier revocation')
        ensureEqual(await findOne(stage.store, fresh.id), revoked(fresh), 'revokeWhere() must revoke the token that was not yet revoked')
        ensureEqual(await revokeWhere(stage, {}), 0, 'a second revokeWhere() must find nothing left to revoke')
      },
    },
    {
      title: 'a revocation without a reason stores no reason',
      async run(stage) {
        const old = await inserted(stage)
        const by = bulkStamp()
        await revokeWhere(stage, { ids: [old.id] }, by)
        ensureEqual(await findOne(stage.store, old.id), revoked(old, by), 'a stamp without a reason must store no reason')
      },
    },
    {
      title: 'all given fields of the filter must match, and an empty list matches nothing',
      async run(stage) {
        const fields = { tenantId: 'a', ownerId: 'o', createdBy: 'bob' }
        const target = await inserted(stage, fields)
        await inserted(stage, { ...fields, tenantId: 'b' })
        await inserted(stage, { ...fields, ownerId: 'p' })
        await inserted(stage, { ...fields, createdBy: 'eve' })
        await inserted(stage, { ownerId: 'o', createdBy: 'bob' })
        ensureEqual(await revokeWhere(stage, { ids: [] }), 0, 'an empty list of IDs must match nothing')
        ensureEqual(await revokeWhere(stage, { tenantIds: [] }), 0, 'an empty list of tenants must match nothing')
        ensureEqual(await revokeWhere(stage, { ids: [target.id], ownerId: 'nobody' }), 0, 'IDs and owner must both match')
        const filter = { tenantIds: ['a', 'c'], ownerId: 'o', createdBy: 'bob' }
        ensureEqual(await revokeWhere(stage, filter), 1, 'tenant, owner and creator must all match')
        ensureEqual(
          (await list(stage, { statuses: ['revoked'] })).map(({ id }) => id),
          [target.id],
          'only the matching token must be revoked',
        )
      },
    },
    {
      title: 'revoking a lineage revokes every token in the lineage and no others',
      async run(stage) {
        const first = await inserted(stage, { tenantId: 'a' })
        const root = await replace(stage.store, first, { rootId: first.id, expiresAt: START + 1 })
        const line = [root, await inserted(stage, { tenantId: 'a', rootId: first.id }), await inserted(stage, { rootId: first.id })]
        const others = [await inserted(stage, { tenantId: 'a' }), await inserted(stage, { tenantId: 'a', rootId: '0000000000000001' })]
        const foreign = token(`${stage.prefix}x`, { rootId: first.id })
        await insert(stage.store, [foreign])
        ensureEqual(await revokeWhere(stage, { rootId: first.id, tenantIds: ['b'] }), 0, 'rootId and tenant must both match')
        ensureEqual(await revokeWhere(stage, { rootId: first.id }), 3, 'revokeWhere() by rootId must count every token in the lineage')
        for (const old of line)
          ensureEqual(await findOne(stage.second, old.id), revoked(old), 'revokeWhere() by rootId must revoke every token in the lineage')
        for (const old of [...others, foreign])
          ensureEqual(await findOne(stage.store, old.id), old, 'revokeWhere() by rootId must not change other tokens')
      },
    },
    {
      title: 'revoking a lineage during a rotation also revokes the successor, or prevents its creation',
      async run(stage) {
        for (let round = 0; round < 12; round += 1) {
          const old = await inserted(stage, { rootId: '0000000000000001' })
          const next = token(stage.prefix, { rootId: '0000000000000001', replacesId: old.id })
          const rotate = stage.handle(round).commit({
            inserts: [next],
            updates: [{ expectedVersion: 1, record: changed(old, { replacedById: next.id }) }],
            events: [event(stage.prefix, { action: 'token.rotated', tokenId: old.id })],
          })
          const [rotated] = await Promise.all([rotate, revokeWhere(stage, { rootId: '0000000000000001' }, bulkStamp())])
          const found = await stage.store.find([old.id, next.id])
          ensureEqual(found.length, rotated.ok ? 2 : 1, 'the successor must be stored if, and only if, the rotation was acknowledged')
          const alive = found.filter(({ revokedAt }) => revokedAt === undefined).map(({ id }) => id)
          ensureEqual(alive, [], 'every token in the lineage must be revoked once revokeWhere() has returned')
        }
      },
    },
    {
      title: 'revokeWhere() revokes all 1,100 tokens',
      async run(stage) {
        const made = Array.from({ length: 1100 }, (_, index) => token(stage.prefix, { createdAt: START + (index % 7) }))
        await insert(stage.store, made)
        ensureEqual(await revokeWhere(stage, {}), 1100, 'revokeWhere() must count every token that it revoked')
        ensureEqual(await list(stage, { statuses: ['active'] }), [], 'revokeWhere() must leave no token active')
        const found = (
          await Promise.all([0, 400, 800].map((start) => stage.store.find(made.slice(start, start + 400).map(({ id }) => id))))
        ).flat()
        ensureSameMembers(
          found.filter(({ revokedAt }) => revokedAt !== undefined).map(({ id }) => id),
          made.map(({ id }) => id),
          'find() must return every token as revoked',
        )
      },
    },
    {
      title: 'a concurrent update cannot undo a bulk revocation',
      async run(stage) {
        const made = Array.from({ length: 20 }, () => token(stage.prefix))
        await insert(stage.store, made)
        const update = async (old: StoredToken, turn: number): Promise<unknown> => {
          const updates = [{ expectedVersion: old.version, record: changed(old, { name: 'Renamed' }) }]
          return stage.handle(turn).commit({ updates, events: [event(stage.prefix, { action: 'token.updated', tokenId: old.id })] })
        }
        const [count] = await Promise.all([revokeWhere(stage, {}), ...made.map(update)])
        ensureEqual(count, 20, 'revokeWhere() must count every token, even one that is updated at the same time')
        const found = await stage.store.find(made.map(({ id }) => id))
        const alive = found.filter(({ revokedAt }) => revokedAt === undefined).map(({ id }) => id)
        ensureEqual(alive, [], 'every token must be revoked once revokeWhere() has returned')
      },
    },
    {
      title: 'a bulk revocation affects only tokens that match when it runs',
      async run(stage) {
        const there = await inserted(stage, { ownerId: 'o', rotationDueAt: START })
        const elsewhere = await inserted(stage, { ownerId: 'p' })
        ensureEqual(await revokeWhere(stage, { ownerId: 'o' }), 1, 'revokeWhere() must revoke the one token of the owner')
        // Its creation time is before the revocation, as if the clocks of two processes differed.
        const later = await inserted(stage, { ownerId: 'o', createdAt: START - 1 })
        const moved = await replace(stage.second, elsewhere, { ownerId: 'o' })
        ensureEqual(await findOne(stage.second, later.id), later, 'a token inserted after revokeWhere() must not be revoked')
        ensureEqual(await findOne(stage.second, elsewhere.id), moved, 'a token that matches only after revokeWhere() must not be revoked')
        ensureEqual((await list(stage, { statuses: ['active'] })).length, 2, 'list() must return both later tokens as active')
        ensureEqual(await list(stage, { rotationDue: true }), [], 'a revoked token must not be due for rotation')

        const stale = { expectedVersion: 1, record: changed(there, { name: 'Revived' }) }
        const refused = await stage.second.commit({ updates: [stale], events: [event(stage.prefix)] })
        ensureEqual(refused, { ok: false, conflict: there.id }, 'an update that expects the version before the revocation must be refused')
        const noted = await replace(stage.second, revoked(there), { description: 'Ended with its owner' })
        ensureEqual(await findOne(stage.store, there.id), noted, 'an update that expects the revoked version must be stored')

        const again = bulkStamp({ revokedAt: START + 9000, revokedBy: 'dave' })
        ensureEqual(await revokeWhere(stage, {}, again), 2, 'a second revokeWhere() must count only the tokens not yet revoked')
        ensureEqual(await findOne(stage.store, there.id), noted, 'a second revokeWhere() must not change tokens that were already revoked')
        ensureEqual(
          await findOne(stage.store, later.id),
          revoked(later, again),
          'a second revokeWhere() must stamp the tokens not yet revoked',
        )
        await stage.store.commit({ removals: [there.id], events: [event(stage.prefix, { action: 'token.pruned' })] })
        ensureEqual((await list(stage)).length, 2, 'commit() must be able to remove a revoked token')
      },
    },
    {
      title: 'concurrent bulk revocations count each token once',
      async run(stage) {
        const made = Array.from({ length: 60 }, (_, index) => token(stage.prefix, { ownerId: index % 2 === 0 ? 'o' : 'p', tenantId: 'a' }))
        await insert(stage.store, made)
        const filters: readonly Omit<TokenFilter, 'prefix'>[] = [{}, { ownerId: 'o' }, { tenantIds: ['a'] }, { ownerId: 'p' }, {}, {}]
        const stamps = filters.map((_, turn) => bulkStamp({ revokedBy: `admin-${turn}` }))
        const results = await Promise.all(
          stamps.map(async (by, turn) =>
            stage.handle(turn).revokeWhere({ prefix: stage.prefix, ...filters[turn] }, by, bulkEvent(stage.prefix, by)),
          ),
        )
        const counts = results.map(({ count }) => count)
        ensureEqual(
          counts.reduce((sum, count) => sum + count, 0),
          60,
          'the counts of concurrent revocations must add up to the number of tokens',
        )
        const found = await stage.store.find(made.map(({ id }) => id))
        ensureEqual(
          found.filter(({ version }) => version !== 2),
          [],
          'each token must be revoked exactly once',
        )
        for (const [turn, count] of counts.entries()) {
          const mine = found.filter(({ revokedBy }) => revokedBy === `admin-${turn}`)
          ensureEqual(mine.length, count, 'each revocation must have stamped as many tokens as it counted')
        }
        const told = await stage.store.events({ prefix: stage.prefix, actions: ['tokens.revoked'], limit: 10 })
        for (const [turn, { bulkId }] of stamps.entries()) {
          const mine = told.filter((each) => each.bulkId === bulkId)
          const sum = mine.reduce((total, each) => total + (each.count ?? 0), 0)
          ensureEqual(sum, counts[turn], 'the counts of the events of a revocation must add up to the count that it returned')
        }
      },
    },
    {
      title: 'during inserts, a bulk revocation counts exactly the revoked tokens, including every token acknowledged before',
      async run(stage) {
        const before = Array.from({ length: 20 }, () => token(stage.prefix))
        await insert(stage.store, before)
        const during = Array.from({ length: 20 }, () => token(stage.prefix))
        const [count] = await Promise.all([revokeWhere(stage, {}), ...during.map((each, turn) => insert(stage.handle(turn), [each]))])
        const ended = new Set((await list(stage, { statuses: ['revoked'] })).map(({ id }) => id))
        ensureEqual(ended.size, count, 'revokeWhere() must return exactly the number of revoked tokens')
        ensureEqual(
          before.filter(({ id }) => !ended.has(id)),
          [],
          'every token acknowledged before revokeWhere() must be revoked',
        )
        ensureEqual((await list(stage)).length, 40, 'every acknowledged insert must be stored')
      },
    },
  ],
}
