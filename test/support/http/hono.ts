import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { serve } from '@hono/node-server'
import { getConnInfo } from '@hono/node-server/conninfo'
import { type Context, Hono } from 'hono'
import { authenticate, requireScopes } from 'latchkey/hono'
import { memoryStore } from 'latchkey/stores/memory'
import type { HttpHarness, SiteRoute } from '../../http-contract/types.js'

/** The contract's routes on Hono, on Node. */
export function honoHarness(name: string): HttpHarness {
  return {
    name,
    store: () => memoryStore(),
    async start({ tokens, options, trustProxy, routes }) {
      const app = new Hono()
      const direct = (c: Context): string | undefined => getConnInfo(c).remote.address
      const ip = trustProxy ? (c: Context) => c.req.header('x-forwarded-for') ?? direct(c) : direct
      app.use('/api/*', authenticate(tokens, { ...options, ip }))
      const nested = new Hono()
      for (const route of routes.filter((each) => each.nested)) add(nested, route, route.path.replace('/api/nested', ''))
      app.route('/api/nested', nested)
      for (const route of routes.filter((each) => !each.nested && each.path !== '/api/late')) add(app, route, route.path)
      const server = serve({ fetch: app.fetch, port: 0 })
      if (!server.listening) await once(server, 'listening')
      for (const route of routes.filter((each) => each.path === '/api/late')) add(app, route, route.path)
      return {
        port: (server.address() as AddressInfo).port,
        close: () => {
          if ('closeAllConnections' in server) server.closeAllConnections()
          return new Promise((resolve) => server.close(resolve))
        },
      }
    },
  }
}

function add(app: Hono, route: SiteRoute, path: string): void {
  const requirement = route.requirement((c: Context, parameter) => c.req.param(parameter))
  const handlers = requirement === undefined ? [] : [requireScopes(...requirement)]
  const answer = async (c: Context): Promise<Response> => {
    const body = await route.answer(() => c.var.principal)
    return new Response(JSON.stringify(body), { headers: { 'content-type': 'application/json' } })
  }
  const methods = route.method === 'ALL' ? ['ALL'] : [route.method]
  app.on(methods, [path], ...handlers, answer)
}
