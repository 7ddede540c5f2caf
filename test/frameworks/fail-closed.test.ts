import { type Latchkey, latchkey } from 'latchkey'
import { memoryStore } from 'latchkey/stores/memory'
import { type FaultPlan, faultyStore } from 'latchkey/testing'
import { describe, expect, it } from 'vitest'
import type { HttpHarness } from '../http-contract/types.js'
import { harnesses } from '../support/http/harnesses.js'

const ERRORS: readonly (readonly [string, unknown])[] = [
  ['Error', new Error('store')],
  ['undefined', undefined],
  ['null', null],
  ["''", ''],
  ['0', 0],
  ["'route'", 'route'],
  ["'router'", 'router'],
]

/** Results of `find` other than the right row. */
const ANSWERS: readonly (readonly [string, (row: object) => unknown, 'token_invalid' | 'token_expired' | 'store_unavailable'])[] = [
  ['a row with another ID', (row) => [{ ...row, id: 'AAAAAAAAAAAAAAAA' }], 'store_unavailable'],
  ['no row', () => [], 'token_invalid'],
  ['a row without a digest', (row) => [{ ...row, digest: undefined }], 'store_unavailable'],
  ['a row with another digest', (row) => [{ ...row, digest: '0'.repeat(64) }], 'token_invalid'],
  ['a row without scopes', (row) => [{ ...row, scopes: undefined }], 'store_unavailable'],
  ['a row whose scopes are text', (row) => [{ ...row, scopes: '*' }], 'store_unavailable'],
  ['a row with a corrupt expiry', (row) => [{ ...row, expiresAt: 'soon' }], 'token_expired'],
  ['an empty row', () => [{}], 'store_unavailable'],
  ['{}', () => ({}), 'store_unavailable'],
  ['true', () => true, 'store_unavailable'],
  ['null', () => null, 'store_unavailable'],
  ['undefined', () => undefined, 'store_unavailable'],
]

type Answered = { readonly status: number; readonly retryAfter: string | null; readonly code: unknown; readonly ran: number }

/** Creates a token on a working store and presents it on a node whose store has the fault. */
async function askOver(harness: HttpHarness, planOf: (row: object) => FaultPlan): Promise<Answered> {
  const sound = memoryStore()
  const setUp = instance(sound)
  const { token, record } = await setUp.system.create({ name: 'good', scopes: ['a:read'] })
  const [row] = await sound.find([record.id])
  await setUp.close()
  const tokens = instance(faultyStore(sound, planOf(row ?? {})))
  let ran = 0
  const running = await harness.start({
    tokens,
    options: {},
    trustProxy: false,
    routes: [
      {
        method: 'ALL',
        path: '/api/x',
        guarded: true,
        nested: false,
        requirement: () => undefined,
        answer: async () => {
          ran += 1
          return {}
        },
      },
    ],
  })
  try {
    const response = await fetch(`http://127.0.0.1:${running.port}/api/x`, { headers: { authorization: `Bearer ${token}` } })
    const body: unknown = await response.json()
    return { status: response.status, retryAfter: response.headers.get('retry-after'), code: Reflect.get(Object(body), 'code'), ran }
  } finally {
    await running.close()
    await tokens.close().catch(() => undefined)
  }
}

function instance(store: ReturnType<typeof memoryStore>): Latchkey {
  return latchkey({ prefix: 'acme_live', store, scopes: { 'a:read': 'Read' }, cache: false, usage: false, deadline: 0.15 })
}

const UNAVAILABLE = { status: 503, retryAfter: '1', code: 'store_unavailable', ran: 0 }

describe.each(harnesses.map((harness) => [harness.name, harness] as const))('%s with a failing store', (_name, harness) => {
  it.each(ERRORS)('the guard answers 503 when find throws or rejects with %s', async (_what, error) => {
    expect(await askOver(harness, () => ({ find: { do: 'fail', error, how: 'throw' } }))).toEqual(UNAVAILABLE)
    expect(await askOver(harness, () => ({ find: { do: 'fail', error, how: 'reject' } }))).toEqual(UNAVAILABLE)
  })

  it('the guard answers 503 when find never settles', async () => {
    expect(await askOver(harness, () => ({ find: { do: 'hang' } }))).toEqual(UNAVAILABLE)
  })

  it.each(ANSWERS)('the guard does not admit the token when find returns %s', async (_what, make, code) => {
    const answered = await askOver(harness, (row) => ({ find: { do: 'answer', value: make(row) } }))
    expect(answered).toEqual(code === 'store_unavailable' ? UNAVAILABLE : { status: 401, retryAfter: null, code, ran: 0 })
  })

  it('the guard admits a valid token when the store works', async () => {
    expect(await askOver(harness, () => ({}))).toEqual({ status: 200, retryAfter: null, code: undefined, ran: 1 })
  })
})
