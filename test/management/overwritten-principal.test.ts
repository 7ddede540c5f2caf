import express, { type RequestHandler } from 'express'
import { Hono } from 'hono'
import { authenticate, management, requireScopes } from 'latchkey/express'
import * as onHono from 'latchkey/hono'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createGateway } from '../extensions/jwt/support.js'
import { instance, mint, until } from '../latchkey/harness.js'
import { listen } from '../support/http/listen.js'

const overwrite =
  (properties: object): RequestHandler =>
  (req, _res, next) => {
    Object.assign(req.principal ?? {}, properties)
    next()
  }

describe('properties of a principal that a host overwrites', () => {
  it('an overwritten principal cannot read or rotate another token through /self', async () => {
    const scopes = { 'stock:read': 'See stock', 'tokens:rotate-self': 'Rotate itself' }
    const tokens = instance({ scopes: scopes as never })
    const own = await mint(tokens, { name: 'own', tenantId: 't1', scopes: ['tokens:rotate-self' as never] })
    const other = await mint(tokens, { name: 'other', tenantId: 't2' })
    const forged = { tokenId: other.record.id, tenantId: 't2', scopes: ['stock:read'], allows: () => true }
    const app = express()
    app.use(authenticate(tokens), overwrite(forged), management(tokens, { actor: () => undefined }))
    const url = `${await listen(app)}/self`
    const headers = { authorization: `Bearer ${own.token}`, 'content-type': 'application/json' }
    expect(await (await fetch(url, { headers })).json()).toMatchObject({
      record: { id: own.record.id, name: 'own' },
      effectiveScopes: ['tokens:rotate-self'],
    })
    const rotated = await fetch(`${url}/rotate`, { method: 'POST', headers, body: '{}' })
    expect(await rotated.json()).toMatchObject({ record: { name: 'own', replacesId: own.record.id } })
    expect(await tokens.verify(other.token)).toMatchObject({ ok: true })
  })

  it('an overwritten principal cannot rotate itself without the scope', async () => {
    const tokens = instance()
    const { token } = await mint(tokens)
    const app = express()
    app.use(authenticate(tokens), overwrite({ allows: () => true }), management(tokens, { actor: () => undefined }))
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
    expect((await fetch(`${await listen(app)}/self/rotate`, { method: 'POST', headers, body: '{}' })).status).toBe(403)
  })

  it.each(['an API token', 'a signed token', 'a session'])('an overwritten principal of %s does not pass requireScopes', async (kind) => {
    const { tokens, create, signed, service } = await createGateway()
    onTestFinished(() => tokens.close())
    const { token } = await create({ name: 'ERP', scopes: ['inventory:read'], resources: { warehouse: ['w1'] } })
    const guard =
      kind === 'a session'
        ? authenticate(tokens, { session: () => ({ id: 'u1', scopes: ['inventory:read'], resources: { warehouse: ['w1'] } }) })
        : authenticate(kind === 'a signed token' ? service() : tokens)
    const app = express()
    app.use(guard, overwrite({ allows: () => true }))
    app.get('/write', requireScopes('inventory:write'), (_req, res) => void res.end('ran'))
    app.get(
      '/:warehouse',
      requireScopes('inventory:read', { warehouse: (req) => req.params.warehouse }),
      (_req, res) => void res.end('ran'),
    )
    const url = await listen(app)
    const presented = kind === 'a signed token' ? await signed(token) : token
    const headers: Record<string, string> = kind === 'a session' ? {} : { authorization: `Bearer ${presented}` }
    const statuses = await Promise.all(['/write', '/w2', '/w1'].map(async (path) => (await fetch(url + path, { headers })).status))
    expect(statuses).toEqual([403, 403, 200])
  })

  it("an overwritten principal cannot write a refusal into another tenant's audit trail", async () => {
    const { tokens, create, signed, service } = await createGateway()
    onTestFinished(() => tokens.close())
    const { token, record } = await create({ name: 'ERP', scopes: ['inventory:read'], tenantId: 't1' })
    const app = new Hono()
    app.use(onHono.authenticate(service()), async (c, next) => {
      Object.assign(c.var.principal ?? {}, { kind: 'user', tokenId: 'boss', tenantId: 't2' })
      await next()
    })
    app.route('/', onHono.management(tokens, { actor: () => undefined }))
    const headers = { authorization: `Bearer ${await signed(token)}` }
    expect((await app.request('/', { headers })).status).toBe(403)
    let refused: readonly object[] = []
    await until(async () => {
      await tokens.flush()
      refused = (await tokens.system.events({ action: 'management.refused' })).items
      return refused.length > 0
    })
    expect(refused).toMatchObject([{ actorId: `signed:${record.id}`, tenantId: 't1' }])
  })
})
