import { memoryStore } from 'latchkey/stores/memory'
import { interceptStore } from 'latchkey/testing'
import { beforeAll, describe, expect, it } from 'vitest'
import { type Ask, admin, bearer, type Harness, harness } from './support.js'

const MIB = 1024 * 1024
const WIDE = '東'
const NOW = Date.UTC(2030, 5, 1)
const HOUR = 3_600_000

/** The largest possible token: every text has its maximum length in three-byte characters. */
function largest(at: number) {
  return {
    name: WIDE.repeat(200),
    description: WIDE.repeat(1000),
    tenantId: 'acme',
    ownerId: WIDE.repeat(200),
    scopes: ['inventory:read'],
    resources: { warehouse: Array.from({ length: 1000 }, (_, value) => `${at}-${value}-${WIDE.repeat(16)}`) },
    allowedIps: Array.from(
      { length: 1000 },
      (_, ip) => `2001:db8:abcd:abcd:abcd:abcd:${(at + 4096).toString(16)}:${(ip + 4096).toString(16)}`,
    ),
    metadata: { text: WIDE.repeat(5400) },
  }
}

type Document = { readonly paths: { readonly [path: string]: { readonly [method: string]: { readonly operationId: string } } } }

/** How to request as much as possible from each operation, the maximum response size, and the maximum size of one read. A new route needs an entry. */
type Plan = { readonly ask?: Ask; readonly query?: string; readonly own?: true; readonly most: number; readonly atOnce?: number }

const LARGE = 8 * MIB
const ONE = MIB
const range = `from=${new Date(NOW - 366 * 24 * HOUR).toISOString()}`

