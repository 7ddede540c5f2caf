import type { RevocationStamp, StoredToken, TokenFilter } from '../../../store.js'
import { ensure, ensureEqual, ensureFails, ensureSameMembers } from '../../assert.js'
import { changed, event, findOne, insert, inserted, list, readFeed, START, token } from '../build.js'
import type { Stage, StoreCases } from '../types.js'

const stamp: RevocationStamp = { revokedAt: START + 5000, revokedBy: 'carol', revokedReason: 'left the company' }

function revoked(old: StoredToken, by: RevocationStamp = stamp): StoredToken {
  return { ...old, ...by, version: old.version + 1, updatedAt: by.revokedAt }
}

async function revokeWhere(stage: Stage, filter: Omit<TokenFilter, 'prefix'>, by: RevocationStamp = stamp): Promise<number> {
  return stage.store.revokeWhere({ prefix: stage.prefix, ...filter }, by, event(stage.prefix, { action: 'revoke_all', actorId: 'carol' }))
}

export const revokeWhereCases: StoreCases = {
  title: 'revokeWhere',
  cases: [
    {
      title: 'revokes what matches, stamps it, counts it, and leaves the rest alone',
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
      title: 'leaves tokens that were revoked before as they are, and does not count them',
      async run(stage) {
        const before = { revokedAt: START + 1, revokedBy: 'dave', revokedReason: 'first' }
        const old = await inserted(stage, { ...before, version: 7 })
        const fresh = await inserted(stage)
        ensureEqual(await revokeWhere(stage, {}), 1, 'a token that is revoked already must not count')
        ensureEqual(await findOne(stage.store, old.id), old, 'the first revocation must stay')
        ensureEqual(await findOne(stage.store, fresh.id), revoked(fresh), 'the other token must be revoked')
        ensureEqual(await revokeWhere(stage, {}), 0, 'a second time there must be nothing left to revoke')
      },
    },
    {
      title: 'a stamp without a reason leaves no reason',
      async run(stage) {
        const old = await inserted(stage)
        const by = { revokedAt: START + 1, revokedBy: 'carol' }
        await revokeWhere(stage, { ids: [old.id] }, by)
        ensureEqual(await findOne(stage.store, old.id), revoked(old, by), 'a stamp without a reason must not invent one')
      },
    },
    {
      title: 'every given field of the filter must match, and an empty list matches nothing',
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
      title: 'writes its event with the count, also when the count is 0',
      async run(stage) {
        await inserted(stage, { tenantId: 'a' })
        for (const count of [1, 0]) {
          const told = event(stage.prefix, { action: 'revoke_all', tenantId: 'a', reason: 'audit', details: { all: true } })
          await stage.store.revokeWhere({ prefix: stage.prefix, tenantIds: ['a'] }, stamp, told)
          const [newest] = await stage.store.events({ prefix: stage.prefix, limit: 1 })
          ensureEqual(newest, { ...told, count, seq: newest?.seq }, 'the event must be written with the count')
        }
      },
    },
    {
      title: 'an event whose id exists fails the whole of it',
      async run(stage) {
        const old = await inserted(stage)
        const told = event(stage.prefix)
        await stage.store.commit({ events: [told] })
        await ensureFails(
          async () => stage.store.revokeWhere({ prefix: stage.prefix }, stamp, told),
          'revokeWhere must throw where its event exists already',
        )
        ensureEqual(await findOne(stage.store, old.id), old, 'nothing must be revoked without its event')
      },
    },
    {
      title: 'the feed answers everything',
      async run(stage) {
        await inserted(stage)
        const { cursor } = await stage.store.changes(undefined, 10)
        await revokeWhere(stage, {})
        const feed = await readFeed(stage.second, cursor)
        ensure(feed.everything, 'after a bulk revocation the feed must say that everything may have changed')
        const later = await inserted(stage)
        const next = await readFeed(stage.second, feed.cursor)
        ensureEqual([next.ids, next.everything], [[later.id], false], 'behind the bulk revocation the feed must go on as before')
      },
    },
    {
      title: 'revokes every one of 1,100 tokens',
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
      title: 'an update that raced with a bulk revocation cannot undo it',
      async run(stage) {
        const made = Array.from({ length: 20 }, () => token(stage.prefix))
        await insert(stage.store, made)
        const update = async (old: StoredToken, turn: number): Promise<unknown> => {
          const updates = [{ expectedVersion: old.version, record: changed(old, { name: 'Renamed' }) }]
          return stage.handle(turn).commit({ updates, events: [event(stage.prefix, { action: 'update', tokenId: old.id })] })
        }
        const [count] = await Promise.all([revokeWhere(stage, {}), ...made.map(update)])
        ensureEqual(count, 20, 'every token must be counted, updated or not')
        const found = await stage.store.find(made.map(({ id }) => id))
        const alive = found.filter(({ revokedAt }) => revokedAt === undefined).map(({ id }) => id)
        ensureEqual(alive, [], 'no token must be alive after revokeWhere has answered')
      },
    },
  ],
}
