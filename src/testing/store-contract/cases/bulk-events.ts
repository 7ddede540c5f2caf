import type { ListedEvent, StoredEvent } from '../../../model/event.js'
import type { StoredToken } from '../../../model/record.js'
import type { BulkResult, EventQuery, RevocationStamp, TokenFilter } from '../../../store/port.js'
import { ensureEqual, ensureFails, ensureSameMembers } from '../../assert.js'
import { bulkEvent, bulkStamp, event, findOne, insert, inserted, readFeed, token } from '../build.js'
import type { Stage, StoreCases } from '../types.js'

async function revoke(stage: Stage, filter: Omit<TokenFilter, 'prefix'>, stamp: RevocationStamp = bulkStamp()): Promise<BulkResult> {
  return stage.store.revokeWhere({ prefix: stage.prefix, ...filter }, stamp, bulkEvent(stage.prefix, stamp))
}

async function read(stage: Stage, query: Partial<EventQuery> = {}): Promise<readonly ListedEvent[]> {
  return stage.second.events({ prefix: stage.prefix, limit: 100, ...query })
}

function idsOf(events: readonly StoredEvent[]): readonly string[] {
  return events.map(({ id }) => id)
}

/** Returns the counts as text, so that they can be compared in any order. */
function countsOf(events: readonly StoredEvent[]): string[] {
  return events.map(({ tenantId, count }) => `${JSON.stringify(tenantId) ?? 'none'}: ${count}`)
}

/** Checks the audit trail of one token after a bulk revocation across three tenants. */
async function ensureTrail(
  stage: Stage,
  { id: tokenId, tenantId }: StoredToken,
  bulkId: string,
  part: StoredEvent | undefined,
): Promise<void> {
  const bulk = { bulkId, ...(tenantId !== undefined && { tenantId }) }
  const own = await read(stage, { tokenId })
  const trail = await read(stage, { tokenId, bulk })
  const what = `the trail of a token in ${tenantId ?? 'no tenant'}`
  ensureEqual(idsOf(trail), [part?.id, ...idsOf(own)], `${what} must begin with the revocation event of its tenant`)
  const after = trail[0]?.seq ?? 0
  ensureEqual(await read(stage, { tokenId, bulk, after }), own, `${what} must continue after the revocation`)
  ensureEqual(idsOf(await read(stage, { tokenId, bulk, limit: 1 })), [part?.id], `${what} must not exceed the limit`)
  const actions = ['token.created'] as const
  ensureEqual(
    await read(stage, { tokenId, bulk, actions }),
    await read(stage, { tokenId, actions }),
    `${what} must follow the action filter`,
  )
  ensureEqual(await read(stage, { tokenId, bulk, tenantIds: ['zz'] }), [], `${what} must follow the tenant filter`)
  const byBob = await read(stage, { tokenId, bulk, createdBy: 'eve' })
  ensureEqual(idsOf(byBob), [part?.id], `${what} must contain the revocation regardless of createdBy`)
  ensureEqual(
    await stage.store.events({ prefix: `${stage.prefix}x`, tokenId, bulk, limit: 9 }),
    [],
    `${what} must contain only events of its prefix`,
  )
}

