import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { TokenStore } from 'latchkey'
import { type CopyProgress, copy } from 'latchkey/copy'
import { memoryStore } from 'latchkey/stores/memory'
import { postgresStore } from 'latchkey/stores/postgres'
import { sqliteStore } from 'latchkey/stores/sqlite'
import { interceptStore } from 'latchkey/testing'
import { Client } from 'pg'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { healthChecks } from '../../../src/cli/lib/checks.js'
import { nodeIdOf } from '../../../src/policy/cache-bounds.js'
import { codeOf, mint, verdict } from '../../latchkey/harness.js'
import { harness, superadmin } from '../../management/support.js'
import { ownFolder, ownSchema } from '../../stores/sql/databases.js'
import { bundled } from '../../support/bundle.js'
import { service } from '../../support/services.js'
import { contentOf, fill, nodeOver } from './world.js'

const plain = { pepper: undefined, imports: undefined, sealing: false } as const
/** A node that stops trusting its cache after a short time. */
const QUICK = { cache: { maxStaleness: 0.2 } } as const
const postgres = await service('postgres')

/** Returns `done` or the error code. */
const refusal = (call: Promise<unknown>): Promise<string> => call.then(() => 'done', codeOf)

/** A node without a pepper, like the one in the child process. */
function bare(store: TokenStore) {
  const { pepper: _, ...options } = plain
  return nodeOver(store, options as object)
}

type Instance = ReturnType<typeof nodeOver>

async function files() {
  const folder = await ownFolder()
  onTestFinished(() => folder.remove())
  return { old: folder.path('old.db'), to: folder.path('new.db') }
}

const ids = (page: { readonly items: readonly { readonly id: string }[] }): string[] => page.items.map(({ id }) => id).sort()

