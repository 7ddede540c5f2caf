import type { Restored, RestoreResult } from '../../../store/moving.js'
import { ensure, ensureEqual, ensureSameMembers } from '../../assert.js'
import { randomText } from '../../random.js'
import { batch, event, eventIds, findOne, insert, newPrefix, START, token } from '../build.js'
import { movable, move } from '../movable.js'
import type { Stage, StoreCases } from '../types.js'

/** Returns a position beyond every event of this store. */
async function placeAhead({ store, prefix }: Stage): Promise<number> {
  await store.commit({ events: [event(prefix)] })
  const [last] = await store.events({ prefix, limit: 1 })
  return (last?.seq ?? 0) + 1_000_000 + Math.floor(Math.random() * 1_000_000)
}

/** Returns one item of each kind that a store keeps. */
async function kept(
  stage: Stage,
): Promise<Required<Omit<Restored, 'prefix' | 'runId' | 'removedTokens' | 'removedEvents' | 'removedConsumers'>>> {
  const { prefix } = stage
  const seq = await placeAhead(stage)
  const full = token(prefix, {
    tenantId: 'a',
    ownerId: 'Zoë',
    metadata: { deep: { list: [1, 'ä'] } },
    revokedAt: START + 1,
    revokedBy: 'b',
  })
  const plain = token(prefix, { createdAt: START + 5 })
  const about = { tokenId: full.id, tenantId: 'a', details: { from: 'elsewhere' }, salt: 'ab'.repeat(16) }
  return {
    tokens: [full, plain],
    events: [
      { ...event(prefix, about), seq },
      { ...event(prefix), seq: seq + 7 },
    ],
    usage: [
      {
        tokenId: full.id,
        counts: [{ tokenId: full.id, bucketAt: START, endpoint: 'GET /a', outcome: 'allowed', scope: '', count: 41 }],
        addresses: [{ tokenId: full.id, ip: '::1', count: 3, lastAt: START + 9 }],
        lastUse: { tokenId: full.id, at: START + 9, ip: '::1' },
      },
    ],
    consumers: [{ prefix, name: 'siem', version: 17, position: seq, holder: 'node' }],
    seals: [1, 2].map((number) => ({ prefix, number, body: `{"seal":${number}}` })),
  }
}

/** Returns all data of the prefix, in the form that `kept` returns. */
async function contentOf({ second, prefix }: Stage): Promise<unknown> {
  const tokens = await second.list({ prefix, now: START, limit: 1000 })
  const { counts, addresses } = await second.usage({ tokenIds: tokens.map(({ id }) => id) })
  return {
    tokens: tokens.map(({ name, id, metadata, lastUsedAt, lastUsedIp }) => ({ name, id, metadata, lastUsedAt, lastUsedIp })),
    counts,
    addresses,
    consumers: await second.consumers(prefix),
    seals: await second.seals({ prefix, limit: 100 }),
  }
}

