import { memoryStore } from 'latchkey/stores/memory'
import type { ListQuery } from '../../../src/store/port.js'
import { type Liar, single } from './liar.js'

function withoutPosition({ after: _, ...query }: ListQuery): ListQuery {
  return query
}

export const listLiars: readonly Liar[] = [
  {
    name: 'pages by offset',
    caughtBy: 'each unchanged row is returned exactly once while others are inserted, revoked and removed between pages',
    create() {
      const honest = memoryStore()
      const offsets = new Map<string, number>()
      return single({
        ...honest,
        async list(query) {
          const offset = query.after === undefined ? 0 : (offsets.get(JSON.stringify(query.after)) ?? 0)
          const rows = await honest.list({ ...withoutPosition(query), limit: 10_000 })
          const page = rows.slice(offset, offset + query.limit)
          const last = page.at(-1)
          if (last !== undefined) offsets.set(JSON.stringify({ createdAt: last.createdAt, id: last.id }), offset + page.length)
          return page
        },
      })
    },
  },
  {
    name: 'continues the query that a position came from, whatever the query',
    caughtBy: 'a position works with every query, and each query returns its own rows after the position',
    create() {
      const honest = memoryStore()
      const queries = new Map<string, ListQuery>()
      return single({
        ...honest,
        async list(query) {
          // Continues with the query that first returned this position.
          const begun = query.after === undefined ? query : (queries.get(JSON.stringify(query.after)) ?? query)
          const page = await honest.list({ ...begun, limit: query.limit, ...(query.after !== undefined && { after: query.after }) })
          const last = page.at(-1)
          const key = JSON.stringify({ createdAt: last?.createdAt, id: last?.id })
          if (!queries.has(key)) queries.set(key, withoutPosition(begun))
          return page
        },
      })
    },
  },
  {
    name: 'treats search text as a pattern',
    caughtBy: 'every character matches only itself',
    create() {
      const honest = memoryStore()
      return single({
        ...honest,
        async list({ nameContains, ...query }) {
          const rows = await honest.list({ ...query, limit: 10_000 })
          if (nameContains === undefined) return rows.slice(0, query.limit)
          const escaped = nameContains.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
          const pattern = new RegExp(escaped.replaceAll('%', '.*').replaceAll('_', '.'), 'i')
          return rows.filter(({ name }) => pattern.test(name)).slice(0, query.limit)
        },
      })
    },
  },
  {
    name: 'lists the owners of all tenants for one tenant',
    caughtBy: 'each tenant and owner is listed exactly once, compared byte for byte, regardless of the page size',
    create() {
      const honest = memoryStore()
      return single({ ...honest, distinct: ({ tenantId: _, ...query }) => honest.distinct(query) })
    },
  },
  {
    name: 'lists owners whose tokens were removed',
    caughtBy: "a tenant or owner is listed while it has a token, regardless of the token's status",
    create() {
      const honest = memoryStore()
      const known = new Set<string>()
      return single({
        ...honest,
        async distinct(query) {
          for (const name of await honest.distinct({ ...query, limit: 10_000 })) known.add(name)
          return query.field === 'ownerId'
            ? [...known]
                .filter((name) => name > (query.after ?? ''))
                .sort()
                .slice(0, query.limit)
            : honest.distinct(query)
        },
      })
    },
  },
  {
    name: 'treats an empty list as no filter',
    caughtBy: 'all given fields of the filter must match, and an empty list matches nothing',
    create() {
      const honest = memoryStore()
      return single({
        ...honest,
        revokeWhere({ tenantIds, ids, ...filter }, stamp, event) {
          const given = { ...(tenantIds?.length && { tenantIds }), ...(ids?.length && { ids }) }
          return honest.revokeWhere({ ...filter, ...given }, stamp, event)
        },
      })
    },
  },
  {
    name: 'expires tokens a millisecond late',
    caughtBy: 'status changes at the exact millisecond',
    create() {
      const honest = memoryStore()
      return single({ ...honest, list: (query) => honest.list({ ...query, now: query.now - 1 }) })
    },
  },
  {
    name: 'ignores trailing spaces in tenants',
    caughtBy: 'tenants are compared byte for byte, regardless of their names',
    create() {
      const honest = memoryStore()
      return single({
        ...honest,
        list({ tenantIds, ...query }) {
          const padded = tenantIds?.flatMap((tenant) => [tenant.trimEnd(), `${tenant.trimEnd()} `, `${tenant.trimEnd()}  `])
          return honest.list({ ...query, ...(padded !== undefined && { tenantIds: padded }) })
        },
      })
    },
  },
]
