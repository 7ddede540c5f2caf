import type { OwnerPermissions } from 'latchkey'
import { memoryStore } from 'latchkey/stores/memory'
import { AWKWARD_ERRORS, type Fault, faultyStore } from 'latchkey/testing'
import { describe, expect, it } from 'vitest'
import { LatchkeyError } from '../../src/errors.js'
import { deciderOf } from '../../src/instance.js'
import type { StoredToken } from '../../src/model/record.js'
import { instance, mint, pause, until, verdict, warm } from './harness.js'

const show = (value: unknown): string => (value instanceof Error ? String(value) : (JSON.stringify(value) ?? String(value)))

const thenable = {
  // biome-ignore lint/suspicious/noThenProperty: a foreign promise is what is tested
  then() {
    throw 'route'
  },
}

const FAULTS: readonly (readonly [string, Fault])[] = [
  ...AWKWARD_ERRORS.flatMap((error): (readonly [string, Fault])[] => [
    [`throws ${show(error)}`, { do: 'fail', error, how: 'throw' }],
    [`rejects with ${show(error)}`, { do: 'fail', error }],
  ]),
  ['rejects with a latchkey error', { do: 'fail', error: new LatchkeyError('rate_limited', 'no') }],
  ['throws a latchkey error', { do: 'fail', error: new LatchkeyError('token_unknown', 'no'), how: 'throw' }],
  ['returns a promise whose then() throws', { do: 'answer', value: thenable }],
  ['never settles', { do: 'hang' }],
  ['loses its response', { do: 'lose-answer' }],
  ...[undefined, null, {}, true, 'rows', 0, { length: 1 }].map((value): readonly [string, Fault] => [
    `answers ${show(value)}`,
    { do: 'answer', value },
  ]),
  ...[undefined, null, {}, [], true, 'row', { id: 5 }].map((value): readonly [string, Fault] => [
    `answers the row ${show(value)}`,
    { do: 'answer', value: [value] },
  ]),
]

const ROWS: { readonly [what: string]: (row: StoredToken) => unknown } = {
  'with another ID': (row) => ({ ...row, id: 'A'.repeat(16) }),
  'next to one with another ID': (row) => [row, { ...row, id: 'A'.repeat(16) }],
  'without an ID': ({ id: _, ...row }) => row,
  'without a digest': ({ digest: _, ...row }) => row,
  'with an empty digest': (row) => ({ ...row, digest: '' }),
  'with a digest in upper case': (row) => ({ ...row, digest: row.digest.toUpperCase().replace(/^./, 'A') }),
  'without scopes': ({ scopes: _, ...row }) => row,
  'with a string as scopes': (row) => ({ ...row, scopes: 'stock:read' }),
  'with a number as a scope': (row) => ({ ...row, scopes: ['stock:read', 5] }),
  'with null as allowed IPs': (row) => ({ ...row, allowedIps: null }),
  'with a list as resources': (row) => ({ ...row, resources: [] }),
  'with a string as metadata': (row) => ({ ...row, metadata: '{}' }),
  'with metadata that cannot be copied': (row) => ({ ...row, metadata: { hook: () => 1 } }),
  'without a name': ({ name: _, ...row }) => row,
  'that throws when it is read': (row) => ({
    ...row,
    get scopes(): never {
      throw 'router'
    },
  }),
  'whose ID throws when it is read': () => ({
    get id(): never {
      throw null
    },
  }),
}

