import { Agent, request as send } from 'node:http'
import { type Actor, latchkey } from 'latchkey'
import { memoryStore } from 'latchkey/stores/memory'
import { describe, expect, it } from 'vitest'
import { type Host, managementHosts, type StartHost } from '../support/http/management-hosts.js'

const ACTORS: { readonly [user: string]: Actor } = {
  ada: { id: 'ada', tenants: ['acme'], manages: 'all' },
  root: { id: 'root', tenants: '*', manages: 'all' },
}

type Call = (method: string, path: string, body?: unknown, headers?: Record<string, string>) => Promise<Answer>
// biome-ignore lint/suspicious/noExplicitAny: tests look into answers of any shape
type Answer = { readonly status: number; readonly headers: Headers; readonly body: any }

async function within(start: StartHost, path: string, run: (call: Call, host: Host, tokens: ReturnType<typeof instance>) => Promise<void>) {
  const tokens = instance()
  const host = await start(tokens, (user) => (user === 'fails' ? Promise.reject(undefined) : ACTORS[user ?? '']), path)
  const call: Call = async (method, below, body, headers) => {
    const response = await fetch(`${host.origin}${path}${below}`, {
      method,
      headers: { 'x-user': 'ada', ...(method !== 'GET' && { 'content-type': 'application/json' }), ...headers },
      ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    })
    const text = await response.text()
    return { status: response.status, headers: response.headers, body: text === '' ? undefined : JSON.parse(text) }
  }
  try {
    await run(call, host, tokens)
  } finally {
    await host.close()
    await tokens.close()
  }
}

function instance() {
  return latchkey({
    prefix: 'acme_live',
    store: memoryStore(),
    scopes: { 'inventory:read': 'See stock', 'tokens:rotate-self': 'Rotate itself' },
  })
}

/** Hosts that see only the URL of a request, which is always normalized. */
const NORMALISES = new Set(['web requests'])

const INPUT = { name: 'ERP', tenantId: 'acme', scopes: ['inventory:read', 'tokens:rotate-self'] }

