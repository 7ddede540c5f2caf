import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { serve } from '@hono/node-server'
import express from 'express'
import { Hono } from 'hono'
import type { Latchkey, Principal } from 'latchkey'
import { authenticate } from 'latchkey/express'
import { authenticate as authenticateHono } from 'latchkey/hono'
import { describe, expect, it, onTestFinished } from 'vitest'
import { hasSignal } from '../../src/verify/principal.js'
import { instance, mint, pause, until } from '../latchkey/harness.js'

const CLIENTS = 15

describe('principal.signal', () => {
  it('principal.signal ends many open streams of one token on Express, and is released with each response', async () => {
    const warnings: Error[] = []
    const note = (warning: Error) => void warnings.push(warning)
    process.on('warning', note)
    onTestFinished(() => void process.off('warning', note))
    const tokens = instance()
    const { token, record } = await mint(tokens)
    const principals: Principal[] = []
    const app = express()
    app.use(authenticate(tokens))
    app.get('/', (req, res) => {
      const { principal } = req
      if (principal === undefined) return
      principals.push(principal)
      res.write('begun')
      principal.signal.addEventListener('abort', () => res.end(), { once: true })
    })
    const server = app.listen(0, '127.0.0.1')
    await once(server, 'listening')
    onTestFinished(() => void server.close())
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
    const left = new AbortController()
    const open = (signal?: AbortSignal) => fetch(url, { headers: { authorization: `Bearer ${token}` }, ...(signal && { signal }) })
    const gone = await Promise.all(Array.from({ length: CLIENTS }, () => open(left.signal)))
    const stay = await Promise.all(Array.from({ length: CLIENTS }, () => open()))
    left.abort()
    await Promise.allSettled(gone.map((response) => response.text()))
    await until(() => principals.filter(hasSignal).length === CLIENTS)
    await tokens.system.revoke(record.id)
    expect(await Promise.all(stay.map((response) => response.text()))).toEqual(Array(CLIENTS).fill('begun'))
    await until(() => !principals.some(hasSignal))
    expect(warnings.filter(({ name }) => name === 'MaxListenersExceededWarning')).toEqual([])
  })

  it('principal.signal is released when a complete or streamed response on Hono ends', async () => {
    const tokens = instance()
    const { token, record } = await mint(tokens)
    const principals: Principal[] = []
    const app = new Hono()
    app.use(authenticateHono(tokens))
    app.get('/whole', (c) => {
      principals.push(c.var.principal as Principal)
      return c.text(String(c.var.principal?.signal.aborted))
    })
    app.get('/stream', (c) => {
      const principal = c.var.principal as Principal
      principals.push(principal)
      const body = new ReadableStream({
        start(controller) {
          controller.enqueue(new TextEncoder().encode('begun'))
          principal.signal.addEventListener('abort', () => controller.close(), { once: true })
        },
      })
      return new Response(body)
    })
    const server = serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' })
    await once(server, 'listening')
    onTestFinished(() => void server.close())
    const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    const headers = { authorization: `Bearer ${token}` }
    expect(await (await fetch(`${origin}/whole`, { headers })).text()).toBe('false')
    await until(() => !principals.some(hasSignal))
    const stream = await fetch(`${origin}/stream`, { headers })
    await until(() => principals.filter(hasSignal).length === 1)
    await tokens.system.revoke(record.id)
    expect(await stream.text()).toBe('begun')
    await until(() => !principals.some(hasSignal))
  })

  it.each([101, 200])('on Hono, principal.signal outlives the %i response that opens a WebSocket', async (status) => {
    const tokens = instance()
    const { token, record } = await mint(tokens)
    const principals: Principal[] = []
    const app = new Hono()
    app.use(authenticateHono(tokens))
    app.get('/live', (c) => {
      principals.push(c.var.principal as Principal)
      expect(principals.at(-1)?.signal.aborted).toBe(false)
      // Only platforms that open sockets can construct a response with status 101.
      return Object.defineProperty(new Response(), 'status', { value: status })
    })
    const authorization = `Bearer ${token}`
    await app.request('/live', { headers: { authorization, connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-version': '13' } })
    await app.request('/live', { headers: { authorization } })
    expect(principals.map(hasSignal)).toEqual([true, status === 101])
    await tokens.system.revoke(record.id)
    expect(principals[0]?.signal.aborted).toBe(true)
  })

  // AbortSignal.any holds neither the signal nor its principal; the open response does.
  it.each(['Express', 'Hono'])(
    'principal.signal fires through AbortSignal.any on %s even after a garbage collection',
    async (framework) => {
      const tokens = instance()
      const { token, record } = await mint(tokens)
      const principals: WeakRef<Principal>[] = []
      const watched = (): number => principals.filter((principal) => hasSignal(principal.deref() ?? {})).length
      const derive = (principal: Principal, end: () => void): void => {
        principals.push(new WeakRef(principal))
        AbortSignal.any([principal.signal, new AbortController().signal]).addEventListener('abort', end)
      }
      const server = framework === 'Express' ? expressApp(tokens, derive) : honoApp(tokens, derive)
      await once(server, 'listening')
      onTestFinished(() => void server.close())
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
      const headers = { authorization: `Bearer ${token}` }
      const leaving = new AbortController()
      await fetch(url, { headers, signal: leaving.signal })
      const stream = await fetch(url, { headers })
      leaving.abort()
      await until(() => watched() === 1)
      for (let round = 0; round < 5; round += 1) {
        collect()
        await pause(5)
      }
      await tokens.system.revoke(record.id)
      expect(await stream.text()).toBe('begun')
      await until(() => watched() === 0)
      await tokens.close()
    },
  )
})

type Derive = (principal: Principal, end: () => void) => void

function expressApp(tokens: Latchkey, derive: Derive) {
  const app = express()
  app.use(authenticate(tokens))
  app.get('/', (req, res) => {
    res.write('begun')
    derive(req.principal as Principal, () => res.end())
  })
  return app.listen(0, '127.0.0.1')
}

function honoApp(tokens: Latchkey, derive: Derive) {
  const app = new Hono()
  app.use(authenticateHono(tokens))
  app.get('/', (c) => {
    const start = (controller: ReadableStreamDefaultController<Uint8Array>): void => {
      controller.enqueue(new TextEncoder().encode('begun'))
      derive(c.var.principal as Principal, () => controller.close())
    }
    return new Response(new ReadableStream({ start }))
  })
  return serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' })
}

function collect(): void {
  setFlagsFromString('--expose-gc')
  const gc: unknown = runInNewContext('gc')
  if (typeof gc === 'function') gc()
}
