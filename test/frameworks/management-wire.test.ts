import { once } from 'node:events'
import { type IncomingMessage, METHODS, request } from 'node:http'
import Fastify from 'fastify'
import { type Actor, latchkey } from 'latchkey'
import { management } from 'latchkey/fastify'
import { memoryStore } from 'latchkey/stores/memory'
import { describe, expect, it, onTestFinished } from 'vitest'
import { type Host, managementHosts } from '../support/http/management-hosts.js'

const ADA: Actor = { id: 'ada', tenants: ['acme'], manages: 'all' }
const SCOPES = { 'inventory:read': 'See stock' }

const instance = () => latchkey({ prefix: 'acme_live', store: memoryStore(), scopes: SCOPES, logger: false })

type Sent = { readonly method: string; readonly path: string; readonly headers?: Record<string, string>; readonly body?: string }

/** Sends a request that `fetch` would refuse or change, and returns the status and headers of the answer, and the code of a problem document. */
async function send(origin: string, { method, path, headers = {}, body = '' }: Sent) {
  const length = body === '' ? {} : { 'content-length': Buffer.byteLength(body) }
  const outgoing = request(`${origin}${path}`, { method, headers: { connection: 'close', 'x-user': 'ada', ...headers, ...length } })
  outgoing.end(body)
  const [incoming] = (await once(outgoing, 'response')) as [IncomingMessage]
  const chunks: Buffer[] = []
  for await (const chunk of incoming) chunks.push(chunk)
  const text = Buffer.concat(chunks).toString()
  const isProblem = incoming.headers['content-type'] === 'application/problem+json'
  return { status: incoming.statusCode, headers: incoming.headers, code: isProblem && text !== '' ? JSON.parse(text).code : undefined }
}

const GUARDED = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' }
const MALFORMED = ['', ';', 'a', '/', 'application/json, text/plain', 'é', 'a/b/c;d=e']
/** Node 20 does not know QUERY. */
const UNUSUAL = ['PROPFIND', 'PURGE', 'LINK', 'SEARCH', 'LOCK', 'M-SEARCH', 'QUERY'].filter((method) => METHODS.includes(method))

describe.each(Object.entries(managementHosts))('management on %s, over the wire', (name, start) => {
  const within = async (run: (host: Host) => Promise<void>): Promise<void> => {
    const tokens = instance()
    const host = await start(tokens, (user) => (user === 'ada' ? ADA : undefined), '/admin/tokens')
    try {
      await run(host)
    } finally {
      await host.close()
      await tokens.close()
    }
  }

  it('the management API itself refuses malformed content types, and only where the type matters', async () => {
    await within(async ({ origin }) => {
      for (const type of MALFORMED) {
        const ask = async (method: string, user = 'ada') => {
          const headers = { 'content-type': type, 'x-user': user }
          return { type, ...(await send(origin, { method, path: '/admin/tokens/', headers, body: '{"name":"n"}' })) }
        }
        expect(await ask('POST')).toMatchObject({ type, status: 415, code: 'media_type_unsupported', headers: GUARDED })
        expect(await ask('POST', 'nobody')).toMatchObject({ type, status: 401, code: 'actor_missing', headers: GUARDED })
        expect(await ask('DELETE')).toMatchObject({ type, status: 405, code: 'method_not_allowed', headers: GUARDED })
        expect(await ask('OPTIONS')).toMatchObject({ type, status: 204, headers: { ...GUARDED, allow: 'POST, GET, HEAD, OPTIONS' } })
      }
    })
  })

  it('the management API accepts an empty chunked body as no body, if Node delivers it', async () => {
    const tokens = instance()
    const host = await start(tokens, (user) => (user === 'ada' ? ADA : undefined), '/admin/tokens')
    try {
      const { record } = await tokens.as(ADA).create({ name: 'made', tenantId: 'acme', scopes: [] })
      const headers = { 'x-requested-with': 'test', 'transfer-encoding': 'chunked' }
      const { status, code } = await send(host.origin, { method: 'POST', path: `/admin/tokens/${record.id}/revoke`, headers })
      // Elsewhere, other code may have lost the content of the body.
      const isKnown = !/Hono|web/.test(name)
      expect({ status, code }).toEqual(isKnown ? { status: 200, code: undefined } : { status: 400, code: 'invalid_input' })
      expect((await tokens.as(ADA).get(record.id))?.status).toBe(isKnown ? 'revoked' : 'active')
    } finally {
      await host.close()
      await tokens.close()
    }
  })

  it('the management API answers unusual methods with 405 and Allow, at its mount path and below it', async () => {
    await within(async ({ origin }) => {
      for (const method of UNUSUAL) {
        const ask = async (path: string, user = 'ada') => ({
          method,
          ...(await send(origin, { method, path, headers: { 'x-user': user } })),
        })
        const refused = { method, status: 405, code: 'method_not_allowed' }
        const [below, on] = ['GET, HEAD, OPTIONS', 'POST, GET, HEAD, OPTIONS'].map((allow) => ({
          ...refused,
          headers: { ...GUARDED, allow },
        }))
        expect(await ask('/admin/tokens/scopes')).toMatchObject(below ?? {})
        expect(await ask('/admin/tokens')).toMatchObject(on ?? {})
        expect(await ask('/admin/tokens/no/such/path')).toMatchObject({ method, status: 404, code: 'not_found', headers: GUARDED })
        expect(await ask('/admin/tokens/scopes', 'nobody')).toMatchObject({ method, status: 401, code: 'actor_missing', headers: GUARDED })
      }
    })
  })

  it('the management API answers TRACE with a refusal that is neither cached nor sniffed', async () => {
    await within(async ({ origin }) => {
      const { status = 0, headers } = await send(origin, { method: 'TRACE', path: '/admin/tokens/scopes' })
      expect([400, 405]).toContain(status)
      expect(headers).toMatchObject(GUARDED)
    })
  })
})

