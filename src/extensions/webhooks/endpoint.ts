import { consumerOf } from '../../activity/dead-letters.js'
import { RetryLater } from '../../activity/retry-later.js'
import { StoreUnavailableError } from '../../errors.js'
import type { Internals } from '../../instance.js'
import type { AuditAction, ListedEvent } from '../../model/event.js'
import { readClock } from '../../policy/instant.js'
import type { ConsumerState } from '../../store/port.js'
import { bodyOf } from './body.js'
import type { Destination } from './destination.js'
import type { Signer } from './secret.js'
import { type Outcome, send } from './send.js'
import { attemptsOf, saveAttempts, saveSlot, slotsOf } from './state.js'

/** Maximum number of dead letters per endpoint. */
export const MOST_DEAD_LETTERS = 100
const FACTOR = 4
/** Maximum number of attempts for an event that the receiver itself refuses, so that it does not delay later events for hours. */
const MOST_REFUSALS = 3
/**
 * The same for an event that the receiver probably refuses. By default, these attempts take seven minutes, longer than most deployments during which a receiver
 * refuses everything.
 */
const MOST_LIKELY_REFUSALS = 5
/** Each delay varies by up to a fifth, so events that failed together are not retried together. */
const JITTER = 0.2
/** Extra time for a handler beyond the delivery itself, because it writes to the store. */
const SPARE_MS = 30_000

/** Settings of an endpoint. */
export type EndpointOptions = {
  readonly id: string
  readonly prefix: string
  readonly destination: Destination
  readonly signer: Signer
  readonly actions: readonly AuditAction[] | undefined
  readonly tenantId: string | undefined
  readonly from: 'now' | 'start'
  readonly timeoutMs: number
  readonly retry: { readonly attempts: number; readonly firstMs: number; readonly longestMs: number }
  readonly ca: string | undefined
}

/** Sends events to one receiver in order. A failed event is retried before the next one is sent, until it becomes a dead letter. */
export class Endpoint {
  readonly id: string
  readonly #options: EndpointOptions
  readonly #inside: Internals
  readonly #of: { readonly prefix: string; readonly endpoint: string }
  readonly #actions: ReadonlySet<string> | undefined
  /** The last event whose delivery failed on this node. */
  #waitedFor: string | undefined
  /** Whether this node has delivered an event and every failure since then was a `likely` refusal. */
  #accepts = false

  constructor(inside: Internals, options: EndpointOptions) {
    this.id = options.id
    this.#options = options
    this.#inside = inside
    this.#of = { prefix: options.prefix, endpoint: options.id }
    this.#actions = options.actions && new Set(options.actions)
  }

  /** The secret that the receiver uses to verify signatures. */
  get secret(): string {
    return this.#options.signer.secret
  }

