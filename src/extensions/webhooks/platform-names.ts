import type { LookupAddress } from 'node:dns'
import { startTimer } from '../../store/timer.js'

/** All addresses of a name. */
export type Resolve = (hostname: string, answer: (error: Error | null, addresses: readonly LookupAddress[]) => void) => void

type Answer = Parameters<Resolve>[1]

/** How long a name may wait for the lookups of others. */
const WAIT_MS = 5000
/** A lookup that takes longer is not repeated for a while. */
const SLOW_MS = 2000
const AVOID_MS = 60_000
/** The maximum number of names that are avoided. */
const MAX_AVOIDED = 1000

/**
 * Asks the platform about one name at a time. A lookup occupies one of the platform's few threads until the name servers respond, and a caller's deadline does
 * not end it. Names that were slow, or that the platform did not know, are not asked about again for a while, so that other names are resolved first.
 */
export function oneByOne(byPlatform: Resolve): Resolve {
  const waiting = new Set<() => void>()
  const avoided = new Map<string, number>()
  let busy = false

  function avoid(hostname: string): void {
    avoided.delete(hostname)
    avoided.set(hostname, performance.now() + AVOID_MS)
    const [oldest] = avoided.keys()
    if (avoided.size > MAX_AVOIDED && oldest !== undefined) avoided.delete(oldest)
  }

  function startNext(): void {
    const [next] = waiting
    if (busy || next === undefined) return
    waiting.delete(next)
    next()
  }

  return (hostname, answer) => {
    const refuse = (why: string): void => answer(Object.assign(new Error(why), { code: 'EAI_AGAIN' }), [])
    const isAvoided = (): boolean => (avoided.get(hostname) ?? 0) > performance.now()
    const start = (): void => {
      clearTimeout(timer)
      // Another attempt may have asked about the same name in the meantime.
      if (isAvoided()) {
        refuse('the platform recently failed to resolve this name')
        startNext()
        return
      }
      busy = true
      const began = performance.now()
      const end: Answer = (error, addresses) => {
        busy = false
        if (error !== null || performance.now() - began > SLOW_MS) avoid(hostname)
        else avoided.delete(hostname)
        startNext()
        answer(error, addresses)
      }
      byPlatform(hostname, end)
    }
    if (isAvoided()) return refuse('the platform recently failed to resolve this name')
    const timer = startTimer(() => {
      waiting.delete(start)
      refuse('other names are slow to resolve')
    }, WAIT_MS)
    waiting.add(start)
    startNext()
  }
}
