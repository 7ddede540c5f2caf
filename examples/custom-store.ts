/**
 * A custom store: everything in one file, one JSON line for each change, synced before it is acknowledged.
 *
 * The lines are the source of truth, and the state in memory is derived from them: opening the store reads them again. Suitable for one process and about
 * ten thousand tokens. `docs/writing-a-store.md` explains it, and its test runs the store contract on it.
 */
import { type FileHandle, open } from 'node:fs/promises'
import type { BulkResult, NodeLease, StoredTicket, TokenStore } from 'latchkey'
import { listDistinct, listEvents, listSeals, listTokens, readFeed, reportUsage } from './custom-store/queries.js'
import { apply, conflictOf, emptyState, exceededCap, keyOf, type Line, type State } from './custom-store/state.js'

/** The open file, and the state that its lines produce. */
type Log = { readonly file: FileHandle; readonly state: State; size: number }

async function openLog(path: string): Promise<Log> {
  const file = await open(path, 'a+', 0o600)
  try {
    const bytes = await file.readFile()
    // An incomplete last line was being written when the power failed. The change was never acknowledged.
    const size = bytes.lastIndexOf('\n') + 1
    if (size < bytes.length) await file.truncate(size)
    const state = emptyState()
    for (const line of bytes.toString('utf8', 0, size).split('\n')) if (line !== '') apply(state, JSON.parse(line))
    return { file, state, size }
  } catch (error) {
    await file.close()
    throw error
  }
}

/** Writes a line, and applies it once it is on the disk. */
async function write(log: Log, line: Line): Promise<BulkResult> {
  const text = JSON.stringify(line)
  if ((await log.file.stat()).size !== log.size)
    throw new Error('log store: another process has written to the file, but only one process may use it')
  await log.file.appendFile(`${text}\n`)
  await log.file.datasync()
  log.size += Buffer.byteLength(text) + 1
  // Parsed again, so that the state equals the contents of the file, and shares nothing with the caller's objects.
  return apply(log.state, JSON.parse(text))
}

/** Keeps tokens in a file of JSON lines. Only one process at a time can have the file open. */
export function logStore(path: string): TokenStore {
  let opening: Promise<Log> | undefined
  let turn: Promise<unknown> = Promise.resolve()
  const leases = new Map<string, NodeLease>()
  const tickets = new Map<string, StoredTicket>()
  const wakes = new Set<{ readonly wake: () => void }>()

  async function log(): Promise<Log> {
    opening ??= openLog(path)
    try {
      return await opening
    } catch (error) {
      opening = undefined
      throw error
    }
  }

  async function shut(): Promise<void> {
    const closing = opening
    opening = undefined
    await (await closing)?.file.close()
  }

  /** Runs one change at a time, so that no other change happens between comparing and setting. */
  async function inTurn<T>(work: (log: Log) => Promise<T>): Promise<T> {
    const mine = turn.then(async () => work(await log()))
    turn = mine.catch(shut).catch(() => {})
    return mine
  }

  async function change(log: Log, line: Line): Promise<BulkResult> {
    const result = await write(log, line)
    for (const { wake } of wakes) queueMicrotask(wake)
    return result
  }

  return {
    name: 'log',

    async find(ids) {
      const { state } = await log()
      return ids.flatMap((id) => state.tokens.get(id) ?? [])
    },

    commit: (given) =>
      inTurn(async (log) => {
        const conflict = conflictOf(log.state, given)
        if (conflict !== undefined) return { ok: false, conflict }
        const exceeded = exceededCap(log.state, given)
        if (exceeded !== -1) return { ok: false, exceeded }
        await change(log, { do: 'change', change: given })
        return { ok: true }
      }),

    revokeWhere: (filter, stamp, event) =>
      inTurn(async (log) => {
        if (log.state.eventIds.has(event.id)) throw new Error(`log store: event ${event.id} already exists`)
        return await change(log, { do: 'revoke', filter, stamp, event })
      }),

    recordUsage: (batch) =>
      inTurn(async (log) => {
        if (batch.seq <= (log.state.batches.get(batch.nodeId) ?? 0)) return false
        await write(log, { do: 'usage', batch })
        return true
      }),

    list: async (query) => listTokens((await log()).state, query),
    distinct: async (query) => listDistinct((await log()).state, query),
    events: async (query) => listEvents((await log()).state, query),
    usage: async (query) => reportUsage((await log()).state, query),

    changes: async (after, limit) => readFeed((await log()).state, after, limit),
    reached: (cursor, target) => Number(cursor) >= Number(target),
    subscribe(wake) {
      const subscription = { wake }
      wakes.add(subscription)
      return () => void wakes.delete(subscription)
    },

    consumers: async (prefix) => [...(await log()).state.consumers.values()].filter((state) => state.prefix === prefix),
    saveConsumer: (state) =>
      inTurn(async (log) => {
        if ((log.state.consumers.get(keyOf(state))?.version ?? 0) !== state.version - 1) return false
        await write(log, { do: 'consumer', state })
        return true
      }),
    removeConsumer: (consumer) =>
      inTurn(async (log) => {
        if (log.state.consumers.get(keyOf(consumer))?.version !== consumer.version) return false
        await write(log, { do: 'consumer gone', consumer })
        return true
      }),

    seals: async (query) => listSeals((await log()).state, query),
    saveSeal: (seal) =>
      inTurn(async (log) => {
        const [newest] = listSeals(log.state, { prefix: seal.prefix, order: 'newest', limit: 1 })
        if (seal.number !== (newest?.number ?? 0) + 1) return false
        await write(log, { do: 'seal', seal })
        return true
      }),

    removeEvents: (prefix, ids) =>
      inTurn(async (log) => {
        const asked = new Set(ids)
        const own = log.state.events.filter((event) => event.prefix === prefix && asked.has(event.id)).map(({ id }) => id)
        await write(log, { do: 'forget', events: own })
      }),
    trimUsage: (trim) =>
      inTurn(async (log) => {
        await write(log, { do: 'trim', trim })
        return false
      }),

    // Leases need no file, because the only node ends with this process.
    renewLease: (lease) => void leases.set(lease.nodeId, lease),
    leases: (now) => [...leases.values()].filter(({ expiresAt }) => now < expiresAt),

    // Tickets need no file either, because they are requested seconds before they are used.
    async saveTicket(ticket, { max, now, forgetBefore }) {
      const { state } = await log()
      if (state.tokens.get(ticket.tokenId)?.prefix !== ticket.prefix) return false
      for (const [key, { prefix, expiresAt }] of tickets) {
        if (prefix === ticket.prefix && expiresAt < forgetBefore) tickets.delete(key)
      }
      const own = [...tickets.values()].filter(({ tokenId, expiresAt }) => tokenId === ticket.tokenId && now < expiresAt)
      if (own.length >= max) return false
      tickets.set(JSON.stringify([ticket.prefix, ticket.digest]), ticket)
      return true
    },
    takeTicket(prefix, digest) {
      const key = JSON.stringify([prefix, digest])
      const ticket = tickets.get(key)
      tickets.delete(key)
      return ticket
    },

    migrate: async () => void (await log()),
    close: async () => {
      await turn
      await shut()
    },
  }
}
