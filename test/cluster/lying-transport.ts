import type { RelayTransport } from 'latchkey/relay'

const KEPT = 200
const LATEST_MS = 3_000
/** The share of each kind of forgery. It leaves enough messages unchanged for the forgeries to matter. */
const SHARE = 0.15

/**
 * A broker that forges everything that can be forged without the key: it changes bytes, truncates messages, repeats old ones, delivers them to the
 * wrong channel, delays them, and makes up its own.
 */
export function lyingTransport(honest: RelayTransport, lies: () => boolean): RelayTransport {
  const kept: string[] = []
  const hearers: ((message: string) => void)[] = []
  const tell = (hear: (message: string) => void, message: string): void => {
    const later = (told: string): void => void setTimeout(() => hear(told), Math.random() * LATEST_MS)
    const any = kept[Math.floor(Math.random() * kept.length)] ?? ''
    const other = hearers[Math.floor(Math.random() * hearers.length)] ?? hear
    const courses: (() => void)[] = [
      () => hear(changed(message)),
      () => hear(message.slice(0, Math.floor(Math.random() * message.length))),
      () => hear(any),
      () => later(message),
      () => {
        hear(message)
        later(message)
      },
      () => other(message),
      () => hear('0'.repeat(64) + message.slice(64)),
      () => undefined,
    ]
    if (Math.random() > SHARE * courses.length) hear(message)
    else courses[Math.floor(Math.random() * courses.length)]?.()
  }
  return {
    publish: (channel, message) => honest.publish(channel, message),
    subscribe(channel, hear) {
      hearers.push(hear)
      return honest.subscribe(channel, (message) => {
        kept[Math.floor(Math.random() * KEPT)] = message
        if (lies()) tell(hear, message)
        else hear(message)
      })
    },
  }
}

/** The same message with another cursor, with no IDs, or with one changed byte. */
function changed(message: string): string {
  const body = message.slice(64)
  const said = Math.random() < 0.5 ? body.replace(/"ids":\[[^\]]*\]/, '"ids":[]') : body.replace(/"cursor":"[^"]*"/, '"cursor":"999999"')
  if (said !== body) return message.slice(0, 64) + said
  const at = Math.floor(Math.random() * message.length)
  return message.slice(0, at) + String.fromCharCode(message.charCodeAt(at) ^ 1) + message.slice(at + 1)
}
