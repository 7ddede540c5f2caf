import { memoryStore } from 'latchkey/stores/memory'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Warning } from '../../src/http/diagnostics.js'
import { type FakeRequest, fakePlatform, withToken } from './fake.js'

const COPIES = Symbol.for('latchkey.copies')
const USERS = Symbol.for('latchkey.storeUsers')

type Copy = {
  readonly guard: typeof import('../../src/http/authenticate.js')
  readonly scopes: typeof import('../../src/http/require-scopes.js')
  readonly core: typeof import('latchkey')
}

/** A copy of the package of its own. */
const load = async (): Promise<Copy> => {
  vi.resetModules()
  return {
    guard: await import('../../src/http/authenticate.js'),
    scopes: await import('../../src/http/require-scopes.js'),
    core: await import('latchkey'),
  }
}

const admitted = async (copy: Copy): Promise<FakeRequest> => {
  const tokens = copy.core.latchkey({ prefix: 'acme', store: memoryStore(), scopes: { 'inventory:read': 'See stock' } })
  const { token } = await tokens.system.create({ name: 'ERP', scopes: ['inventory:read'] })
  const request = withToken(token)
  const outcome = await copy.guard.createGuard(tokens, {}, fakePlatform())(request)
  expect(outcome.principal).toBeDefined()
  await tokens.close()
  return request
}

const forget = (): void => {
  Reflect.deleteProperty(globalThis, COPIES)
  Reflect.deleteProperty(globalThis, USERS)
}

beforeEach(forget)
afterEach(() => {
  forget()
  vi.restoreAllMocks()
})

describe('two copies of the package in one process', () => {
  it('do not trust each other: what one let in, the check of the other refuses with 500', async () => {
    const [first, second] = [await load(), await load()]
    const request = await admitted(first)
    const check = second.scopes.createScopeCheck<FakeRequest>(['inventory:read'])
    expect(await check(request)).toMatchObject({ status: 500, body: expect.stringContaining('misconfigured') })
  })

  it('refuse each other an instance by a message that says so', async () => {
    const [first, second] = [await load(), await load()]
    const tokens = first.core.latchkey({ prefix: 'acme', store: memoryStore(), scopes: { 'inventory:read': 'See stock' } })
    second.core.latchkey({ prefix: 'acme', store: memoryStore(), scopes: { 'inventory:read': 'See stock' } })
    expect(() => second.guard.createGuard(tokens, {}, fakePlatform())).toThrow(/two copies of latchkey/)
    await tokens.close()
  })

  it('are named with their files in the warning', async () => {
    const emit = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined)
    const [first, second] = [await load(), await load()]
    const request = await admitted(first)
    await second.scopes.createScopeCheck<FakeRequest>(['inventory:read'])(request)
    const [text, options] = emit.mock.calls[0] as unknown as [string, Pick<Warning, 'code'>]
    expect(options.code).toBe('LATCHKEY_W007')
    expect(text).toMatch(/two copies of latchkey are loaded in this process.*src\/model\/copies\.ts.* and .*src\/model\/copies\.ts/)
  })

  it('leave a check of the same copy alone', async () => {
    const [first] = [await load(), await load()]
    const request = await admitted(first)
    expect(await first.scopes.createScopeCheck<FakeRequest>(['inventory:read'])(request)).toBeUndefined()
  })

  it('cannot be made to share an admission by what other code writes into globals', async () => {
    const copy = await load()
    vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined)
    const request = withToken()
    const guard = { tokens: {}, optional: true, refuse: () => undefined }
    const forged = { guard, principal: { allows: () => true, tokenId: 'x' } }
    for (const symbol of [COPIES, USERS, Symbol.for('latchkey.admissions')]) {
      Reflect.set(globalThis, symbol, new WeakMap([[request, forged]]))
      Reflect.set(request, symbol, forged)
    }
    const check = copy.scopes.createScopeCheck<FakeRequest>(['inventory:read'])
    expect(await check(request)).toMatchObject({ status: 500 })
  })

  it.each([
    ['no list', 'nonsense'],
    [
      'entries that throw',
      [
        new Proxy(
          {},
          {
            get: () => {
              throw new Error('no')
            },
          },
        ),
      ],
    ],
    ['a path with line breaks', [{ file: 'a\nb' }]],
    ['very many entries', Array.from({ length: 1000 }, () => ({ file: 'x'.repeat(10_000) }))],
  ])('are told of in a short line whatever stands among the globals: %s', async (_what, value) => {
    const emit = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined)
    Reflect.set(globalThis, COPIES, value)
    const copy = await load()
    await copy.scopes.createScopeCheck<FakeRequest>(['inventory:read'])(withToken())
    const [text] = emit.mock.calls[0] as unknown as [string]
    expect(text.length).toBeLessThan(4000)
    expect(text).not.toContain('\n')
  })

  it('close a store that both use once, when the last instance closes', async () => {
    const close = vi.fn(async () => undefined)
    const store = { ...memoryStore(), close }
    const make = ({ core }: Copy) => core.latchkey({ prefix: 'acme', store, scopes: { 'a:b': 'x' } })
    const [first, second] = [make(await load()), make(await load())]
    await first.close()
    expect(close).not.toHaveBeenCalled()
    await second.close()
    expect(close).toHaveBeenCalledOnce()
  })
})
