import { StoreUnavailableError } from '../errors.js'
import type { ListedEvent } from '../model/event.js'

/**
 * Receives an event in its stored form. `lost` fires when latchkey stops waiting for the handler. `signal` fires at the same time, and also when the consumer
 * is stopping and gives the handler some time to finish.
 */
export type ListedEventHandler = (event: ListedEvent, context: { readonly signal: AbortSignal; readonly lost: AbortSignal }) => unknown

/** One call to a consumer's handler. */
export type HandlerCall = {
  readonly handler: ListedEventHandler
  readonly event: ListedEvent
  readonly timeoutMs: number
  /** How long to wait for a running handler after `stopping` has fired. */
  readonly graceMs: number
  readonly stopping: AbortSignal
  /** Returns whether this node still holds the claim. Checked repeatedly while the handler runs. */
  readonly hold: () => Promise<boolean>
  readonly everyMs: number
  /** Called with the handler's error. */
  readonly failed: (error: unknown) => void
}

/** Calls a handler with an event and returns whether it accepted it. A handler that fails, hangs, or loses the claim in the meantime has not accepted it. */
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
      timers.push(setTimeout(() => giveUp('the consumer is stopping'), call.graceMs))
      given.abort(new Error('the consumer is stopping'))
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
    // In its own promise, because a handler may throw, return synchronously, or return a foreign thenable.
    new Promise((answer) => answer(call.handler(call.event, { signal: given.signal, lost: lost.signal }))).then(
      () => end(true),
      (error: unknown) => {
        // An aborted handler is expected to fail.
        if (!given.signal.aborted) call.failed(error)
        end(false)
      },
    )
  })
}
