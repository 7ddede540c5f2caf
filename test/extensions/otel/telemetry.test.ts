import { context, metrics, trace } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { AggregationTemporality, InMemoryMetricExporter, MeterProvider, PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics'
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base'
import type { Latchkey, Verification } from 'latchkey'
import { telemetry } from 'latchkey/otel'
import { memoryStore } from 'latchkey/stores/memory'
import { faultyStore } from 'latchkey/testing'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { UsageRecorder } from '../../../src/activity/usage.js'
import type { Entry } from '../../../src/cache/entry.js'
import { createGuard } from '../../../src/http/authenticate.js'
import { createScopeCheck } from '../../../src/http/require-scopes.js'
import { deciderOf, internalsOf } from '../../../src/instance.js'
import { platformRandom } from '../../../src/token/random.js'
import { mintTicket } from '../../../src/token/ticket.js'
import { type FakeRequest, fakePlatform } from '../../http/fake.js'
import { instance, mint, type Scope, until, verdict, warm } from '../../latchkey/harness.js'

let exporter: InMemoryMetricExporter
let reader: PeriodicExportingMetricReader
const spans = new InMemorySpanExporter()

beforeEach(() => {
  exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE)
  reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 })
  metrics.setGlobalMeterProvider(new MeterProvider({ readers: [reader] }))
  trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(spans)] }))
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
})

afterEach(async () => {
  await reader.shutdown()
  spans.reset()
  metrics.disable()
  trace.disable()
  context.disable()
  vi.restoreAllMocks()
})

type Point = { readonly value: unknown; readonly attributes: object }

/** Collects the current data points of each metric, by name. */
async function collect(): Promise<ReadonlyMap<string, { readonly unit: string; readonly points: readonly Point[] }>> {
  exporter.reset()
  await reader.forceFlush()
  const all = exporter.getMetrics().flatMap(({ scopeMetrics }) => scopeMetrics.flatMap((scope) => scope.metrics))
  return new Map(all.map(({ descriptor, dataPoints }) => [descriptor.name, { unit: descriptor.unit, points: dataPoints as Point[] }]))
}

/** Returns the value of a metric with these attributes. */
async function countOf(name: string, attributes: object = {}): Promise<unknown> {
  const point = (await collect()).get(name)?.points.find((each) => matches(each.attributes, attributes))
  return point?.value
}

const matches = (all: object, some: object): boolean => Object.entries(some).every(([key, value]) => Reflect.get(all, key) === value)

async function request(tokens: Latchkey<Scope>, token: string, scope: string): Promise<number> {
  const asked: FakeRequest = { headers: ['Authorization', `Bearer ${token}`], ip: '192.0.2.7' }
  const outcome = await createGuard(tokens, { onWarning: () => undefined }, fakePlatform(true))(asked)
  if (outcome.response !== undefined) return outcome.response.status
  const refusal = await createScopeCheck([scope])(asked)
  outcome.use?.refused(refusal === undefined ? (undefined as never) : 'scope_insufficient')
  outcome.use?.done('GET /stock')
  return refusal?.status ?? 200
}

