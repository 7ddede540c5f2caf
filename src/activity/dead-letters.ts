import type { ConsumerState } from '../store/port.js'
import { WEBHOOK } from './consumer-claim.js'

/** Returns the consumer name of a webhook endpoint. */
export function consumerOf(endpoint: string): string {
  return WEBHOOK + endpoint
}

/** Returns the name of an endpoint's dead letter slot among the consumer rows. */
export function deadLetterName(endpoint: string, index: number): string {
  return `.${consumerOf(endpoint)}:dead:${index}`
}

/** An occupied dead letter slot. */
export type DeadLetterPlace = {
  readonly endpoint: string
  readonly index: number
  /** The position of the event. */
  readonly seq: number
  /** The endpoint's note about it. */
  readonly note: readonly [eventId: string, ...rest: string[]]
}

const NAME = /^\.webhook:(.{1,40}):dead:(\d{1,3})$/

/** Returns the name of the row in which an endpoint keeps its number of attempts for an event. */
export function attemptsName(endpoint: string): string {
  return `.${consumerOf(endpoint)}:attempts`
}

const OF_WEBHOOK = /^\.(webhook:[^:]{1,40}):(?:attempts|dead:\d{1,3})$/

/** Returns whether this is a row that the webhook with this name keeps in addition to its position. */
export function isBeside({ name }: ConsumerState, consumer: string): boolean {
  return OF_WEBHOOK.exec(name)?.[1] === consumer
}

/** Returns the dead letter in this row, if it is one. */
export function deadLetterOf({ name, position, holder }: ConsumerState): DeadLetterPlace | undefined {
  const [, endpoint = '', index] = NAME.exec(name) ?? []
  const [eventId, ...rest] = holder?.split(' ') ?? []
  if (index === undefined || position === 0 || eventId === undefined) return undefined
  return { endpoint, index: Number(index), seq: position, note: [eventId, ...rest] }
}