describe.each(Object.entries(managementHosts))('management on %s', (name, start) => {
  it('the management API takes a token through its whole life', async () => {
    await within(start, '/admin/tokens', async (call, _host, tokens) => {
      const created = await call('POST', '', INPUT)
      expect(created.status).toBe(201)
      expect(created.headers.get('cache-control')).toBe('no-store')
      const { token, record } = created.body
      expect(created.headers.get('location')).toBe(`/admin/tokens/${record.id}`)
      expect(await tokens.verify(token)).toMatchObject({ ok: true })
      expect((await call('GET', `/?name=er&limit=5`)).body.items).toHaveLength(1)
      expect((await call('GET', '?limit=5')).body.items).toHaveLength(1)
      expect((await call('PATCH', `/${record.id}`, { name: 'ERP 2' }, { 'if-match': created.headers.get('etag') ?? '' })).body.name).toBe(
        'ERP 2',
      )
      expect((await call('POST', `/${record.id}/deactivate`, {})).status).toBe(200)
      expect(await tokens.verify(token)).toEqual({ ok: false, code: 'token_inactive' })
      expect((await call('POST', `/${record.id}/activate`, {})).status).toBe(200)
      const rotated = await call('POST', `/${record.id}/rotate`, { overlap: 60 })
      expect(rotated.status).toBeLessThan(300)
      const self = await call('POST', '/self/rotate', {}, { authorization: `Bearer ${rotated.body.token}`, 'x-user': '' })
      expect(self.status).toBeLessThan(300)
      expect((await call('POST', `/${self.body.record.id}/revoke`, { reason: 'left' })).status).toBe(200)
      expect(await tokens.verify(self.body.token)).toEqual({ ok: false, code: 'token_revoked' })
      expect((await call('GET', `/${self.body.record.id}/events`)).body.items.length).toBeGreaterThan(0)
    })
  })

  it('the management API answers missing actors, faults, and invalid or large bodies in the same way', async () => {
    await within(start, '/admin/tokens', async (call) => {
      expect((await call('GET', '/', undefined, { 'x-user': '' })).status).toBe(401)
      expect((await call('GET', '/', undefined, { 'x-user': 'fails' })).status).toBe(503)
      expect((await call('POST', '/', { ...INPUT, id: 'x' })).body.code).toBe('invalid_input')
      expect((await call('POST', '/', INPUT, { 'sec-fetch-site': 'cross-site' })).body.code).toBe('cross_site')
      expect((await call('POST', '/', { ...INPUT, name: 'x'.repeat(70_000) })).status).toBe(413)
      expect((await call('GET', '/nowhere')).status).toBe(404)
      expect((await call('GET', '/AAAAAAAAAAAAAAAA')).body.code).toBe('not_found')
    })
  })

  it('the management API works under a nested path', async () => {
    await within(start, '/a/b-c', async (call) => {
      const created = await call('POST', '/', INPUT)
      expect(created.headers.get('location')).toBe(`/a/b-c/${created.body.record.id}`)
      expect((await call('GET', `/${created.body.record.id}`)).body.name).toBe('ERP')
    })
  })

  it('the management API reads the body even after other parsers, so an overlap is not lost', async () => {
    await within(start, '/admin/tokens', async (call, _host, tokens) => {
      const { token, record } = (await call('POST', '/', INPUT)).body
      expect((await call('POST', `/${record.id}/rotate`, { overlap: '1h' })).status).toBeLessThan(300)
      expect(await tokens.verify(token)).toMatchObject({ ok: true })
    })
  })

  it.each([
    '/AAAAAAAAAAAAAAAA/../revoke-all',
    '/./revoke-all',
    '/x/%2e%2e/revoke-all',
    '/x/.%2E/revoke-all',
    '/%72evoke-all',
    '//revoke-all',
  ])('the management API does not normalize the path %s', async (path) => {
    await within(start, '/admin/tokens', async (call, host, tokens) => {
      const { token } = (await call('POST', '/', INPUT)).body
      const { hostname, port } = new URL(host.origin)
      const body = JSON.stringify({ tenantId: 'acme' })
      const headers = { 'x-user': 'ada', 'content-type': 'application/json', 'content-length': body.length }
      const status = await new Promise<number | undefined>((resolve, reject) => {
        const outgoing = send({ host: hostname, port, method: 'POST', path: `/admin/tokens${path}`, headers })
        outgoing.on('response', (response) => resolve(response.resume().statusCode)).on('error', reject)
        outgoing.end(body)
      })
      // A host that builds a URL has already normalized the path before routing.
      if (NORMALISES.has(name) && /\/(?:\.|%2e)/i.test(path)) return expect(status).toBe(200)
      expect(status).toBe(404)
      expect(await tokens.verify(token)).toMatchObject({ ok: true })
    })
  })

  it('the management API answers several oversized bodies in a row on one connection', async () => {
    await within(start, '/admin/tokens', async (_call, host) => {
      const { hostname, port } = new URL(host.origin)
      const agent = new Agent({ keepAlive: true, maxSockets: 1 })
      const body = JSON.stringify({ ...INPUT, name: 'x'.repeat(200_000) })
      const headers = { 'x-user': 'ada', 'content-type': 'application/json' }
      const post = (length: boolean) =>
        new Promise<number | undefined>((resolve, reject) => {
          const outgoing = send({
            host: hostname,
            port,
            agent,
            method: 'POST',
            path: '/admin/tokens',
            headers: { ...headers, ...(length && { 'content-length': body.length }) },
          })
          outgoing.on('response', (response) => response.resume().on('end', () => resolve(response.statusCode))).on('error', reject)
          outgoing.end(body)
        })
      try {
        for (const length of [true, true, true, true, false, false, false]) expect(await post(length)).toBe(413)
      } finally {
        agent.destroy()
      }
    })
  })

  it('a truncated body is not treated as a complete body', async () => {
    await within(start, '/admin/tokens', async (call, host) => {
      const { hostname, port } = new URL(host.origin)
      await new Promise<void>((resolve) => {
        const headers = { 'x-user': 'ada', 'content-type': 'application/json', 'content-length': 1000 }
        const outgoing = send({ host: hostname, port, method: 'POST', path: '/admin/tokens', headers })
        outgoing.on('error', () => resolve())
        outgoing.on('close', () => resolve())
        outgoing.write(JSON.stringify(INPUT), () => outgoing.destroy())
      })
      // A token created by the aborted request would appear only later.
      await new Promise((resolve) => setTimeout(resolve, 60))
      expect((await call('GET', '/')).body.items).toEqual([])
    })
  })
})
