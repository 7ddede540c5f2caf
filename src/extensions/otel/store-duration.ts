import type { Attributes, Meter } from '@opentelemetry/api'
import type { Internals } from '../../instance.js'
import { DeadlineError } from '../../store/deadline.js'

/** In seconds, as the semantic conventions recommend for database calls. */
const BOUNDARIES = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10]

/** The names of databases in the semantic conventions. */
const SYSTEMS: ReadonlyMap<string, string> = new Map([
  ['postgres', 'postgresql'],
  ['mysql', 'mysql'],
  ['sqlite', 'sqlite'],
  ['redis', 'redis'],
])

/** Measures each call to the store. An SDK error never fails a call. */
export function timeStore(meter: Meter, inside: Internals, common: Attributes): () => void {
  const { store } = inside.readings()
  const system = SYSTEMS.get(store)
  const duration = meter.createHistogram('latchkey.store.duration', {
    description: 'How long calls to the store took.',
    unit: 's',
    advice: { explicitBucketBoundaries: BOUNDARIES },
  })
  inside.watchStore((method) => {
    const began = performance.now()
    return (error) => {
      try {
        duration.record((performance.now() - began) / 1000, {
          ...common,
          'latchkey.store.method': method,
          ...(system !== undefined && { 'db.system.name': system }),
          ...(error !== undefined && { 'error.type': error instanceof DeadlineError ? 'timeout' : 'store_unavailable' }),
        })
      } catch {
        // This call goes unmeasured.
      }
    }
  })
  return () => inside.watchStore(undefined)
}
