import { canonicalJson } from '../../audit/canonical.js'
import type { ListedEvent } from '../../model/event.js'
import type { ListedToken, StoredToken } from '../../model/record.js'
import type { OnDamagedToken } from '../../store/damaged.js'
import type { Restored } from '../../store/moving.js'
import type { MovingStore } from '../../store/moving-store.js'
import type { ConsumerState, StoredSeal } from '../../store/port.js'
import { readPage } from '../../store/read-page.js'
import { type TokenUsage, usageOf, writtenUsage } from './usage.js'

/** Rows that are written and removed together. */
export type Rows = Omit<Restored, 'prefix' | 'runId'>

/** One kind of row that a store keeps for a prefix, in an order that both stores share. */
export type Part<Row> = {
  readonly name: PartName
  /** Returns the rows after this one, in order; none at the end. */
  page(store: MovingStore, after: Row | undefined): Promise<readonly Row[]>
  /** Compares two rows. Negative if the first row comes first. */
  compare(a: Row, b: Row): number
  /** Returns the row as canonical text. Rows are equal if their texts are equal. */
  textOf(row: Row): string
  write(rows: readonly Row[]): readonly Rows[]
  /** Absent if the rows are removed together with others. */
  remove?(rows: readonly Row[]): Rows
}

/** The kinds of rows that a store keeps. */
export type PartName = 'tokens' | 'events' | 'seals' | 'consumers' | 'usage'

const PAGE = 500
const USAGE_PAGE = 50
const SEAL_PAGE = 100
const AT_FIRST = { createdAt: Number.POSITIVE_INFINITY, id: '' }

type Place = { readonly createdAt: number; readonly id: string }

// The order of lists: newest first, then by ID, descending.
function byPlace(a: Place, b: Place): number {
  if (a.createdAt !== b.createdAt) return b.createdAt - a.createdAt
  return a.id === b.id ? 0 : a.id < b.id ? 1 : -1
}

function listPage(
  store: MovingStore,
  prefix: string,
  { place: { createdAt, id } = AT_FIRST, limit, onDamaged }: { place: Place | undefined; limit: number; onDamaged?: OnDamagedToken },
): Promise<readonly ListedToken[]> {
  const after = createdAt === AT_FIRST.createdAt ? {} : { after: { createdAt, id } }
  return store.list({ prefix, now: 0, limit, ...after }, onDamaged)
}

/** Where the rows come from. Only its damaged rows are reported: those of the other store are replaced. */
type Source = { readonly prefix: string; readonly from: MovingStore }

/** Tokens that cannot be read are not copied; `onDamaged` is called. A token that was written from its readable parts could become valid again. */
function tokensOf({ prefix, from }: Source, onDamaged: OnDamagedToken): Part<StoredToken> {
  return {
    name: 'tokens',
    page: async (store, place) =>
      (await listPage(store, prefix, { place, limit: PAGE, ...(store === from && { onDamaged }) })).map(withoutUse),
    compare: byPlace,
    textOf: canonicalJson,
    write: (tokens) => [{ tokens }],
    remove: (tokens) => ({ removedTokens: tokens.map(({ id }) => id) }),
  }
}

function withoutUse({ lastUsedAt: _, lastUsedIp: __, ...token }: ListedToken): StoredToken {
  return token
}

/** Unreadable parts of an event are not copied; `onDamaged` is called. */
function eventsOf({ prefix, from }: Source, onDamaged: (event: ListedEvent) => void): Part<ListedEvent> {
  return {
    name: 'events',
    page: async (store, after) => {
      const read = (limit: number, from: number | undefined) =>
        store.events({ prefix, order: 'oldest', limit, ...(from !== undefined && { after: from }) })
      const { rows } = await readPage(PAGE, after?.seq, read, ({ seq }) => seq)
      for (const event of rows) if (store === from && event.damaged !== undefined) onDamaged(event)
      return rows
    },
    compare: (a, b) => a.seq - b.seq,
    textOf: ({ damaged: _, ...event }) => canonicalJson(event),
    write: (events) => [{ events: events.map(({ damaged: _, ...event }) => event) }],
    remove: (events) => ({ removedEvents: events.map(({ id }) => id) }),
  }
}

function sealsOf(prefix: string): Part<StoredSeal> {
  return {
    name: 'seals',
    page: (store, after) => store.seals({ prefix, after: after?.number ?? 0, limit: SEAL_PAGE }),
    compare: (a, b) => a.number - b.number,
    textOf: canonicalJson,
    write: (seals) => [{ seals }],
  }
}

function consumersOf(prefix: string): Part<ConsumerState> {
  const byName = (a: ConsumerState, b: ConsumerState): number => (a.name === b.name ? 0 : a.name < b.name ? -1 : 1)
  return {
    name: 'consumers',
    page: async (store, after) => (after === undefined ? [...(await store.consumers(prefix))].sort(byName) : []),
    compare: byName,
    textOf: canonicalJson,
    write: (consumers) => [{ consumers }],
    remove: (consumers) => ({ removedConsumers: consumers.map(({ name }) => name) }),
  }
}

function usageOfTokens(prefix: string): Part<TokenUsage> {
  return {
    name: 'usage',
    page: async (store, after) => usageOf(store, await listPage(store, prefix, { place: after, limit: USAGE_PAGE })),
    compare: byPlace,
    textOf: canonicalJson,
    write: writtenUsage,
  }
}

/** A part whose row type does not matter to its users. */
export type AnyPart = Part<unknown>

/** Returns the parts that do not change while changes are refused, in the order in which they are copied, and the usage, which keeps changing. */
export function partsOf(
  source: Source,
  onDamaged: { readonly event: (event: ListedEvent) => void; readonly token: OnDamagedToken },
): { readonly still: readonly AnyPart[]; readonly usage: AnyPart } {
  const { prefix } = source
  const still = [tokensOf(source, onDamaged.token), eventsOf(source, onDamaged.event), sealsOf(prefix), consumersOf(prefix)]
  return { still: still as readonly unknown[] as readonly AnyPart[], usage: usageOfTokens(prefix) as Part<never> as AnyPart }
}
