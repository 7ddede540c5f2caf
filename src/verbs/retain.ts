import { isOwnRow } from '../activity/consumer-claim.js'
import { consumerOf, deadLetterOf } from '../activity/dead-letters.js'
import { StoreUnavailableError } from '../errors.js'
import type { ListedEvent, StoredEvent } from '../model/event.js'
import type { ListedToken } from '../model/record.js'
import type { ConsumerState } from '../store/port.js'
import { readPage } from '../store/read-page.js'
import { untilDone } from '../store/until-done.js'
import { deriveId } from '../token/derive-id.js'
import type { Context } from '../verify/context.js'
import { creationId } from './create.js'
import { SYSTEM } from './lib/actor.js'
import { commit, timeOfChange } from './lib/change.js'
import { importId } from './lib/import-run.js'
import { SealedRemoval } from './lib/sealed-removal.js'
import { sealFirst, sealRemoval } from './lib/seals.js'
import { prune } from './prune.js'

const EVENTS_A_BATCH = 200
const TOKENS_A_BATCH = 50

/** Events up to this position must be kept forever, so they are not checked again until the node restarts. */
const settled: WeakMap<Context, number> = new WeakMap()

/**
 * Removes tokens and events that are too old according to the `retention` option, in small batches. If `goOn` returns false, the next run removes the rest.
 *
 * `now` is the instant that the nodes agree on, not this node's clock, or 0 if there is none.
 */
export async function retain(context: Context, now: number, goOn: () => Promise<boolean>): Promise<void> {
  if (now === 0) return
  const { deadMs, eventsMs } = context.settings.retention
  try {
    // As text, because a number of milliseconds in the year 1973 or before would be refused as seconds.
    if (deadMs !== undefined) await prune(context, SYSTEM, { before: new Date(Math.max(0, now - deadMs)).toISOString() }, goOn)
  } finally {
    // A token that cannot be removed must not keep the events.
    if (eventsMs !== undefined) await removeEvents(context, now, now - eventsMs, goOn)
  }
}

async function removeEvents(context: Context, now: number, before: number, goOn: () => Promise<boolean>): Promise<void> {
  const { prefix } = context.settings
  // Events are sealed before they are removed, and the seals record the removal. Verification can then distinguish retention from tampering.
  const sealed = await sealFirst(context, goOn)
  const removal = sealed === undefined ? undefined : await SealedRemoval.before(context, before)
  const read = (limit: number, from: number | undefined) => context.store.events({ prefix, order: 'oldest', after: from ?? 0, limit })
  let after = settled.get(context) ?? 0
  let isSettled = true
  while (await goOn()) {
    const { rows: page, more } = await readPage(EVENTS_A_BATCH, after, read, ({ seq }) => seq)
    const isOld = (event: ListedEvent): boolean => event.at < before && event.seq <= (sealed ?? Number.POSITIVE_INFINITY)
    // The newest event stays. Everything that has read or sealed the events up to it continues after its position, even in a copy of this store.
    const older = more ? page : page.slice(0, -1)
    const sound = removal === undefined ? older : await soundOf(context, removal, older, { before, now })
    const old = sound.filter((event) => isOld(event) && !mustStay(event) && !keepsFromReturning(context, event, now))
    const end = old.at(-1)
    if (end !== undefined) {
      await tellWhoIsBehind(context, old)
      if (sealed !== undefined) await sealRemoval(context, end.seq)
      await context.store.removeEvents(
        prefix,
        old.map(({ id }) => id),
      )
    }
    const removed = new Set(old)
    if (isSettled) {
      const open = page.findIndex((event) => !removed.has(event) && !mustStay(event))
      const last = (open === -1 ? page : page.slice(0, open)).at(-1)
      if (last !== undefined) settled.set(context, last.seq)
      isSettled = open === -1
    }
    // Events after a young event are younger too. An event with a future date comes from a wrong clock and proves nothing.
    const last = page.at(-1)
    if (sound.length < older.length) return
    if (last === undefined || !more || page.some(({ at }) => at >= before && at <= now)) return
    after = last.seq
  }
}

/**
 * Returns the events of a sealed audit log up to the first one that is still kept or differs from what was sealed. Events that were sealed long
 * ago may follow a younger event, because the clocks of nodes differ.
 */
