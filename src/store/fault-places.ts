import type { StoreMethod } from './methods.js'

/** The help that a log line adds to a fault: a code, which docs/diagnostics.md explains, and advice. */
export type FaultHelp = {
  readonly code: `LATCHKEY_${string}`
  readonly advice: string
  /** Replaces the advice if the error's message already says what to do. @default nothing */
  readonly effect?: string
}

/** The code of faults in the host's own functions. */
export const CALLBACK_FAILED = 'LATCHKEY_CALLBACK_FAILED'
/** The code of faults for which there is no other place. */
export const NOT_DECIDED = 'LATCHKEY_NOT_DECIDED'

const STORE: FaultHelp = {
  code: 'LATCHKEY_STORE_FAILED',
  advice:
    'Check that the database is running, can be reached and is not overloaded; while it is unavailable, requests that need it are answered with 503.',
  effect: 'Requests that need the store are answered with 503.',
}
const CALLBACK: FaultHelp = { code: CALLBACK_FAILED, advice: 'Fix the callback; requests that depend on it are refused until then.' }
const CALLBACK_ASIDE: FaultHelp = { code: CALLBACK_FAILED, advice: 'Fix the callback; requests are answered regardless.' }
const OWN: FaultHelp = {
  code: NOT_DECIDED,
  advice: 'The operation will be retried, or its request was already answered with 503.',
}

/** The place of a fault: a call to the store, a host callback by the name of its option, or latchkey's own work. Stable, so alerts can rely on it. */
export type FaultPlace =
  | `store.${StoreMethod | 'reached'}`
  | 'actor'
  | 'client'
  | 'clock'
  | 'close'
  | 'consumer'
  | 'consumerBehind'
  | 'deadLetter'
  | 'endpoint'
  | 'errorBody'
  | 'feed'
  | 'flush'
  | 'foreign'
  | 'imports'
  | 'ip'
  | 'keys'
  | 'management'
  | 'mayOwn'
  | 'names'
  | 'notices'
  | 'onEvent'
  | 'onSeal'
  | 'owner'
  | 'placing'
  | 'rateLimit'
  | 'replica'
  | 'resources'
  | 'retention'
  | 'sealSign'
  | 'sealing'
  | 'session'
  | 'sign'
  | 'unused'
  | 'verify'
  | 'waitUntil'
  | 'webhook'

type OwnPlace = Exclude<FaultPlace, `store.${string}`>

/**
 * The list of places where faults happen, except for calls to the store: host callbacks by the name of their option, and latchkey's own tasks.
 * The names are stable, so alerts can rely on them; docs/diagnostics.md lists them.
 */
export const FAULT_PLACES: { readonly [Place in OwnPlace]: FaultHelp } = {
  actor: CALLBACK,
  client: CALLBACK,
  clock: {
    code: 'LATCHKEY_CLOCKS_DIFFER',
    advice: 'Fix the clocks of the nodes; until they agree, expired data may be kept longer.',
  },
  close: OWN,
  consumer: CALLBACK_ASIDE,
  consumerBehind: {
    code: 'LATCHKEY_CONSUMER_BEHIND',
    advice:
      'Find out why the consumer is stuck, keep events longer, or forget the consumer with forgetConsumer() if it no longer runs; the event consumer.behind also names it.',
  },
  deadLetter: { code: 'LATCHKEY_DEAD_LETTER', advice: 'Fix the receiver, and resend the events that deadLetters() lists.' },
  endpoint: { ...OWN, effect: 'Until this is fixed, the endpoint cannot answer requests.' },
  errorBody: CALLBACK_ASIDE,
  feed: OWN,
  flush: OWN,
  foreign: CALLBACK,
  imports: CALLBACK,
  ip: CALLBACK,
  keys: { code: 'LATCHKEY_KEYS_FAILED', advice: 'Check that the key URL is reachable from here.' },
  management: OWN,
  mayOwn: CALLBACK,
  names: CALLBACK,
  notices: OWN,
  onEvent: CALLBACK_ASIDE,
  onSeal: CALLBACK_ASIDE,
  owner: CALLBACK,
  placing: OWN,
  rateLimit: {
    code: 'LATCHKEY_RATE_LIMIT_FAILED',
    advice: 'Check the store of the limiter; rateLimit.onFailure decides what happens to requests in the meantime.',
  },
  replica: {
    code: 'LATCHKEY_REPLICA_UNUSED',
    advice: 'Check the replica configured in the read option; verifications use the primary until the replica can be used again.',
  },
  resources: CALLBACK,
  retention: OWN,
  sealSign: CALLBACK_ASIDE,
  sealing: OWN,
  session: CALLBACK,
  sign: CALLBACK,
  unused: OWN,
  verify: OWN,
  waitUntil: CALLBACK_ASIDE,
  webhook: { code: 'LATCHKEY_WEBHOOK_FAILED', advice: 'Check the receiver; later events wait for this one, in order.' },
}

// A symbol in the global registry, because a store may come from another copy of the package than the reporter.
const ADVISED: symbol = /* @__PURE__ */ Symbol.for('latchkey.advised')

/** Marks an error whose message already says what to do, so that its log line adds no general advice. */
export function advised<E extends Error>(error: E): E {
  return Object.defineProperty(error, ADVISED, { value: true })
}

/** Marks the error like `advised`, but only if `text` says what to do, after a colon. */
export function advisedBy<E extends Error>(text: string, error: E): E {
  return text.includes(': ') ? advised(error) : error
}

/** Returns whether the message of this error already says what to do. */
export function isAdvised(error: object): boolean {
  return Reflect.get(error, ADVISED) === true
}

/** Returns the kind of a fault, which gets at most one log line a minute. All calls to the store are one kind. */
export function kindOf(place: FaultPlace): string {
  return place.startsWith('store.') ? 'store' : place
}

/** Returns the code and advice for a place. */
export function helpFor(place: FaultPlace): FaultHelp {
  return Object.hasOwn(FAULT_PLACES, place) ? FAULT_PLACES[place as OwnPlace] : STORE
}
