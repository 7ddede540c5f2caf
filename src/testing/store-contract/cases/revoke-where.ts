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
  ensureEqual(sum, count, 'the counts of the events must add up to the count')
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
        ensureEqual(await revokeWhere(stage, { tenantIds: ['a'] }), 2, 'revokeWhere must answer how many it revoked')
        for (const old of mine) {
          ensureEqual(
            await findOne(stage.second, old.id),
            revoked(old),
            'stamp, one more version and updatedAt must be written, and nothing else',
          )
        }
        for (const old of others) ensureEqual(await findOne(stage.store, old.id), old, 'a token that does not match must stay as it is')
        ensureEqual((await list(stage, { statuses: ['revoked'] })).length, 2, 'list must show the revocation')
      },
    },
    {
      title: 'revokeWhere() neither changes nor counts tokens that were already revoked',
      async run(stage) {
        const before = { revokedAt: START + 1, revokedBy: 'dave', revokedCode: 'manual', revokedReason: 'first' } as const
        const old = await inserted(stage, { ...before, version: 7 })
        const fresh = await inserted(stage)
        ensureEqual(await revokeWhere(stage, {}), 1, 'a token that is revoked already must not count')
        ensureEqual(await findOne(stage.store, old.id), old, 'the first revocation must stay')
        ensureEqual(await findOne(stage.store, fresh.id), revoked(fresh), 'the other token must be revoked')
        ensureEqual(await revokeWhere(stage, {}), 0, 'a second time there must be nothing left to revoke')
      },
    },
    {
      title: 'a revocation without a reason stores no reason',
      async run(stage) {
        const old = await inserted(stage)
        const by = bulkStamp()
        await revokeWhere(stage, { ids: [old.id] }, by)
        ensureEqual(await findOne(stage.store, old.id), revoked(old, by), 'a stamp without a reason must not invent one')
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
        ensureEqual(await revokeWhere(stage, { ids: [] }), 0, 'an empty list of ids must match nothing')
        ensureEqual(await revokeWhere(stage, { tenantIds: [] }), 0, 'an empty list of tenants must match nothing')
        ensureEqual(await revokeWhere(stage, { ids: [target.id], ownerId: 'nobody' }), 0, 'ids and owner must both match')
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
      title: 'revoking a chain of rotations ends every token of the chain and no others',
      async run(stage) {
        const first = await inserted(stage, { tenantId: 'a' })
        const root = await replace(stage.store, first, { rootId: first.id, expiresAt: START + 1 })
        const line = [root, await inserted(stage, { tenantId: 'a', rootId: first.id }), await inserted(stage, { rootId: first.id })]
        const others = [await inserted(stage, { tenantId: 'a' }), await inserted(stage, { tenantId: 'a', rootId: '0000000000000001' })]
        const foreign = token(`${stage.prefix}x`, { rootId: first.id })
        await insert(stage.store, [foreign])
        ensureEqual(await revokeWhere(stage, { rootId: first.id, tenantIds: ['b'] }), 0, 'line and tenant must both match')
        ensureEqual(await revokeWhere(stage, { rootId: first.id }), 3, 'every token of the line must be revoked')
        for (const old of line) ensureEqual(await findOne(stage.second, old.id), revoked(old), 'a token of the line must be revoked')
        for (const old of [...others, foreign]) ensureEqual(await findOne(stage.store, old.id), old, 'others must stay as they are')
      },
    },
    {
      title: 'revoking a chain of rotations during a rotation also ends the successor, or prevents it',
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
          ensureEqual(found.length, rotated.ok ? 2 : 1, 'the successor must be there if its commit was acknowledged')
          const alive = found.filter(({ revokedAt }) => revokedAt === undefined).map(({ id }) => id)
          ensureEqual(alive, [], 'no token of the line must be alive after revokeWhere has answered')
        }
      },
    },
    {
      title: 'revokeWhere() revokes all of 1,100 tokens',
      async run(stage) {
        const made = Array.from({ length: 1100 }, (_, index) => token(stage.prefix, { createdAt: START + (index % 7) }))
        await insert(stage.store, made)
        ensureEqual(await revokeWhere(stage, {}), 1100, 'every token must be counted')
        ensureEqual(await list(stage, { statuses: ['active'] }), [], 'no token must be left active')
        const found = (
          await Promise.all([0, 400, 800].map((start) => stage.store.find(made.slice(start, start + 400).map(({ id }) => id))))
        ).flat()
        ensureSameMembers(
          found.filter(({ revokedAt }) => revokedAt !== undefined).map(({ id }) => id),
          made.map(({ id }) => id),
          'find must show every token revoked',
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
        ensureEqual(count, 20, 'every token must be counted, updated or not')
        const found = await stage.store.find(made.map(({ id }) => id))
        const alive = found.filter(({ revokedAt }) => revokedAt === undefined).map(({ id }) => id)
        ensureEqual(alive, [], 'no token must be alive after revokeWhere has answered')
      },
    },
    {
      title: 'a bulk revocation affects only tokens that match when it runs',
      async run(stage) {
        const there = await inserted(stage, { ownerId: 'o', rotationDueAt: START })
        const elsewhere = await inserted(stage, { ownerId: 'p' })
        ensureEqual(await revokeWhere(stage, { ownerId: 'o' }), 1, 'the one token of the owner')
        // Its instant is before the revocation, as if the clocks of two processes differ.
        const later = await inserted(stage, { ownerId: 'o', createdAt: START - 1 })
        const moved = await replace(stage.second, elsewhere, { ownerId: 'o' })
        ensureEqual(await findOne(stage.second, later.id), later, 'a token inserted afterwards must not be revoked')
        ensureEqual(await findOne(stage.second, elsewhere.id), moved, 'a token that changes into the filter must not be revoked')
        ensureEqual((await list(stage, { statuses: ['active'] })).length, 2, 'list must agree')
        ensureEqual(await list(stage, { rotationDue: true }), [], 'a revoked token is not due for rotation')

        const stale = { expectedVersion: 1, record: changed(there, { name: 'Revived' }) }
        const refused = await stage.second.commit({ updates: [stale], events: [event(stage.prefix)] })
        ensureEqual(refused, { ok: false, conflict: there.id }, 'an update that does not know of the revocation must be refused')
        const noted = await replace(stage.second, revoked(there), { description: 'Ended with its owner' })
        ensureEqual(await findOne(stage.store, there.id), noted, 'an update that knows of it must be kept')

        const again = bulkStamp({ revokedAt: START + 9000, revokedBy: 'dave' })
        ensureEqual(await revokeWhere(stage, {}, again), 2, 'a second revocation must count what was still alive')
        ensureEqual(await findOne(stage.store, there.id), noted, 'and leave what the first one ended')
        ensureEqual(await findOne(stage.store, later.id), revoked(later, again), 'and stamp the others')
        await stage.store.commit({ removals: [there.id], events: [event(stage.prefix, { action: 'token.pruned' })] })
        ensureEqual((await list(stage)).length, 2, 'a revoked token can be removed')
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
          'the counts must add up to the tokens',
        )
        const found = await stage.store.find(made.map(({ id }) => id))
        ensureEqual(
          found.filter(({ version }) => version !== 2),
          [],
          'each token must be revoked once',
        )
        for (const [turn, count] of counts.entries()) {
          const mine = found.filter(({ revokedBy }) => revokedBy === `admin-${turn}`)
          ensureEqual(mine.length, count, 'each revocation must have stamped as many as it counted')
        }
        const told = await stage.store.events({ prefix: stage.prefix, actions: ['tokens.revoked'], limit: 10 })
        for (const [turn, { bulkId }] of stamps.entries()) {
          const mine = told.filter((each) => each.bulkId === bulkId)
          const sum = mine.reduce((total, each) => total + (each.count ?? 0), 0)
          ensureEqual(sum, counts[turn], 'the events of each revocation must say the same count')
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
        ensureEqual(ended.size, count, 'the count must be that of the tokens revoked')
        ensureEqual(
          before.filter(({ id }) => !ended.has(id)),
          [],
          'every token acknowledged before must be revoked',
        )
        ensureEqual((await list(stage)).length, 40, 'every insert must be there')
      },
    },
  ],
}