describe('telemetry', () => {
  it('telemetry counts decisions by outcome and code, cache lookups, refusals by routes, and audit events', async () => {
    const tokens = instance()
    telemetry(tokens)
    const { token, record } = await mint(tokens)
    await warm(tokens, token)
    const before = Number(await countOf('latchkey.verify.decisions', { 'latchkey.outcome': 'allowed' }))
    const hits = Number(await countOf('latchkey.cache.lookups', { 'latchkey.cache.result': 'hit' }))
    await tokens.verify(token)
    expect(await request(tokens, token, 'billing:read')).toBe(403)
    await tokens.verify('junk')
    await tokens.verify('more junk')
    await tokens.system.revoke(record.id)
    expect(await verdict(tokens.verify(token))).toBe('token_revoked')
    const decisions = (code: object) => countOf('latchkey.verify.decisions', { 'latchkey.prefix': 'acme_test', ...code })
    expect(await decisions({ 'latchkey.outcome': 'allowed' })).toBe(before + 2)
    expect(await decisions({ 'latchkey.outcome': 'refused', 'latchkey.code': 'token_malformed' })).toBe(2)
    expect(await decisions({ 'latchkey.outcome': 'refused', 'latchkey.code': 'token_revoked' })).toBe(1)
    expect(await countOf('latchkey.cache.lookups', { 'latchkey.cache.result': 'hit' })).toBe(hits + 2)
    expect(await countOf('latchkey.route.refusals', { 'latchkey.code': 'scope_insufficient' })).toBe(1)
    expect(await countOf('latchkey.events', { 'latchkey.event.action': 'token.created' })).toBe(1)
    expect(await countOf('latchkey.events', { 'latchkey.event.action': 'token.revoked' })).toBe(1)
    expect(await countOf('latchkey.feed.lag')).toBeGreaterThanOrEqual(0)
    expect(await countOf('latchkey.feed.max_staleness')).toBe(2)
    expect(await countOf('latchkey.store.breaker.open')).toBe(0)
  })

  it('telemetry counts rejected and throttled tickets in the same way as tokens', async () => {
    const tokens = instance()
    telemetry(tokens)
    const { redeem } = deciderOf(tokens)
    const { digesters } = internalsOf(tokens).settings
    const { ticket: absent } = mintTicket(digesters[0], 'acme_test', platformRandom)
    for (const ticket of ['junk', absent]) expect(await redeem?.(ticket, { ip: '192.0.2.7' })).toEqual({ ok: false, code: 'token_unknown' })
    const decisions = (named: object) => countOf('latchkey.verify.decisions', named)
    expect(await decisions({ 'latchkey.outcome': 'refused', 'latchkey.code': 'token_unknown' })).toBe(2)
    const ask = () => verdict(redeem?.(absent, { ip: '192.0.2.7' }) as Promise<Verification>)
    await Promise.all(Array.from({ length: 1000 }, ask))
    expect(await ask()).toBe('store_unavailable')
    expect(await countOf('latchkey.verify.throttled')).toBe(1)
    expect(await decisions({ 'latchkey.outcome': 'undecided' })).toBe(1)
  })

  it('telemetry measures store calls, counts flushed usage, and records failures', async () => {
    const faulty = faultyStore(memoryStore())
    const tokens = instance({ store: faulty, cache: false, deadline: 0.15 })
    telemetry(tokens)
    const { token } = await mint(tokens)
    expect(await verdict(tokens.verify(token))).toBe('ok')
    await tokens.flush()
    const calls = (attributes: object) => countOf('latchkey.store.duration', attributes)
    expect(await calls({ 'latchkey.store.method': 'commit' })).toMatchObject({ count: 1 })
    expect(await countOf('latchkey.usage.flushes')).toBe(1)
    expect(await countOf('latchkey.usage.flushed')).toBe(1)
    faulty.behave({ find: { do: 'fail', error: new Error('down') } })
    expect(await verdict(tokens.verify(token))).toBe('store_unavailable')
    expect(await request(tokens, token, 'stock:read')).toBe(503)
    expect(await calls({ 'latchkey.store.method': 'find', 'error.type': 'store_unavailable' })).toMatchObject({ count: 2 })
    expect(await countOf('latchkey.verify.decisions', { 'latchkey.outcome': 'undecided', 'error.type': 'store_unavailable' })).toBe(2)
    expect(await countOf('latchkey.faults', { 'latchkey.fault.where': 'store.find' })).toBe(2)
    faulty.behave({ find: { do: 'hang' } })
    for (let tries = 0; tries < 3; tries += 1) await verdict(tokens.verify(token))
    expect(await calls({ 'error.type': 'timeout' })).toMatchObject({ count: 3 })
    expect(await countOf('latchkey.store.breaker.open')).toBe(1)
  })

  it('telemetry counts dropped uses and counts notices as events', async () => {
    const counts = vi.spyOn(UsageRecorder.prototype, 'countAllowed')
    const faults: string[] = []
    const store = faultyStore(memoryStore(), { recordUsage: { do: 'fail', error: new Error('read-only') } })
    const tokens = instance({ store, usage: { flushEvery: '60s' }, onError: ({ where }) => faults.push(where) })
    telemetry(tokens)
    const { token, record } = await mint(tokens, { expiresIn: '10d' })
    expect(await request(tokens, token, 'stock:read')).toBe(200)
    const [recorder] = counts.mock.contexts as UsageRecorder[]
    // One token is already pending, and the limit is 100,000.
    for (let index = 0; index < 100_002; index += 1) {
      const entry = { id: `${index}` } as Entry
      recorder?.touch(entry, Date.now(), undefined)
      recorder?.countAllowed(entry, '', '', undefined)
    }
    expect(await countOf('latchkey.usage.dropped')).toBe(3)
    expect((await tokens.health()).usage.dropped).toBe(3)
    // This many tokens are written in one batch, and become pending again if the write fails.
    await expect.poll(() => countOf('latchkey.usage.pending'), { timeout: 20_000 }).toBe(100_000)
    expect(faults.filter((where) => where === 'flush')).toHaveLength(1)
    await tokens.system.update(record.id, { expiresAt: new Date(Date.now() + 3_600_000) })
    expect(await countOf('latchkey.events', { 'latchkey.event.action': 'token.expiring' })).toBe(1)
    store.behave()
  })

  it('telemetry reports consumer lag and dead letters on every node, and does not query unused stores', async () => {
    const clock = { now: Date.now() }
    const store = faultyStore(memoryStore())
    const [tokens, other] = [instance({ store, clock: () => clock.now }), instance({ store, clock: () => clock.now })]
    telemetry(other)
    expect((await collect()).get('latchkey.consumer.lag')?.points ?? []).toEqual([])
    expect(store.calls).toEqual([])
    await mint(tokens)
    let fails = true
    let calls = 0
    tokens.system.consume('siem', () => {
      calls += 1
      if (fails) throw new Error('down')
    })
    await store.saveConsumer({
      prefix: 'acme_test',
      name: '.webhook:crm:dead:0',
      version: 1,
      position: 1,
      holder: 'event 3 abc status_422',
    })
    await store.saveConsumer({ prefix: 'acme_test', name: 'webhook:crm', version: 1, position: 1 })
    await until(() => calls > 0)
    await other.system.list()
    clock.now += 90_000
    const lag = (name: string) => countOf('latchkey.consumer.lag', { 'latchkey.consumer.name': name })
    expect([await lag('siem'), await lag('webhook:crm')]).toEqual([90, 0])
    expect(await countOf('latchkey.webhook.dead_letters', { 'latchkey.consumer.name': 'webhook:crm' })).toBe(1)
    expect(await countOf('latchkey.webhook.dead_letters', { 'latchkey.consumer.name': 'siem' })).toBeUndefined()
    fails = false
    await until(async () => (await lag('siem')) === 0)
    store.behave({ consumers: { do: 'fail', error: new Error('down') } })
    expect((await collect()).get('latchkey.verify.decisions')?.points).toHaveLength(1)
    store.behave()
  })

  it('every metric has a unit and no metric has an attribute with caller-controlled values', async () => {
    const tokens = instance()
    telemetry(tokens)
    const { token, record } = await mint(tokens, { name: 'Canary name', tenantId: 'canary-tenant', ownerId: 'canary-owner' })
    await request(tokens, token, 'stock:read')
    await request(tokens, `${token.slice(0, -1)}!`, 'stock:read')
    await tokens.system.revoke(record.id, { reason: 'canary reason' })
    await request(tokens, token, 'stock:read')
    const collected = await collect()
    expect(collected.size).toBeGreaterThan(10)
    for (const [name, { unit }] of collected) expect([name, unit]).toEqual([name, expect.stringMatching(/^(s|\{[a-z]+\})$/)])
    const text = JSON.stringify([...collected])
    for (const secret of [token, token.slice(28, 50), record.id, 'canary', 'Canary', '192.0.2.7', 'GET /stock']) {
      expect(text).not.toContain(secret)
    }
  })

  it('telemetry stops and restarts without counting twice', async () => {
    const tokens = instance()
    const first = telemetry(tokens)
    const second = telemetry(tokens)
    await tokens.verify('junk')
    const refused = () => countOf('latchkey.verify.decisions', { 'latchkey.code': 'token_malformed' })
    expect(await refused()).toBe(1)
    // The second registration replaced the first, so stopping the first must not stop the second.
    first.stop()
    expect(await refused()).toBe(1)
    second.stop()
    await tokens.verify('junk')
    expect([1, undefined]).toContain(await refused())
  })

  it('telemetry distinguishes instances by prefix', async () => {
    const [live, test] = [instance({ prefix: 'acme_live' }), instance()]
    telemetry(live)
    telemetry(test)
    await live.verify('junk')
    const refused = (prefix: string) =>
      countOf('latchkey.verify.decisions', { 'latchkey.prefix': prefix, 'latchkey.code': 'token_malformed' })
    expect([await refused('acme_live'), await refused('acme_test')]).toEqual([1, undefined])
  })

  it('telemetry does nothing without an SDK', async () => {
    metrics.disable()
    trace.disable()
    context.disable()
    const tokens = instance()
    telemetry(tokens).stop()
    telemetry(tokens)
    const { token } = await mint(tokens)
    expect(await verdict(tokens.verify(token))).toBe('ok')
  })
})

