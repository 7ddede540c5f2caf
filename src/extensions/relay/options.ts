import { callback, secretText } from '../../policy/option-kinds.js'
import { objectOf, passing, readOption } from '../../policy/option-reader.js'
import type { RelayTransport } from './transport.js'

/** That something on the relay's channels is not of this relay. */
export type RelayWarning = { readonly code: 'LATCHKEY_RELAY_REFUSED'; readonly message: string }

/** How `relayedStore` works. */
export type RelayOptions = {
  /** The broker: `natsTransport` or `redisTransport`, or one of your own. */
  readonly transport: RelayTransport
  /**
   * Signs what the nodes tell each other, so that nobody else on the broker can: at least 32 characters, the same on all nodes, of a secret of its own.
   * Whoever has it can make nodes believe that nothing was revoked.
   */
  readonly key: string
  /** The channels' names begin with it: letters, digits, `-`, `_` and `.`, at most 100. @default 'latchkey.relay' */
  readonly channel?: string
  /** Told, at most once a minute, of messages that were not signed with this key for this store. @default `process.emitWarning` */
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
 * Reads the options once.
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
