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

/** The metrics. Each attribute's values are words of the library: no id, name or address is ever among them. */
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
    description: 'Verifications that were not looked up, because their address guesses.',
    read: ({ vitals }) => one(vitals.throttled),
  },
  'latchkey.route.refusals': {
    kind: 'counter',
    unit: '{request}',
    description: 'Requests with a good token that a route refused.',
    read: ({ vitals }) => by(vitals.refusedByRoute, 'latchkey.code'),
  },
  'latchkey.cache.lookups': {
    kind: 'counter',
    unit: '{lookup}',
    description: 'Records that verifications looked for, by whether memory had them.',
    read: ({ vitals }) => [
      [vitals.cacheHits, { 'latchkey.cache.result': 'hit' }],
      [vitals.cacheMisses, { 'latchkey.cache.result': 'miss' }],
    ],
  },
  'latchkey.feed.lag': {
    kind: 'gauge',
    unit: 's',
    description: 'How long ago the change feed was last read to its end.',
    read: (inside) => one(inside.readings().feedLagSeconds),
  },
  'latchkey.feed.max_staleness': {
    kind: 'gauge',
    unit: 's',
    description: 'The lag beyond which cached records are no longer believed.',
    read: (inside) => one(inside.readings().maxStalenessSeconds),
  },
  'latchkey.store.breaker.open': {
    kind: 'gauge',
    unit: '{breaker}',
    description: '1 while the store hangs and reads are refused without asking it, else 0.',
    read: (inside) => one(inside.readings().breakerOpen ? 1 : 0),
  },
  'latchkey.usage.pending': {
    kind: 'updown',
    unit: '{token}',
    description: 'Tokens with uses that are not written yet.',
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
    description: 'Counters of usage that were written: over the batches, the size of one.',
    read: (inside) => one(inside.readings().usageRows),
  },
  'latchkey.usage.dropped': {
    kind: 'counter',
    unit: '{use}',
    description: 'Uses that were not counted, because too many waited for the store or it refused them.',
    read: (inside) => one(inside.readings().usageDropped),
  },
  'latchkey.events': {
    kind: 'counter',
    unit: '{event}',
    description: 'Audit events that this node wrote, notices among them.',
    read: ({ vitals }) => by(vitals.events, 'latchkey.event.action'),
  },
  'latchkey.faults': {
    kind: 'counter',
    unit: '{fault}',
    description: 'Faults that were answered with 503 or swallowed.',
    read: ({ vitals }) => by(vitals.faults, 'latchkey.fault.where'),
  },
}

const CREATE = { counter: 'createObservableCounter', gauge: 'createObservableGauge', updown: 'createObservableUpDownCounter' } as const

/** Offers what the instance counts anyway, to be read whenever metrics are collected. */
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
