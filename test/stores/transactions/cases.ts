import { setTimeout as sleep } from 'node:timers/promises'
import type { Kysely } from 'kysely'
import { type AuditEvent, type Latchkey, latchkey } from 'latchkey'
import { interceptStore } from 'latchkey/testing'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { deciderOf } from '../../../src/instance.js'
import { PLACED_AT_ONCE, type TokenStore } from '../../../src/store/port.js'
import { event, token } from '../sql/samples.js'

/** A transaction of the host, and how to end it. */
export type Begun = { readonly transaction: object; commit(): Promise<unknown>; rollback(): Promise<unknown> }

/** The store and the host's transactions under test. */
export type TransactionSubject = {
  /** A store on the same data, as another node would open it. */
  open(): TokenStore
  /** Begins a transaction on the host's own connection. */
  begin(): Promise<Begun>
  /** The same connection without a transaction. */
  idle(): Promise<Begun>
  /** Whether other connections can write while the transaction is open. */
  readonly others: boolean
  /** Whether the store has no connection except the transaction's. */
  readonly shared?: boolean
}

const SCOPES = { 'inventory:read': 'See stock' } as const
const INPUT = { name: 'ERP', scopes: ['inventory:read'] } as const

/** Gives every case in a process its own prefix. */
let made = 0

/** Waits until the condition holds. */
const until = async (holds: () => boolean | Promise<boolean>): Promise<void> => {
  while (!(await holds())) await sleep(10)
}

type HostKysely = Kysely<Record<string, never>>

/** Transactions of a Kysely instance, which is not accessed until the first of them begins. */
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

