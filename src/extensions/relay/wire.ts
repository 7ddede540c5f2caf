import { equalDigests } from '../../token/compare.js'
import { ascii } from '../../token/derive-id.js'
import { defaultEngine } from '../../token/hash.js'
import { type Message, readMessage } from './messages.js'

const MAC_LENGTH = 64
/** All brokers carry messages of at least this size. NATS allows 1 MB by default. */
export const LONGEST_MESSAGE: number = 256 * 1024

/** Writes and reads messages, signed with HMAC-SHA-256. */
export type Wire = {
  /** Returns `undefined` if the message would be too long. */
  write(message: Message): string | undefined
  /** Returns `undefined` if the message was not signed with this key for this channel and this store, or is invalid. */
  read(text: unknown): Message | undefined
}

/** The signing key is derived from the host's key, the channel and the store, so a signature for another channel or store is not accepted. */
export function createWire(key: string, channel: string, identity: string): Wire {
  const derived = defaultEngine.hmacSha256(ascii(key))(ascii(JSON.stringify(['latchkey: relay', 1, channel, identity])))
  const mac = defaultEngine.hmacSha256(derived)
  return {
    write(message) {
      const text = ascii(JSON.stringify(message))
      return text.length > LONGEST_MESSAGE - MAC_LENGTH ? undefined : mac(text) + text
    },
    read(given) {
      // Checked before computing the signature.
      if (typeof given !== 'string' || given.length <= MAC_LENGTH || given.length > LONGEST_MESSAGE) return undefined
      const text = given.slice(MAC_LENGTH)
      if (text !== ascii(text) || !equalDigests(mac(text), given.slice(0, MAC_LENGTH))) return undefined
      return readMessage(JSON.parse(text))
    },
  }
}
