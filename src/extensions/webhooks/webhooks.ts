import { viewEvent } from '../../activity/view-event.js'
import { InvalidInputError } from '../../errors.js'
import { type Internals, internalsOf, type Latchkey } from '../../instance.js'
import type { AuditEvent, ListedEvent } from '../../model/event.js'
import { objectOf, readOption, string } from '../../policy/option-reader.js'
import { refuseUndefined } from '../../policy/read-input.js'
import { Endpoint } from './endpoint.js'
import { readOptions, type WebhookOptions } from './options.js'
import { createSigner } from './secret.js'
import { freeSlot, type Slot, slotsOf } from './state.js'

/** An event whose delivery was abandoned. It is kept until it is resent or discarded; each endpoint keeps the newest 100. */
export type DeadLetter = {
  readonly endpoint: string
  /** The ID of the event, used as the `webhook-id` of every attempt. */
  readonly eventId: string
  /** Absent if retention has removed it, which `resend` reports as `event_removed`, or if the events of earlier letters on the list take up 2 MiB. */
  readonly event?: AuditEvent
  readonly attempts: number
  /** Why the last attempt failed, as a code: `status_500`, `timeout`. */
  readonly failure: string
  readonly failedAt: Date
}

/** Identifies a dead letter. */
export type DeadLetterInput = Pick<DeadLetter, 'endpoint' | 'eventId'>

/** The outcome of resending a dead letter. It stays listed unless it was delivered. */
export type Resent = { readonly delivered: true; readonly failure?: undefined } | { readonly delivered: false; readonly failure: string }

/** The approximate limit on the total size of the events in one list of dead letters, in characters of JSON. A single event may have a hundred thousand. */
const MAX_LISTED = 2 * 1024 * 1024

/** The endpoints that run on each instance of this process. */
const running: WeakMap<Internals, Set<string>> = new WeakMap()

/**
 * Marks these endpoints as running. Two senders of one endpoint take turns, so each event would go to whichever URL has its turn.
 *
 * @throws InvalidInputError `invalid_input`, if one of them is running already
 */
function occupy(inside: Internals, ids: readonly string[]): () => void {
  const taken = running.get(inside) ?? new Set()
  running.set(inside, taken)
  const at = ids.findIndex((id) => taken.has(id))
  if (at >= 0) throw new InvalidInputError(['endpoints', at, 'id'], 'already runs on this instance: stop() the other webhooks() first')
  for (const id of ids) taken.add(id)
  let held = true
  return () => {
    // After a first stop(), the endpoints may run again.
    if (held) for (const id of ids) taken.delete(id)
    held = false
  }
}

const filterShape = objectOf({ endpoint: string('must be the ID of an endpoint').optional() })

/** Running webhooks. */
export type Webhooks = {
  /** Returns the secret with which the receiver of this endpoint verifies signatures: `whsec_…`. */
  secretOf(endpoint: string): string
  /** Returns the dead letters of one endpoint or of all, oldest first. */
  deadLetters(filter?: { readonly endpoint?: string }): Promise<readonly DeadLetter[]>
  /** Resends a dead letter immediately, with the same `webhook-id`, if the endpoint's `actions` and `tenantId` still include it. */
  resend(letter: DeadLetterInput): Promise<Resent>
  /** Removes a dead letter from the list. */
  discard(letter: DeadLetterInput): Promise<void>
  /** Waits for deliveries in progress, for at most the `deadline` option, and lets other nodes continue. `close()` of the instance does the same. */
  stop(): Promise<void>
}

/**
 * Sends the audit events to receivers, signed according to Standard Webhooks: in order, at least once, and for each endpoint from one node at a time.
 *
 * Call it on every node that may send webhooks. Requires Node and the package `standardwebhooks`.
 *
 * @throws InvalidInputError `invalid_input`, for invalid options, and for an endpoint that already runs on this instance; no message contains their URLs or
 * keys
 * @example
 * ```ts
 * const hooks = webhooks(tokens, {
 *   webhookKey: process.env.WEBHOOK_KEY ?? '',
 *   endpoints: [{ id: 'crm', url: 'https://crm.example.com/hooks', actions: ['token.revoked'] }],
 * })
 * console.log(hooks.secretOf('crm'))
 * ```
 */
