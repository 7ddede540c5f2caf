import { setTimeout as sleep } from 'node:timers/promises'
import type { Kysely } from 'kysely'
import { type AuditEvent, type Latchkey, latchkey } from 'latchkey'
import { interceptStore } from 'latchkey/testing'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { deciderOf } from '../../../src/instance.js'
import type { TokenStore } from '../../../src/store/port.js'
import { event, token } from '../sql/samples.js'

/** A transaction of a host's, as it holds it. */
export type Begun = { readonly transaction: object; commit(): Promise<unknown>; rollback(): Promise<unknown> }

/** What the cases about transactions of a host's need. */
export type TransactionSubject = {
  /** A store on the same data, as another node has it. */
  open(): TokenStore
  /** Begins a transaction on a connection of the host's own. */
  begin(): Promise<Begun>
  /** The same connection without a transaction. */
  idle(): Promise<Begun>
  /** May others write while it is open? */
  readonly others: boolean
}

const SCOPES = { 'inventory:read': 'See stock' } as const
const INPUT = { name: 'ERP', scopes: ['inventory:read'] } as const

/** So that no two cases of a process share a prefix. */
let made = 0

/** Waits until something holds. */
const until = async (holds: () => boolean | Promise<boolean>): Promise<void> => {
  while (!(await holds())) await sleep(10)
}

type HostKysely = Kysely<Record<string, never>>

/** Transactions of an instance of Kysely, which is asked for when the first of them begins. */
export const kyselySubject = (kysely: () => HostKysely): Pick<TransactionSubject, 'begin' | 'idle'> => ({
  async begin() {
    const transaction = await kysely().startTransaction().execute()
    return { transaction, commit: () => transaction.commit().execute(), rollback: () => transaction.rollback().execute() }
  },
  async idle() {
    const transaction = await kysely()
      .transaction()
      .execute(async (ended) => ended)
    return { transaction, commit: async () => {}, rollback: async () => {} }
  },
})

