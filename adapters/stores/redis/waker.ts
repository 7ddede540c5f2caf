import type { Connection } from './connection.js'
import { type Listener, listen } from './wake.js'

/** How long to wait before a retry if the server cannot be reached at first, in milliseconds. */
const RETRY_AFTER = 1_000

/** The subscribers to changes in the feed, which share one dedicated connection. */
export type Waker = { subscribe(wake: () => void, lost?: (error: unknown) => void): Promise<() => void>; close(): void }

export function createWaker(connection: Connection, channel: string): Waker {
  const subscriptions = new Set<{ readonly wake: () => void; readonly lost: ((error: unknown) => void) | undefined }>()
  let listening: Promise<Listener | undefined> | undefined

  const wakeAll = (): void => {
    for (const { wake } of subscriptions) wake()
  }

  const tellLost = (error: unknown): void => {
    for (const { lost } of subscriptions) lost?.(error)
  }

  async function start(): Promise<Listener | undefined> {
    try {
      return await listen(await connection.client(), channel, { wake: wakeAll, lost: tellLost })
    } catch (error) {
      tellLost(error)
      setTimeout(() => {
        if (subscriptions.size > 0) listening = start()
      }, RETRY_AFTER).unref()
      return undefined
    }
  }

  function stop(): void {
    const stopping = listening
    listening = undefined
    stopping?.then((listener) => listener?.close()).catch(() => undefined)
  }

  return {
    async subscribe(wake, lost) {
      const subscription = { wake, lost }
      subscriptions.add(subscription)
      listening ??= start()
      await listening
      return () => {
        if (subscriptions.delete(subscription) && subscriptions.size === 0) stop()
      }
    },
    close() {
      subscriptions.clear()
      stop()
    },
  }
}