export function webhooks<S extends string>(tokens: Latchkey<S>, options: WebhookOptions): Webhooks {
  const { webhookKey, endpoints: given, retry, timeoutMs, ca } = readOptions(options)
  const inside = internalsOf(tokens)
  const { prefix } = tokens
  const endpoints = new Map(
    given.map(({ id, destination, from, actions, tenantId }) => [
      id,
      new Endpoint(inside, {
        id,
        prefix,
        destination,
        signer: createSigner(webhookKey, prefix, id),
        actions,
        tenantId,
        from,
        timeoutMs,
        retry,
        ca,
      }),
    ]),
  )
  const vacate = occupy(inside, [...endpoints.keys()])
  const stopping = new AbortController()
  const stops = [...endpoints.values()].map((endpoint) => endpoint.start())

  function endpointOf(id: unknown): Endpoint {
    const endpoint = typeof id === 'string' ? endpoints.get(id) : undefined
    if (endpoint === undefined) throw new InvalidInputError('endpoint', 'must be the ID of one of the endpoints')
    return endpoint
  }

  async function eventOf(letter: Slot): Promise<ListedEvent | undefined> {
    const [event] = await inside.store().events({ prefix, order: 'oldest', after: letter.seq - 1, limit: 1 })
    return event?.id === letter.eventId ? event : undefined
  }

  async function find(letter: DeadLetterInput) {
    const { endpoint, eventId } = Object(letter) as Partial<DeadLetterInput>
    const rows = await inside.store().consumers(prefix)
    const slot = slotsOf(rows).find((found) => found.endpoint === endpoint && found.eventId === eventId)
    if (slot === undefined) throw new InvalidInputError('letter', 'is not a dead letter, or is no longer one')
    return { slot, free: () => freeSlot(inside.store(), rows, { prefix, endpoint: slot.endpoint }, slot.index) }
  }

  return Object.freeze({
    secretOf: (id: string) => endpointOf(id).secret,
    async deadLetters(filter: { readonly endpoint?: string } = {}) {
      // If the filter were lost on the way, the result would list every endpoint's dead letters, and the caller might resend them.
      refuseUndefined(filter, ['endpoint'], 'to list those of every endpoint')
      const { endpoint: only } = readOption(filterShape, filter, 'deadLetters()')
      const letters: DeadLetter[] = []
      let left = MAX_LISTED
      const slots = slotsOf(await inside.store().consumers(prefix)).filter(({ endpoint }) => only === undefined || endpoint === only)
      // An endpoint that is no longer configured may still have dead letters.
      if (only !== undefined && slots.length === 0) endpointOf(only)
      for (const slot of slots) {
        const { endpoint, eventId, attempts, failure, failedAt } = slot
        const event = left > 0 ? await eventOf(slot) : undefined
        if (event !== undefined) left -= JSON.stringify(event).length
        letters.push({
          endpoint,
          eventId,
          ...(event !== undefined && { event: viewEvent(event) }),
          attempts,
          failure,
          failedAt: new Date(failedAt),
        })
      }
      return letters
    },
    async resend(letter: DeadLetterInput) {
      const { slot, free } = await find(letter)
      const endpoint = endpointOf(slot.endpoint)
      const event = await eventOf(slot)
      if (event === undefined) return { delivered: false, failure: 'event_removed' } as const
      // The endpoint may since have been reassigned to another tenant.
      if (!endpoint.wants(event)) return { delivered: false, failure: 'not_for_endpoint' } as const
      const outcome = await endpoint.deliver(event, stopping.signal)
      if (!outcome.delivered) return { delivered: false, failure: outcome.failure } as const
      // Even if another call was faster, the dead letter is no longer listed.
      await free()
      return { delivered: true } as const
    },
    async discard(letter: DeadLetterInput) {
      const { free } = await find(letter)
      await free()
    },
    async stop() {
      stopping.abort()
      vacate()
      await Promise.all(stops.map((stop) => stop()))
    },
  })
}
