import Fastify, { type FastifyInstance, type FastifyPluginAsync } from 'fastify'
import { authenticate, requireScopes } from 'latchkey/fastify'
import { floorVerify } from '../floor.js'
import { peer } from '../peer.js'
import type { Credentials, Served } from './types.js'

/** One route, unprotected and behind each kind of protection. */
export async function fastifyVariants({ tokens, records, texts }: Credentials): Promise<readonly Served[]> {
  const { default: bearerAuth } = await peer<{ default: FastifyPluginAsync<{ keys: Set<string> }> }>('@fastify/bearer-auth')
  const api = async (guard: (app: FastifyInstance) => Promise<unknown>): Promise<Served['listener']> => {
    const app = Fastify()
    await guard(app)
    app.get('/api/stock', async () => ({ bolts: 1200 }))
    await app.ready()
    return (req, res) => app.routing(req, res)
  }
  return [
    { name: 'bare', listener: await api(async () => undefined) },
    {
      name: 'hand-written optimum',
      listener: await api(async (app) => {
        app.decorateRequest('caller', null)
        app.addHook('onRequest', (request, reply, done) => {
          const header = request.raw.headers.authorization
          if (!header?.startsWith('Bearer ') || !floorVerify(records, 'acme_live', header.slice(7))) {
            reply.code(401).send()
            return
          }
          Object.assign(request, { caller: { tokenId: header.slice(17, 33), scopes: ['stock:read'] } })
          done()
        })
      }),
    },
    {
      name: 'latchkey',
      listener: await api(async (app) => {
        await app.register(authenticate, { tokens })
        app.addHook('onRequest', requireScopes('stock:read'))
      }),
    },
    {
      name: `@fastify/bearer-auth, ${texts.length.toLocaleString('en')} keys`,
      listener: await api(async (app) => app.register(bearerAuth, { keys: new Set(texts) })),
      // The plugin checks this key neither first nor last.
      credential: texts[texts.length / 2] ?? '',
    },
  ]
}