describe('during a copy', () => {
  it('a copy allows writes to continue and includes every acknowledged write with its event', async () => {
    const { old, to } = await files()
    const [before, after] = [nodeOver(sqliteStore(old)), nodeOver(sqliteStore(to))]
    await fill(before)
    let writing = true
    const made: string[] = []
    const refused: string[] = []
    let tellRefused = (): void => undefined
    const firstRefused = new Promise<void>((resolve) => {
      tellRefused = resolve
    })
    const writers = [0, 1, 2].map(async (turn) => {
      while (writing) {
        const outcome = await refusal(
          mint(before, { name: `by ${turn}` }).then(async ({ record }) => {
            made.push(record.id)
            if (turn === 1) await before.system.revoke(record.id)
            if (turn === 2) await before.system.prune({ before: Date.now() - 1 })
          }),
        )
        if (outcome !== 'done') {
          refused.push(outcome)
          tellRefused()
        }
        // Each change is copied and compared, so a faster loop would prove nothing more.
        await new Promise((resolve) => setTimeout(resolve, 20))
      }
    })
    await copy(before, after)
    await copy(before, after, { step: 'fence' })
    await firstRefused
    writing = false
    await Promise.all(writers)
    await copy(before, after, { step: 'open' })
    expect(new Set(refused)).toEqual(new Set(['store_moving']))
    const now = nodeOver(sqliteStore(to))
    const [left, there] = [await contentOf(nodeOver(sqliteStore(old), { prefix: 'acme_other' })), await contentOf(now)]
    expect(left.records).toEqual([])
    const created = new Set(there.events.filter(({ action }) => action === 'token.created').map(({ tokenId }) => tokenId))
    expect(made.filter((id) => !created.has(id))).toEqual([])
    expect(await now.system.verifyAudit()).toMatchObject({ ok: true })
  }, 120_000)

  it('the new instance answers 503 during a copy instead of rejecting tokens that it does not have yet', async () => {
    const [old, to] = [nodeOver(memoryStore()), memoryStore()]
    const { token } = await mint(old)
    const early = nodeOver(to, { cache: false })
    const running = nodeOver(to)
    expect(await verdict(running.verify(token))).toBe('token_unknown')
    await copy(old, early)
    for (const node of [early, running]) await expect.poll(() => verdict(node.verify(token))).toBe('store_unavailable')
    await copy(old, early, { step: 'fence' })
    for (const node of [early, running]) await expect.poll(() => verdict(node.verify(token))).toBe('ok')
    expect(await refusal(mint(early))).toBe('store_moving')
    await copy(old, early, { step: 'open' })
    expect(await refusal(mint(early))).toBe('done')
    for (const node of [early, running]) expect(await verdict(node.verify(token))).toBe('ok')
  })

  it('health and doctor show the progress of a move and the next step on the old and the new instance', async () => {
    const [old, to] = [nodeOver(memoryStore(), QUICK), nodeOver(memoryStore(), QUICK)]
    await mint(old)
    const seen = async () => {
      const both = await Promise.all([old.health(), to.health()])
      const checks = both.map((health) => healthChecks(health, true).find(({ name }) => name === 'move'))
      return both.map(({ ok, store }, index) => [
        ok,
        store.move,
        checks[index]?.ok ?? 'fine',
        checks[index]?.advice?.match(/--step \w+|new store/)?.[0],
      ])
    }
    expect(await seen()).toEqual([
      [true, undefined, 'fine', undefined],
      [true, undefined, 'fine', undefined],
    ])
    await copy(old, to)
    await expect.poll(seen).toEqual([
      [true, 'leaving', 'fine', undefined],
      [false, 'arriving', false, '--step fence'],
    ])
    await copy(old, to, { step: 'fence' })
    await expect.poll(seen).toEqual([
      [true, 'fenced', false, '--step open'],
      [true, 'ready', false, '--step open'],
    ])
    await copy(old, to, { step: 'open' })
    await expect.poll(seen).toEqual([
      [false, 'left', false, 'new store'],
      [true, undefined, 'fine', undefined],
    ])
  })

  it('copy() waits until the lease of a disconnected old node ends', async () => {
    const [store, to] = [memoryStore(), memoryStore()]
    const [old, now] = [nodeOver(store, QUICK), nodeOver(to, QUICK)]
    await mint(old)
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
    onTestFinished(() => void vi.useRealTimers())
    const { cursor } = await store.changes(undefined, 1)
    await store.renewLease({ nodeId: nodeIdOf('cut', 60_000), cursor, expiresAt: Date.now() })
    const opened = { yet: false }
    void copy(old, now, { step: 'open' }).then(() => {
      opened.yet = true
    })
    const states = async () => [(await store.readMove?.('acme_test'))?.state, (await to.readMove?.('acme_test'))?.state]
    await vi.advanceTimersByTimeAsync(59_000)
    expect(await states()).toEqual(['fenced', 'arriving'])
    await vi.advanceTimersByTimeAsync(2_000)
    expect(await states()).toEqual(['left', 'ready'])
    await vi.advanceTimersByTimeAsync(58_000)
    expect(await states()).toEqual(['left', 'ready'])
    await vi.advanceTimersByTimeAsync(130_000)
    expect(opened.yet).toBe(true)
  })

  it("copy() with step 'open' finishes only once an old node without a cache accepts no more tokens", async () => {
    const [store, to] = [memoryStore(), memoryStore()]
    const running = nodeOver(store, { cache: false, usage: false })
    const [old, now] = [nodeOver(store, { ...QUICK, usage: false }), nodeOver(to, { ...QUICK, usage: false })]
    const { token, record } = await mint(running)
    await copy(old, now, { step: 'fence' })
    expect(await verdict(running.verify(token))).toBe('ok')
    await copy(old, now, { step: 'open' })
    await now.system.revoke(record.id)
    expect(await verdict(running.verify(token))).toBe('store_unavailable')
  })

  it('an old node that flushes its usage after the move is refused and reports the error', async () => {
    const faults: string[] = []
    const [store, to] = [memoryStore(), memoryStore()]
    const [old, now] = [nodeOver(store), nodeOver(to)]
    const late = nodeOver(store, {
      usage: { flushEvery: 60 },
      onError: ({ where, error }) => void faults.push(`${where}: ${error.message}`),
      logger: false,
    })
    const { token, record } = await mint(old)
    expect(await verdict(late.verify(token))).toBe('ok')
    await copy(old, now, { step: 'open' })
    const kept = await store.usage({ tokenIds: [record.id] })
    await expect(late.flush()).rejects.toMatchObject({ code: 'store_unavailable' })
    expect(await store.usage({ tokenIds: [record.id] })).toEqual(kept)
    expect(faults.join()).toContain('store.recordUsage: the tokens were moved to another store')
    expect((await late.health()).usage).toEqual({ pending: 1, dropped: 0 })
  })

  it('during a move, the management API refuses writes with 503, store_moving and Retry-After, but still serves reads', async () => {
    const h = harness()
    const { id } = await h.create(superadmin, { name: 'x', scopes: ['inventory:read'] })
    await h.store.saveMove?.('acme_live', undefined, { state: 'fenced', moveId: 'm', runId: 'r' })
    for (const [method, path, body] of [
      ['POST', '', { name: 'y', scopes: ['inventory:read'] }],
      ['PATCH', `/${id}`, { name: 'z' }],
      ['POST', `/${id}/revoke`, {}],
      ['POST', '/revoke-all', { all: true }],
    ] as const) {
      const answer = await h.call(method, path, { actor: superadmin, body })
      expect([answer.status, answer.body.code, answer.headers.get('retry-after')]).toEqual([503, 'store_moving', '5'])
    }
    expect((await h.call('GET', `/${id}`, { actor: superadmin })).status).toBe(200)
  })
})

