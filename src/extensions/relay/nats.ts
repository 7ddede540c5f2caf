import { objectOf, passing, readOption } from '../../policy/option-reader.js'
import type { RelayTransport } from './transport.js'
import { LONGEST_MESSAGE } from './wire.js'

/** The part of a `@nats-io/nats-core` or `nats` 2 connection that the relay uses. */
export type NatsConnection = {
  publish(subject: string, payload: string): void
  subscribe(
    subject: string,
    options: { callback: (error: Error | null, message: { readonly data: Uint8Array; string(): string }) => void },
  ): { unsubscribe(): void }
}

/** Options of `natsTransport`. */
export type NatsTransportOptions = {
  /** Your connection, which the relay does not close. It must receive its own messages, so do not set its `noEcho` option. */
  readonly connection: NatsConnection
}

const isConnection = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && ['publish', 'subscribe'].every((name) => typeof Reflect.get(value, name) === 'function')

const schema = objectOf({ connection: passing<NatsConnection>(isConnection, 'must be a connection of @nats-io/nats-core') })

/**
 * Carries the relay over NATS, without JetStream.
 *
 * @throws InvalidInputError `invalid_input`
 * @example
 * ```ts
 * import { connect } from '@nats-io/transport-node'
 *
 * const transport = natsTransport({ connection: await connect({ servers: 'nats://127.0.0.1:4222' }) })
 * ```
 */
export function natsTransport(options: NatsTransportOptions): RelayTransport {
  const { connection } = readOption(schema, options, 'options')
  return {
    publish: (subject, message) => connection.publish(subject, message),
    subscribe(subject, hear) {
      const subscription = connection.subscribe(subject, {
        callback: (error, message) => {
          if (error === null && message.data.length <= LONGEST_MESSAGE) hear(message.string())
        },
      })
      return () => subscription.unsubscribe()
    },
  }
}