describe('management on Fastify next to other routes', () => {
  const serve = async () => {
    const tokens = instance()
    const app = Fastify({ forceCloseConnections: true })
    const ran: string[] = []
    app.addHook('preHandler', async (seen) => void ran.push(seen.method))
    app.post('/other', async () => 'other')
    await app.register(management, { prefix: '/admin/tokens', tokens, actor: () => ADA })
    const origin = await app.listen({ port: 0, host: '127.0.0.1' })
    onTestFinished(async () => void (await Promise.all([app.close(), tokens.close()])))
    return { app, origin, ran }
  }

  it("the server's hooks still see requests with malformed content types, and its other routes are unchanged", async () => {
    const { origin, ran } = await serve()
    const sent = { method: 'POST', headers: { 'content-type': ';' }, body: '{}' }
    expect(await send(origin, { ...sent, path: '/admin/tokens' })).toMatchObject({ status: 415, code: 'media_type_unsupported' })
    expect(ran).toEqual(['POST'])
    expect(await send(origin, { ...sent, path: '/other' })).toMatchObject({ status: 415, code: undefined })
    expect(ran).toEqual(['POST'])
  })

  it("unusual methods reach the server's hooks first, and outside the API, its own 404 handler", async () => {
    const { app, origin, ran } = await serve()
    expect(await send(origin, { method: 'PROPFIND', path: '/admin/tokens' })).toMatchObject({ status: 405, code: 'method_not_allowed' })
    expect(ran).toEqual(['PROPFIND'])
    for (const path of ['/other', '/admin', '/admin/tokensX']) {
      expect([path, await send(origin, { method: 'PROPFIND', path })]).toMatchObject([path, { status: 404, code: undefined }])
    }
    expect(app.hasRoute({ method: 'PROPFIND', url: '/admin/tokens' })).toBe(false)
  })

  it.each([undefined, '', '/'])('without a prefix of its own (%o), the API leaves the 404 handler to the server', async (prefix) => {
    const tokens = instance()
    const app = Fastify()
    app.setNotFoundHandler(async (_request, reply) => reply.code(404).send('nothing here'))
    await app.register(
      async (inner) => void (await inner.register(management, { ...(prefix !== undefined && { prefix }), tokens, actor: () => ADA })),
    )
    expect((await app.inject({ method: 'PROPFIND' as never, url: '/scopes' })).body).toBe('nothing here')
    expect((await app.inject({ url: '/scopes' })).statusCode).toBe(200)
    await app.close()
    await tokens.close()
  })
})
