import { attemptsName, deadLetterName, deadLetterOf } from '../../activity/dead-letters.js'
import type { GuardedStore } from '../../store/guarded-store.js'
import type { ConsumerState } from '../../store/port.js'

/** The part of the store in which an endpoint keeps its state. */
export type StateStore = Pick<GuardedStore, 'consumers' | 'saveConsumer'>

/** The event being retried, with its number of attempts and the time of the next one. */
export type Attempts = { readonly eventId: string; readonly attempts: number; readonly dueAt: number }

/** A slot for a dead letter, used or free. */
export type Slot = {
  readonly index: number
  readonly seq: number
  readonly eventId: string
  readonly attempts: number
  readonly failedAt: number
  readonly failure: string
}

const MOST_CHARACTERS = 64
// These rows are stored with those of the consumers, but no consumer can have their names. `position` contains one of our numbers, and `holder` a note of
// at most 64 characters.

/** Returns how many times delivery of the event at the head of the queue has been attempted. */
export function attemptsOf(rows: readonly ConsumerState[], endpoint: string): Attempts | undefined {
  const row = rows.find(({ name }) => name === attemptsName(endpoint))
  const [eventId, due] = row?.holder?.split(' ') ?? []
  const dueAt = Number.parseInt(due ?? '', 36)
  if (row === undefined || eventId === undefined || !Number.isSafeInteger(dueAt)) return undefined
  return { eventId, attempts: row.position, dueAt }
}

export async function saveAttempts(
  store: StateStore,
  rows: readonly ConsumerState[],
  of: { readonly prefix: string; readonly endpoint: string },
  { eventId, attempts, dueAt }: Attempts,
): Promise<void> {
  // If another node has written in the meantime, that node now reads for this endpoint.
  await write(store, rows, of.prefix, attemptsName(of.endpoint), attempts, `${eventId} ${dueAt.toString(36)}`)
}

/** Returns the dead letters of all endpoints, oldest first. */
export function slotsOf(rows: readonly ConsumerState[]): readonly (Slot & { readonly endpoint: string })[] {
  return rows
    .flatMap((row) => {
      const place = deadLetterOf(row)
      if (place === undefined) return []
      const { note, ...where } = place
      const [eventId, attempts, at, failure = 'unknown'] = note
      return [{ ...where, eventId, attempts: Number(attempts), failedAt: Number.parseInt(at ?? '', 36), failure }]
    })
    .sort((a, b) => a.seq - b.seq)
}

export async function saveSlot(
  store: StateStore,
  rows: readonly ConsumerState[],
  of: { readonly prefix: string; readonly endpoint: string },
  { index, seq, eventId, attempts, failedAt, failure }: Slot,
): Promise<boolean> {
  const note = [eventId, attempts, failedAt.toString(36), failure].join(' ')
  return await write(store, rows, of.prefix, deadLetterName(of.endpoint, index), seq, note.slice(0, MOST_CHARACTERS))
}

export async function freeSlot(
  store: StateStore,
  rows: readonly ConsumerState[],
  of: { readonly prefix: string; readonly endpoint: string },
  index: number,
): Promise<boolean> {
  return await write(store, rows, of.prefix, deadLetterName(of.endpoint, index), 0, undefined)
}

async function write(
  store: StateStore,
  rows: readonly ConsumerState[],
  prefix: string,
  name: string,
  position: number,
  note: string | undefined,
): Promise<boolean> {
  // Compare-and-set: of two concurrent writes to the same state, one is refused.
  const version = (rows.find((row) => row.name === name)?.version ?? 0) + 1
  return await store.saveConsumer({ prefix, name, version, position, ...(note !== undefined && { holder: note }) })
}
