import type { AuditAction, ListedEvent, StoredEvent } from '../../../model/event.js'
import type { EventQuery } from '../../../store/port.js'
import { ensure, ensureEqual } from '../../assert.js'
import { pause } from '../../pause.js'
import { bulkEvent, bulkStamp, event, inserted, START } from '../build.js'
import type { Stage, StoreCases } from '../types.js'

async function oldest(stage: Stage, query: Partial<EventQuery> = {}): Promise<readonly ListedEvent[]> {
  return stage.second.events({ prefix: stage.prefix, order: 'oldest', limit: 1000, ...query })
}

const idsOf = (events: readonly StoredEvent[]): string[] => events.map(({ id }) => id)

export const eventOrderCases: StoreCases = {
  title: 'audit events, oldest first',
  cases: [
    {
      title: 'oldest first is the reverse of newest first, for every filter',
      async run(stage) {
        const actions: readonly AuditAction[] = ['token.created', 'token.updated', 'token.refused']
        const events = Array.from({ length: 30 }, (_, index) =>
          event(stage.prefix, {
            at: START - index,
            action: actions[index % 3] ?? 'token.created',
            ...(index % 2 === 0 && { tokenId: `token${index % 4}`, createdBy: 'bob' }),
            ...(index % 5 !== 0 && { tenantId: `tenant${index % 2}` }),
          }),
        )
        for (const each of events) await stage.store.commit({ events: [each] })
        const queries: readonly Partial<EventQuery>[] = [
          {},
          { tokenId: 'token2' },
          { createdBy: 'bob' },
          { actions: ['token.created', 'token.refused'] },
          { tenantIds: ['tenant0', 'tenant1'] },
          { tenantIds: ['tenant1'], actions: ['token.updated'] },
          { tenantIds: [] },
          { actions: [] },
        ]
        ensureEqual(idsOf(await oldest(stage)), idsOf(events), 'events() must follow the order of the commits, regardless of their times')
        for (const query of queries) {
          const newest = await stage.store.events({ prefix: stage.prefix, limit: 1000, ...query })
          ensureEqual(
            idsOf(await oldest(stage, query)),
            idsOf(newest).reverse(),
            `oldest first must be the reverse of newest first for ${JSON.stringify(query)}`,
          )
        }
      },
    },
    {
      title: 'oldest first, the audit trail of a token contains its bulk revocation at the right position',
      async run(stage) {
        const made = await inserted(stage, { tenantId: 'a' })
        const stamp = bulkStamp()
        await stage.store.revokeWhere({ prefix: stage.prefix, tenantIds: ['a'] }, stamp, bulkEvent(stage.prefix, stamp, { tenantId: 'a' }))
        await stage.store.commit({ events: [event(stage.prefix, { tokenId: made.id, tenantId: 'a', action: 'token.refused' })] })
        const trail = { tokenId: made.id, bulk: { bulkId: stamp.bulkId, tenantId: 'a' } }
        const actionsOf = (rows: readonly ListedEvent[]): string[] => rows.map(({ action }) => action)
        const rows = await oldest(stage, trail)
        ensureEqual(
          actionsOf(rows),
          ['token.created', 'tokens.revoked', 'token.refused'],
          'the audit trail must contain the bulk revocation at its position',
        )
        ensureEqual(
          actionsOf(await oldest(stage, { ...trail, limit: 2 })),
          ['token.created', 'tokens.revoked'],
          'the first page of the audit trail must end with the bulk revocation',
        )
        ensureEqual(
          actionsOf(await oldest(stage, { ...trail, after: rows[1]?.seq ?? 0 })),
          ['token.refused'],
          'the second page of the audit trail must continue after the bulk revocation',
        )
      },
    },
    {
      title: 'a reader that continues after the last event misses none and sees none twice while 16 writers commit',
      async run(stage) {
        const [writers, each] = [16, 12]
        let writing = true
        const written: string[] = []
        const work = Array.from({ length: writers }, async (_, writer) => {
          for (let turn = 0; turn < each; turn += 1) {
            const events = Array.from({ length: 1 + ((writer + turn) % 3) }, () => event(stage.prefix, { action: 'token.refused' }))
            await stage.handle(writer).commit({ events })
            written.push(...idsOf(events))
          }
        })
        const working = Promise.all(work).finally(() => {
          writing = false
        })
        // Failures are reported below.
        working.catch(() => {})
        const seen: ListedEvent[] = []
        let last = false
        while (!last) {
          // Decided before the page is read, because everything committed by then must be in it.
          last = !writing
          const after = seen.at(-1)?.seq
          const page = await oldest(stage, { limit: 7, ...(after !== undefined && { after }) })
          seen.push(...page)
          if (page.length > 0) last = false
          // A store that reads from memory would otherwise never yield to its writers.
          else await pause(1)
        }
        await working
        ensure(
          seen.every(({ seq }, index) => index === 0 || seq > (seen[index - 1]?.seq ?? 0)),
          'seq must increase from one event to the next',
        )
        ensureEqual(idsOf(seen).toSorted(), written.toSorted(), 'a reader must see every event exactly once')
      },
    },
  ],
}
