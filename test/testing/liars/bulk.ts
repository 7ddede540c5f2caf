import { memoryStore } from 'latchkey/stores/memory'
import { type Liar, single } from './liar.js'

export const bulkLiars: readonly Liar[] = [
  {
    name: 'writes one event for a bulk revocation of several tenants',
    caughtBy: 'a bulk revocation writes one event for each affected tenant and one for tokens without a tenant, each with its count',
    create() {
      const honest = memoryStore()
      return single({
        ...honest,
        async revokeWhere(filter, stamp, event) {
          const { count } = await honest.revokeWhere(filter, stamp, { ...event, prefix: `${event.prefix} elsewhere` })
          const written = { ...event, id: `${event.id} all`, count }
          if (count > 0) await honest.commit({ events: [written] })
          return { count, events: count > 0 ? [written] : [] }
        },
      })
    },
  },
  {
    name: 'gives all events of a bulk revocation the same salt',
    caughtBy: 'each event of a bulk revocation has its own salt',
    create() {
      const honest = memoryStore()
      const shared = '0'.repeat(32)
      return single({
        ...honest,
        async events(query) {
          return (await honest.events(query)).map((row) => (row.action === 'tokens.revoked' && row.salt ? { ...row, salt: shared } : row))
        },
      })
    },
  },
  {
    name: 'does not record a bulk revocation on the tokens',
    caughtBy: 'each revoked token records the bulk revocation that revoked it',
    create() {
      const honest = memoryStore()
      return single({
        ...honest,
        revokeWhere: (filter, { bulkId: _, ...stamp }, event) => honest.revokeWhere(filter, stamp as never, event),
      })
    },
  },
  {
    name: 'writes an event for a bulk revocation that matches no token',
    caughtBy: 'a bulk revocation that matches no token writes no event and no feed entry',
    create() {
      const honest = memoryStore()
      return single({
        ...honest,
        async revokeWhere(filter, stamp, event) {
          const result = await honest.revokeWhere(filter, stamp, event)
          if (result.count === 0) await honest.commit({ events: [{ ...event, count: 0 }] })
          return result
        },
      })
    },
  },
  {
    name: 'omits the bulk revocation from the audit trail of a token',
    caughtBy:
      'the audit trail of a token contains only one bulk revocation event: the event for its tenant from the revocation that revoked it',
    create() {
      const honest = memoryStore()
      return single({ ...honest, events: ({ bulk: _, ...query }) => honest.events(query) })
    },
  },
  {
    name: 'shows events of a bulk revocation for other tenants in the audit trail of a token',
    caughtBy:
      'the audit trail of a token contains only one bulk revocation event: the event for its tenant from the revocation that revoked it',
    create() {
      const honest = memoryStore()
      return single({
        ...honest,
        async events({ bulk, limit, ...query }) {
          if (bulk === undefined) return honest.events({ ...query, limit })
          const { tokenId, createdBy } = query
          const rows = await honest.events({ prefix: query.prefix, limit: 10_000 })
          return rows
            .filter(
              (row) => (row.tokenId === tokenId && (createdBy === undefined || row.createdBy === createdBy)) || row.bulkId === bulk.bulkId,
            )
            .filter(({ seq }) => seq < (query.after ?? Number.POSITIVE_INFINITY))
            .slice(0, limit)
        },
      })
    },
  },
]