for (const cache of [{}, false] as const) {
  describe(`a failing store, ${cache === false ? 'without' : 'with'} a cache`, () => {
    for (const [what, fault] of FAULTS) {
      it(`a store failure admits nothing, and the token works again afterward: the store ${what}`, async () => {
        const store = faultyStore(memoryStore())
        const tokens = instance({ store, cache, deadline: 0.15 })
        const { token } = await mint(tokens)
        store.behave({ find: fault })
        expect(await verdict(tokens.verify(token))).toBe('store_unavailable')
        expect(await verdict(tokens.verify(token))).toBe('store_unavailable')
        store.behave()
        expect(await verdict(tokens.verify(token))).toBe('ok')
      })
    }

    for (const [what, corrupt] of Object.entries(ROWS)) {
      it(`a corrupt row admits nothing: a row ${what}`, async () => {
        const shared = memoryStore()
        const store = faultyStore(shared)
        const tokens = instance({ store, cache })
        const { token, record } = await mint(tokens)
        const [row] = await shared.find([record.id])
        if (row === undefined) throw new Error('no row')
        store.behave({ find: { do: 'answer', value: [corrupt(row)].flat() } })
        expect(await verdict(tokens.verify(token))).toBe('store_unavailable')
        store.behave()
        expect(await verdict(tokens.verify(token))).toBe('ok')
      })
    }

    it('a token that the store briefly reports as missing is accepted again in less than a second', async () => {
      const store = faultyStore(memoryStore())
      const tokens = instance({ store, cache })
      const other = await mint(tokens)
      const { token } = await mint(tokens)
      if (cache !== false) await warm(tokens, other.token)
      store.behave({ find: { do: 'answer', value: [] } })
      expect(await verdict(tokens.verify(token))).toBe('token_unknown')
      store.behave()
      await pause(600)
      expect(await verdict(tokens.verify(token))).toBe('ok')
    })

    it('valid tokens are accepted when read together with a corrupt row', async () => {
      const shared = memoryStore()
      const store = faultyStore(shared)
      const tokens = instance({ store, cache })
      const good = await mint(tokens)
      const bad = await mint(tokens)
      const [goodRow] = await shared.find([good.record.id])
      const [badRow] = await shared.find([bad.record.id])
      store.behave({ find: { do: 'answer', value: [goodRow, { ...badRow, digest: null }] } })
      const both = await Promise.all([verdict(tokens.verify(good.token)), verdict(tokens.verify(bad.token))])
      expect(both).toEqual(['ok', 'store_unavailable'])
    })
  })
}

describe('a store whose setup fails', () => {
  it('a failed store setup admits nothing and is retried by the next call', async () => {
    const shared = { ...memoryStore(), migrate: () => undefined }
    const store = faultyStore(shared)
    const tokens = instance({ store, deadline: 0.15 })
    const other = instance({ store: shared })
    const { token } = await mint(other)
    for (const fault of [
      { do: 'fail', error: '' },
      { do: 'fail', error: null, how: 'throw' },
      { do: 'delay', milliseconds: 300 },
    ] as const) {
      store.behave({ migrate: fault })
      expect(await verdict(tokens.verify(token))).toBe('store_unavailable')
    }
    store.behave()
    await until(async () => (await verdict(tokens.verify(token))) === 'ok')
  })
})

describe('a failing owner callback', () => {
  const hook: { answer: () => unknown } = { answer: () => ({ scopes: [] }) }
  const answers: readonly (readonly [string, () => unknown])[] = [
    ...AWKWARD_ERRORS.flatMap((error): (readonly [string, () => unknown])[] => [
      [
        `throws ${show(error)}`,
        () => {
          throw error
        },
      ],
      [`rejects with ${show(error)}`, () => Promise.reject(error)],
    ]),
    ['rejects with a latchkey error', () => Promise.reject(new LatchkeyError('rate_limited', 'no'))],
    ['returns a promise whose then() throws', () => thenable],
    ['never settles', () => new Promise(() => undefined)],
    ...[
      undefined,
      {},
      true,
      'stock:read',
      0,
      Number.NaN,
      ['stock:read'],
      { scopes: 'stock:read' },
      { scopes: [5] },
      { scopes: [null] },
      { scopes: new Set(['stock:read']) },
      { scopes: ['stock:read'], resources: null },
      { scopes: ['stock:read'], resources: ['w1'] },
      { scopes: ['stock:read'], resources: { warehouse: 'w1' } },
    ].map((value): readonly [string, () => unknown] => [`answers ${show(value)}`, () => value]),
    [
      'returns a list that throws when it is read',
      () =>
        new Proxy(
          { scopes: ['stock:read'] },
          {
            get() {
              throw 'route'
            },
          },
        ),
    ],
  ]
  for (const ownerStaleness of [0, 30]) {
    for (const [what, answer] of answers) {
      it(`a failing owner callback admits nothing and is not cached: it ${what} (cached for ${ownerStaleness} s)`, async () => {
        const tokens = instance({
          owner: () => hook.answer() as OwnerPermissions,
          cache: { ownerStaleness },
          deadline: 0.15,
        })
        const { token } = await mint(tokens, { ownerId: 'u1' })
        const unowned = await mint(tokens)
        await warm(tokens, unowned.token)
        hook.answer = answer
        expect(await verdict(tokens.verify(token))).toBe('store_unavailable')
        expect(await verdict((async () => deciderOf(tokens).decide(token))())).toBe('store_unavailable')
        expect(await verdict(tokens.verify(unowned.token))).toBe('ok')
        hook.answer = () => ({ scopes: ['stock:read'] })
        expect(await verdict(tokens.verify(token))).toBe('ok')
      })
    }
  }
})
