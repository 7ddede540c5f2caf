import { once } from 'node:events'
import { request as ask, createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Hono } from 'hono'
import type { FaultReport, Latchkey } from 'latchkey'
import * as onHono from 'latchkey/hono'
import { whoami } from 'latchkey/oauth'
import { management } from 'latchkey/web'
import { authenticateUpgrade } from 'latchkey/ws'
import { expect, it, onTestFinished } from 'vitest'
import { instance, mint } from '../latchkey/harness.js'

type Call = (tokens: Latchkey<never>, headers: Record<string, string>) => Promise<unknown>

/** A careless host: its error quotes the whole request. */
const quoting = (headers: object): never => {
  throw new Error(`no address in ${JSON.stringify(headers)}`)
}
const ofContext = (c: { req: { header(): Record<string, string> } }): never => quoting(c.req.header())
const ofRequest = ({ headers }: Request): never => quoting(Object.fromEntries(headers))

const CALLS: { readonly [where: string]: Call } = {
  'the option ip of authenticate on Hono'(tokens, headers) {
    const app = new Hono().use(onHono.authenticate(tokens, { ip: ofContext, credential: ['bearer', 'basic'] }))
    return Promise.resolve(app.request('/', { headers }))
  },
  'the option ip of management on Hono': (tokens, headers) =>
    Promise.resolve(onHono.management(tokens, { ip: ofContext, actor: () => undefined }).request('/', { headers })),
  'the option ip of management for web requests': (tokens, headers) =>
    management(tokens, { ip: ofRequest, actor: () => undefined, mountPath: '' })(new Request('http://a.test/', { headers })),
  'the option ip of whoami': (tokens, headers) => whoami(tokens, { ip: ofRequest })(new Request('http://a.test/', { headers })),
  async 'the option ip of authenticateUpgrade'(tokens, headers) {
    const server = createServer().listen(0)
    await once(server, 'listening')
    onTestFinished(() => void server.close())
    server.on('upgrade', async (request: IncomingMessage, socket) => {
      const upgrade = await authenticateUpgrade(tokens, request, { ip: (incoming) => quoting(incoming.headers) })
      if (!upgrade.ok) upgrade.reject(socket)
    })
    const upgrade = { connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-version': '13' }
    const asking = ask({ port: (server.address() as AddressInfo).port, headers: { ...headers, ...upgrade } })
    asking.end()
    const [response] = (await once(asking, 'response')) as [IncomingMessage]
    response.resume()
  },
  'the option waitUntil of authenticate on Hono'(tokens, headers) {
    const app = new Hono().use(onHono.authenticate(tokens, { waitUntil: (_, c) => ofContext(c) }))
    return Promise.resolve(app.request('/', { headers }))
  },
  'the option waitUntil of management for web requests': (tokens, headers) =>
    management(tokens, { waitUntil: (_, request) => ofRequest(request), actor: () => undefined, mountPath: '' })(
      new Request('http://a.test/', { headers }),
    ),
}

it.each(Object.keys(CALLS))('an error from %s that quotes the request is reported without its credentials', async (where) => {
  const faults: FaultReport[] = []
  const lines: string[] = []
  const tokens = instance({ onError: (fault) => faults.push(fault), logger: { error: (line) => lines.push(line) } })
  const { token } = await mint(tokens)
  const basic = btoa(`user:${token}`)
  await CALLS[where]?.(tokens as unknown as Latchkey<never>, { authorization: `Basic ${basic}`, cookie: 'sid=session-secret' })
  expect(faults).toHaveLength(1)
  const cause = faults[0]?.error.cause as Error
  const told = `${cause.message} ${cause.stack} ${lines}`
  expect(told).toContain('no address in')
  for (const secret of [basic, 'session-secret', token]) expect(told).not.toContain(secret)
})
