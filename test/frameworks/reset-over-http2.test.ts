import { type ClientHttp2Session, connect, constants, createServer, type Http2Server } from 'node:http2'
import type { AddressInfo } from 'node:net'
import Fastify from 'fastify'
import Koa from 'koa'
import type { Latchkey, Principal } from 'latchkey'
import * as onFastify from 'latchkey/fastify'
import * as onKoa from 'latchkey/koa'
import { describe, expect, it, onTestFinished } from 'vitest'
import { hasSignal } from '../../src/verify/principal.js'
import { instance, mint, type Scope, until } from '../latchkey/harness.js'

type Host = (tokens: Latchkey<Scope>, handle: (principal: Principal | undefined) => void) => Promise<Http2Server>

/** Applications whose only handler never answers. */
const HOSTS: readonly (readonly [string, Host])[] = [
  [
    'Koa',
    async (tokens, handle) => {
      const app = new Koa().use(onKoa.authenticate(tokens)).use((ctx) => {
        ctx.respond = false
        handle(ctx.state.principal)
      })
      return createServer(app.callback())
    },
  ],
  [
    'Fastify',
    async (tokens, handle) => {
      const app = Fastify({ http2: true })
      await app.register(onFastify.authenticate, { tokens })
      app.all('/', (request) => {
        handle(request.principal)
        return new Promise(() => undefined)
      })
      await app.ready()
      return app.server
    },
  ],
]

async function connected(server: Http2Server): Promise<ClientHttp2Session> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const session = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  onTestFinished(() => {
    session.destroy()
    server.close()
  })
  return session
}

describe.each(HOSTS)('%s over HTTP/2', (_name, start) => {
  it.each(['GET', 'HEAD'])('a %s that its client resets before the response has begun ends its signal and is counted', async (method) => {
    const tokens = instance()
    const { token, record } = await mint(tokens)
    let principal: Principal | undefined
    const session = await connected(
      await start(tokens, (admitted) => {
        void admitted?.signal
        principal = admitted
      }),
    )
    const stream = session.request({ ':method': method, ':path': '/', authorization: `Bearer ${token}` })
    stream.on('error', () => undefined)
    await until(() => principal !== undefined)
    expect(hasSignal(principal)).toBe(true)
    stream.close(constants.NGHTTP2_CANCEL)
    await until(() => !hasSignal(principal))
    await until(async () => {
      await tokens.flush()
      return (await tokens.system.usage(record.id)).total === 1
    })
  })
})