export const bulkEventCases: StoreCases = {
  title: 'events of bulk revocations',
  cases: [
    {
      title: 'a bulk revocation writes one event for each affected tenant and one for tokens without a tenant, each with its count',
      async run(stage) {
        const tenants = ['a', 'a', 'a', 'A', 'a"]', '😀 b', undefined, undefined]
        await insert(
          stage.store,
          tenants.map((tenantId) => token(stage.prefix, tenantId === undefined ? {} : { tenantId })),
        )
        await inserted(stage, { tenantId: 'ended', revokedAt: 1, revokedBy: 'dave' })
        const stamp = bulkStamp()
        const template = bulkEvent(stage.prefix, stamp, { reason: 'audit', ip: '192.0.2.1', details: { filter: { all: true } } })
        const { count, events } = await stage.store.revokeWhere({ prefix: stage.prefix }, stamp, template)
        ensureEqual(count, 8, 'revokeWhere() must count the revoked tokens of all tenants')
        ensureSameMembers(
          countsOf(events),
          ['"a": 3', '"A": 1', '"a\\"]": 1', '"😀 b": 1', 'none: 2'],
          'revokeWhere() must return one event with its count for each tenant and one for no tenant',
        )
        const ids = [template.id, ...[2, 3, 4, 5].map((number) => `${template.id}_${number}`)]
        ensureSameMembers(idsOf(events), ids, 'the first event must have the given ID, and the others the given ID followed by _2, _3 …')
        const stored = await read(stage, { actions: ['tokens.revoked'] })
        ensureEqual(stored.length, 5, 'the returned events, and no others, must be stored')
        for (const { seq: _, ...each } of stored) {
          ensureEqual(
            each,
            events.find(({ id }) => id === each.id),
            'each stored event must equal the returned event',
          )
          const { tenantId, ...rest } = each
          ensureEqual(
            rest,
            { ...template, id: each.id, count: each.count },
            'each event must have the given fields, apart from its ID, tenant and count',
          )
        }
        const ofA = await read(stage, { tenantIds: ['a'], actions: ['tokens.revoked'] })
        ensureEqual(countsOf(ofA), ['"a": 3'], 'events() of one tenant must return only the event of that tenant')
      },
    },
    {
      title: 'each event of a bulk revocation has its own salt',
      async run(stage) {
        await insert(
          stage.store,
          ['a', 'b', undefined].map((tenantId) => token(stage.prefix, tenantId === undefined ? {} : { tenantId })),
        )
        const stamp = bulkStamp()
        const salt = '0123456789abcdef0123456789abcdef'
        await stage.store.revokeWhere({ prefix: stage.prefix }, stamp, bulkEvent(stage.prefix, stamp, { salt }))
        const salts = (await read(stage, { actions: ['tokens.revoked'] })).map((each) => each.salt)
        ensureEqual([salts.length, new Set(salts).size], [3, 3], 'each event of a bulk revocation must have its own salt')
        ensureEqual(
          [...salts, salt].map((each) => each?.length),
          [32, 32, 32, 32],
          'each salt must be as long as the given one',
        )
      },
    },
    {
      title: 'each revoked token records the bulk revocation that revoked it',
      async run(stage) {
        const [mine, other] = [await inserted(stage, { tenantId: 'a' }), await inserted(stage, { tenantId: 'b' })]
        const stamp = bulkStamp()
        await revoke(stage, { tenantIds: ['a'] }, stamp)
        const found = await findOne(stage.second, mine.id)
        ensureEqual(
          [found?.bulkId, found?.revokedCode],
          [stamp.bulkId, 'bulk'],
          'a revoked token must have the bulkId and the revokedCode of the stamp',
        )
        ensureEqual(await findOne(stage.second, other.id), other, 'revokeWhere() must not change a token that does not match')
      },
    },
    {
      title: 'a duplicate event ID makes the whole bulk revocation fail',
      async run(stage) {
        const old = await inserted(stage)
        const stamp = bulkStamp()
        const template = bulkEvent(stage.prefix, stamp)
        await stage.store.commit({ events: [template] })
        const { cursor } = await stage.store.changes(undefined, 10)
        await ensureFails(
          async () => stage.store.revokeWhere({ prefix: stage.prefix }, stamp, template),
          'revokeWhere() must throw if its event ID exists',
        )
        ensureEqual(await findOne(stage.store, old.id), old, 'a failed revokeWhere() must revoke nothing')
        ensureEqual((await readFeed(stage.store, cursor)).bulk, [], 'a failed revokeWhere() must add no feed entry')
      },
    },
    {
      title:
        'the audit trail of a token contains only one bulk revocation event: the event for its tenant from the revocation that revoked it',
      async run(stage) {
        const tokens: StoredToken[] = []
        for (const tenantId of ['a', 'b', undefined]) {
          const made = token(stage.prefix, { createdBy: 'bob', ...(tenantId !== undefined && { tenantId }) })
          const about = { tokenId: made.id, createdBy: 'bob', ...(tenantId !== undefined && { tenantId }) }
          const events = [event(stage.prefix, about), event(stage.prefix, { ...about, action: 'token.updated' })]
          await stage.store.commit({ inserts: [made], events })
          tokens.push(made)
        }
        const stamp = bulkStamp()
        const { events } = await revoke(stage, {}, stamp)
        await inserted(stage, { tenantId: 'a' })
        await revoke(stage, {})
        for (const made of tokens) {
          const part = events.find(({ tenantId }) => tenantId === made.tenantId)
          await ensureTrail(stage, made, stamp.bulkId, part)
        }
      },
    },
  ],
}
