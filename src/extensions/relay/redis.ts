import { objectOf, passing, readOption } from '../../policy/option-reader.js'
import type { RelayTransport } from './transport.js'

/** The part of an `ioredis` or node-redis client or cluster that the relay uses. */
export type RedisRelayClient = {
  publish(channel: string, message: string): Promise<unknown>
  /** Creates the connection for subscriptions. */
  duplicate(): object
}

/** Options of `redisTransport`. */
export type RedisTransportOptions = {
  /** An `ioredis` client or a connected node-redis client. It publishes, and the relay does not close it; a duplicate of it subscribes. */
  readonly client: RedisRelayClient
}

type Emitter = { on(event: string, listener: (...args: unknown[]) => void): unknown }
type Ioredis = Emitter & {
  subscribe(channel: string): Promise<unknown>
  unsubscribe(channel: string): Promise<unknown>
  connect(): Promise<unknown>
  disconnect(): void
  readonly status: string
  readonly options?: { autoResubscribe?: boolean }
}
type NodeRedis = Emitter & {
  connect(): Promise<unknown>
  subscribe(channel: string, hear: (message: string) => void): Promise<unknown>
  unsubscribe(channel: string): Promise<unknown>
  unref?(): unknown
  destroy(): unknown
}

type Hearer = (message: string) => void
type Channel = { readonly hearers: Set<Hearer>; readonly tell: Hearer }

/** A connection that listens on all channels. */
type Listening = { add(channel: string, hear: (message: string) => void): Promise<unknown>; remove(channel: string): void; close(): void }

const has = (value: unknown, ...names: readonly string[]): boolean =>
  typeof value === 'object' && value !== null && names.every((name) => typeof Reflect.get(value, name) === 'function')

const schema = objectOf({
  client: passing<RedisRelayClient>((value) => has(value, 'publish', 'duplicate'), 'must be an ioredis or a node-redis client'),
})

/**
 * Carries the relay over Redis pub/sub.
 *
 * @throws InvalidInputError `invalid_input`
 * @example
 * ```ts
 * const transport = redisTransport({ client: new Redis('redis://127.0.0.1:6379') })
 * ```
 */
export function redisTransport(options: RedisTransportOptions): RelayTransport {
  const { client } = readOption(schema, options, 'options')
  let listening: Listening | undefined
  const channels = new Map<string, Channel>()

  function leave(name: string, channel: Channel, mine: Hearer): void {
    channel.hearers.delete(mine)
    if (channel.hearers.size === 0 && channels.get(name) === channel) channels.delete(name)
  }
  return {
    publish: (channel, message) => client.publish(channel, message),
    async subscribe(name, hear) {
      listening ??= listenOn(client.duplicate())
      const channel = channels.get(name) ?? createChannel()
      channels.set(name, channel)
      const mine: Hearer = (message) => hear(message)
      channel.hearers.add(mine)
      try {
        await listening.add(name, channel.tell)
      } catch (error) {
        leave(name, channel, mine)
        throw error
      }
      return () => {
        leave(name, channel, mine)
        if (channels.has(name)) return
        listening?.remove(name)
        if (channels.size > 0) return
        listening?.close()
        listening = undefined
      }
    },
  }
}

/** Creates a channel on which several relays of this process may listen. */
function createChannel(): Channel {
  const hearers = new Set<Hearer>()
  return {
    hearers,
    tell: (message) => {
      for (const hear of hearers) hear(message)
    },
  }
}

function listenOn(duplicate: object): Listening {
  return typeof Reflect.get(duplicate, 'status') === 'string'
    ? listenIoredis(duplicate as Ioredis)
    : listenNodeRedis(duplicate as NodeRedis)
}

function listenIoredis(client: Ioredis): Listening {
  const hearers = new Map<string, (message: string) => void>()
  // Automatic resubscription creates a promise whose rejection cannot be handled if the connection is lost again.
  if (client.options !== undefined) client.options.autoResubscribe = false
  const join = (channel: string): Promise<unknown> => client.subscribe(channel)
  client.on('error', () => undefined)
  client.on('message', (channel, message) => hearers.get(String(channel))?.(String(message)))
  client.on('ready', () => {
    letProcessEnd(client, 'stream')
    for (const channel of hearers.keys()) join(channel).catch(() => undefined)
  })
  client.on('reconnecting', () => letProcessEnd(client, 'reconnectTimeout'))
  if (client.status === 'wait') client.connect().catch(() => undefined)
  return {
    async add(channel, hear) {
      hearers.set(channel, hear)
      if (client.status === 'ready') await join(channel)
    },
    remove(channel) {
      hearers.delete(channel)
      client.unsubscribe(channel).catch(() => undefined)
    },
    close: () => client.disconnect(),
  }
}

function letProcessEnd(client: object, property: 'stream' | 'reconnectTimeout'): void {
  const handle: unknown = Reflect.get(client, property)
  if (has(handle, 'unref')) (handle as { unref(): unknown }).unref()
}

function listenNodeRedis(client: NodeRedis): Listening {
  client.on('error', () => undefined)
  const connected = client.connect().then(() => client.unref?.())
  connected.catch(() => undefined)
  return {
    // This client resubscribes automatically after it reconnects.
    async add(channel, hear) {
      await connected
      await client.subscribe(channel, hear)
    },
    remove(channel) {
      client.unsubscribe(channel).catch(() => undefined)
    },
    close: () => client.destroy(),
  }
}
