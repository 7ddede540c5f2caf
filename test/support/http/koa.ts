import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import Router from '@koa/router'
import type Koa from 'koa'
import { authenticate, requireScopes } from 'latchkey/koa'
import { memoryStore } from 'latchkey/stores/memory'
import type { HttpHarness, SiteRoute } from '../../http-contract/types.js'

/** The contract's routes on any major version of Koa, with @koa/router. */
export function koaHarness(name: string, Application: new () => Koa): HttpHarness {
  return {
    name,
    store: () => memoryStore(),
    async start({ tokens, options, trustProxy, routes }) {
      const app = new Application()
      app.proxy = trustProxy
      app.silent = true
      const open = new Router()
      // The guard is in a router without a prefix. With a prefix, @koa/router compares the prefix case-sensitively, but not the routes.
      const guarded = new Router()
      const api = new Router({ prefix: '/api' })
      const nested = new Router({ prefix: '/nested' })
      guarded.use(authenticate(tokens, options))
      for (const route of routes) {
        if (!route.guarded) add(open, route, route.path)
        else if (route.nested) add(nested, route, route.path.replace('/api/nested', ''))
        else if (route.path !== '/api/late') add(api, route, route.path.replace('/api', ''))
      }
      api.use(nested.routes())
      guarded.use(api.routes())
      app.use(open.routes()).use(guarded.routes())
      const server = app.listen(0)
      await once(server, 'listening')
      for (const route of routes) if (route.path === '/api/late') add(guarded, route, route.path)
      return {
        port: (server.address() as AddressInfo).port,
        close: () => {
          server.closeAllConnections()
          return new Promise((resolve) => server.close(resolve))
        },
      }
    },
  }
}

function add(router: Router, route: SiteRoute, path: string): void {
  const requirement = route.requirement((ctx: Koa.Context, parameter) => ctx.params[parameter])
  const handlers: Koa.Middleware[] = requirement === undefined ? [] : [requireScopes(...requirement)]
  handlers.push(async (ctx) => {
    const body = await route.answer(() => ctx.state.principal)
    ctx.body = JSON.stringify(body)
    ctx.set('content-type', 'application/json')
  })
  const method = route.method === 'ALL' ? 'all' : route.method === 'GET' ? 'get' : 'post'
  router[method](path, ...handlers)
}
