import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { serve } from '@hono/node-server'
import express from 'express'
import Fastify from 'fastify'
import { Hono } from 'hono'
import Koa from 'koa'
import koaMount from 'koa-mount'
import { type Actor, type Latchkey, type LatchkeyOptions, latchkey } from 'latchkey'
import { type Dashboard, type DashboardOptions, dashboard } from 'latchkey/dashboard'
import * as onExpress from 'latchkey/express'
import * as onFastify from 'latchkey/fastify'
import * as onHono from 'latchkey/hono'
import * as onKoa from 'latchkey/koa'
import { memoryStore } from 'latchkey/stores/memory'
import { type FaultyStore, faultyStore } from 'latchkey/testing'
import type { ManagementOptions } from '../../../src/management/index.js'

export const SCOPES = {
  'inventory:read': 'See stock levels and locations',
  'inventory:write': 'Change stock levels',
  'inventory:transfer': 'Move stock between warehouses',
  'orders:read': 'See orders and their lines',
  'orders:write': 'Create and change orders',
  'orders:refund': 'Pay money back',
  'billing:read': 'See invoices',
  'webhooks:manage': 'Create and remove webhooks',
} as const

/** People who may sign in, selected by the cookie `user`. */
export const PEOPLE: { readonly [name: string]: Actor } = {
  root: { id: 'root', tenants: '*', manages: 'all' },
  ada: { id: 'ada@acme.example', tenants: ['acme', 'bolt'], manages: 'all' },
  uma: { id: 'uma@acme.example', tenants: ['acme'], manages: 'own', scopes: ['inventory:read', 'inventory:write'] },
}

const GROUPS = { support: ['inventory:read', 'orders:read'], finance: ['billing:read', 'orders:refund'] }

export const MOUNT = '/admin/tokens'

export type World = {
  readonly origin: string
  readonly url: string
  readonly tokens: Latchkey
  readonly store: FaultyStore
  /** Every request that reached the server: its method, its path and whether it had the cookie. */
  readonly seen: { readonly method: string; readonly path: string; readonly cookie: boolean }[]
  /** Sets the clock of the instance. */
  readonly at: (instant: number | undefined) => void
  close(): Promise<void>
}

type Start = (tokens: Latchkey, page: Dashboard, seen: World['seen'], mount: string) => Promise<Server>

/** Starts a host with the page mounted and one guarded route. */
export async function startWorld(
  options: Partial<LatchkeyOptions> = {},
  chosen: DashboardOptions = {},
  start: Start = hosts.Express,
  mount: string = MOUNT,
): Promise<World> {
  let fixed: number | undefined
  const store = faultyStore(memoryStore())
  const tokens = latchkey({
    prefix: 'acme_live',
    store,
    scopes: SCOPES,
    groups: GROUPS,
    clock: () => fixed ?? Date.now(),
    ...options,
  }) as unknown as Latchkey
  const seen: World['seen'] = []
  const server = await start(tokens, dashboard(chosen), seen, mount)
  if (!server.listening) await once(server, 'listening')
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    origin,
    url: `${origin}${mount}`,
    tokens,
    store,
    seen,
    at: (instant) => {
      fixed = instant
    },
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
      store.behave()
      await tokens.close()
    },
  }
}

/** An Express host with these management options. */
export const expressWith =
  (manage: ManagementOptions): Start =>
  async (tokens, page, seen, mount) => {
    const app = express()
    app.use((req, _res, next) => {
      note(seen, req)
      next()
    })
    app.use(mount, onExpress.management(tokens, { ...manage, actor: personOf, dashboard: page }))
    app.get('/api/stock/:id', onExpress.authenticate(tokens), onExpress.requireScopes('inventory:read'), (_req, res) => {
      res.json({ bolts: 1200 })
    })
    return createServer(app).listen(0)
  }

/** The frameworks on which the page is tested. */
export const hosts: { readonly Express: Start; readonly Koa: Start; readonly Fastify: Start; readonly Hono: Start } = {
  Express: (...asked) => expressWith({})(...asked),
  async Koa(tokens, page, _seen, mount) {
    const app = new Koa()
    app.use(koaMount(mount, onKoa.management(tokens, { actor: (ctx) => personOf(ctx.req), dashboard: page })))
    return createServer(app.callback()).listen(0)
  },
  async Fastify(tokens, page, _seen, mount) {
    const app = Fastify({ forceCloseConnections: true })
    await app.register(onFastify.management, { prefix: mount, tokens, dashboard: page, actor: (request) => personOf(request.raw) })
    await app.listen({ port: 0, host: '127.0.0.1' })
    return app.server
  },
  async Hono(tokens, page, _seen, mount) {
    const app = new Hono()
    const actor = (header: string | undefined) => personIn(header)
    app.route(mount, onHono.management(tokens, { actor: (c) => actor(c.req.header('cookie')), dashboard: page }))
    return serve({ fetch: app.fetch, port: 0 }) as Server
  },
}

const personOf = (request: IncomingMessage): Actor | undefined => personIn(request.headers.cookie)
const personIn = (cookie: string | undefined): Actor | undefined => PEOPLE[/(?:^|;\s*)user=(\w+)/.exec(cookie ?? '')?.[1] ?? '']

function note(seen: World['seen'], { method = '', url = '', headers }: IncomingMessage): void {
  ;(seen as World['seen'][number][]).push({ method, path: url, cookie: headers.cookie !== undefined })
}