describe('responses with the largest data that the store accepts', () => {
  let h: Harness
  let document: Document
  let ids: string[]
  let token: string
  let read = 0
  let mostAtOnce = 0

  beforeAll(async () => {
    const inner = memoryStore()
    const store = interceptStore(inner, async ({ method }, proceed) => {
      const answer = await proceed()
      if (!['list', 'events', 'usage'].includes(method)) return answer
      const size = JSON.stringify(answer).length
      read += size
      if (method !== 'usage') mostAtOnce = Math.max(mostAtOnce, size)
      return answer
    })
    h = harness({ clock: () => NOW }, { maxBodyBytes: 16 * MIB }, store as typeof inner)
    document = (await h.call('GET', '/openapi.json', { actor: admin })).body
    const made = []
    for (let at = 0; at < 60; at += 1) made.push(await h.create(admin, largest(at)))
    ids = made.map(({ id }) => id)
    token = (await h.create(admin, { ...largest(0), allowedIps: undefined, scopes: ['tokens:rotate-self'] })).token
    for (const [at, id] of ids.entries()) {
      const { resources, allowedIps, metadata, description } = largest(at + 1000)
      const changed = await h.call('PATCH', `/${id}`, { actor: admin, body: { resources, allowedIps, metadata, description } })
      expect(changed.status).toBe(200)
    }
    const changes = Array.from({ length: 600 }, (_, at) => largest(2000 + (at % 2)))
    for (const { resources, allowedIps } of changes) {
      const changed = await h.call('PATCH', `/${ids[0]}`, { actor: admin, body: { resources, allowedIps } })
      expect(changed.status).toBe(200)
    }
    const counts = ids.flatMap((tokenId, at) =>
      Array.from({ length: at === 0 ? 10_000 : 200 }, (_, n) => ({
        tokenId,
        bucketAt: NOW - (1 + (n % 90)) * HOUR,
        endpoint: `GET /${n}`.padEnd(200, WIDE),
        scope: 'inventory:read',
        outcome: n % 2 === 0 ? 'allowed' : 'ip_denied',
        count: 1,
      })),
    )
    const addresses = Array.from({ length: 1000 }, (_, at) => ({
      tokenId: ids[0] ?? '',
      ip: `2001:db8::${at.toString(16)}`,
      count: 1,
      lastAt: NOW,
    }))
    await inner.recordUsage({ nodeId: 'n', seq: 1, at: NOW, counts, addresses, lastUses: [] })
  }, 120_000)

  const idQuery = (count: number): string =>
    ids
      .slice(0, count)
      .map((id) => `id=${id}`)
      .join('&')
  const plans = (): { readonly [operationId: string]: Plan } => ({
    listTokens: { query: 'limit=1000', most: LARGE },
    listEvents: { query: 'limit=1000', most: LARGE },
    listTokenEvents: { query: 'limit=1000', most: LARGE },
    getTokenUsage: { query: range, most: LARGE },
    getUsageOfTokens: { query: `${idQuery(60)}&from=${new Date(NOW - 100 * HOUR).toISOString()}`, most: LARGE, atOnce: LARGE },
    countTokens: { most: ONE },
    listTenants: { most: ONE },
    listOwners: { most: ONE },
    listScopes: { most: ONE },
    getMe: { most: ONE },
    getOpenApi: { most: ONE },
    getToken: { most: ONE },
    explainToken: { query: `at=${new Date(NOW - HOUR).toISOString()}`, most: ONE },
    updateToken: { ask: { body: { name: 'x' } }, most: ONE },
    createToken: { ask: { body: largest(5000) }, most: ONE },
    rotateToken: { ask: { body: { overlap: '1h' } }, most: ONE },
    deactivateToken: { ask: { body: {} }, most: ONE },
    activateToken: { ask: { body: {} }, most: ONE },
    revokeToken: { ask: { body: {} }, most: ONE },
    getSelf: { own: true, most: ONE },
    rotateSelf: { own: true, ask: { body: {} }, most: ONE },
    revokeAllTokens: { ask: { body: { all: true } }, most: ONE },
  })

  it('every route bounds its response and what it reads from the store', { timeout: 120_000 }, async () => {
    const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, { operationId }]) => ({ path, method: method.toUpperCase(), operationId })),
    )
    expect(operations.map(({ operationId }) => operationId).sort()).toEqual(Object.keys(plans()).sort())
    const order = Object.keys(plans())
    for (const { path, method, operationId } of operations.toSorted(
      (a, b) => order.indexOf(a.operationId) - order.indexOf(b.operationId),
    )) {
      const { ask = {}, query, own, most, atOnce = 4 * MIB } = plans()[operationId] ?? { most: 0 }
      read = 0
      mostAtOnce = 0
      const who = own === true ? { headers: bearer(token) } : { actor: admin }
      const answer = await h.call(method, `${path.replace('{id}', ids[0] ?? '')}${query === undefined ? '' : `?${query}`}`, {
        ...who,
        ...ask,
      })
      expect([operationId, answer.status < 300]).toEqual([operationId, true])
      const bytes = new TextEncoder().encode(answer.text).length
      expect(bytes, `${operationId} answered ${bytes} bytes`).toBeLessThanOrEqual(most)
      expect(read, `${operationId} read ${read} characters`).toBeLessThanOrEqual(5 * 16 * MIB)
      expect(mostAtOnce, `${operationId} read ${mostAtOnce} characters at once`).toBeLessThanOrEqual(atOnce)
    }
  })

  it('a page that would be too large ends early, and the next pages return the remaining rows without duplicates', async () => {
    const seen: string[] = []
    let pages = 0
    let cursor: string | undefined
    do {
      const page = await h.call('GET', `/?limit=1000${cursor === undefined ? '' : `&cursor=${encodeURIComponent(cursor)}`}`, {
        actor: admin,
      })
      seen.push(...page.body.items.map(({ id }: { id: string }) => id))
      cursor = page.body.nextCursor
      pages += 1
    } while (cursor !== undefined)
    expect(pages).toBeGreaterThan(2)
    expect(new Set(seen).size).toBe(seen.length)
    for (const id of ids) expect(seen).toContain(id)
  })
})
