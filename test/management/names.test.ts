import { describe, expect, it } from 'vitest'
import { admin, harness, partner, superadmin, user } from './support.js'

describe('tenants and owners to choose among', () => {
  it('are those that the host names, cut to where the actor acts, by name', async () => {
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
    const items = async (actor: unknown, path = '/tenants') => (await call('GET', path, { actor })).body
    expect(await items(superadmin)).toEqual({ items: [{ id: 'acme', name: 'Acme' }, { id: 'bolt', name: 'Bolt Ltd' }, { id: 'corvid' }] })
    expect(await items(partner)).toEqual({
      items: [
        { id: 'acme', name: 'Acme' },
        { id: 'bolt', name: 'Bolt Ltd' },
      ],
    })
    expect(await items(admin)).toEqual({ items: [{ id: 'acme', name: 'Acme' }] })
    expect(await items(admin, '/owners')).toEqual({ items: [{ id: 'u1', name: 'Zoe' }, { id: 'u2' }] })
    expect(asked).toEqual(['root', 'pat', 'ada'])
    expect((await call('GET', '/tenants')).status).toBe(401)
  })

  it('come from tokens that the actor may see where the host names none', async () => {
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
    ['answers no list', () => ({ length: 1 })],
    ['answers no ids', () => [{ name: 'x' }]],
    ['answers nothing', () => undefined],
  ])('are 503 where the callback %s', async (_, tenants) => {
    const { call } = harness({}, { tenants: tenants as never, deadline: 0.05 })
    const answer = await call('GET', '/tenants', { actor: superadmin })
    expect([answer.status, answer.body.code]).toEqual([503, 'store_unavailable'])
    expect(answer.text).not.toContain('secret')
  })

  it('refuse what is no callback at construction', () => {
    expect(() => harness({}, { tenants: [] as never })).toThrow(expect.objectContaining({ code: 'invalid_input', field: 'tenants' }))
  })
})
