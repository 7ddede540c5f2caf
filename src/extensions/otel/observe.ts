import type { Attributes, BatchObservableResult, Meter, Observable } from '@opentelemetry/api'
import type { Internals } from '../../instance.js'

type Row = readonly [value: number, attributes?: Attributes]
type Instrument = {
  readonly kind: 'counter' | 'gauge' | 'updown'
  readonly unit: string
  readonly description: string
  readonly read: (inside: Internals) => readonly Row[]
}

const by = (counts: ReadonlyMap<string, number>, attribute: string, more: Attributes = {}): readonly Row[] =>
  [...counts].map(([key, count]) => [count, { ...more, [attribute]: key }])

const one = (value: number | undefined): readonly Row[] => (value === undefined ? [] : [[value]])

/** The metrics. Attribute values are words that the library defines, never IDs, names or addresses. */
export const INSTRUMENTS: { readonly [name: string]: Instrument } = {
  'latchkey.verify.decisions': {
    kind: 'counter',
    unit: '{decision}',
    description: 'Decisions about tokens.',
    read: ({ vitals }) => [
      [vitals.allowed, { 'latchkey.outcome': 'allowed' }],
      ...by(vitals.refused, 'latchkey.code', { 'latchkey.outcome': 'refused' }),
      ...by(vitals.undecided, 'error.type', { 'latchkey.outcome': 'undecided' }),
    ],
  },
  'latchkey.verify.throttled': {
    kind: 'counter',
    unit: '{decision}',
    description: 'Verifications refused without a lookup, because their address is guessing tokens.',
    read: ({ vitals }) => one(vitals.throttled),
  },
  'latchkey.route.refusals': {
    kind: 'counter',
    unit: '{request}',
    description: 'Requests with a valid token that a route refused.',
    read: ({ vitals }) => by(vitals.refusedByRoute, 'latchkey.code'),
  },
  'latchkey.cache.lookups': {
    kind: 'counter',
    unit: '{lookup}',
    description: 'Records that verifications looked up, by whether they were in memory.',
    read: ({ vitals }) => [
      [vitals.cacheHits, { 'latchkey.cache.result': 'hit' }],
      [vitals.cacheMisses, { 'latchkey.cache.result': 'miss' }],
    ],
  },
  'latchkey.feed.lag': {
    kind: 'gauge',
    unit: 's',
    description: 'Time since the change feed was last read to its end.',
    read: (inside) => one(inside.readings().feedLagSeconds),
  },
  'latchkey.feed.max_staleness': {
    kind: 'gauge',
    unit: 's',
    description: 'The lag beyond which cached records are no longer used.',
    read: (inside) => one(inside.readings().maxStalenessSeconds),
  },
  'latchkey.store.breaker.open': {
    kind: 'gauge',
    unit: '{breaker}',
    description: '1 while the store hangs and reads are refused without querying it, otherwise 0.',
    read: (inside) => one(inside.readings().breakerOpen ? 1 : 0),
  },
  'latchkey.usage.pending': {
    kind: 'updown',
    unit: '{token}',
    description: 'Tokens with uses that have not been written yet.',
    read: (inside) => one(inside.readings().usagePending),
  },
  'latchkey.usage.flushes': {
    kind: 'counter',
    unit: '{batch}',
    description: 'Batches of usage that were written.',
    read: (inside) => one(inside.readings().usageBatches),
  },
  'latchkey.usage.flushed': {
    kind: 'counter',
    unit: '{row}',
    description: 'Usage counters written. Divided by the number of batches, this is the average batch size.',
    read: (inside) => one(inside.readings().usageRows),
  },
  'latchkey.usage.dropped': {
    kind: 'counter',
    unit: '{use}',
    description: 'Uses that were not counted, because too many were waiting for the store or it rejected them.',
    read: (inside) => one(inside.readings().usageDropped),
  },
  'latchkey.events': {
    kind: 'counter',
    unit: '{event}',
    description: 'Audit events that this node wrote, including notices.',
    read: ({ vitals }) => by(vitals.events, 'latchkey.event.action'),
  },
  'latchkey.faults': {
    kind: 'counter',
    unit: '{fault}',
    description: 'Faults that caused a 503 or were suppressed.',
    read: ({ vitals }) => by(vitals.faults, 'latchkey.fault.where'),
  },
}

const CREATE = { counter: 'createObservableCounter', gauge: 'createObservableGauge', updown: 'createObservableUpDownCounter' } as const

/** Registers metrics for what the instance already counts. They are read whenever metrics are collected. */
export function observe(meter: Meter, inside: Internals, common: Attributes): () => void {
  const made = Object.entries(INSTRUMENTS).map(([name, { kind, unit, description, read }]) => {
    const observable: Observable = meter[CREATE[kind]](name, { unit, description })
    return { observable, read }
  })
  const collect = (result: BatchObservableResult): void => {
    for (const { observable, read } of made)
      for (const [value, attributes] of read(inside)) result.observe(observable, value, { ...common, ...attributes })
  }
  const observables = made.map(({ observable }) => observable)
  meter.addBatchObservableCallback(collect, observables)
  return () => meter.removeBatchObservableCallback(collect, observables)
}
