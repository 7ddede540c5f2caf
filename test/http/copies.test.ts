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

/** Loads a separate copy of the package. */
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
  it('a request accepted by one copy is refused with 500 by the other copy’s scope check', async () => {
    const [first, second] = [await load(), await load()]
    const request = await admitted(first)
    const check = second.scopes.createScopeCheck<FakeRequest>(['inventory:read'])
    expect(await check(request)).toMatchObject({ status: 500, body: expect.stringContaining('misconfigured') })
  })

  it('an instance from another copy is rejected with a message about the two copies', async () => {
    const [first, second] = [await load(), await load()]
    const tokens = first.core.latchkey({ prefix: 'acme', store: memoryStore(), scopes: { 'inventory:read': 'See stock' } })
    second.core.latchkey({ prefix: 'acme', store: memoryStore(), scopes: { 'inventory:read': 'See stock' } })
    expect(() => second.guard.createGuard(tokens, {}, fakePlatform())).toThrow(
      /two copies of latchkey.*some files use import and others require\(\): use only one of them.*LATCHKEY_W007 in \S+docs\/diagnostics\.md/,
    )
    await tokens.close()
  })

  it('the warning about two copies names their files', async () => {
    const emit = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined)
    const [first, second] = [await load(), await load()]
    const request = await admitted(first)
    await second.scopes.createScopeCheck<FakeRequest>(['inventory:read'])(request)
    const [text, options] = emit.mock.calls[0] as unknown as [string, Pick<Warning, 'code'>]
    expect(options.code).toBe('LATCHKEY_W007')
    expect(text).toMatch(/two copies of latchkey are loaded in this process.*src\/model\/copies\.ts.* and .*src\/model\/copies\.ts/)
  })

  it('a scope check of the same copy still works when a second copy is loaded', async () => {
    const [first] = [await load(), await load()]
    const request = await admitted(first)
    expect(await first.scopes.createScopeCheck<FakeRequest>(['inventory:read'])(request)).toBeUndefined()
  })

  it("forged globals cannot make one copy trust another's admission", async () => {
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
    ['a huge number of entries', Array.from({ length: 1000 }, () => ({ file: 'x'.repeat(10_000) }))],
  ])('the warning about copies stays short and on one line with forged globals: %s', async (_what, value) => {
    const emit = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined)
    Reflect.set(globalThis, COPIES, value)
    const copy = await load()
    await copy.scopes.createScopeCheck<FakeRequest>(['inventory:read'])(withToken())
    const [text] = emit.mock.calls[0] as unknown as [string]
    expect(text.length).toBeLessThan(4000)
    expect(text).not.toContain('\n')
  })

  it('a store shared by two copies is closed once, when the last instance closes', async () => {
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
