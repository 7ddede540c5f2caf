import { StoreUnavailableError } from '../errors.js'
import type { ListedEvent } from '../model/event.js'

/** Takes an event as the store keeps it. `lost` fires when nobody waits any more; `signal` also when the consumer stops, which waits for a while. */
export type ListedEventHandler = (event: ListedEvent, context: { readonly signal: AbortSignal; readonly lost: AbortSignal }) => unknown

/** One call of a consumer's handler. */
export type HandlerCall = {
  readonly handler: ListedEventHandler
  readonly event: ListedEvent
  readonly timeoutMs: number
  /** How long a handler that is under way is waited for once `stopping` has fired. */
  readonly graceMs: number
  readonly stopping: AbortSignal
  /** Is it still this node's turn? Asked again and again while the handler works. */
  readonly hold: () => Promise<boolean>
  readonly everyMs: number
  /** Told what the handler did wrong. */
  readonly failed: (error: unknown) => void
}

/** Calls a handler with an event, and answers whether it has taken it: not where it fails, hangs, or loses its turn meanwhile. */
export async function callHandler(call: HandlerCall): Promise<boolean> {
  const given = new AbortController()
  const lost = new AbortController()
  return await new Promise<boolean>((resolve) => {
    const timers: ReturnType<typeof setTimeout>[] = []
    const end = (taken: boolean): void => {
      for (const timer of timers.splice(0)) clearTimeout(timer)
      call.stopping.removeEventListener('abort', stop)
      resolve(taken)
    }
    const giveUp = (why: string): void => {
      end(false)
      given.abort(new Error(why))
      lost.abort(given.signal.reason)
    }
    const stop = (): void => {
      timers.push(setTimeout(() => giveUp('the consumer stops'), call.graceMs))
      given.abort(new Error('the consumer stops'))
    }
    const renew = async (): Promise<void> => {
      try {
        if (!(await call.hold())) giveUp('another node now runs this consumer')
      } catch {
        giveUp('the store cannot be reached')
      }
    }
    const timeOut = (): void => {
      call.failed(new StoreUnavailableError(`the handler took longer than ${call.timeoutMs / 1000} s`))
      giveUp('the handler took too long')
    }
    timers.push(setTimeout(timeOut, call.timeoutMs))
    timers.push(setInterval(() => void renew(), call.everyMs))
    call.stopping.addEventListener('abort', stop)
    // In a promise of its own: a handler may throw, answer at once, or answer a foreign thenable.
    new Promise((answer) => answer(call.handler(call.event, { signal: given.signal, lost: lost.signal }))).then(
      () => end(true),
      (error: unknown) => {
        // What is aborted may well fail.
        if (!given.signal.aborted) call.failed(error)
        end(false)
      },
    )
  })
}