export const restoreCases: StoreCases = {
  title: 'data moved from another store',
  cases: [
    movable('restored records are unchanged, restored events keep their positions, and later events follow them', async (stage, store) => {
      const { prefix } = stage
      const given = await kept(stage)
      const [first] = await eventIds(stage)
      ensure(await store.saveMove(prefix, undefined, move('arriving')), 'saveMove() must write the move')
      const write = (more: Partial<Restored>): unknown => store.restore({ prefix, runId: 'r1', ...more })
      ensureEqual(await write(given), 'written', 'restore() must write the data of another store')
      const content = await contentOf(stage)
      for (const each of given.tokens) ensureEqual(await findOne(stage.second, each.id), each, 'a restored token must be unchanged')
      const listed = await stage.second.events({ prefix, order: 'oldest', limit: 10 })
      ensureEqual(listed.slice(1), given.events, 'a restored event must keep its content and its position')
      const [full] = given.tokens
      const ofToken = await stage.second.events({ prefix, tokenId: full?.id ?? '', limit: 9 })
      ensureEqual(ofToken, given.events.slice(0, 1), 'events() must find a restored event by its token')
      const { lastUsedAt, lastUsedIp } = (await stage.second.list({ prefix, tenantIds: ['a'], now: START, limit: 1 }))[0] ?? {}
      ensureEqual([lastUsedAt, lastUsedIp], [START + 9, '::1'], 'list() must return the restored last use')
      ensureEqual((await stage.second.consumers(prefix))[0], given.consumers[0], 'a restored consumer must be unchanged')
      ensureEqual(await stage.second.seals({ prefix, limit: 9 }), given.seals, 'restored seals must be unchanged')
      ensureEqual(await write(given), 'written', 'restore() must accept the same data again')
      ensureEqual(await contentOf(stage), content, 'restoring the same data again must change nothing')
      await write({ removedEvents: [first ?? ''], removedConsumers: ['siem', 'unknown'] })
      ensureEqual(await stage.second.consumers(prefix), [], 'restore() must remove the consumers named in removedConsumers')
      ensureSameMembers(
        await eventIds(stage),
        given.events.map(({ id }) => id),
        'restore() must remove the events named in removedEvents',
      )
      ensure(await store.saveMove(prefix, move('arriving'), undefined), 'saveMove() must remove the move')
      const later = event(prefix)
      await stage.second.commit({ events: [later] })
      const seqs = (await stage.second.events({ prefix, order: 'oldest', limit: 10 })).map(({ seq }) => seq)
      ensure((seqs.at(-1) ?? 0) > (given.events[1]?.seq ?? 0), 'a later event must get a higher seq than every restored event')
      ensureEqual((await eventIds(stage))[0], later.id, 'events() must list a later event before the restored events')
    }),
    movable(
      'restoring replaces existing data: a token in every list, an event at its position, and all of the usage',
      async (stage, store) => {
        const { prefix } = stage
        const given = await kept(stage)
        ensure(await store.saveMove(prefix, undefined, move('arriving')), 'saveMove() must write the move')
        const write = (more: Partial<Restored>): unknown => store.restore({ prefix, runId: 'r1', ...more })
        await write(given)
        const [full, plain] = given.tokens
        if (full === undefined || plain === undefined) return
        const { tenantId: _, metadata: __, ...bare } = full
        const moved = { ...bare, version: 9, tenantId: 'b', createdAt: START + 99 }
        const [told] = given.events
        const erased = told === undefined ? [] : [{ ...told, tenantId: 'b', details: {} }]
        const seal = { prefix, number: 1, body: '"other"' }
        const lastUse = { tokenId: full.id, at: START + 1 }
        const usage = [{ tokenId: full.id, counts: [], addresses: [], lastUse }]
        await write({
          tokens: [moved],
          events: erased,
          usage,
          consumers: [{ prefix, name: 'siem', version: 3, position: 1 }],
          seals: [seal],
        })
        ensureEqual(await findOne(stage.second, full.id), moved, 'restore() must replace the stored token')
        const listed = await stage.second.list({ prefix, now: START, limit: 9 })
        ensureEqual(
          listed.map(({ id }) => id),
          [full.id, plain.id],
          'list() must return a replaced token at its new position',
        )
        ensureEqual(listed[0]?.lastUsedAt, START + 1, 'restore() must replace the last use, even with an older use')
        const ofOldTenant = await stage.second.list({ prefix, tenantIds: ['a'], now: START, limit: 9 })
        ensureEqual(ofOldTenant, [], 'list() must not find a replaced token by its old tenant')
        const used = await stage.second.usage({ tokenIds: [full.id] })
        ensureEqual(used, { counts: [], addresses: [] }, 'restore() must replace the stored usage')
        const query = { prefix, limit: 9, tokenId: full.id }
        ensureEqual(await stage.second.events({ ...query, tenantIds: ['b'] }), erased, 'restore() must replace the stored event')
        ensureEqual(await stage.second.events({ ...query, tenantIds: ['a'] }), [], 'events() must not find an event by its old tenant')
        ensureEqual((await stage.second.consumers(prefix))[0]?.version, 3, 'restore() must replace the stored consumer')
        ensureEqual((await stage.second.seals({ prefix, limit: 9 }))[0], seal, 'restore() must replace the stored seal')
        await write({ removedTokens: [full.id] })
        ensureEqual(await findOne(stage.second, full.id), undefined, 'restore() must remove the tokens named in removedTokens')
        const left = await stage.second.list({ prefix, now: START, limit: 9 })
        ensureEqual(left.length, 1, 'list() must not return a token that restore() removed')
      },
    ),
    movable('a run that was superseded restores nothing', async (stage, store, second) => {
      const { prefix } = stage
      const given = await kept(stage)
      const write = (runId: string): unknown => second.restore({ prefix, runId, ...given })
      const ids = await eventIds(stage)
      ensureEqual(await write('r1'), 'superseded', 'restore() without a move must write nothing')
      ensure(await store.saveMove(prefix, undefined, move('arriving')), 'saveMove() must write the move')
      ensure(await store.saveMove(prefix, move('arriving'), move('arriving', { runId: 'r2' })), 'another run must be able to take over')
      ensureEqual(await write('r1'), 'superseded', 'restore() must write nothing for a superseded run')
      ensureEqual(await stage.store.list({ prefix, now: START, limit: 9 }), [], 'a superseded run must restore no token')
      ensureEqual(await eventIds(stage), ids, 'a superseded run must restore no event')
      ensureEqual(await write('r2'), 'written', 'restore() must write the data of the current run')
    }),
    movable('data of another prefix is neither replaced nor removed', async (stage, store) => {
      const { prefix } = stage
      const other = newPrefix()
      const theirs = token(other)
      await insert(stage.store, [theirs])
      const [told] = await stage.store.events({ prefix: other, limit: 1 })
      ensure(await store.saveMove(prefix, undefined, move('arriving')), 'saveMove() must write the move')
      const write = async (more: Partial<Restored>): Promise<RestoreResult> => store.restore({ prefix, runId: 'r1', ...more })
      const mine = token(prefix)
      ensureEqual(await write({ tokens: [mine, { ...theirs, prefix }] }), 'taken', 'restore() must refuse a token ID of another prefix')
      ensureEqual(await findOne(stage.second, mine.id), undefined, 'a refused restore() must write nothing')
      if (told !== undefined) ensureEqual(await write({ events: [{ ...told, prefix }] }), 'taken', 'a foreign event ID must be refused')
      await write({ removedTokens: [theirs.id], removedEvents: [told?.id ?? ''] })
      ensureEqual(await findOne(stage.second, theirs.id), theirs, 'restore() must not remove a token of another prefix')
      const left = await stage.second.events({ prefix: other, limit: 9 })
      ensureEqual(left.length, 1, 'restore() must not remove an event of another prefix')
    }),
    movable('new uses are added to the restored counts', async (stage, store) => {
      const { prefix } = stage
      const given = await kept(stage)
      ensure(await store.saveMove(prefix, undefined, move('arriving')), 'saveMove() must write the move')
      await store.restore({ prefix, runId: 'r1', ...given })
      const [usage] = given.usage
      const rest = { tokenId: usage?.tokenId ?? '', rest: true, counts: usage?.counts ?? [], addresses: [] } as const
      await store.restore({ prefix, runId: 'r1', usage: [rest] })
      ensure(await store.saveMove(prefix, move('arriving'), undefined), 'saveMove() must remove the move')
      await stage.second.recordUsage(batch({ nodeId: randomText(12), counts: usage?.counts ?? [] }))
      const { counts } = await stage.store.usage({ tokenIds: [usage?.tokenId ?? ''] })
      ensureEqual(
        counts.map(({ count }) => count),
        [123],
        'new uses must be added to the restored counts',
      )
    }),
  ],
}
