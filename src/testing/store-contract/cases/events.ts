import type { AuditAction, ListedEvent, StoredEvent } from '../../../model/event.js'
import type { EventQuery } from '../../../store/port.js'
import { ensure, ensureEqual, ensureSameMembers } from '../../assert.js'
import { event, START } from '../build.js'
import type { Stage, StoreCases } from '../types.js'

const everyField: Partial<StoredEvent> = {
  at: START + 123,
  action: 'token.updated',
  actorId: 'älice 😀',
  tokenId: 'aAbBcCdDeEfF0123',
  tenantId: 'tenant-1',
  ownerId: 'owner-1',
  createdBy: 'bob',
  ip: '2001:db8::1',
  reason: 'leaked; "see ticket" \\ \u2028',
  code: 'token_expired',
  count: 42,
  bulkId: 'aAbBcCdDeEfF9876',
  before: { name: 'Old', scopes: [], nothing: null },
  after: { name: 'New 😀', scopes: ['a:b'], resources: {} },
  salt: '0123456789abcdef0123456789abcdef',
  erased: { commitments: { 'after.näme': 'f'.repeat(64) }, salts: { actorId: '0'.repeat(64) } },
  details: { tenantId: 'tenant-1', deep: { n: 1.5, list: [1, [], {}] } },
}

async function read(stage: Stage, query: Partial<EventQuery> = {}): Promise<readonly ListedEvent[]> {
  return stage.store.events({ prefix: stage.prefix, limit: 1000, ...query })
}

async function commitOneByOne(stage: Stage, events: readonly StoredEvent[]): Promise<void> {
  for (const each of events) ensureEqual(await stage.store.commit({ events: [each] }), { ok: true }, 'commit() must accept a new event')
}

export const eventCases: StoreCases = {
  title: 'audit events',
  cases: [
    {
      title: 'every field is returned as it was stored, and absent fields stay absent',
      async run(stage) {
        const [full, bare] = [event(stage.prefix, everyField), event(stage.prefix)]
        await commitOneByOne(stage, [full, bare])
        const [second, first] = await read(stage)
        ensureEqual(first, { ...full, seq: first?.seq }, 'events() must return every field as it was stored')
        ensureEqual(second, { ...bare, seq: second?.seq }, 'events() must leave absent fields absent')
        const empty = event(stage.prefix, { reason: '', count: 0, before: {}, after: {}, details: {} })
        await commitOneByOne(stage, [empty])
        const [newest] = await read(stage)
        ensureEqual(newest, { ...empty, seq: newest?.seq }, 'events() must return empty values as they were stored')
      },
    },
    {
      title: 'newest first follows the commit order, regardless of the timestamps',
      async run(stage) {
        const events = [5, 1, 9, 9, 2].map((offset) => event(stage.prefix, { at: START + offset }))
        await commitOneByOne(stage, events)
        const rows = await read(stage)
        ensureEqual(
          rows.map(({ id }) => id),
          events.map(({ id }) => id).reverse(),
          'events() must follow the order of the commits',
        )
        const seqs = rows.map(({ seq }) => seq)
        ensure(
          seqs.every((seq, index) => Number.isSafeInteger(seq) && (index === 0 || seq < (seqs[index - 1] ?? 0))),
          'seq must increase with every event',
        )
      },
    },
    {
      title: 'pages after a seq contain each event exactly once while more are written',
      async run(stage) {
        const events = Array.from({ length: 25 }, () => event(stage.prefix))
        await stage.store.commit({ events: events.slice(0, 10) })
        await commitOneByOne(stage, events.slice(10))
        const seen: string[] = []
        let page = await read(stage, { limit: 4 })
        while (page.length > 0) {
          ensure(page.length <= 4, 'events() must not return more rows than the limit')
          seen.push(...page.map(({ id }) => id))
          await commitOneByOne(stage, [event(stage.prefix), event(stage.prefix)])
          const after = page.at(-1)?.seq
          page = after === undefined ? [] : await read(stage, { limit: 4, after })
        }
        ensureSameMembers(
          seen,
          events.map(({ id }) => id),
          'the pages must contain each event from before the first page exactly once',
        )
      },
    },
    {
      title: 'all given fields of a query must match, and an empty list matches nothing',
      async run(stage) {
        const actions: readonly AuditAction[] = ['token.created', 'token.updated', 'token.rotated', 'token.refused']
        const events = actions.flatMap((action, index) => [
          event(stage.prefix, { action, at: START + index, actorId: 'Ann', tokenId: 'token1', tenantId: 'a', createdBy: 'bob' }),
          event(stage.prefix, { action, at: START + index, actorId: 'Bea', tokenId: 'token2', tenantId: 'b', createdBy: 'eve' }),
          event(stage.prefix, { action, at: START + index }),
        ])
        await stage.store.commit({ events })
        const queries: readonly [Partial<EventQuery>, (each: StoredEvent) => boolean][] = [
          [{}, () => true],
          [{ tokenId: 'token1' }, ({ tokenId }) => tokenId === 'token1'],
          [{ tenantIds: ['a', 'zz'] }, ({ tenantId }) => tenantId === 'a'],
          [{ tenantIds: ['a', 'b'] }, ({ tenantId }) => tenantId !== undefined],
          [{ tenantIds: [] }, () => false],
          [{ actions: ['token.rotated', 'token.refused'] }, ({ action }) => action === 'token.rotated' || action === 'token.refused'],
          [{ actions: [] }, () => false],
          [{ createdBy: 'eve' }, ({ createdBy }) => createdBy === 'eve'],
          [{ actorId: 'Ann' }, ({ actorId }) => actorId === 'Ann'],
          [{ actorId: 'ann' }, () => false],
          [{ from: START + 2 }, ({ at }) => at >= START + 2],
          [{ to: START + 2 }, ({ at }) => at < START + 2],
          [{ from: START + 1, to: START + 2, actorId: 'Ann' }, ({ at, actorId }) => at === START + 1 && actorId === 'Ann'],
          [
            { tenantIds: ['a'], actions: ['token.created'], createdBy: 'bob', tokenId: 'token1' },
            ({ tenantId, action }) => tenantId === 'a' && action === 'token.created',
          ],
          [{ tenantIds: ['a'], createdBy: 'eve' }, () => false],
        ]
        for (const [query, matches] of queries) {
          const ids = (await read(stage, query)).map(({ id }) => id)
          ensureSameMembers(
            ids,
            events.filter(matches).map(({ id }) => id),
            `events() must return exactly the events that match ${JSON.stringify(query)}`,
          )
        }
        const [, second] = await read(stage, { tenantIds: ['a'], limit: 2 })
        const behind = await read(stage, { tenantIds: ['a'], after: second?.seq ?? 0 })
        ensureEqual(behind.length, 2, 'events() must also apply a filter after a position')
      },
    },
    {
      title: 'events of 32 concurrent writers are all stored, each with its own seq',
      async run(stage) {
        const events = Array.from({ length: 96 }, (_, index) => event(stage.prefix, { count: index }))
        await Promise.all(
          Array.from({ length: 32 }, async (_, writer) => {
            for (const each of events.slice(writer * 3, writer * 3 + 3)) await stage.handle(writer).commit({ events: [each] })
          }),
        )
        const rows = await read(stage)
        ensureSameMembers(
          rows.map(({ id }) => id),
          events.map(({ id }) => id),
          'every acknowledged event must be stored',
        )
        ensureEqual(new Set(rows.map(({ seq }) => seq)).size, 96, 'each event must have its own seq')
      },
    },
  ],
}