describe('an interrupted copy', () => {
  it.each([
    ['copy', 'tokens', 'leaving'],
    ['last', 'events', 'fenced'],
  ])(
    'a copy killed in the %s pass over %s continues after a restart',
    async (pass, part, state) => {
      const { old, to } = await files()
      const before = bare(sqliteStore(old))
      const { token } = await mint(before)
      await Promise.all(Array.from({ length: 220 }, (_, at) => mint(before, { name: `Token ${at}` })))
      const script = await bundled(new URL('child.ts', import.meta.url))
      const child = spawn(process.execPath, [script, old, to, pass, part], { stdio: ['ignore', 'pipe', 'inherit'] })
      await once(child.stdout, 'data')
      child.kill('SIGKILL')
      await once(child, 'exit')
      expect((await sqliteStore(old).readMove?.('acme_test'))?.state).toBe(state)
      expect(await verdict(before.verify(token))).toBe('ok')
      expect(await refusal(mint(before, { name: 'meanwhile' }))).toBe(state === 'fenced' ? 'store_moving' : 'done')
      const { parts } = await copy(before, bare(sqliteStore(to)), { step: 'open' })
      const count = state === 'fenced' ? 221 : 222
      expect(parts?.tokens.count).toBe(count)
      if (state === 'fenced') expect(parts?.tokens.written).toBe(0)
      const now = bare(sqliteStore(to))
      expect(await verdict(now.verify(token))).toBe('ok')
      expect((await now.system.list({ limit: 1000 })).items).toHaveLength(count)
    },
    120_000,
  )

  it('a copy whose last response is lost is rolled back before writes resume', async () => {
    const [source, target] = [memoryStore(), memoryStore()]
    let lose = true
    const losing = interceptStore(target, ({ method, args }, proceed) => {
      const answer = proceed()
      if (!lose || method !== 'saveMove' || (args[2] as { state?: string } | undefined)?.state !== 'ready') return answer
      return Promise.resolve(answer).then(() => {
        throw new Error('the connection was lost')
      })
    })
    const [old, now] = [nodeOver(source), nodeOver(losing, QUICK)]
    const { token, record } = await mint(old)
    expect(await refusal(copy(old, now, { step: 'fence' }))).toBe('store_unavailable')
    await old.system.revoke(record.id)
    await expect.poll(() => verdict(now.verify(token))).toBe('store_unavailable')
    lose = false
    await copy(old, now, { step: 'fence' })
    await expect.poll(() => verdict(now.verify(token))).toBe('token_revoked')
    expect(await refusal(mint(old))).toBe('store_moving')
    await copy(old, now, { step: 'open' })
  })

  it('writes stay fenced while an outage leaves it unclear which nodes may verify, and a later run can cancel', async () => {
    const [source, target] = [memoryStore(), memoryStore()]
    let down = false
    const failing = interceptStore(target, ({ method, args }, proceed) => {
      const answer = proceed()
      if (method === 'saveMove' && (args[2] as { state?: string } | undefined)?.state === 'ready') down = true
      if (!down || (method !== 'saveMove' && method !== 'readMove')) return answer
      return Promise.reject(new Error('down'))
    })
    const [old, now] = [nodeOver(source), nodeOver(failing, QUICK)]
    const { token, record } = await mint(old)
    expect(await refusal(copy(old, now, { step: 'fence' }))).toBe('store_unavailable')
    expect(await refusal(old.system.revoke(record.id))).toBe('store_moving')
    const again = nodeOver(target, QUICK)
    await copy(old, again, { step: 'cancel' })
    await old.system.revoke(record.id)
    await copy(old, again, { step: 'open' })
    await expect.poll(() => verdict(again.verify(token))).toBe('token_revoked')
  })

  it('a copy that fails, is aborted or is canceled re-enables writes', async () => {
    const [old, to] = [memoryStore(), memoryStore()]
    const [before, after] = [nodeOver(old), nodeOver(to, QUICK)]
    await mint(before)
    const abort = new AbortController()
    const onProgress = ({ pass }: CopyProgress): void => {
      if (pass === 'last') abort.abort()
    }
    await expect(copy(before, after, { step: 'fence', onProgress, signal: abort.signal })).rejects.toThrow()
    expect(await refusal(mint(before))).toBe('done')
    const lossy = {
      ...to,
      restore: (rows: Parameters<NonNullable<typeof to.restore>>[0]) => to.restore?.({ ...rows, events: [] }) ?? 'taken',
    }
    const lying = nodeOver(lossy as TokenStore, QUICK)
    await expect(copy(before, lying, { step: 'fence' })).rejects.toThrow('the events of the two stores differ after the copy')
    expect(await refusal(mint(before))).toBe('done')
    await copy(before, after, { step: 'fence' })
    expect(await refusal(mint(before))).toBe('store_moving')
    expect(await copy(before, after, { step: 'cancel' })).toEqual({ step: 'cancel', damagedEvents: [], damagedTokens: [] })
    expect(await refusal(mint(before))).toBe('done')
    await copy(before, after, { step: 'open' })
    expect(ids(await after.system.list({ limit: 100 }))).toHaveLength(4)
    await expect(copy(before, after, { step: 'cancel' })).rejects.toThrow('nothing to cancel')
    await expect(copy(before, after)).rejects.toThrow('the tokens were already moved out of the memory store')
  })
})

