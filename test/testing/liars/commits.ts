import { memoryStore } from 'latchkey/stores/memory'
import type { StoredToken } from '../../../src/model/record.js'
import { bulkEvents } from '../../../src/store/bulk-events.js'
import type { Change, CommitResult, RevocationStamp, TokenFilter, TokenStore } from '../../../src/store/port.js'
import { pause } from '../../../src/testing/pause.js'
import { type Liar, single } from './liar.js'

function versionNow(store: TokenStore, id: string, expected: number): number {
  const [found] = store.find([id]) as readonly StoredToken[]
  return found?.version ?? expected
}

function countsOf(tokens: readonly StoredToken[]): ReadonlyMap<string | undefined, number> {
  const counts = new Map<string | undefined, number>()
  for (const { tenantId } of tokens) counts.set(tenantId, (counts.get(tenantId) ?? 0) + 1)
  return counts
}

/** Counts the tokens for the first cap of a change, and says whether one more token would exceed the cap. */
async function isFull(store: TokenStore, { caps: [cap] = [] }: Pick<Change, 'caps'>): Promise<boolean> {
  if (cap === undefined) return false
  return (await store.list({ prefix: cap.prefix, now: cap.now, limit: 1000 })).length >= cap.max
}

export const commitLiars: readonly Liar[] = [
  {
    name: 'checks the cap first and inserts the token later',
    caughtBy: 'of 32 parallel inserts, exactly as many succeed as a cap allows',
    create() {
      const honest = memoryStore()
      return single({
        ...honest,
        async commit({ caps, ...change }) {
          if (caps !== undefined && (await isFull(honest, { caps }))) return { ok: false, exceeded: 0 }
          await pause(1)
          return honest.commit(change)
        },
      })
    },
  },
  {
    name: 'checks the cap before the IDs',
    caughtBy: 'a duplicate ID is reported as a conflict, not as an exceeded cap',
    create() {
      const honest = memoryStore()
      return single({
        ...honest,
        commit: async (change) => ((await isFull(honest, change)) ? { ok: false, exceeded: 0 } : honest.commit(change)),
      })
    },
  },
  {
    name: 'does not compare versions',
    caughtBy: 'of 100 parallel rotations of one token, exactly one succeeds, and only its successor and event exist',
    create() {
      const honest = memoryStore()
      const blind = ({ updates = [], ...change }: Change): Change => ({
        ...change,
        updates: updates.map(({ record, expectedVersion }) => ({
          record,
          expectedVersion: versionNow(honest, record.id, expectedVersion),
        })),
      })
      return single({ ...honest, commit: (change) => honest.commit(blind(change)) })
    },
  },
  {
    name: 'compares the version first and writes the record later',
    caughtBy: 'no update is lost when concurrent writers retry',
    create() {
      const honest = memoryStore()
      return single({
        ...honest,
        async commit(change) {
          for (const { record, expectedVersion } of change.updates ?? []) {
            if (versionNow(honest, record.id, -1) !== expectedVersion) return { ok: false, conflict: record.id }
          }
          await pause(0)
          const updates = (change.updates ?? []).map(({ record }) => ({ record, expectedVersion: versionNow(honest, record.id, 0) }))
          return honest.commit({ ...change, updates })
        },
      })
    },
  },
  {
    name: 'writes the audit event before the change, in a separate step',
    caughtBy: 'an update with a stale version is a conflict and changes nothing',
    create() {
      const honest = memoryStore()
      return single({
        ...honest,
        async commit({ events, ...change }) {
          const recorded = await honest.commit({ events })
          return recorded.ok ? honest.commit({ ...change, events: [] }) : recorded
        },
      })
    },
  },
  {
    name: 'writes the audit event after commit() resolves',
    caughtBy: 'of 100 parallel rotations of one token, exactly one succeeds, and only its successor and event exist',
    create() {
      const honest = memoryStore()
      return single({
        ...honest,
        async commit({ events, ...change }) {
          const result = await honest.commit({ ...change, events: [] })
          if (result.ok) void pause(5).then(() => honest.commit({ events }))
          return result
        },
      })
    },
  },
  {
    name: 'writes the parts of a change separately',
    caughtBy: 'a change with one invalid part writes none of its valid parts',
    create() {
      const honest = memoryStore()
      return single({
        ...honest,
        async commit({ inserts = [], updates = [], removals = [], ownersChanged = [], events }) {
          const parts: readonly Change[] = [
            ...inserts.map((each) => ({ inserts: [each], events: [] })),
            ...updates.map((each) => ({ updates: [each], events: [] })),
            { removals, ownersChanged, events },
          ]
          let result: CommitResult = { ok: true }
          for (const part of parts) if (result.ok) result = await honest.commit(part)
          return result
        },
      })
    },
  },
  {
    name: 'revokes only half of the matching tokens',
    caughtBy: 'revokeWhere() revokes all 1,100 tokens',
    create() {
      const honest = memoryStore()
      return single({
        ...honest,
        async revokeWhere(filter, stamp, event) {
          const statuses = ['pending', 'active', 'inactive', 'expired'] as const
          const matching = await honest.list({ ...filter, statuses, now: stamp.revokedAt, limit: 10_000 })
          const half = matching.slice(0, Math.ceil(matching.length / 2))
          const { events } = await honest.revokeWhere({ ...filter, ids: half.map(({ id }) => id) }, stamp, event)
          return { count: matching.length, events }
        },
      })
    },
  },
  {
    name: 'deletes tokens instead of revoking them',
    caughtBy: 'revokeWhere() revokes, stamps and counts the matching tokens, and changes no others',
    create() {
      const honest = memoryStore()
      return single({
        ...honest,
        async revokeWhere(filter, stamp, event) {
          const matching = await honest.list({ ...filter, now: stamp.revokedAt, limit: 10_000 })
          const events = bulkEvents(event, countsOf(matching))
          await honest.commit({ removals: matching.map(({ id }) => id), events })
          return { count: matching.length, events }
        },
      })
    },
  },
  {
    name: 'reads first and writes later in a bulk revocation',
    caughtBy: 'a concurrent update cannot undo a bulk revocation',
    create() {
      const honest = memoryStore()
      return single({
        ...honest,
        async revokeWhere(filter, stamp, event) {
          const matching = (await honest.list({ ...filter, now: stamp.revokedAt, limit: 10_000 })).filter(
            ({ revokedAt }) => revokedAt === undefined,
          )
          await pause(1)
          for (const { lastUsedAt: _, lastUsedIp: __, ...old } of matching) {
            const record = { ...old, ...stamp, version: old.version + 1, updatedAt: stamp.revokedAt }
            await honest.commit({ updates: [{ expectedVersion: old.version, record }], events: [] })
          }
          const events = bulkEvents(event, countsOf(matching))
          await honest.commit({ events })
          return { count: matching.length, events }
        },
      })
    },
  },
  {
    name: 'stores a bulk revocation as a rule that also revokes later tokens',
    caughtBy: 'a bulk revocation affects only tokens that match when it runs',
    create() {
      const honest = memoryStore()
      const rules: { readonly filter: TokenFilter; readonly stamp: RevocationStamp }[] = []
      const underRules = (record: StoredToken): StoredToken => {
        const rule = rules.find(
          ({ filter, stamp }) =>
            filter.prefix === record.prefix &&
            filter.ownerId === record.ownerId &&
            filter.ids === undefined &&
            record.createdAt < stamp.revokedAt,
        )
        return { ...record, ...rule?.stamp }
      }
      return single({
        ...honest,
        commit: (change) => honest.commit({ ...change, inserts: (change.inserts ?? []).map(underRules) }),
        revokeWhere(filter, stamp, event) {
          rules.push({ filter, stamp })
          return honest.revokeWhere(filter, stamp, event)
        },
      })
    },
  },
]