/** Declares what `create` promises inside a transaction of the host's. */
export const transactionCases = (subject: TransactionSubject): void => {
  const opened: Latchkey[] = []
  const begun: Begun[] = []
  let prefix = ''

  /** Another node, which has used its store before. */
  const node = async (options: Partial<Parameters<typeof latchkey>[0]> = {}): Promise<Latchkey> => {
    const tokens = latchkey({ prefix, store: subject.open(), scopes: SCOPES, usage: { flushEvery: 0.01 }, logger: false, ...options })
    opened.push(tokens)
    await tokens.system.list()
    return tokens
  }
  /** Begins a transaction that ends with its case at the latest. */
  const begin = async (): Promise<Begun> => {
    const { transaction, commit, rollback } = await subject.begin()
    let open = true
    const ending = (end: () => Promise<unknown>) => async (): Promise<void> => {
      if (open) await end()
      open = false
    }
    const opened = { transaction, commit: ending(commit), rollback: ending(rollback) }
    begun.push(opened)
    return opened
  }
  const within = async (work: (transaction: object) => Promise<unknown>, end: 'commit' | 'rollback'): Promise<void> => {
    const opened = await begin()
    await work(opened.transaction)
    await opened[end]()
  }
  /** Every event of the audit, as somebody sees it who follows it. */
  const followed = async (tokens: Latchkey): Promise<readonly AuditEvent[]> => {
    const events: AuditEvent[] = []
    let after: string | undefined
    for (;;) {
      const page = await tokens.system.events({ order: 'oldest', limit: 3, after })
      events.push(...page.items)
      if (page.items.length === 0) return events
      after = page.nextCursor
    }
  }

  beforeEach(() => {
    made += 1
    prefix = `tx${made}_${String.fromCharCode(97 + (process.pid % 26))}`
  })
  afterEach(async () => {
    for (const each of begun.splice(0)) await each.rollback()
    await Promise.all(opened.splice(0).map((tokens) => tokens.close()))
  })

  it('a token of a committed transaction works at once on every node, and its event is in the audit', { timeout: 20_000 }, async () => {
    const [one, two] = [await node(), await node()]
    let token = ''
    let id = ''
    await within(async (transaction) => {
      const minted = await one.system.create(INPUT, { transaction })
      token = minted.token
      id = minted.record.id
    }, 'commit')
    expect(await one.verify(token)).toMatchObject({ ok: true })
    expect(await two.verify(token)).toMatchObject({ ok: true })
    for (const tokens of [two, one]) {
      const { items } = await tokens.system.events()
      expect(items.map(({ action, tokenId }) => [action, tokenId])).toEqual([['token.created', id]])
    }
    expect(await followed(two)).toHaveLength(1)
  })

  it('a rolled back transaction leaves no token and no event', { timeout: 20_000 }, async () => {
    const tokens = await node()
    await tokens.system.list()
    let token = ''
    await within(async (transaction) => {
      token = (await tokens.system.create(INPUT, { transaction })).token
    }, 'rollback')
    expect(await tokens.verify(token)).toMatchObject({ ok: false, code: 'token_unknown' })
    await tokens.flush()
    expect((await tokens.system.events()).items).toEqual([])
    expect((await tokens.system.list()).items).toEqual([])
  })

  it('a token that was asked about before its commit is known right after it, and not kept after a rollback', {
    timeout: 20_000,
  }, async () => {
    const tokens = await node()
    for (const end of ['commit', 'rollback'] as const) {
      let token = ''
      await within(async (transaction) => {
        token = (await tokens.system.create(INPUT, { transaction })).token
        await tokens.verify(token)
        await tokens.verify(token)
      }, end)
      // On a file that was locked, the driver libsql may read what was there before for some milliseconds more.
      if (!subject.others) await until(async () => (await tokens.verify(token)).ok === (end === 'commit'))
      expect((await tokens.verify(token)).ok).toBe(end === 'commit')
      expect((await tokens.verify(token)).ok).toBe(end === 'commit')
    }
  })

  it('a token of a committed transaction is soon answered from memory where it was made, whoever placed its event', {
    timeout: 20_000,
  }, async () => {
    const other = await node()
    for (const placing of ['here', 'elsewhere'] as const) {
      let follows = false
      let placed = (): void => undefined
      const isPlaced = new Promise<void>((resolve) => {
        placed = resolve
      })
      const store = interceptStore(subject.open(), async ({ method, args }, proceed) => {
        const begins = method === 'changes' && args[0] === undefined
        // What was placed before this node follows the feed stands in no page of it.
        if (begins && placing === 'here') await isPlaced
        const answer = await proceed()
        if (begins) follows = true
        return answer
      })
      const tokens = await node({ store, usage: { flushEvery: 60 } })
      let token = ''
      await within(async (transaction) => {
        token = (await tokens.system.create(INPUT, { transaction })).token
        if (placing === 'elsewhere') await until(() => follows)
      }, 'commit')
      await (placing === 'here' ? tokens.flush() : other.system.events())
      placed()
      await until(async () => {
        const answer = deciderOf(tokens).decide(token)
        expect(await answer).toMatchObject({ ok: true })
        return !(answer instanceof Promise)
      })
    }
  })

  it('a duplicate does not abort the transaction: the first record comes again, from within and from before', {
    timeout: 20_000,
  }, async () => {
    const tokens = await node()
    const before = await tokens.system.create({ ...INPUT, idempotencyKey: 'before' })
    let first: unknown
    await within(async (transaction) => {
      const again = await tokens.system.create({ ...INPUT, idempotencyKey: 'before' }, { transaction })
      expect(again).toMatchObject({ replayed: true, record: { id: before.record.id } })
      first = (await tokens.system.create({ ...INPUT, idempotencyKey: 'within' }, { transaction })).record.id
      const twice = await tokens.system.create({ ...INPUT, idempotencyKey: 'within' }, { transaction })
      expect(twice).toMatchObject({ replayed: true, record: { id: first } })
      await expect(tokens.system.create({ ...INPUT, name: 'Other', idempotencyKey: 'within' }, { transaction })).rejects.toMatchObject({
        code: 'idempotency_key_reused',
      })
      await tokens.system.create(INPUT, { transaction })
    }, 'commit')
    expect((await tokens.system.list()).items).toHaveLength(3)
    expect((await followed(tokens)).filter(({ action }) => action === 'token.created')).toHaveLength(3)
  })

  it('an event that exists is the conflict that is named, and does not abort the transaction', { timeout: 20_000 }, async () => {
    const tokens = await node()
    const store = subject.open()
    const taken = event({ id: `${prefix}_taken`, prefix })
    expect(await store.commit({ events: [taken] })).toEqual({ ok: true })
    const ids = [`${prefix}_one`, `${prefix}_two`]
    const add = (transaction: object, id: string, told: typeof taken) =>
      store.commitIn?.(transaction, { inserts: [token({ id, prefix })], events: [told] })
    await within(async (transaction) => {
      expect(await add(transaction, ids[0] ?? '', taken)).toEqual({ ok: false, conflict: taken.id })
      expect(await add(transaction, ids[1] ?? '', event({ prefix }))).toEqual({ ok: true })
    }, 'commit')
    await store.close?.()
    expect((await tokens.system.list()).items.map(({ id }) => id)).toEqual([ids[1]])
  })

  it('creations at the same time on one transaction do not undo each other', { timeout: 20_000 }, async () => {
    const tokens = await node({ maxTokens: { perOwner: 2 } })
    await within(async (transaction) => {
      const input = { ...INPUT, ownerId: 'ann' }
      const results = await Promise.allSettled(
        [0, 1, 2, 3, 4].map((turn) => tokens.system.create(turn < 4 ? input : INPUT, { transaction })),
      )
      expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected', 'rejected', 'fulfilled'])
      expect(results[2]).toMatchObject({ reason: { code: 'token_limit_reached', field: 'ownerId' } })
    }, 'commit')
    expect((await tokens.system.list()).items).toHaveLength(3)
    expect((await followed(tokens)).filter(({ action }) => action === 'token.created')).toHaveLength(3)
  })

  it('a change that comes first after the commit stands behind the creation in the audit', { timeout: 20_000 }, async () => {
    const [one, two] = [await node(), await node({ usage: false })]
    const ids: string[] = []
    await within(async (transaction) => {
      for (let turn = 0; turn < 2; turn += 1) ids.push((await one.system.create({ ...INPUT, tenantId: 't' }, { transaction })).record.id)
    }, 'commit')
    await two.system.revoke(ids[0] ?? '')
    await two.system.revokeAll({ tenantId: 't' })
    expect((await followed(two)).map(({ action }) => action)).toEqual(['token.created', 'token.created', 'token.revoked', 'tokens.revoked'])
  })

  it('the events of a transaction are placed once, by whichever of many nodes, and told there', { timeout: 20_000 }, async () => {
    const told: string[] = []
    const nodes = await Promise.all(Array.from({ length: 4 }, () => node({ onEvent: ({ id }) => told.push(id) })))
    await within(async (transaction) => {
      for (let turn = 0; turn < 120; turn += 1) await nodes[turn % 4]?.system.create(INPUT, { transaction })
      expect(told).toEqual([])
    }, 'commit')
    await Promise.all(nodes.flatMap((tokens) => [tokens.flush(), tokens.system.events(), tokens.flush()]))
    const events = await followed(nodes[0] as Latchkey)
    expect(events).toHaveLength(120)
    expect(new Set(events.map(({ id }) => id)).size).toBe(120)
    await until(() => told.length >= 120)
    expect(told.toSorted()).toEqual(events.map(({ id }) => id).toSorted())
  })

  it('events that a bulk revocation places are told before its own, whatever makes it', { timeout: 20_000 }, async () => {
    const told: string[] = []
    let commit: (() => Promise<unknown>) | undefined
    const store = interceptStore(subject.open(), async ({ method }, proceed) => {
      if (method === 'revokeWhere') await commit?.()
      return proceed()
    })
    const onEvent = ({ action }: AuditEvent): unknown => told.push(action)
    const tokens = await node({ store, onEvent, onReuse: 'revoke_lineage', usage: { flushEvery: 60 } })
    const old = await tokens.system.create(INPUT)
    await tokens.system.rotate(old.record.id)
    for (const [act, action] of [
      [() => tokens.system.revokeAll({ tenantId: 't' }), 'tokens.revoked'],
      [() => tokens.system.ownerGone({ ownerId: 'ann', tenantId: 't' }), 'owner.gone'],
      [() => tokens.verify(old.token), 'tokens.revoked'],
    ] as const) {
      const late = await begin()
      await tokens.system.create({ ...INPUT, tenantId: 't', ownerId: 'ann' }, { transaction: late.transaction })
      commit = late.commit
      told.length = 0
      await act()
      await until(() => told.includes(action))
      expect(told).toEqual(['token.created', action])
    }
  })

  it('what a node left that died after the commit is placed by a consumer of another', { timeout: 20_000 }, async () => {
    const died = await node({ usage: false })
    const alive = await node()
    await within(async (transaction) => {
      await died.system.create(INPUT, { transaction })
    }, 'commit')
    const given: string[] = []
    const siem = alive.system.consume('siem', ({ action }) => given.push(action))
    await until(() => given.length > 0)
    await siem.stop()
    expect(given).toEqual(['token.created'])
  })

  it('only an open transaction of this database is taken; anything else is refused by name', { timeout: 20_000 }, async () => {
    const tokens = await node()
    const forged = {
      query: async () => ({ rows: [] }),
      execute: async () => [[]],
      beginTransaction() {},
      escapeId() {},
      escapeLiteral() {},
      escapeIdentifier() {},
    }
    const locked = new Proxy({}, { get: () => { throw new Error('no') } }) // biome-ignore format: one line
    for (const transaction of [{}, [], () => {}, forged, locked, { isTransaction: true }, Promise.resolve({})]) {
      await expect(tokens.system.create(INPUT, { transaction })).rejects.toMatchObject({ code: 'invalid_input', field: 'transaction' })
    }
    for (const options of [{ transaction: undefined }, { transaction: null }, { transaction: 'begin' }]) {
      await expect(tokens.system.create(INPUT, options as never)).rejects.toMatchObject({ code: 'invalid_input', field: 'transaction' })
    }
    await expect(tokens.system.create(INPUT, { trx: {} } as never)).rejects.toMatchObject({ code: 'invalid_input', field: 'trx' })
    const idle = await subject.idle()
    try {
      const error = tokens.system.create(INPUT, { transaction: idle.transaction })
      await expect(error).rejects.toMatchObject({ code: 'invalid_input', field: 'transaction', message: expect.stringMatching(/open/) })
    } finally {
      await idle.rollback()
    }
    expect((await tokens.system.list()).items).toEqual([])
    await tokens.flush()
    expect((await tokens.system.events()).items).toEqual([])
  })

  if (!subject.others) return

  it('a transaction that stays open holds up no other change, and whoever follows gets everything once, in order', {
    timeout: 20_000,
  }, async () => {
    const [one, two] = [await node(), await node()]
    const given: string[] = []
    const siem = two.system.consume('siem', ({ id }) => given.push(id))
    const late = await begin()
    const { record } = await one.system.create({ ...INPUT, tenantId: 't' }, { transaction: late.transaction })
    for (let turn = 0; turn < 10; turn += 1) {
      const other = await two.system.create({ ...INPUT, tenantId: 't' })
      if (turn % 2 === 0) await two.system.update(other.record.id, { name: 'Renamed' })
      else await one.system.revoke(other.record.id)
    }
    expect(await two.system.revokeAll({ tenantId: 't' })).toEqual({ count: 5 })
    const before = await followed(two)
    expect(before).toHaveLength(21)
    await late.commit()
    await until(() => given.length >= 22)
    await siem.stop()
    const after = await followed(one)
    expect(after.slice(0, 21)).toEqual(before)
    expect(after[21]).toMatchObject({ action: 'token.created', tokenId: record.id })
    expect(given).toEqual(after.map(({ id }) => id))
    expect((await one.system.get(record.id))?.status).toBe('active')
  })

  it('a retry under the key of an open transaction holds up itself alone', { timeout: 20_000 }, async () => {
    const [one, two] = [await node({ deadline: '20s' }), await node()]
    const late = await begin()
    const first = await one.system.create({ ...INPUT, idempotencyKey: 'k' }, { transaction: late.transaction })
    const retry = one.system.create({ ...INPUT, idempotencyKey: 'k' })
    await sleep(100)
    await two.system.create(INPUT)
    await late.commit()
    expect(await retry).toMatchObject({ replayed: true, record: { id: first.record.id } })
  })
}
