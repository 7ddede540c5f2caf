import type { ConsumerState } from '../store/port.js'

const WEBHOOK = 'webhook:'

/** The name under which an endpoint of webhooks reads. */
export function consumerOf(endpoint: string): string {
  return WEBHOOK + endpoint
}

/** Does an endpoint of webhooks read under this name? No consumer of a host does. */
export function isWebhook(name: string): boolean {
  return name.startsWith(WEBHOOK)
}

/** The name of a place for one of its dead letters, among the rows of consumers. */
export function deadLetterName(endpoint: string, index: number): string {
  return `.${consumerOf(endpoint)}:dead:${index}`
}

/** A place for a dead letter that is taken. */
export type DeadLetterPlace = {
  readonly endpoint: string
  readonly index: number
  /** Of the event. */
  readonly seq: number
  /** What the endpoint has noted of it. */
  readonly note: readonly [eventId: string, ...rest: string[]]
}

const NAME = /^\.webhook:(.{1,40}):dead:(\d{1,3})$/

/** The dead letter that a row is, if it is one. */
export function deadLetterOf({ name, position, holder }: ConsumerState): DeadLetterPlace | undefined {
  const [, endpoint = '', index] = NAME.exec(name) ?? []
  const [eventId, ...rest] = holder?.split(' ') ?? []
  if (index === undefined || position === 0 || eventId === undefined) return undefined
  return { endpoint, index: Number(index), seq: position, note: [eventId, ...rest] }
}