/** Declares what `create` promises inside a transaction of the host. */
export const transactionCases = (subject: TransactionSubject): void => {
  const opened: Latchkey[] = []
  const begun: Begun[] = []
  let prefix = ''

  /** A node that has already used its store. */
  const node = async (options: Partial<Parameters<typeof latchkey>[0]> = {}): Promise<Latchkey> => {
    const tokens = latchkey({ prefix, store: subject.open(), scopes: SCOPES, usage: { flushEvery: 0.01 }, logger: false, ...options })
    opened.push(tokens)
    await tokens.system.list()
    return tokens
  }
  /** Begins a transaction that ends no later than its case. */
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
  /** Every audit event, as a follower reads them. */
  const followed = async (tokens: Latchkey, limit = 3): Promise<readonly AuditEvent[]> => {
    const events: AuditEvent[] = []
    let after: string | undefined
    for (;;) {
      const page = await tokens.system.events({ order: 'oldest', limit, after })
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

  it('refuses a creation that is invalid or denied for the same reason with an idempotencyKey as without, and audits it', async () => {
    const tokens = await node({ deadline: 2 })
    const invalid = { name: 'ERP', scopes: ['inventory:reed'], idempotencyKey: 'k1' }
    const ann = tokens.as({ id: 'ann', tenants: ['t1'], manages: 'all' })
    await within(async (transaction) => {
      await expect(tokens.system.create(invalid, { transaction })).rejects.toMatchObject({ code: 'invalid_input', field: 'scopes.0' })
      const denied = ann.create({ ...INPUT, tenantId: 't2', idempotencyKey: 'k2' }, { transaction })
      await expect(denied).rejects.toMatchObject({ code: 'grant_denied', field: 'tenantId' })
      expect(await tokens.system.create({ ...INPUT, idempotencyKey: 'k1' }, { transaction })).toMatchObject({ record: { name: 'ERP' } })
    }, 'commit')
    await tokens.flush()
    const { items } = await tokens.system.events({ action: 'management.refused' })
    expect(items).toMatchObject([{ actorId: 'ann', code: 'grant_denied' }])
  })

  it('accepts a token of a committed transaction immediately on every node, with its event in the audit log', {
    timeout: 120_000,
  }, async () => {
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

  it("leaves no token and no event after the host's transaction rolls back", { timeout: 120_000 }, async () => {
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

  it('accepts a token right after its commit, and not after a rollback, even if the token was verified before', {
    timeout: 20_000,
  }, async () => {
    const tokens = await node()
    for (const end of ['commit', 'rollback'] as const) {
      let token = ''
      await within(async (transaction) => {
        token = (await tokens.system.create(INPUT, { transaction })).token
        for (const answer of [tokens.verify(token), tokens.verify(token)]) {
          if (subject.shared) await expect(answer).rejects.toMatchObject({ code: 'store_unavailable' })
          else expect(await answer).toMatchObject({ ok: false, code: 'token_unknown' })
        }
      }, end)
      // After the file was locked, libsql may return old data for a few more milliseconds.
      if (!subject.others) await until(async () => (await tokens.verify(token)).ok === (end === 'commit'))
      expect((await tokens.verify(token)).ok).toBe(end === 'commit')
      expect((await tokens.verify(token)).ok).toBe(end === 'commit')
    }
  })

  it('a committed token is soon verified from memory on the node that created it, whichever node gave its event a position', {
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
        // Events that got positions before this node followed the feed are on none of its pages.
        if (begins && placing === 'here') await isPlaced
        const answer = await proceed()
        if (begins) follows = true
        return answer
      })
      const tokens = await node({ store, usage: { flushEvery: 60 } })
      let token = ''
      await within(async (transaction) => {
        token = (await tokens.system.create(INPUT, { transaction })).token
      }, 'commit')
      if (placing === 'elsewhere') await until(() => follows)
      await (placing === 'here' ? tokens.flush() : other.system.events())
      placed()
      await until(async () => {
        const answer = deciderOf(tokens).decide(token)
        expect(await answer).toMatchObject({ ok: true })
        return !(answer instanceof Promise)
      })
    }
  })

  it('a retry with the same key in a transaction returns the existing record and aborts nothing', {
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

  it('reports an existing event as the conflict, without aborting the transaction', { timeout: 120_000 }, async () => {
    const tokens = await node()
    const store = subject.open()
    await store.migrate?.()
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

  it('concurrent creations in one transaction succeed or fail independently', { timeout: 120_000 }, async () => {
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

  it('lists the creation in the audit log before changes made after the commit', { timeout: 120_000 }, async () => {
    const [one, two] = [await node(), await node({ usage: false })]
    const ids: string[] = []
    await within(async (transaction) => {
      for (let turn = 0; turn < 2; turn += 1) ids.push((await one.system.create({ ...INPUT, tenantId: 't' }, { transaction })).record.id)
    }, 'commit')
    await two.system.revoke(ids[0] ?? '')
    await two.system.revokeAll({ tenantId: 't' })
    const events = await followed(two)
    expect(events.filter(({ tokenId }) => tokenId === ids[0]).map(({ action }) => action)).toEqual(['token.created', 'token.revoked'])
    expect(events.map(({ action }) => action).toSorted()).toEqual(['token.created', 'token.created', 'token.revoked', 'tokens.revoked'])
    expect(events.at(-1)?.action).toBe('tokens.revoked')
  })

  it('the events of a transaction get positions once, on any of many nodes, and are reported there', { timeout: 120_000 }, async () => {
    const told: string[] = []
    const nodes = await Promise.all(Array.from({ length: 4 }, () => node({ onEvent: ({ id }) => told.push(id) })))
    const store = subject.open()
    // A store that shares the transaction's handle must be set up before the transaction begins.
    await store.migrate?.()
    await within(async (transaction) => {
      for (const tokens of nodes) await tokens.system.create(INPUT, { transaction })
      // More events than get positions in one step.
      const rows = Array.from({ length: PLACED_AT_ONCE }, () => token({ prefix }))
      const created = rows.map(({ id }) => event({ prefix, tokenId: id }))
      expect(await store.commitIn?.(transaction, { inserts: rows, events: created })).toEqual({ ok: true })
      expect(told).toEqual([])
    }, 'commit')
    await store.close?.()
    const count = nodes.length + PLACED_AT_ONCE
    await Promise.all(nodes.flatMap((tokens) => [tokens.flush(), tokens.system.events(), tokens.flush()]))
    const events = await followed(nodes[0] as Latchkey, 50)
    expect(events).toHaveLength(count)
    expect(new Set(events.map(({ id }) => id)).size).toBe(count)
    await until(() => told.length >= count)
    expect(told.toSorted()).toEqual(events.map(({ id }) => id).toSorted())
  })

  it('reports the events that a bulk revocation places before its own event, whatever causes the revocation', {
    timeout: 120_000,
  }, async () => {
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
      // A store with no other connection cannot read while the transaction is open.
      ...(subject.shared ? [] : [[() => tokens.verify(old.token), 'tokens.revoked'] as const]),
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

  it('a consumer on another node assigns positions to the events of a node that died after the commit', { timeout: 120_000 }, async () => {
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

  it('accepts only an open transaction of this database, and refuses anything else by name', { timeout: 120_000 }, async () => {
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

  it('delays no other change while a transaction stays open, and delivers every event once, in order', {
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

  it('an open transaction delays only a retry with the same idempotency key', { timeout: 120_000 }, async () => {
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

/** When the host's transaction is committed: before a bulk revocation locks the feed, or after it. */
export type Moment = 'before' | 'after'

/** Returns a function that tells whether a statement of a bulk revocation looks for tokens at this moment. */
export const watchBulk = (moment: Moment, looks: RegExp): ((statement: string) => boolean) => {
  let locked = false
  return (statement) => {
    if (/^(begin|commit|rollback)/.test(statement)) locked = false
    if (/^update \S*feed\S? set/.test(statement)) locked = true
    return looks.test(statement) && locked === (moment === 'after')
  }
}

/** Declares what happens to a token whose transaction is committed during a bulk revocation. `open` runs `then` at that moment. */
export const committedWithinBulk = (
  open: (moment: Moment, then: () => Promise<unknown>) => TokenStore,
  begin: () => Promise<Begun>,
): void => {
  it.each([
    ['before', 0],
    ['after', 0],
    // More tokens than are revoked in one step.
    ['before', 1_000],
    ['after', 1_000],
  ] as const)(
    'a token whose transaction is committed during a bulk revocation, %s the feed is locked, counts as created at that time (%i others)',
    async (moment, others) => {
      made += 1
      const prefix = `bulk${made}_${String.fromCharCode(97 + (process.pid % 26))}`
      const begun = await begin()
      const store = open(moment, begun.commit)
      const tokens = latchkey({ prefix, store, scopes: SCOPES, logger: false })
      try {
        const before = await tokens.system.create({ ...INPUT, tenantId: 'a', ownerId: 'bob' })
        const inserts = Array.from({ length: others }, () => token({ prefix, tenantId: 'a', ownerId: 'bob' }))
        await store.commit({ inserts, events: [] })
        const during = await tokens.system.create({ ...INPUT, tenantId: 'b', ownerId: 'bob' }, { transaction: begun.transaction })
        expect(await tokens.system.revokeAll({ ownerId: 'bob' })).toEqual({ count: others + (moment === 'before' ? 2 : 1) })
        expect(await tokens.verify(before.token)).toMatchObject({ code: 'token_revoked' })
        expect(await tokens.verify(during.token)).toMatchObject(moment === 'before' ? { code: 'token_revoked' } : { ok: true })
        const { items } = await tokens.system.events({ order: 'oldest' })
        const created = ['token.created', 'b', undefined]
        const revoked = ['tokens.revoked', 'a', others + 1]
        // One change writes its events for each tenant in any order.
        const found = items.map(({ action, tenantId, count }) => [action, tenantId, count])
        const written = moment === 'before' ? [...found.slice(0, 2), ...found.slice(2).sort()] : found
        expect(written).toEqual([
          ['token.created', 'a', undefined],
          ...(moment === 'before' ? [created, revoked, ['tokens.revoked', 'b', 1]] : [revoked, created]),
        ])
        if (moment === 'before') return
        expect(await tokens.system.revokeAll({ ownerId: 'bob' })).toEqual({ count: 1 })
        expect(await tokens.verify(during.token)).toMatchObject({ code: 'token_revoked' })
      } finally {
        await tokens.close()
      }
    },
    20_000,
  )
}