describe('two concurrent copies', () => {
  it('a later copy takes over, and the earlier copy writes nothing more', async () => {
    const [old, to] = [memoryStore(), memoryStore()]
    const [before, after] = [nodeOver(old), nodeOver(to)]
    await mint(before)
    let goOn: (() => void) | undefined
    const waiting = new Promise<void>((resolve) => {
      goOn = resolve
    })
    let began: (() => void) | undefined
    const started = new Promise<void>((resolve) => {
      began = resolve
    })
    const onProgress = async (): Promise<void> => {
      began?.()
      await waiting
    }
    const first = copy(before, after, { step: 'open', onProgress })
    await started
    await copy(before, after, { step: 'fence' })
    goOn?.()
    await expect(first).rejects.toThrow('another copy run for these stores has started in the meantime')
    expect(await refusal(mint(before))).toBe('store_moving')
    await copy(before, after, { step: 'open' })
    expect(await refusal(mint(after))).toBe('done')
  })
})

describe('rejected copies', () => {
  it.each([
    ['a different prefix', { prefix: 'acme_other' }, 'to.prefix: must be acme_test'],
    ['a different pepper', { pepper: 'another pepper that is long enough 1' }, 'to.pepper: must accept every pepper'],
    ['a different import key', { imports: { key: 'another key that is long enough 12345', formats: [] } }, 'imports'],
  ])('copy() rejects a target instance with %s', async (_, options, message) => {
    const make = (): unknown => copy(nodeOver(memoryStore()), nodeOver(memoryStore(), options as object))
    await expect(async () => make()).rejects.toThrow(message)
  })

  it('copy() rejects the same store, a store with tokens, and a store with an unfinished copy from another store', async () => {
    const store = memoryStore()
    const before = nodeOver(store)
    await mint(before)
    await expect(copy(before, nodeOver(store))).rejects.toThrow('to.store: must not be the store of the old instance')
    await expect(copy(before, nodeOver({ ...store }))).rejects.toThrow('both instances use the same store')
    expect(await store.readMove?.('acme_test')).toBeUndefined()
    const full = nodeOver(memoryStore())
    await mint(full)
    await expect(copy(before, full)).rejects.toThrow('already contains tokens of the prefix acme_test')
    expect(await refusal(mint(full))).toBe('done')
    const begun = nodeOver(memoryStore())
    await copy(nodeOver(memoryStore()), begun)
    await expect(copy(before, begun)).rejects.toThrow('contains an unfinished copy from another store')
  })

  it('copy() accepts a prefix that is also a property name of every object', async () => {
    const { old, to } = await files()
    const [before, after] = [old, to].map((file) => nodeOver(sqliteStore(file), { prefix: 'constructor' })) as [Instance, Instance]
    const { token } = await mint(before)
    await copy(before, after, { step: 'open' })
    expect(await verdict(after.verify(token))).toBe('ok')
  })

  it('a store with tokens keeps them and stays in service when a copy into it fails before the tokens are found', async () => {
    const store = memoryStore()
    let fails = false
    const list: TokenStore['list'] = (query) => {
      if (fails) throw new Error('the connection was lost')
      return store.list(query)
    }
    const [before, full] = [nodeOver(memoryStore()), nodeOver({ ...store, list })]
    const { token } = await mint(full)
    fails = true
    expect(await refusal(copy(before, full))).toBe('store_unavailable')
    fails = false
    expect(await refusal(mint(full))).toBe('done')
    await expect(copy(before, full)).rejects.toThrow('already contains tokens of the prefix acme_test')
    expect(await verdict(full.verify(token))).toBe('ok')
  })
})

it.skipIf(postgres.skip)(
  'the fence waits for an open host transaction and copies its token',
  async () => {
    const { url, schema, remove } = await ownSchema(postgres.url ?? '')
    onTestFinished(remove)
    const [before, after] = [nodeOver(postgresStore({ url, schema })), nodeOver(memoryStore())]
    await mint(before)
    const transaction = new Client({ connectionString: url })
    await transaction.connect()
    onTestFinished(() => transaction.end())
    await transaction.query('begin')
    const { token } = await before.system.create({ name: 'in a transaction', scopes: ['stock:read'] }, { transaction })
    let fenced = false
    const done = copy(before, after, { step: 'fence' }).then(() => {
      fenced = true
    })
    await expect.poll(async () => (await mint(before)).record.id.length, { timeout: 20_000 }).toBe(16)
    expect(fenced).toBe(false)
    await transaction.query('commit')
    await done
    expect(await verdict(after.verify(token))).toBe('ok')
  },
  60_000,
)
