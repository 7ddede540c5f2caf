import { createCollected, createHeldSignal, refTo } from '../../cache/held-signal.js'
import type { RequestSignal } from '../../cache/signals.js'
import { CLOCK_CHECK_MS, leftOf, startTimer } from '../../store/timer.js'

/** Controllers with listeners, which must fire even if nothing else references them. */
const awaited: Set<AbortController> = new Set()
/** For requests whose end is never reported. */
const collected: ReturnType<typeof createCollected> = createCollected()

/**
 * Opens the signal of a signed token for one request. It fires when the token expires or when the signal of its parent fires, if there is one.
 *
 * Nothing here references the controller of a signal without listeners, so that it can be garbage-collected long before the token ends.
 */
export function openSignal(endsInMs: () => number, parent: RequestSignal | undefined): RequestSignal {
  let timer: ReturnType<typeof startTimer> | undefined
  let over = false
  const controller = createHeldSignal((some) => {
    const own = ref.deref()
    if (own === undefined || over) return
    if (some) awaited.add(own)
    else awaited.delete(own)
  })
  const ref = refTo(controller)
  const release = (): void => {
    clearTimeout(timer)
    parent?.detach()
  }
  const drop = (): AbortController | undefined => {
    over = true
    collected?.unregister(ref)
    release()
    const own = ref.deref()
    if (own !== undefined) awaited.delete(own)
    return own
  }
  const wait = (): void => {
    const left = leftOf(endsInMs)
    if (left <= 0) drop()?.abort()
    else timer = startTimer(wait, Math.min(left, CLOCK_CHECK_MS))
  }
  collected?.register(controller, release, ref)
  wait()
  const endWithParent = (): void => drop()?.abort(parent?.signal.reason)
  if (parent?.signal.aborted === true) endWithParent()
  else parent?.signal.addEventListener('abort', endWithParent, { once: true })
  return { signal: controller.signal, detach: drop }
}
