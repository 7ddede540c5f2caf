import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import express from 'express'
import { type FaultReport, type Latchkey, LatchkeyError, latchkey } from 'latchkey'
import { authenticate } from 'latchkey/express'
import { memoryStore } from 'latchkey/stores/memory'
import { requireScopes as checkScopes, authenticate as decide, management } from 'latchkey/web'
import { describe, expect, it } from 'vitest'

type Options = Parameters<typeof latchkey>[0]
type Told = { readonly tokens: Latchkey; readonly lines: readonly string[]; count(where: string): number; readonly all: readonly string[] }

function hear(options: Partial<Options> = {}): Told {
  const heard: FaultReport[] = []
  const lines: string[] = []
  const tokens = latchkey({
    prefix: 'acme_live',
    store: memoryStore(),
    scopes: { 'inventory:read': 'See stock' },
    onError: (fault) => heard.push(fault),
    logger: { error: (line) => lines.push(line) },
    ...options,
  } as Options) as unknown as Latchkey
  const all = heard.map.bind(heard, ({ where }: FaultReport) => where) as never as () => string[]
  return {
    tokens,
    lines,
    count: (where) => heard.filter((fault) => fault.where === where).length,
    get all() {
      return all()
    },
  }
}

const request = (headers: Record<string, string> = {}): Request => new Request('https://api.test/t/tokens', { headers })
const TIMES = 5
const MADE = { name: 'x', scopes: ['inventory:read'] } as const

/** Errors whose object a host keeps and throws again, as a rejected promise that is kept does. */
const KEPT: Readonly<Record<string, () => unknown>> = {
  'an error': () => new Error('down'),
  'a latchkey error': () => new LatchkeyError('store_unavailable', 'down'),
  'a latchkey error with a cause': () =>
    new LatchkeyError('store_unavailable', 'down', { cause: new LatchkeyError('store_unavailable', 'below') }),
  'a latchkey error with a cause that cannot be read': () =>
    Object.defineProperty(new LatchkeyError('store_unavailable', 'down'), 'cause', { get: throwing, configurable: true }),
  'a latchkey error whose code can be read once': () => {
    let reads = 0
    const get = (): unknown => (++reads % 2 === 0 ? throwing() : 'store_unavailable')
    return Object.defineProperty(new LatchkeyError('store_unavailable', 'down'), 'code', { get, configurable: true })
  },
  'a proxy that passes for a latchkey error': () =>
    new Proxy(new LatchkeyError('store_unavailable', 'down'), {
      get: (error, key) => (key === 'stack' || key === 'cause' ? throwing() : Reflect.get(error, key)),
      ownKeys: () => throwing(),
    }),
  'a frozen latchkey error': () => Object.freeze(new LatchkeyError('misconfigured', 'down')),
}

