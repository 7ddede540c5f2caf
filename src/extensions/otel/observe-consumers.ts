import type { Attributes, BatchObservableResult, Meter } from '@opentelemetry/api'
import type { ConsumerHealth } from '../../model/health.js'

type ConsumerInstrument = {
  readonly kind: 'createObservableGauge' | 'createObservableUpDownCounter'
  readonly unit: string
  readonly description: string
  readonly read: (consumer: ConsumerHealth) => number | undefined
}

/** The metrics of each consumer. Their only attribute is the consumer's name, which comes from the host's code. */
export const CONSUMER_INSTRUMENTS: { readonly [name: string]: ConsumerInstrument } = {
  'latchkey.consumer.lag': {
    kind: 'createObservableGauge',
    unit: 's',
    description: 'Age of the oldest event that a consumer has not handled.',
    read: ({ lagSeconds }) => lagSeconds,
  },
  'latchkey.webhook.dead_letters': {
    kind: 'createObservableUpDownCounter',
    unit: '{letter}',
    description: 'Dead letters of a webhook.',
    read: ({ deadLetters }) => deadLetters,
  },
}

/** Registers the metrics of the consumers. The store is queried whenever metrics are collected. */
export function observeConsumers(meter: Meter, read: () => Promise<readonly ConsumerHealth[]>, common: Attributes): () => void {
  const made = Object.entries(CONSUMER_INSTRUMENTS).map(([name, { kind, unit, description, read: of }]) => {
    return { observable: meter[kind](name, { unit, description }), of }
  })
  const collect = async (result: BatchObservableResult): Promise<void> => {
    for (const consumer of await read()) {
      for (const { observable, of } of made) {
        const value = of(consumer)
        if (value !== undefined) result.observe(observable, value, { ...common, 'latchkey.consumer.name': consumer.name })
      }
    }
  }
  const observables = made.map(({ observable }) => observable)
  meter.addBatchObservableCallback(collect, observables)
  return () => meter.removeBatchObservableCallback(collect, observables)
}
