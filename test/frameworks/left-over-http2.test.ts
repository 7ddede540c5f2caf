import { once } from 'node:events'
import { connect, constants, createServer, type Http2Server } from 'node:http2'
import type { AddressInfo } from 'node:net'
import fastify from 'fastify'
import Koa from 'koa'
import mount from 'koa-mount'
import type { Latchkey } from 'latchkey'
import { management as manageOnFastify, authenticate as onFastify } from 'latchkey/fastify'
import { management as manageOnKoa, authenticate as onKoa } from 'latchkey/koa'
import { expect, it, onTestFinished } from 'vitest'
import { deciderOf } from '../../src/instance.js'
import type { VerifyContext } from '../../src/model/principal.js'
import { until } from '../latchkey/harness.js'
import { decidedBy } from '../support/decided-by.js'
import { endpointsOf, kit } from '../support/http/tokens.js'

type Tokens = Parameters<typeof onKoa>[0]

const servers: { readonly [framework: string]: (tokens: Tokens) => Promise<number> } = {
  Koa: async (tokens) => {
    const app = new Koa()
    app.silent = true
    app.use(onKoa(tokens)).use((ctx) => {
      ctx.body = ctx.state.principal?.tokenId
    })
    const server: Http2Server = createServer(app.callback()).listen(0, '127.0.0.1')
    await once(server, 'listening')
    onTestFinished(() => void server.close())
    return (server.address() as AddressInfo).port
  },
  Fastify: async (tokens) => {
    const app = fastify({ http2: true })
    await app.register(onFastify as never, { tokens } as never)
    app.get('/', async () => ({}))
    onTestFinished(() => void app.close())
    await app.listen({ port: 0, host: '127.0.0.1' })
    return (app.server.address() as AddressInfo).port
  },
}

it.each(Object.entries(servers))(
  '%s counts a use even when the client resets its HTTP/2 stream before the decision',
  async (_name, start) => {
    const { tokens, token, id } = await kit()
    let reset = (): Promise<unknown> => Promise.resolve()
    const slow = decidedBy(tokens, async (presented, context) => {
      await reset()
      return deciderOf(tokens).decide(presented, context as VerifyContext)
    })
    const session = connect(`http://127.0.0.1:${await start(slow)}`)
    onTestFinished(() => session.destroy())
    const stream = session.request({ ':path': '/', authorization: `Bearer ${token}` })
    stream.on('error', () => undefined)
    reset = async () => {
      stream.close(constants.NGHTTP2_CANCEL)
      // The server answers a later frame on the same connection only after it has seen both the request and the reset.
      await once(stream, 'close')
      await new Promise((resolve) => session.ping(resolve))
    }
    expect(await endpointsOf(tokens, id, 1)).toHaveLength(1)
  },
)

const managed: { readonly [framework: string]: (tokens: Latchkey, actor: () => Promise<undefined>) => Promise<number> } = {
  Koa: async (tokens, actor) => {
    const app = new Koa()
    app.silent = true
    app.use(mount('/t', manageOnKoa(tokens, { actor })))
    const server: Http2Server = createServer(app.callback()).listen(0, '127.0.0.1')
    await once(server, 'listening')
    onTestFinished(() => void server.close())
    return (server.address() as AddressInfo).port
  },
  Fastify: async (tokens, actor) => {
    const app = fastify({ http2: true })
    await app.register(manageOnFastify as never, { prefix: '/t', tokens, actor } as never)
    onTestFinished(() => void app.close())
    await app.listen({ port: 0, host: '127.0.0.1' })
    return (app.server.address() as AddressInfo).port
  },
}

// An error in a listener would crash a process; here it fails the test run.
it.each(Object.entries(managed))('%s keeps running when a client resets its request to the management API', async (_name, start) => {
  const { tokens } = await kit()
  let entered = 0
  const gates: (() => void)[] = []
  const port = await start(tokens, () => {
    entered += 1
    return new Promise((resolve) => gates.push(() => resolve(undefined)))
  })
  const session = connect(`http://127.0.0.1:${port}`)
  onTestFinished(() => session.destroy())
  for (const path of ['/t', '/t/nothing/here', '/t/revoke-all']) {
    for (const piece of ['{"name":', '']) {
      const before = entered
      const stream = session.request({ ':path': path, ':method': 'POST', 'content-type': 'application/json', 'content-length': '100' })
      stream.on('error', () => undefined)
      if (piece !== '') stream.write(piece)
      await until(() => entered > before)
      stream.close(constants.NGHTTP2_CANCEL)
      await once(stream, 'close')
      await new Promise((resolve) => session.ping(resolve))
      for (const open of gates.splice(0)) open()
    }
  }
  const last = session.request({ ':path': '/t/scopes' })
  await until(() => gates.length > 0)
  for (const open of gates.splice(0)) open()
  const [headers] = await once(last, 'response')
  expect(headers[':status']).toBe(401)
})