  /** Starts sending, on one node at a time. Returns a function that stops it. */
  start(): () => Promise<void> {
    const { from, timeoutMs } = this.#options
    // A delivery in progress may finish during a stop, so it does not have to be repeated.
    const consumer = this.#inside.follow(consumerOf(this.id), (event, { lost }) => this.#handle(event, lost), {
      from,
      timeoutMs: timeoutMs + SPARE_MS,
    })
    return () => consumer.stop()
  }

  /** Sends an event once, immediately. */
  async deliver(event: ListedEvent, signal: AbortSignal): Promise<Outcome> {
    const { destination, signer, timeoutMs, ca } = this.#options
    const now = new Date(readClock(this.#inside.settings.clock, 'no webhook can be sent'))
    const body = bodyOf(event)
    return await send({
      destination,
      body,
      headers: {
        'content-type': 'application/json',
        'user-agent': 'latchkey',
        'webhook-id': event.id,
        'webhook-timestamp': String(Math.floor(now.getTime() / 1000)),
        'webhook-signature': signer.sign(event.id, now, body),
      },
      timeoutMs,
      ca,
      signal,
      now: now.getTime(),
    })
  }

  async #handle(event: ListedEvent, signal: AbortSignal): Promise<void> {
    if (!this.wants(event)) return
    const outcome = await this.deliver(event, signal)
    if (outcome.delivered) {
      this.#accepts = true
      return
    }
    // The attempt was aborted, which is not the receiver's fault.
    signal.throwIfAborted()
    await this.#failed(event, outcome)
  }

  /** Returns whether the receiver may get this event. */
  wants({ action, tenantId }: ListedEvent): boolean {
    const { tenantId: wanted } = this.#options
    return (this.#actions === undefined || this.#actions.has(action)) && (wanted === undefined || tenantId === wanted)
  }

  /** Throws `RetryLater`, or turns the event into a dead letter. */
  async #failed(event: ListedEvent, { failure, waitMs = 0, gone, refused }: Outcome & { readonly delivered: false }): Promise<void> {
    const { longestMs } = this.#options.retry
    if (refused !== 'likely') this.#accepts = false
    const most = this.#mostAttempts(refused)
    const store = this.#inside.store()
    const rows = await store.consumers(this.#of.prefix)
    const now = readClock(this.#inside.settings.clock, 'no delivery attempt can be recorded')
    const known = attemptsOf(rows, this.id)
    const before = known?.eventId === event.id ? known : undefined
    const left = before === undefined ? 0 : before.dueAt - now
    // A node that has just started reading tried the event early. This attempt does not count, so a process that keeps restarting does not use up the attempts.
    // An instant further ahead than any delay comes from a wrong clock.
    if (before !== undefined && this.#waitedFor !== event.id && left > 0 && left <= 2 * longestMs) {
      this.#waitedFor = event.id
      this.#tell('webhook', `${failure}, not counted among its ${most} attempts; next attempt in ${seconds(left)}`)
      throw new RetryLater(left)
    }
    const attempts = (before?.attempts ?? 0) + 1
    if (attempts >= most) return await this.#bury(event, rows, attempts, failure, now)
    const wait = Math.max(gone === true ? longestMs : this.#waitAfter(attempts), Math.min(waitMs, longestMs))
    await saveAttempts(store, rows, this.#of, { eventId: event.id, attempts, dueAt: now + Math.round(wait) })
    this.#waitedFor = event.id
    this.#tell('webhook', `${failure}, attempt ${attempts} of ${most}; next attempt in ${seconds(wait)}`)
    throw new RetryLater(wait)
  }

  // A receiver that refuses everything for a while must not turn one event after another into a dead letter.
  #mostAttempts(refused: 'sure' | 'likely' | undefined): number {
    const { attempts } = this.#options.retry
    if (refused === 'sure') return Math.min(attempts, MOST_REFUSALS)
    return refused === 'likely' && this.#accepts ? Math.min(attempts, MOST_LIKELY_REFUSALS) : attempts
  }

  #waitAfter(attempts: number): number {
    const { firstMs, longestMs } = this.#options.retry
    return Math.min(firstMs * FACTOR ** (attempts - 1), longestMs) * (1 - JITTER + 2 * JITTER * Math.random())
  }

  // Written before the position advances. After a crash in between, the event is tried once more and finds its existing slot.
  async #bury(event: ListedEvent, rows: readonly ConsumerState[], attempts: number, failure: string, now: number): Promise<void> {
    const taken = slotsOf(rows).filter(({ endpoint }) => endpoint === this.id)
    const isFree = (index: number): boolean => taken.every((slot) => slot.index !== index)
    const own = taken.find(({ seq }) => seq === event.seq)
    const free = Array.from({ length: MOST_DEAD_LETTERS }, (_, index) => index).find(isFree)
    const oldest = own === undefined && free === undefined ? taken[0] : undefined
    const index = own?.index ?? free ?? oldest?.index ?? 0
    const slot = { index, seq: event.seq, eventId: event.id, attempts, failedAt: now, failure }
    if (!(await saveSlot(this.#inside.store(), rows, this.#of, slot))) throw new RetryLater(this.#options.retry.firstMs)
    this.#waitedFor = undefined
    this.#accepts = false
    if (oldest !== undefined) {
      this.#tell('deadLetter', `more than ${MOST_DEAD_LETTERS} dead letters: the oldest, event ${oldest.eventId}, is no longer listed`)
    }
    this.#tell('deadLetter', `event ${event.id} was abandoned after ${attempts} ${attempts === 1 ? 'attempt' : 'attempts'}: ${failure}`)
  }

  #tell(where: 'webhook' | 'deadLetter', what: string): void {
    this.#inside.report(where, new StoreUnavailableError(`webhook ${this.id} (${this.#options.destination.origin}): ${what}`))
  }
}

function seconds(ms: number): string {
  return `${Math.max(1, Math.round(ms / 1000))} s`
}