describe('the active span', () => {
  const within = async (call: () => Promise<unknown>): Promise<object> => {
    const tracer = trace.getTracer('test')
    await tracer.startActiveSpan('request', async (span) => {
      await call()
      span.end()
    })
    return spans.getFinishedSpans().at(-1)?.attributes ?? {}
  }

  it('the active span names the token and its tenant, and the owner only if requested, with a cold and a warm cache', async () => {
    const tokens = instance()
    telemetry(tokens, { spans: true })
    const { token, record } = await mint(tokens, { tenantId: 't1', ownerId: 'ada' })
    const named = { 'latchkey.token.id': record.id, 'latchkey.tenant.id': 't1' }
    expect(await within(() => tokens.verify(token))).toEqual(named)
    await warm(tokens, token)
    expect(await within(() => tokens.verify(token))).toEqual(named)
    telemetry(tokens, { spans: true, owner: true })
    expect(await within(() => request(tokens, token, 'stock:read'))).toEqual({ ...named, 'user.id': 'ada' })
    telemetry(tokens)
    expect(await within(() => tokens.verify(token))).toEqual({})
  })

  it('the active span is untouched unless spans are enabled, and the owner option requires spans', async () => {
    const tokens = instance()
    telemetry(tokens)
    const { token } = await mint(tokens)
    const found = vi.spyOn(trace, 'getActiveSpan')
    expect(await within(() => tokens.verify(token))).toEqual({})
    expect(await within(() => tokens.verify('junk'))).toEqual({})
    expect(found).not.toHaveBeenCalled()
    expect(() => telemetry(tokens, { owner: true })).toThrow(/owner: needs spans/)
  })

  it('the spans of concurrent requests name their own tokens', async () => {
    const tokens = instance({ cache: false })
    telemetry(tokens, { spans: true })
    const [a, b] = [await mint(tokens), await mint(tokens)]
    await Promise.all([a, b, a].map(({ token }) => within(() => tokens.verify(token))))
    const seen = spans.getFinishedSpans().map(({ attributes }) => attributes['latchkey.token.id'])
    expect(seen.sort()).toEqual([a.record.id, a.record.id, b.record.id].sort())
  })

  it('the active span says why a token was rejected', async () => {
    const tokens = instance()
    telemetry(tokens, { spans: true })
    expect(await within(() => tokens.verify('junk'))).toEqual({ 'latchkey.code': 'token_malformed' })
    const { token, record } = await mint(tokens)
    await tokens.system.revoke(record.id)
    expect(await within(() => tokens.verify(token))).toEqual({ 'latchkey.code': 'token_revoked' })
  })

  it('a failing span or meter does not affect the request', async () => {
    const tokens = instance({ cache: false })
    const thrown = (): never => {
      throw new Error('the SDK is broken')
    }
    const { token } = await mint(tokens)
    metrics.disable()
    metrics.setGlobalMeterProvider({
      getMeter: () =>
        new Proxy({}, { get: (_, name) => (String(name).startsWith('create') ? () => ({ record: thrown }) : () => undefined) }) as never,
    })
    telemetry(tokens, { spans: true })
    const broken = { isRecording: () => true, setAttribute: thrown } as never
    const answer = await context.with(trace.setSpan(context.active(), broken), () => verdict(tokens.verify(token)))
    expect(answer).toBe('ok')
    expect(await context.with(trace.setSpan(context.active(), broken), () => verdict(tokens.verify('junk')))).toBe('token_malformed')
  })

  it('polls and flushes do not run in the span of a request', async () => {
    const store = memoryStore()
    const seen: unknown[] = []
    const watched = new Proxy(store, {
      get: (target, name) => {
        const method: unknown = Reflect.get(target, name)
        if (name !== 'changes' && name !== 'recordUsage') return typeof method === 'function' ? method.bind(target) : method
        return (...args: unknown[]) => {
          if (started) seen.push(trace.getActiveSpan())
          return (method as (...args: unknown[]) => unknown).apply(target, args)
        }
      },
    })
    let started = false
    const tokens = instance({ store: watched, cache: { maxStaleness: 0.1 }, usage: { flushEvery: 0.05 } })
    telemetry(tokens, { spans: true })
    const { token } = await mint(tokens)
    await within(() => warm(tokens, token))
    started = true
    await until(() => seen.length >= 4)
    expect(seen.every((span) => span === undefined)).toBe(true)
  })
})
