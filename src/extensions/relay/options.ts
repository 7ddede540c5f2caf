import { callback, secretText } from '../../policy/option-kinds.js'
import { objectOf, passing, readOption } from '../../policy/option-reader.js'
import type { RelayTransport } from './transport.js'

/** A warning that the relay's channels carry messages that are not from this relay. */
export type RelayWarning = { readonly code: 'LATCHKEY_RELAY_REFUSED'; readonly message: string }

/** Options of `relayedStore`. */
export type RelayOptions = {
  /** The broker: `natsTransport`, `redisTransport`, or your own transport. */
  readonly transport: RelayTransport
  /**
   * Signs the messages between the nodes, so that no other user of the broker can forge them: at least 32 characters, the same on all nodes, and not
   * used for anything else. Whoever has it can hide revocations from the nodes.
   */
  readonly key: string
  /** The prefix of the channel names: letters, digits, `-`, `_` and `.`, at most 100 characters. @default 'latchkey.relay' */
  readonly channel?: string
  /** Called, at most once a minute, about messages that were not signed with this key for this store. @default `process.emitWarning` */
  readonly onWarning?: (warning: RelayWarning) => void
}

type ReadRelayOptions = Required<Omit<RelayOptions, 'onWarning'>> & Pick<RelayOptions, 'onWarning'>

const CHANNEL = /^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$/

const schema = objectOf({
  transport: passing<RelayTransport>(isTransport, 'must be a transport, such as natsTransport({ connection })'),
  key: secretText,
  channel: passing<string>(
    (value) => typeof value === 'string' && value.length <= 100 && CHANNEL.test(value),
    'must be 1 to 100 letters, digits, "-" and "_", in parts joined by "."',
  ).default('latchkey.relay'),
  onWarning: callback<(warning: RelayWarning) => void>().optional(),
})

/**
 * Validates the options.
 *
 * @throws InvalidInputError `invalid_input`
 */
export function readRelayOptions(options: unknown): ReadRelayOptions {
  return readOption(schema, options, 'options') as ReadRelayOptions
}

function isTransport(value: unknown): boolean {
  const has = (name: string): boolean => typeof Reflect.get(Object(value), name) === 'function'
  return typeof value === 'object' && value !== null && has('publish') && has('subscribe')
}
