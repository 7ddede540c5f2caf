import { memoryStore } from 'latchkey/stores/memory'
import { describe, expect, it } from 'vitest'
import type { DistinctQuery } from '../../src/store/port.js'
import { admin, harness, partner, superadmin, user } from './support.js'

describe('tenants and owners to choose from', () => {
  it("the host's tenants and owners are limited to the reach of the actor and sorted by name", async () => {
    const asked: string[] = []
    const { call } = harness(
      {},
      {
        tenants: ({ id }) => {
          asked.push(id)
          return [{ id: 'bolt', name: 'Bolt Ltd' }, { id: 'acme', name: 'Acme' }, { id: 'corvid' }, { id: 'acme', name: 'Acme' }]
        },
        owners: async () => [{ id: 'u2' }, { id: 'u1', name: 'Zoe' }],
      },
    )
    const items = async (actor: unknown, path = '/tenants') => (await call('GET', path, { actor })).body.items
    expect(await items(superadmin)).toEqual([{ id: 'acme', name: 'Acme' }, { id: 'bolt', name: 'Bolt Ltd' }, { id: 'corvid' }])
    expect(await items(partner)).toEqual([
      { id: 'acme', name: 'Acme' },
      { id: 'bolt', name: 'Bolt Ltd' },
    ])
    expect(await items(admin)).toEqual([{ id: 'acme', name: 'Acme' }])
    expect(await items(admin, '/owners')).toEqual([{ id: 'u1', name: 'Zoe' }, { id: 'u2' }])
    expect(asked).toEqual(['root', 'pat', 'ada'])
    expect((await call('GET', '/tenants')).status).toBe(401)
  })

  it('control, invisible and direction-changing characters are removed from names that the host provides', async () => {
    const hostile = ['Bob\n=HYPERLINK(A1)', 'A\tB\rC', 'Ann\u202e\u3164\u0000', 'half \ud800', '\u200b']
    const kept = ['Zoë 🏳\ufe0f\u200d🌈', 'می\u200cخواهم', ' spaced ']
    const { call } = harness({}, { owners: () => [...hostile, ...kept].map((name, at) => ({ id: `o${at}`, name })) })
    const { items } = (await call('GET', '/owners', { actor: superadmin })).body
    const named = new Map(items.map(({ id, name }: { id: string; name?: string }) => [id, name]))
    const [line, tabs, reversed, half, blank] = hostile.map((_, at) => named.get(`o${at}`))
    expect([line, tabs, reversed, half, blank]).toEqual(['Bob=HYPERLINK(A1)', 'ABC', 'Ann', 'half ', undefined])
    expect(kept.map((_, at) => named.get(`o${at + hostile.length}`))).toEqual(kept)
  })

  it('without a host callback, tenants and owners come from tokens that the actor can see', async () => {
    const { call, create } = harness()
    for (const [tenantId, ownerId] of [
      ['acme', 'o1'],
      ['bolt', 'o2'],
      ['acme', 'o3'],
    ])
      await create(superadmin, { tenantId, ownerId })
    const ids = async (actor: unknown, path: string) => (await call('GET', path, { actor })).body.items.map(({ id }: { id: string }) => id)
    expect(await ids(superadmin, '/tenants')).toEqual(['acme', 'bolt'])
    expect(await ids(partner, '/tenants')).toEqual(['acme', 'bolt'])
    expect(await ids(superadmin, '/owners')).toEqual(['o1', 'o2', 'o3'])
    expect(await ids(admin, '/owners')).toEqual(['o1', 'o3'])
    expect(await ids(user, '/owners')).toEqual([])
    expect(await ids(user, '/tenants')).toEqual(['acme'])
    expect(await ids({ ...user, tenants: '*' }, '/tenants')).toEqual([])
    expect(await ids(superadmin, '/owners?tenantId=bolt')).toEqual(['o2'])
    expect(await ids(admin, '/owners?tenantId=bolt')).toEqual([])
  })

  it("the host's callback receives the search, and results are filtered by name and ID whatever it returns", async () => {
    const asked: unknown[] = []
    const { call } = harness(
      {},
      {
        tenants: (_, of) => {
          asked.push(of)
          return [{ id: 'acme', name: 'Zebra GmbH' }, { id: 'bolt', name: 'Äpfel AG' }, { id: 'corvid' }]
        },
        owners: (_, of) => {
          asked.push(of)
          return [{ id: 'o1', name: 'Zoe' }]
        },
      },
    )
    const ids = async (path: string) => (await call('GET', path, { actor: superadmin })).body.items.map(({ id }: { id: string }) => id)
    expect(await ids('/tenants?search=%C3%A4pf')).toEqual(['bolt'])
    expect(await ids('/tenants?search=OR')).toEqual(['corvid'])
    expect(await ids('/tenants?ids=acme&ids=corvid&ids=elsewhere')).toEqual(['acme', 'corvid'])
    expect(await ids('/owners?tenantId=acme&search=zo')).toEqual(['o1'])
    expect(asked).toEqual([
      { search: 'äpf' },
      { search: 'OR' },
      { ids: ['acme', 'corvid', 'elsewhere'] },
      { search: 'zo', tenantId: 'acme' },
    ])
  })

  it("GET /owners does not ask the host about a tenant outside the actor's reach, and records the attempt", async () => {
    const asked: unknown[] = []
    const owners = (_: unknown, of: { readonly tenantId?: string }) => {
      asked.push(of)
      return [{ id: `${of.tenantId}-1`, name: 'Zoe' }]
    }
    const { call, tokens } = harness({}, { owners })
    for (const query of ['tenantId=bolt', 'tenantId=bolt&ids=bolt-1', 'tenantId=bolt&search=zoe']) {
      const { status, body } = await call('GET', `/owners?${query}`, { actor: admin })
      expect([status, body]).toEqual([200, { items: [], named: true }])
    }
    expect(asked).toEqual([])
    expect((await call('GET', '/owners?tenantId=acme', { actor: admin })).body.items).toEqual([{ id: 'acme-1', name: 'Zoe' }])
    await tokens.flush()
    const { items } = await tokens.system.events({ action: 'management.refused' })
    expect(items).toMatchObject([{ actorId: 'ada', tenantId: 'acme', code: 'not_found', details: { attempt: 'owners' } }])
  })

  it('tenants and owners are paginated without duplicates, with and without a host callback', async () => {
    const made = Array.from({ length: 23 }, (_, at) => `t-${at}`)
    const named = harness({}, { tenants: () => made.map((id, at) => ({ id, name: at % 2 === 0 ? `Même nom – ${at % 4}` : undefined })) })
    const unnamed = harness()
    for (const tenantId of made) await unnamed.create(superadmin, { tenantId, ownerId: `${tenantId} 東-京` })
    const everywhere = { ...partner, tenants: [...made, 'without-tokens'] }
    for (const [{ call }, path, actor, expected] of [
      [named, '/tenants', superadmin, made],
      [unnamed, '/tenants', superadmin, made],
      [unnamed, '/tenants', everywhere, everywhere.tenants],
      [unnamed, '/owners', superadmin, made.map((id) => `${id} 東-京`)],
      [unnamed, '/owners', everywhere, made.map((id) => `${id} 東-京`)],
      [unnamed, '/owners', { ...superadmin, manages: 'own' }, made.map((id) => `${id} 東-京`)],
    ] as const) {
      const seen: string[] = []
      let cursor: string | undefined
      do {
        const from = cursor === undefined ? '' : `&cursor=${encodeURIComponent(cursor)}`
        const page = await call('GET', `${path}?limit=5${from}`, { actor })
        expect(page.status).toBe(200)
        expect(page.body.items.length).toBeLessThanOrEqual(5)
        seen.push(...page.body.items.map(({ id }: { id: string }) => id))
        cursor = page.body.nextCursor
      } while (cursor !== undefined)
      expect(seen.toSorted()).toEqual([...expected].sort())
    }
    const { nextCursor } = (await unnamed.call('GET', '/tenants?limit=5', { actor: superadmin })).body
    const other = await unnamed.call('GET', `/tenants?limit=5&search=x&cursor=${encodeURIComponent(nextCursor)}`, { actor: superadmin })
    expect([other.status, other.body.code]).toEqual([400, 'invalid_input'])
  })

  it('all of 100,000 tenants are reachable, and no call reads a token or more than a few thousand tenants', async () => {
    const all = Array.from({ length: 100_000 }, (_, at) => `t-${String(at).padStart(5, '0')}`)
    let read = 0
    const store = {
      ...memoryStore(),
      distinct({ after, limit }: DistinctQuery) {
        const from = after === undefined ? 0 : all.indexOf(after) + 1
        read += limit
        return all.slice(from, from + limit)
      },
      list: () => Promise.reject(new Error('tokens are not to be read')),
    }
    const { call } = harness({}, {}, store)
    const pages = async (path: string, actor: unknown): Promise<readonly string[]> => {
      const seen: string[] = []
      let cursor: string | undefined
      do {
        read = 0
        const from: string = cursor === undefined ? '' : `&cursor=${encodeURIComponent(cursor)}`
        const { body } = await call('GET', `${path}${from}`, { actor })
        expect(read).toBeLessThanOrEqual(2000)
        seen.push(...body.items.map(({ id }: { id: string }) => id))
        cursor = body.nextCursor
      } while (cursor !== undefined)
      return seen
    }
    expect(await pages('/tenants?limit=1000', superadmin)).toEqual(all)
    expect(await pages('/tenants?search=-99999', superadmin)).toEqual(['t-99999'])
    expect(await pages('/owners?limit=1000', superadmin)).toEqual(all)
    expect(await pages('/owners?limit=1000', admin)).toEqual(all)
  })

  it.each<[string, () => unknown]>([
    [
      'throws',
      () => {
        throw new Error('acme_live_secret')
      },
    ],
    ['rejects', () => Promise.reject(new Error('down'))],
    ['never answers', () => new Promise(() => undefined)],
    ['does not return a list', () => ({ length: 1 })],
    ['returns items without IDs', () => [{ name: 'x' }]],
    ['returns nothing', () => undefined],
  ])('GET /tenants answers 503 when the callback %s', async (_, tenants) => {
    const { call } = harness({}, { tenants: tenants as never, deadline: 0.15 })
    const answer = await call('GET', '/tenants', { actor: superadmin })
    expect([answer.status, answer.body.code, answer.body.failed]).toEqual([503, 'store_unavailable', 'callback'])
    expect(answer.text).not.toContain('secret')
  })

  it('a tenants option that is not a function is rejected at construction', () => {
    expect(() => harness({}, { tenants: [] as never })).toThrow(expect.objectContaining({ code: 'invalid_input', field: 'tenants' }))
  })
})
