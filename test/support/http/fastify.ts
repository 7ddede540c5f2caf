import type { AddressInfo } from 'node:net'
import Fastify, { type FastifyInstance, type FastifyRequest } from 'fastify'
import { authenticate, requireScopes } from 'latchkey/fastify'
import { memoryStore } from 'latchkey/stores/memory'
import type { HttpHarness, SiteRoute } from '../../http-contract/types.js'

/** The contract's routes on Fastify. */
export function fastifyHarness(name: string): HttpHarness {
  return {
    name,
    store: () => memoryStore(),
    async start({ tokens, options, trustProxy, routes }) {
      const app = Fastify({ trustProxy, forceCloseConnections: true })
      acceptAnyBody(app)
      await app.register(
        async (api) => {
          await api.register(authenticate, { tokens, ...options })
          const guarded = routes.filter((route) => route.guarded)
          for (const route of guarded.filter((each) => !each.nested)) add(api, route, route.path.replace('/api', ''))
          await api.register(
            async (nested) => {
              for (const route of guarded.filter((each) => each.nested)) add(nested, route, route.path.replace('/api/nested', ''))
            },
            { prefix: '/nested' },
          )
        },
        { prefix: '/api' },
      )
      for (const route of routes.filter((each) => !each.guarded)) add(app, route, route.path)
      await app.listen({ port: 0, host: '127.0.0.1' })
      return { port: (app.server.address() as AddressInfo).port, close: () => app.close() }
    },
  }
}

// The contract is about the guard, not about how a framework treats the content type of a body.
function acceptAnyBody(app: FastifyInstance): void {
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', (_request, payload, done) => {
    payload.resume()
    payload.on('end', () => done(null))
  })
}

function add(app: FastifyInstance, route: SiteRoute, url: string): void {
  const requirement = route.requirement((request: FastifyRequest, parameter) => {
    const value: unknown = Reflect.get(Object(request.params), parameter)
    return typeof value === 'string' ? value : undefined
  })
  const options = requirement === undefined ? {} : { onRequest: requireScopes(...requirement) }
  const method = route.method === 'ALL' ? 'all' : route.method === 'GET' ? 'get' : 'post'
  app[method](url, options, async (request, reply) => {
    const body = await route.answer(() => request.principal)
    return reply.type('application/json').send(Buffer.from(JSON.stringify(body)))
  })
}
