import { describe, expect, it } from 'vitest'
import { type Answered, admin, harness, MOUNT } from './support.js'

describe('a token through the management API', () => {
  it('POST / creates a token and returns its location, ETag and text once', async () => {
    const { call, tokens } = harness()
    const made = await call('POST', '/', {
      actor: admin,
      body: { name: 'Sync', tenantId: 'acme', scopes: ['inventory:read'], metadata: { a: [1, null] } },
    })
    expect(made.status).toBe(201)
    expect(made.headers.get('location')).toBe(`${MOUNT}/${made.body.record.id}`)
    expect(made.headers.get('etag')).toBe('"1"')
    expect(made.headers.get('cache-control')).toBe('no-store')
    const read = await call('GET', `/${made.body.record.id}`, { actor: admin })
    expect(read.body).toEqual(made.body.record)
    expect(read.text).not.toContain(made.body.token.slice(27, 60))
    expect(await tokens.verify(made.body.token)).toMatchObject({ ok: true })
  })

  it("the Location header uses the request's mount path, even at the root or with a trailing slash", async () => {
    const { call } = harness()
    for (const mount of ['', '/x', '/x/']) {
      const path = mount.endsWith('/') ? '' : '/'
      const made = await call('POST', path, { actor: admin, mount, body: { name: 'n', tenantId: 'acme', scopes: [] } })
      expect([made.status, made.headers.get('location')]).toEqual([201, `${mount.replace(/\/$/, '')}/${made.body.record.id}`])
    }
  })

  it('a token is edited, deactivated, activated, rotated with and without an overlap, and revoked', async () => {
    const { call, create, tokens } = harness()
    const { id, token } = await create(admin)
    const edited = await call('PATCH', `/${id}`, {
      actor: admin,
      body: {
        name: 'Renamed',
        scopes: ['billing:read'],
        resources: { w: ['1'] },
        expiresAt: '2099-01-01T00:00:00Z',
        allowedIps: ['192.0.2.0/24'],
        metadata: { k: 1 },
      },
    })
    expect(edited.body).toMatchObject({
      name: 'Renamed',
      scopes: ['billing:read'],
      resources: { w: ['1'] },
      expiresAt: '2099-01-01T00:00:00.000Z',
      version: 2,
    })
    const cleared = await call('PATCH', `/${id}`, {
      actor: admin,
      body: { expiresAt: null, allowedIps: null, metadata: null, resources: null },
    })
    expect(cleared.body).not.toHaveProperty('expiresAt')
    expect((await call('POST', `/${id}/deactivate`, { actor: admin })).body.status).toBe('inactive')
    expect(await tokens.verify(token)).toEqual({ ok: false, code: 'token_inactive' })
    expect((await call('POST', `/${id}/activate`, { actor: admin })).body.status).toBe('active')
    const second = await call('POST', `/${id}/rotate`, { actor: admin, body: { overlap: 60 } })
    expect(second.status).toBe(201)
    expect(second.body.record.replacesId).toBe(id)
    expect((await tokens.verify(token)).ok && (await tokens.verify(second.body.token)).ok).toBe(true)
    const third = await call('POST', `/${second.body.record.id}/rotate`, { actor: admin })
    expect(await tokens.verify(second.body.token)).toEqual({ ok: false, code: 'token_revoked' })
    const revoked = await call('POST', `/${third.body.record.id}/revoke`, { actor: admin, body: { reason: 'leak' } })
    expect(revoked.body).toMatchObject({ status: 'revoked', revokedBy: 'ada', revokedReason: 'leak' })
    expect((await call('POST', `/${third.body.record.id}/revoke`, { actor: admin, body: { reason: 'again' } })).text).toBe(revoked.text)
    expect((await call('PATCH', `/${third.body.record.id}`, { actor: admin, body: { name: 'x' } })).status).toBe(409)
    expect((await call('POST', `/${third.body.record.id}/rotate`, { actor: admin })).status).toBe(409)
  })

  it('the count of expiring tokens is capped at 100 and shows that there are more', async () => {
    const { call, create } = harness()
    for (let made = 0; made < 101; made += 1) await create(admin, { expiresIn: 60 })
    const { body } = await call('GET', '/counts', { actor: admin })
    expect(body).toMatchObject({ total: { count: 101 }, active: { count: 101 }, expiring: { count: 100, more: true } })
  })

  it('the list filters by name, tenant, owner, status and presets, newest first, in pages', async () => {
    // A clock that advances with every reading: tokens of the same millisecond have no defined order.
    let now = Date.now()
    const { call, create, tokens } = harness({ clock: () => (now += 1) })
    const ids: string[] = []
    for (const name of ['alpha one', 'beta', 'Alpha two']) ids.unshift((await create(admin, { name })).id)
    await create(admin, { name: 'alpha owned', ownerId: 'o1', expiresIn: 60 })
    const search = async (query: string): Promise<string[]> =>
      (await call('GET', `/?${query}`, { actor: admin })).body.items.map((item: { name: string }) => item.name)
    expect(await search('name=ALPHA')).toEqual(['alpha owned', 'Alpha two', 'alpha one'])
    expect(await search('ownerId=o1&tenantId=acme&status=active&status=pending')).toEqual(['alpha owned'])
    expect(await search('tenantId=acme&status=revoked')).toEqual([])
    expect(await search('neverExpires=true')).toEqual(['Alpha two', 'beta', 'alpha one'])
    expect(await search('expiresWithin=120')).toEqual(['alpha owned'])
    expect(await search('neverUsed=true&createdBy=ada&limit=2')).toEqual(['alpha owned', 'Alpha two'])
    // A token cannot have been unused for longer than it has existed.
    expect(await search('unusedFor=1h')).toEqual([])
    now += 3_600_000
    expect(await search('unusedFor=1h&name=beta')).toEqual(['beta'])
    expect(await search(`id=${ids[0]?.slice(0, 6)}`)).toEqual(['Alpha two'])
    const { hint } = (await call('GET', `/${ids[0]}`, { actor: admin })).body
    expect(await search(`id=${encodeURIComponent(hint)}`)).toEqual(['Alpha two'])
    expect(await search('id=%25')).toEqual([])
    expect(await search(`ids=${ids[2]}&ids=${ids[0]}&ids=AAAAAAAAAAAAAAAA`)).toEqual(['Alpha two', 'alpha one'])
    expect(await search(`ids=${ids[1]}`)).toEqual(['beta'])
    expect(await search(`ids=${ids[1]}&name=alpha`)).toEqual([])
    expect((await call('GET', '/counts?tenantId=acme', { actor: admin })).body).toEqual({
      total: { count: 4 },
      active: { count: 3 },
      expiring: { count: 0 },
      rotationDue: { count: 0 },
      unused: { count: 0 },
    })
    expect((await call('GET', '/counts?tenantId=elsewhere', { actor: admin })).body.total).toEqual({ count: 0 })
    expect(await search('rotationDue=true')).toEqual([])
    const first = await call('GET', '/?limit=3', { actor: admin })
    const second = await call('GET', `/?limit=3&cursor=${first.body.nextCursor}`, { actor: admin })
    expect([...first.body.items, ...second.body.items].map((item) => item.id).slice(1)).toEqual(ids)
    expect(second.body).not.toHaveProperty('nextCursor')
    await tokens.close()
  })

  it('a token that was already replaced is not counted as expiring, and notReplaced leaves it out of a list', async () => {
    const { call, create, tokens } = harness()
    const { id } = await create(admin, { name: 'rotated', expiresIn: 3600 })
    const expiring = async (): Promise<unknown> => (await call('GET', '/counts', { actor: admin })).body.expiring
    const listed = async (query: string): Promise<string[]> =>
      (await call('GET', `/?${query}`, { actor: admin })).body.items.map((item: { id: string }) => item.id)
    expect(await expiring()).toEqual({ count: 1 })
    const successor = (await call('POST', `/${id}/rotate`, { actor: admin, body: { overlap: 600 } })).body.record.id
    expect((await listed('expiresWithin=1d')).toSorted()).toEqual([id, successor].toSorted())
    expect(await listed('expiresWithin=1d&notReplaced=true')).toEqual([successor])
    expect(await listed(`ids=${id}&notReplaced=true`)).toEqual([])
    expect(await expiring()).toEqual({ count: 1 })
    await tokens.close()
  })

  it('a token that expired while inactive, or before it became valid, counts neither as expiring nor as unused', async () => {
    let now = Date.now()
    const { call, create, tokens } = harness({ clock: () => (now += 1) })
    const seen = async (path: string): Promise<Answered['body']> => (await call('GET', path, { actor: admin })).body
    const names = async (query: string): Promise<string[]> => (await seen(`/?${query}`)).items.map((item: { name: string }) => item.name)
    const alive = 'status=active&status=pending&status=inactive'
    const end = new Date(now + 3_600_000).toISOString()
    const ended = await create(admin, { name: 'ended', expiresAt: end })
    const ending = await create(admin, { name: 'ending', expiresAt: new Date(now + 365 * 86_400_000 + 7_200_000).toISOString() })
    const endless = await create(admin, { name: 'endless' })
    const early = await create(admin, { name: 'early', notBefore: new Date(now + 400 * 86_400_000).toISOString() })
    const gone = await create(admin, { name: 'gone', expiresAt: end })
    for (const { id } of [ended, ending, endless]) await call('POST', `/${id}/deactivate`, { actor: admin })
    await call('POST', `/${early.id}/rotate`, { actor: admin, body: { overlap: 3_600 } })
    expect((await seen('/counts')).expiring).toEqual({ count: 2 })
    now += 365 * 86_400_000

    expect((await seen(`/${ended.id}`)).status).toBe('inactive')
    expect((await seen(`/${early.id}`)).status).toBe('pending')
    expect(await seen('/counts')).toMatchObject({ expiring: { count: 1 }, unused: { count: 3 } })
    for (const query of ['expiresWithin=7d', `expiresWithin=7d&${alive}`]) expect(await names(query)).toEqual(['ending'])
    for (const query of ['unusedFor=90d', `unusedFor=90d&${alive}`, 'neverUsed=true'])
      expect(await names(query)).toEqual(['early', 'endless', 'ending'])
    expect(await names('unusedFor=90d&status=expired')).toEqual(['gone'])
    expect(await names(`ids=${gone.id}&unusedFor=90d&status=expired&status=inactive`)).toEqual(['gone'])
    expect(await names('unusedFor=90d&status=expired&status=inactive')).toEqual(['gone', 'endless', 'ending', 'ended'])
    expect((await names(alive)).toSorted()).toEqual(['early', 'early', 'ended', 'ending', 'endless'])
    await tokens.close()
  })

  it("a token's usage is reported by endpoint and address, and its events are listed", async () => {
    const { call, create, tokens } = harness()
    const { id, token } = await create(admin)
    await Promise.all([1, 2, 3].map(() => tokens.verify(token, { ip: '192.0.2.7', endpoint: 'GET /stock' })))
    await call('POST', `/${id}/revoke`, { actor: admin, ip: '198.51.100.4', body: { reason: 'done' } })
    const usage = await call('GET', `/${id}/usage`, { actor: admin })
    expect(usage.body).toMatchObject({
      total: 3,
      endpoints: [{ endpoint: 'GET /stock', count: 3 }],
      addresses: [{ ip: '192.0.2.7', count: 3 }],
    })
    expect((await call('GET', `/${id}/usage?from=2001-01-01T00:00:00Z&to=2001-01-02T00:00:00Z`, { actor: admin })).body.total).toBe(0)
    const events = await call('GET', `/${id}/events`, { actor: admin })
    expect(events.body.items.map((event: { action: string }) => event.action)).toEqual(['token.revoked', 'token.created'])
    expect(events.body.items[0]).toMatchObject({ actorId: 'ada', reason: 'done', ip: '198.51.100.4' })
    expect((await call('GET', '/events?action=token.created&limit=1', { actor: admin })).body.items).toHaveLength(1)
    await tokens.close()
  })

  it('events store addresses in canonical form and no arbitrary text from callers', async () => {
    const { call, create } = harness()
    for (const [ip, told] of [
      ['::ffff:198.51.100.4', '198.51.100.4'],
      ['[2001:DB8::1]:443', '2001:db8::1'],
      ['unknown', undefined],
      ['198.51.100.4, 203.0.113.9', undefined],
      ['<script>', undefined],
    ] as const) {
      for (const ask of [{ actor: admin, ip }, { actor: { ...admin, ip } }]) {
        const { id } = await create(admin)
        await call('POST', `/${id}/revoke`, { ...ask, body: {} })
        const { body } = await call('GET', `/${id}/events?limit=1`, { actor: admin })
        expect([ip, body.items[0].action, body.items[0].ip]).toEqual([ip, 'token.revoked', told])
      }
    }
  })

  it('revoke-all revokes the tokens of a tenant or owner and returns the count', async () => {
    const { call, create, tokens } = harness()
    const made = await Promise.all([create(admin), create(admin, { ownerId: 'o1' }), create(admin, { ownerId: 'o1' })])
    expect((await call('POST', '/revoke-all', { actor: admin, body: { ownerId: 'o1' } })).body).toEqual({ count: 2 })
    expect((await call('POST', '/revoke-all', { actor: admin, body: { all: true, reason: 'r' } })).body).toEqual({ count: 1 })
    for (const { token } of made) expect(await tokens.verify(token)).toEqual({ ok: false, code: 'token_revoked' })
    expect((await call('POST', '/revoke-all', { actor: admin, body: {} })).status).toBe(400)
  })

  it('GET /scopes lists the scopes, groups and expiry policy', async () => {
    const { call } = harness({ expiry: { max: '1h' } })
    const { body } = await call('GET', '/scopes', { actor: admin })
    expect(body.items).toContainEqual({ name: 'inventory:read', description: 'See stock' })
    expect(body.groups).toEqual([{ name: '@staff', scopes: ['inventory:read', 'billing:read'] }])
    expect(body).toMatchObject({ expiry: { required: false, maxSeconds: 3600 }, allowWildcard: false, usageKeptSeconds: 400 * 86_400 })
  })
})
