import { hasMethods } from '../lib/has-methods.js'
import { isIoredis, type RedisClient } from './client.js'
import { letProcessEnd } from './unref.js'

/** How long to wait for the first subscription before continuing without it, in milliseconds. Nothing depends on it, because followers also poll. */
const FIRST_SUBSCRIPTION = 1_000

/** One dedicated connection on the wake-up channel. */
export type Listener = { close(): void }

type IoredisSubscriber = {
  on(event: string, listener: (error?: unknown) => void): unknown
  subscribe(channel: string): Promise<unknown>
  connect(): Promise<unknown>
  disconnect(): void
  readonly status: string
  readonly options?: { autoResubscribe?: boolean }
}

type NodeRedisSubscriber = {
  on(event: string, listener: (error?: unknown) => void): unknown
  subscribe(channel: string, listener: () => void): Promise<unknown>
  connect(): Promise<unknown>
  /** Absent in cluster clients. */
  unref?(): unknown
  /** node-redis 5 and later; earlier versions have `disconnect`. */
  destroy?(): unknown
  disconnect?(): unknown
}

/** The listeners of a channel. `lost` is called when the connection is lost. */
export type Hearer = { wake(): void; lost(error: unknown): void }

const GONE = new Error('the listening connection was closed')

/** Calls `wake` when something is published, and after each reconnect, because messages published in the meantime are lost. */
export async function listen(client: RedisClient, channel: string, hearer: Hearer): Promise<Listener> {
  const subscriber = client.duplicate?.()
  if (subscriber === undefined) return { close() {} }
  if (isIoredis(client)) return listenIoredis(subscriber, channel, hearer)
  return listenNodeRedis(subscriber, channel, hearer)
}

async function listenIoredis(subscriber: object, channel: string, { wake, lost }: Hearer): Promise<Listener> {
  if (!isIoredisSubscriber(subscriber)) return { close() {} }
  // ioredis would resubscribe itself after a reconnect. If the connection is lost again in the meantime, that rejects a promise that cannot be caught, which
  // ends the process. `ready` below resubscribes instead.
  if (subscriber.options !== undefined) subscriber.options.autoResubscribe = false
  letProcessEnd(subscriber)
  const joined = new Promise<void>((resolve) => {
    const fail = (error: unknown = GONE): void => {
      lost(error)
      resolve()
    }
    subscriber.on('error', fail)
    subscriber.on('close', () => fail())
    subscriber.on('message', wake)
    subscriber.on('ready', () => {
      subscriber.subscribe(channel).then(() => {
        resolve()
        wake()
      }, fail)
    })
  })
  if (subscriber.status === 'wait') subscriber.connect().catch(() => {})
  await within(FIRST_SUBSCRIPTION, joined)
  return { close: () => subscriber.disconnect() }
}

async function listenNodeRedis(subscriber: object, channel: string, { wake, lost }: Hearer): Promise<Listener> {
  if (!isNodeRedisSubscriber(subscriber)) return { close() {} }
  const joined = new Promise<void>((resolve) => {
    const fail = (error: unknown = GONE): void => {
      lost(error)
      resolve()
    }
    subscriber.on('error', fail)
    subscriber.on('reconnecting', () => fail())
    // node-redis resubscribes automatically after a reconnect.
    subscriber.on('ready', wake)
    subscriber
      .connect()
      .then(() => subscriber.subscribe(channel, wake))
      .then(() => {
        subscriber.unref?.()
        resolve()
        wake()
      })
      .catch(fail)
  })
  await within(FIRST_SUBSCRIPTION, joined)
  return {
    close() {
      if (subscriber.destroy !== undefined) subscriber.destroy()
      // A client that is no longer connected refuses to disconnect.
      else Promise.resolve(subscriber.disconnect?.()).catch(() => {})
    },
  }
}

const isIoredisSubscriber = (given: object): given is IoredisSubscriber => hasMethods(given, ['on', 'subscribe', 'connect', 'disconnect'])

const isNodeRedisSubscriber = (given: object): given is NodeRedisSubscriber => hasMethods(given, ['on', 'subscribe', 'connect'])

async function within(milliseconds: number, event: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const timeout = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, milliseconds)
  })
  await Promise.race([event, timeout])
  clearTimeout(timer)
}
