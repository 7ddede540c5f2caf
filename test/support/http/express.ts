import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import type { Express, RequestHandler, Router } from 'express'
import { authenticate, requireScopes } from 'latchkey/express'
import { memoryStore } from 'latchkey/stores/memory'
import type { HttpHarness, SiteRoute } from '../../http-contract/types.js'

type Module = { (): Express; Router(): Router }

/** The contract's routes on any major version of Express. */
export function expressHarness(name: string, express: Module): HttpHarness {
  return {
    name,
    store: () => memoryStore(),
    async start({ tokens, options, trustProxy, routes }) {
      const app = express()
      app.set('trust proxy', trustProxy)
      app.use('/api', authenticate(tokens, options))
      const nested = express.Router()
      for (const route of routes.filter((each) => each.nested)) add(nested, route, route.path.replace('/api/nested', ''))
      app.use('/api/nested', nested)
      const plain = routes.filter((route) => !route.nested)
      for (const route of plain.filter((each) => each.path !== '/api/late')) add(app, route, route.path)
      const server = app.listen(0)
      await once(server, 'listening')
      for (const route of plain.filter((each) => each.path === '/api/late')) add(app, route, route.path)
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
  const requirement = route.requirement((req: Parameters<RequestHandler>[0], parameter) => req.params[parameter])
  const handlers: RequestHandler[] = requirement === undefined ? [] : [requireScopes(...requirement)]
  handlers.push((req, res, next) => {
    route.answer(() => req.principal).then((body) => res.setHeader('content-type', 'application/json').end(JSON.stringify(body)), next)
  })
  const method = route.method === 'ALL' ? 'all' : route.method === 'GET' ? 'get' : 'post'
  router[method](path, ...handlers)
}