/** Causes the fault `TIMES` times, each time with the same error object, which is also available as a rejected promise. */
const CALLS: Readonly<Record<string, (error: unknown) => Promise<Told>>> = {
  session: (error) => each(hear(), ({ tokens }) => decide(tokens, request(), { session: () => throwIt(error) })),
  'session, at the same time': async (error) => {
    const told = hear()
    const all = Array.from({ length: TIMES }, () => decide(told.tokens, request(), { session: () => Promise.reject(error) }))
    await Promise.all(all)
    return told
  },
  foreign: (error) =>
    each(hear(), ({ tokens }) => decide(tokens, request({ authorization: 'Bearer legacy' }), { foreign: () => Promise.reject(error) })),
  errorBody: (error) => each(hear(), ({ tokens }) => decide(tokens, request(), { errorBody: () => throwIt(error) })),
  ip: async (error) => {
    const told = hear()
    const app = express().set('trust proxy', () => throwIt(error))
    app.use(authenticate(told.tokens, { onWarning: () => undefined }))
    const server = app.listen(0)
    await once(server, 'listening')
    await each(told, () => fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`, { headers: { 'x-forwarded-for': '::1' } }))
    await promisify(server.close.bind(server))()
    return told
  },
  waitUntil: (error) => each(hear(), ({ tokens }) => decide(tokens, request(), { waitUntil: () => Promise.reject(error) })),
  resources: async (error) => {
    const session = () => ({ id: 'ada', scopes: '*' as const })
    const require = checkScopes('inventory:read', { resources: () => Promise.reject(error) })
    return await each(hear(), ({ tokens }) => decide(tokens, request(), { session, require }))
  },
  actor: async (error) => {
    const told = hear()
    const app = management(told.tokens, { mountPath: '/t', actor: () => throwIt(error) })
    return await each(told, () => app(request()))
  },
  owner: async (error) => {
    const told = hear({ owner: () => throwIt(error) })
    const made: string[] = []
    for (let at = 0; at < TIMES; at += 1) made.push((await told.tokens.system.create({ ...MADE, ownerId: `o${at}` })).token)
    for (const token of made) await told.tokens.verify(token).catch(() => undefined)
    return told
  },
  onEvent: (error) => each(hear({ onEvent: () => throwIt(error) }), ({ tokens }) => tokens.system.create(MADE)),
  'onEvent, later': (error) => each(hear({ onEvent: () => Promise.reject(error) }), ({ tokens }) => tokens.system.create(MADE)),
  verify: async (error) => {
    let broken = false
    const told = hear({ clock: () => (broken ? throwIt(error) : Date.now()) })
    const { token } = await told.tokens.system.create(MADE)
    broken = true
    await each(told, ({ tokens }) => decide(tokens, request({ authorization: `Bearer ${token}` })))
    broken = false
    return told
  },
  rateLimit: async (error) => {
    const limiter = { points: 1, duration: 1, consume: () => Promise.reject(error), penalty: () => undefined, reward: () => undefined }
    const told = hear({ rateLimit: { limits: [{ name: 'l', by: 'token', limiter }], onFailure: 'refuse' } } as never)
    const { token } = await told.tokens.system.create(MADE)
    return await each(told, ({ tokens }) => decide(tokens, request({ authorization: `Bearer ${token}` })))
  },
  'store.find': async (error) => {
    const told = hear({ store: { ...memoryStore(), find: () => Promise.reject(error) } as never })
    const { token } = await told.tokens.system.create(MADE)
    return await each(told, ({ tokens }) => tokens.verify(token).catch(() => undefined))
  },
  onSeal: async (error) => {
    let calls = 0
    // A head that the host does not accept is passed again later.
    const onSeal = () => (++calls <= TIMES ? Promise.reject(error) : undefined)
    const told = hear({ sealing: { onSeal } } as never)
    return await each(told, async ({ tokens }) => {
      await tokens.system.create(MADE)
      await tokens.system.sealAudit()
    })
  },
}

async function each(told: Told, call: (told: Told) => unknown): Promise<Told> {
  for (let times = 0; times < TIMES; times += 1) await call(told)
  await sleep(1)
  return told
}

function throwing(): never {
  throw new Error('no')
}

function throwIt(error: unknown): never {
  throw error
}

describe.each(Object.entries(KEPT))('%s that is thrown again and again', (_, make) => {
  it.each(Object.entries(CALLS))('is reported each time: %s', async (name, call) => {
    const told = await call(make())
    const where = name.split(',')[0] ?? ''
    // A clock that throws also ends a round of the feed.
    expect(told.all.filter((place) => place !== 'feed')).toEqual(Array(TIMES).fill(where))
    expect(told.lines.filter((line) => line.includes(` ${where}: `))).toHaveLength(1)
    await told.tokens.close()
  })
})

it('a consumer’s error is reported each time, even if its object is the same', async () => {
  for (const make of Object.values(KEPT)) {
    const error = make()
    const told = hear()
    let calls = 0
    const consumer = told.tokens.system.consume('siem', () => {
      calls += 1
      if (calls <= 2) throwIt(error)
    })
    await told.tokens.system.create(MADE)
    await expect.poll(() => calls, { timeout: 20_000 }).toBe(3)
    expect(told.count('consumer')).toBe(2)
    await consumer.stop()
    await told.tokens.close()
  }
}, 60_000)

it('a fault of latchkey that a callback passes on is reported once, and again if the callback keeps it', async () => {
  const heard = hear({ store: { ...memoryStore(), list: () => Promise.reject(new Error('x')) } as never })
  const { tokens: other } = heard
  let kept: Promise<unknown> | undefined
  const session = (keep: boolean) => async (): Promise<never> => {
    if (!keep) return (await other.system.list()) as never
    kept ??= other.system.list()
    return (await kept) as never
  }
  for (let times = 0; times < 3; times += 1) await decide(other, request(), { session: session(false) })
  expect(heard.all).toEqual(['store.list', 'store.list', 'store.list'])
  for (let times = 0; times < 3; times += 1) await decide(other, request(), { session: session(true) })
  expect(heard.all.slice(3)).toEqual(['store.list', 'session', 'session'])
  await other.close()
})
