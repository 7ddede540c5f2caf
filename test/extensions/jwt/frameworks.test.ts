import { createHmac, sign } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { serve } from '@hono/node-server'
import express from 'express'
import fastify from 'fastify'
import { Hono } from 'hono'
import { base64url, type JWK } from 'jose'
import Koa from 'koa'
import type { Authenticator } from 'latchkey'
import * as onExpress from 'latchkey/express'
import * as onFastify from 'latchkey/fastify'
import * as onHono from 'latchkey/hono'
import { verifySigned } from 'latchkey/jwt'
import * as onKoa from 'latchkey/koa'
import * as onWeb from 'latchkey/web'
import { afterAll, expect, it } from 'vitest'
import { keyPair } from '../../support/keys.js'

const issuer = 'https://auth.example'
const { privateKey, publicKey } = keyPair('P-256')
const publicJwk: JWK = { ...publicKey.export({ format: 'jwk' }), kid: 'k1', alg: 'ES256' }
const signed: Authenticator = verifySigned({ issuer, audience: 'stock', keys: { keys: [publicJwk] } })
const now = Math.floor(Date.now() / 1000)
const claims = {
  iss: issuer,
  sub: 'u7',
  client_id: 'u7',
  aud: 'stock',
  iat: now,
  exp: now + 600,
  jti: 'j1',
  scope: 'inventory:read',
  parent: 'p1',
  name: 'ERP',
}
const part = (value: unknown): string => base64url.encode(typeof value === 'string' ? value : JSON.stringify(value))
const body = (header: object, payload: unknown): string => `${part({ alg: 'ES256', typ: 'at+jwt', kid: 'k1', ...header })}.${part(payload)}`
const make = (header: object, payload: unknown): string => {
  const input = body(header, payload)
  return `${input}.${base64url.encode(sign('sha256', Buffer.from(input), { key: privateKey, dsaEncoding: 'ieee-p1363' }))}`
}
const hmac = (secret: string | Buffer): string => {
  const input = body({ alg: 'HS256' }, claims)
  return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`
}

/** The usual attacks (RFC 8725), signed with the right key where possible. */
const attacks: { readonly [name: string]: string } = {
  ...Object.fromEntries(
    ['none', 'None', 'NONE', 'nOnE'].flatMap((alg) => [
      [`alg ${alg}`, make({ alg }, claims)],
      [`${alg}, unsigned`, `${body({ alg }, claims)}.AA`],
    ]),
  ),
  'HS256 with the PEM as the key': hmac(publicKey.export({ type: 'spki', format: 'pem' }).toString()),
  'HS256 with the DER as the key': hmac(publicKey.export({ type: 'spki', format: 'der' })),
  'HS256 with the JWK as the key': hmac(JSON.stringify(publicJwk)),
  'another alg': make({ alg: 'ES384' }, claims),
  'an embedded key': make({ jwk: publicJwk }, claims),
  jku: make({ jku: 'https://evil.example' }, claims),
  crit: make({ crit: ['exp'] }, claims),
  zip: make({ zip: 'DEF' }, claims),
  'kid injection': make({ kid: "k1' OR 1=1 --" }, claims),
  'kid path': make({ kid: '../../dev/null' }, claims),
  'typ JWT': make({ typ: 'JWT' }, claims),
  'doubled claims': make({}, JSON.stringify(claims).replace('{', '{"scope":"inventory:write",')),
  'exp as a string': make({}, { ...claims, exp: String(claims.exp) }),
  'exp as a list': make({}, { ...claims, exp: [claims.exp] }),
  'exp of 1e999': make({}, JSON.stringify(claims).replace(/"exp":\d+/, '"exp":1e999')),
  'exp of NaN': make({}, JSON.stringify(claims).replace(/"exp":\d+/, '"exp":NaN')),
  expired: make({}, { ...claims, exp: now - 60 }),
  'another audience': make({}, { ...claims, aud: 'billing' }),
  'another issuer': make({}, { ...claims, iss: 'https://evil.example' }),
}

const closers: (() => unknown)[] = []
afterAll(() => Promise.all(closers.map((close) => close())))

const at = async (server: Server): Promise<string> => {
  if (!server.listening) await once(server, 'listening')
  closers.push(() => new Promise((done) => server.close(done).closeAllConnections()))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}
const listen = (listener: RequestListener): Promise<string> => at(createServer(listener).listen(0, '127.0.0.1'))

const frameworks: { readonly [name: string]: () => Promise<string> } = {
  Express: () =>
    listen(
      express()
        .use(onExpress.authenticate(signed))
        .get('/', (req, res) => void res.send(req.principal?.name)),
    ),
  Koa: () => {
    const app = new Koa()
    app.use(onKoa.authenticate(signed)).use((ctx) => {
      ctx.body = ctx.state.principal?.name
    })
    return listen(app.callback())
  },
  Fastify: async () => {
    const app = fastify()
    await app.register(onFastify.authenticate, { tokens: signed })
    app.get('/', async (request) => request.principal?.name)
    closers.push(() => app.close())
    return app.listen({ port: 0, host: '127.0.0.1' })
  },
  Hono: () => {
    const app = new Hono()
    app.use('*', onHono.authenticate(signed))
    app.get('/', (c) => c.text(c.var.principal?.name ?? ''))
    return at(serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' }) as Server)
  },
  web: async () => {
    const fetch = async (request: Request): Promise<Response> => {
      const { principal, response } = await onWeb.authenticate(signed, request)
      return response ?? new Response(principal?.name)
    }
    return at(serve({ fetch, port: 0, hostname: '127.0.0.1' }) as Server)
  },
}

it.each(Object.entries(frameworks))('on %s a valid signed token is accepted and every attack is rejected', async (_, start) => {
  const origin = await start()
  const call = async (token: string): Promise<readonly [number, string]> => {
    const response = await fetch(origin, { headers: { authorization: `Bearer ${token}` } })
    return [response.status, await response.text()]
  }
  expect(await call(make({}, claims))).toEqual([200, 'ERP'])
  for (const [name, token] of Object.entries(attacks)) {
    const [status, text] = await call(token)
    expect([name, status]).toEqual([name, 401])
    expect(text).not.toContain('ERP')
  }
})
