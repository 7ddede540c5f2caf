import { context, metrics, ROOT_CONTEXT, type Span, trace } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { AggregationTemporality, InMemoryMetricExporter, MeterProvider, PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics'
import { AlwaysOffSampler, BasicTracerProvider } from '@opentelemetry/sdk-trace-base'
import { type Latchkey, latchkey, type Principal } from 'latchkey'
import { telemetry } from 'latchkey/otel'
import { memoryStore } from 'latchkey/stores/memory'
import { deciderOf } from '../../../src/instance.js'
import { type Measured, measurePaired, type Variant } from '../paired.js'
import { atMost, fixed, type Section, type Table } from '../result.js'

const SCOPES = { 'inventory:read': 'See stock' }
const TOKENS = 1000

/** The cost that telemetry adds to a warm verification, with an SDK, a context manager and a span around it. */
export const telemetryCost: Section = async ({ quick }) => {
  const size = quick ? { rounds: 6, count: 2000 } : { rounds: 150, count: 5000 }
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE)
  metrics.setGlobalMeterProvider(
    new MeterProvider({ readers: [new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 })] }),
  )
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
  const sampled = new BasicTracerProvider().getTracer('bench')
  const unsampled = new BasicTracerProvider({ sampler: new AlwaysOffSampler() }).getTracer('bench')

  const store = memoryStore()
  // On a busy machine, a slice takes longer than records stay fresh by default.
  const options = { prefix: 'acme_live', store, scopes: SCOPES, cache: { maxStaleness: '1m' } } as const
  const [off, on, spans] = [latchkey(options), latchkey(options), latchkey(options)]
  telemetry(on)
  telemetry(spans, { spans: true })
  const texts: string[] = []
  for (let at = 0; at < TOKENS; at += 1) {
    texts.push((await off.system.create({ name: `token ${at}`, scopes: ['inventory:read'], tenantId: 't1', expiresIn: '90d' })).token)
  }
  for (let round = 0; round < 2; round += 1)
    for (const text of texts) await Promise.all([off, on, spans].map((tokens) => tokens.verify(text)))

  let next = 0
  const verify = (tokens: Latchkey<keyof typeof SCOPES>): Principal => {
    next = next + 1 === texts.length ? 0 : next + 1
    const verification = deciderOf(tokens).decide(texts[next] ?? '', { ip: '192.0.2.7', method: 'GET', endpoint: '/stock/:id' })
    if (!('ok' in verification) || !verification.ok) throw new Error('not answered from the cache')
    deciderOf(tokens).countUse(verification.principal, { endpoint: 'GET /stock/:id', ip: '192.0.2.7' })
    return verification.principal
  }
  // The host's own code does what latchkey does with `spans: true`. Any difference is due to latchkey; the rest is due to OpenTelemetry.
  const verifyByHand = (tokens: Latchkey<keyof typeof SCOPES>): void => {
    const { tokenId, tenantId } = verify(tokens)
    const span = trace.getActiveSpan()
    if (span?.isRecording() !== true) return
    if (tokenId !== undefined) span.setAttribute('latchkey.token.id', tokenId)
    if (tenantId !== undefined) span.setAttribute('latchkey.tenant.id', tenantId)
  }
  const within =
    (tokens: Latchkey<keyof typeof SCOPES>, span: Span, work: (tokens: Latchkey<keyof typeof SCOPES>) => unknown = verify) =>
    (count: number) =>
      context.with(trace.setSpan(ROOT_CONTEXT, span), () => {
        for (let at = 0; at < count; at += 1) work(tokens)
      })
  // Creates a span for each request, like a server's instrumentation.
  const each = (work: () => unknown) => (count: number) => {
    for (let at = 0; at < count; at += 1) {
      const span = sampled.startSpan('GET', { attributes: { 'http.request.method': 'GET', 'http.route': '/stock/:id' } })
      context.with(trace.setSpan(ROOT_CONTEXT, span), work)
      span.end()
    }
  }
  const idle = unsampled.startSpan('GET')
  const variants: readonly Variant[] = [
    { name: 'without telemetry', run: within(off, idle) },
    { name: 'with telemetry', run: within(on, idle) },
    { name: 'with `spans: true`, within an unsampled span', run: within(spans, idle) },
    { name: 'with `spans: true`, within a sampled span', run: within(spans, sampled.startSpan('GET')) },
    { name: 'the same direct calls to OpenTelemetry, within an unsampled span', run: within(off, idle, verifyByHand) },
    { name: 'the same direct calls, within a sampled span', run: within(off, sampled.startSpan('GET'), verifyByHand) },
  ]
  const requests: readonly Variant[] = [
    { name: 'without telemetry', run: each(() => verify(off)) },
    { name: 'with telemetry', run: each(() => verify(on)) },
    { name: 'with `spans: true`', run: each(() => verify(spans)) },
    { name: 'the same direct calls to OpenTelemetry', run: each(() => verifyByHand(off)) },
    { name: 'the span alone, without a verification', run: each(() => undefined) },
  ]
  try {
    const warm = await measurePaired(variants, size)
    const traced = await measurePaired(requests, { ...size, count: size.count / 2 })
    return {
      tables: [
        tableOf('Telemetry on a warm verification', warm),
        tableOf('Telemetry on a warm verification within its own sampled span', traced),
      ],
      verdicts: [
        atMost('warm verification with telemetry and an SDK, relative to no telemetry', 1.03, ratioOf(warm, 1), '×'),
        atMost(
          '`spans: true`, relative to the same direct calls to OpenTelemetry, span not sampled',
          1.03,
          ratioOf(warm, 2) / ratioOf(warm, 4),
          '×',
        ),
        atMost(
          '`spans: true`, relative to the same direct calls to OpenTelemetry, span sampled',
          1.03,
          ratioOf(warm, 3) / ratioOf(warm, 5),
          '×',
        ),
      ],
    }
  } finally {
    await Promise.all([off, on, spans].map((tokens) => tokens.close()))
  }
}

const ratioOf = (rows: readonly Measured[], at: number): number => rows[at]?.ratioMedian ?? Number.NaN

function tableOf(title: string, rows: readonly Measured[]): Table {
  const cells = rows.map((row) => [row.name, ...[row.p10, row.median, row.ratioP10, row.ratioMedian].map((value) => fixed(value))])
  return { title, head: ['variant', 'CPU µs (p10)', 'CPU µs (median)', 'ratio (p10)', 'ratio (median)'], rows: cells }
}
