import type { StoredToken } from '../../../model/record.js'
import type { Change, TokenCap } from '../../../store/port.js'
import { ensureEqual } from '../../assert.js'
import { changed, event, eventIds, findOne, insert, inserted, list, readFeed, START, token } from '../build.js'
import type { Stage, StoreCases } from '../types.js'

const OWNED = { tenantId: 'a', ownerId: 'bob' } as const
/** More tokens than a store writes in one batch. */
const MANY = 2_100

function cap(stage: Stage, max: number, whose: { tenantId?: string; ownerId: string } | { tenantId: string } = OWNED): TokenCap {
  return { prefix: stage.prefix, max, now: START, ...whose }
}

function adding(stage: Stage, caps: readonly TokenCap[], fields: Partial<StoredToken> = OWNED): Change {
  const made = token(stage.prefix, fields)
  return { inserts: [made], caps, events: [event(stage.prefix, { tokenId: made.id })] }
}

export const capCases: StoreCases = {
  title: 'caps on live tokens',
  cases: [
    {
      title: 'of 32 parallel inserts, exactly as many succeed as a cap allows',
      async run(stage) {
        const results = await Promise.all(
          Array.from({ length: 32 }, async (_, turn) => stage.handle(turn).commit(adding(stage, [cap(stage, 5)]))),
        )
        ensureEqual(results.filter(({ ok }) => ok).length, 5, 'exactly 5 of 32 inserts must succeed under a cap of 5')
        for (const result of results)
          if (!result.ok) ensureEqual(result, { ok: false, exceeded: 0 }, 'the other inserts must report the exceeded cap')
        ensureEqual((await list(stage)).length, 5, 'only the tokens of successful inserts must exist')
        ensureEqual((await eventIds(stage)).length, 5, 'only the events of successful inserts must exist')
      },
    },
    {
      title: 'a change that exceeds a cap writes nothing, and the result names the cap',
      async run(stage) {
        await inserted(stage, OWNED)
        const { cursor } = await stage.store.changes(undefined, 10)
        const before = await eventIds(stage)
        const change = adding(stage, [cap(stage, 2), cap(stage, 1, { tenantId: 'a' })])
        ensureEqual(await stage.store.commit(change), { ok: false, exceeded: 1 }, 'commit() must report the position of the exceeded cap')
        ensureEqual(await findOne(stage.store, change.inserts?.[0]?.id ?? ''), undefined, 'a change that exceeds a cap must write no token')
        ensureEqual(await eventIds(stage), before, 'a change that exceeds a cap must write no event')
        ensureEqual((await readFeed(stage.store, cursor)).ids, [], 'a change that exceeds a cap must add no feed entry')
      },
    },
    {
      title: 'inactive and pending tokens count toward a cap; revoked and expired tokens and those of other tenants and owners do not',
      async run(stage) {
        await insert(stage.store, [
          token(stage.prefix, { ...OWNED, revokedAt: START, revokedBy: 'x', revokedCode: 'manual' }),
          token(stage.prefix, { ...OWNED, expiresAt: START }),
          token(stage.prefix, { tenantId: 'b', ownerId: 'bob' }),
          token(stage.prefix, { tenantId: 'a', ownerId: 'Bob' }),
          token(stage.prefix, { ownerId: 'bob' }),
          token(stage.prefix, { tenantId: 'a' }),
          token(`${stage.prefix}x`, OWNED),
        ])
        ensureEqual(
          await stage.store.commit(adding(stage, [cap(stage, 1)])),
          { ok: true },
          'a cap must not count revoked, expired or unrelated tokens',
        )
        ensureEqual(
          await stage.store.commit(adding(stage, [cap(stage, 1)])),
          { ok: false, exceeded: 0 },
          'a cap must count a token that was just added',
        )
        const ownTenantless = adding(stage, [cap(stage, 2, { ownerId: 'bob' })], { ownerId: 'bob' })
        ensureEqual(
          await stage.store.commit(ownTenantless),
          { ok: true },
          'an owner cap without a tenant must count only tokens without a tenant',
        )
        await insert(stage.store, [
          token(stage.prefix, { ...OWNED, deactivatedAt: START, deactivatedBy: 'x' }),
          token(stage.prefix, { ...OWNED, notBefore: START + 1 }),
          token(stage.prefix, { ...OWNED, expiresAt: START + 1 }),
          token(stage.prefix, { ...OWNED, replacedById: 'abcdefghijklmnop' }),
        ])
        ensureEqual(
          await stage.store.commit(adding(stage, [cap(stage, 5)])),
          { ok: false, exceeded: 0 },
          'a cap must count inactive, pending, expiring and replaced tokens',
        )
        ensureEqual(await stage.store.commit(adding(stage, [cap(stage, 6)])), { ok: true }, 'a cap must count each token only once')
        const inTenant = adding(stage, [cap(stage, 9, { tenantId: 'a' })], { tenantId: 'a' })
        ensureEqual(await stage.store.commit(inTenant), { ok: true }, 'a tenant cap must accept the last token that fits')
        ensureEqual(
          await stage.store.commit({ ...adding(stage, inTenant.caps ?? [], { tenantId: 'a' }) }),
          { ok: false, exceeded: 0 },
          'a tenant cap must count the tokens of every owner and those without an owner',
        )
      },
    },
    {
      title: 'a cap counts updated and removed tokens as they are after the change',
      async run(stage) {
        const first = await inserted(stage, OWNED)
        const second = await inserted(stage, { ...OWNED, expiresAt: START })
        const told = () => [event(stage.prefix, { action: 'token.updated' })]
        const renamed = changed(first, { name: 'Other' })
        const rename: Change = { updates: [{ expectedVersion: 1, record: renamed }], caps: [cap(stage, 1)], events: told() }
        ensureEqual(await stage.store.commit(rename), { ok: true }, 'an update must not count a token twice')
        const extended = { expectedVersion: 1, record: changed(second, { expiresAt: START + 1000 }) }
        const revive: Change = { updates: [extended], caps: [cap(stage, 1)], events: told() }
        ensureEqual(
          await stage.store.commit(revive),
          { ok: false, exceeded: 0 },
          'a cap must count an expired token that an update extends',
        )
        const ended = { expectedVersion: 2, record: changed(renamed, { revokedAt: START, revokedBy: 'x', revokedCode: 'manual' as const }) }
        const swap: Change = { updates: [ended, extended], caps: [cap(stage, 1)], events: told() }
        ensureEqual(await stage.store.commit(swap), { ok: true }, 'a token revoked in the same change must not count')
        const replace: Change = { ...adding(stage, [cap(stage, 1)]), removals: [second.id] }
        ensureEqual(await stage.store.commit(replace), { ok: true }, 'a token removed in the same change must not count')
        ensureEqual(
          await stage.store.commit(adding(stage, [cap(stage, 1)])),
          { ok: false, exceeded: 0 },
          'a full cap must refuse another token',
        )
      },
    },
    {
      title: 'a cap counts at its own time, even if a later time was counted before',
      async run(stage) {
        const ending = await inserted(stage, { ...OWNED, expiresAt: START + 1 })
        const extend = (max: number): Change => ({
          updates: [{ expectedVersion: 1, record: changed(ending, { expiresAt: START + 1000 }) }],
          caps: [cap(stage, max)],
          events: [event(stage.prefix, { action: 'token.updated' })],
        })
        const later = { ...cap(stage, 1), now: START + 1 }
        ensureEqual(
          await stage.store.commit(adding(stage, [later])),
          { ok: true },
          'a cap must not count a token that has expired at its time',
        )
        ensureEqual(
          await stage.store.commit(extend(1)),
          { ok: false, exceeded: 0 },
          'a cap must refuse an extended token whose place was taken at a later time',
        )
        ensureEqual(await stage.store.commit(extend(2)), { ok: true }, 'a cap must count an extended token once')
      },
    },
    {
      title: 'a duplicate ID is reported as a conflict, not as an exceeded cap',
      async run(stage) {
        const first = await inserted(stage, OWNED)
        const again: Change = { inserts: [token(stage.prefix, { ...OWNED, id: first.id })], caps: [cap(stage, 1)], events: [] }
        ensureEqual(
          await stage.store.commit(again),
          { ok: false, conflict: first.id },
          'commit() must report a duplicate ID as a conflict, even if a cap is exceeded',
        )
      },
    },
    {
      title: 'tokens revoked in bulk no longer count toward a cap, regardless of their number',
      async run(stage) {
        await insert(
          stage.store,
          Array.from({ length: MANY }, () => token(stage.prefix, OWNED)),
        )
        const stamp = { revokedAt: START, revokedBy: 'x', revokedCode: 'bulk', bulkId: 'abcdefghijklmnop' } as const
        const done = await stage.store.revokeWhere({ prefix: stage.prefix }, stamp, event(stage.prefix, { action: 'tokens.revoked' }))
        ensureEqual(done.count, MANY, 'revokeWhere() must revoke every token')
        ensureEqual(
          await stage.second.commit(adding(stage, [cap(stage, 1)])),
          { ok: true },
          'a cap must accept tokens again after a bulk revocation',
        )
      },
    },
  ],
}