async function soundOf(
  context: Context,
  removal: SealedRemoval,
  events: readonly ListedEvent[],
  { before, now }: { readonly before: number; readonly now: number },
): Promise<readonly ListedEvent[]> {
  for (const [at, event] of events.entries()) {
    if (!(await removal.isSound(event))) {
      const message = `event ${event.id} of the audit log differs from what was sealed, so nothing after it is removed: see verifyAudit()`
      context.report('retention', new StoreUnavailableError(message))
      return events.slice(0, at)
    }
    if (!removal.isAged(event) && event.at >= before && event.at <= now) return events.slice(0, at)
  }
  return events
}

// A token ID derived from an idempotency key can be generated again. While the creation event exists, the same key creates no second token. An `owner.erased`
// event must also stay: without it, the erased fields of the events that remain look like tampering.
function mustStay({ id, action, tokenId }: StoredEvent): boolean {
  if (action === 'owner.erased') return true
  return action === 'token.created' && tokenId !== undefined && id === creationId(tokenId)
}

// The ID of an imported token is derived from its row, so importing the row again generates it again while its format is accepted.
function keepsFromReturning({ settings }: Context, { id, action, tokenId, after, details }: StoredEvent, now: number): boolean {
  if (action !== 'token.imported' || tokenId === undefined || id !== importId(tokenId)) return false
  const format = settings.imports?.formats.find(({ name }) => name === after?.importedFrom)
  const until = format === undefined ? Date.parse(String(details?.until)) : (format.until ?? Number.POSITIVE_INFINITY)
  return !(until <= now)
}

/**
 * Records, before old events are removed, which consumers have not read them: once for each position of a consumer. Does the same for events that a webhook's
 * dead letter still needs.
 */
async function tellWhoIsBehind(context: Context, old: readonly ListedEvent[]): Promise<void> {
  const { prefix } = context.settings
  for (const row of await context.store.consumers(prefix)) {
    const details = missed(row, old)
    if (details === undefined) continue
    const event: StoredEvent = {
      id: deriveId(['consumer.behind', prefix, row.name, String(row.position)]),
      at: timeOfChange(context),
      action: 'consumer.behind',
      prefix,
      actorId: 'system',
      details,
    }
    // A conflict means that the event was already written.
    const { ok } = await commit(context, { events: [event] })
    if (ok) context.report('consumerBehind', new StoreUnavailableError(`${details.consumer} missed events: retention removed them unread`))
  }
}

function missed(row: ConsumerState, old: readonly ListedEvent[]): { readonly consumer: string; readonly eventId?: string } | undefined {
  const letter = deadLetterOf(row)
  if (letter !== undefined) {
    const needed = old.some(({ seq }) => seq === letter.seq)
    return needed ? { consumer: consumerOf(letter.endpoint), eventId: letter.note[0] } : undefined
  }
  if (isOwnRow(row) || !old.some(({ seq }) => seq > row.position)) return undefined
  return { consumer: row.name }
}

/**
 * Removes usage that is too old according to the `retention` option. Goes through every token in small pages. Returns whether it reached the end.
 */
export async function trimUsage(context: Context, now: number, goOn: () => Promise<boolean>): Promise<boolean> {
  if (now === 0) return true
  const { prefix, retention } = context.settings
  const { usageMs, addressesMs } = retention
  let after: ListedToken | undefined
  do {
    const page: readonly ListedToken[] = await context.store.list({
      prefix,
      now,
      limit: TOKENS_A_BATCH,
      ...(after !== undefined && { after: { createdAt: after.createdAt, id: after.id } }),
    })
    const trim = {
      tokenIds: page.map(({ id }) => id),
      ...(usageMs !== undefined && { countsBefore: now - usageMs }),
      ...(addressesMs !== undefined && { addressesBefore: now - addressesMs }),
    }
    let stopped = false
    await untilDone(context.store.name, 'usage to remove', async () => {
      stopped = !(await goOn())
      return !stopped && page.length > 0 && (await context.store.trimUsage(trim))
    })
    if (stopped) return false
    after = page.length === TOKENS_A_BATCH ? page.at(-1) : undefined
  } while (after !== undefined)
  return true
}
