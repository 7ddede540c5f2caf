import { describe, expect, it } from 'vitest'
import { OpenUses } from '../../src/activity/open-uses.js'
import { type Admission, admissionOf, admit, withdraw } from '../../src/http/admission.js'
import { createGuard } from '../../src/http/authenticate.js'
import { createScopeCheck } from '../../src/http/require-scopes.js'
import { pause } from '../latchkey/harness.js'
import { allowing, type FakeRequest, fakePlatform, fakePrincipal, fakeTokens } from './fake.js'

type OnNode = FakeRequest & { readonly rawHeaders?: readonly string[]; readonly raw?: object; readonly req?: object }

const list = (): string[] => ['Authorization', 'Bearer good']
const KINDS: readonly [kind: string, make: (rawHeaders: string[]) => OnNode][] = [
  ['as on Express', (rawHeaders) => ({ headers: rawHeaders, rawHeaders })],
  ['as on Fastify', (rawHeaders) => ({ headers: rawHeaders, raw: { rawHeaders } })],
  ['as on Koa', (rawHeaders) => ({ headers: rawHeaders, req: { rawHeaders } })],
  ['as on Hono', (rawHeaders) => ({ headers: rawHeaders, req: { raw: {} } })],
  ['as on the web', (rawHeaders) => ({ headers: rawHeaders })],
]
const guard = createGuard<OnNode>(
  fakeTokens((token) => (token === 'good' ? allowing(fakePrincipal(['a:read'])) : { ok: false, code: 'token_unknown' })),
  { onWarning: () => undefined },
  fakePlatform(),
)
const check = createScopeCheck<OnNode>(['a:read'])

const statusOf = async (request: OnNode): Promise<number | undefined> => (await check(request))?.status

/** Returns the mark that a guard left on a list of header fields, and its key. */
function markOn(fields: object): { readonly key: symbol; readonly mark: object } {
  const [key = Symbol('none')] = Object.getOwnPropertySymbols(fields)
  return { key, mark: Reflect.get(fields, key) }
}

describe.each(KINDS)('a request %s', (_kind, make) => {
  it('a request accepted by a guard passes a scope check, and no other request does', async () => {
    const request = make(list())
    expect(await statusOf(request)).toBe(500)
    await guard(request)
    expect(await statusOf(request)).toBeUndefined()
    expect(await statusOf(make(list()))).toBe(500)
  })

  it('a request is no longer admitted after a later guard refuses it', async () => {
    const fields = list()
    const request = make(fields)
    await guard(request)
    fields[1] = 'Bearer bad'
    expect((await guard(request)).response?.status).toBe(401)
    expect(await statusOf(request)).toBe(500)
  })

  it('a request can be authenticated again, and then has the later guard’s principal', async () => {
    const request = make(list())
    const later = fakePrincipal(['a:read'], {}, 't2')
    await guard(request)
    await createGuard<OnNode>(
      fakeTokens(() => allowing(later)),
      { onWarning: () => undefined },
      fakePlatform(),
    )(request)
    expect(admissionOf(request)?.principal).toBe(later)
  })

  it('two requests that share their header fields keep separate admissions', async () => {
    const fields = list()
    const [first, second] = [make(fields), make(fields)]
    await guard(first)
    await guard(second)
    expect([await statusOf(first), await statusOf(second)]).toEqual([undefined, undefined])
    expect(withdraw(second)).toBeDefined()
    expect(withdraw(second)).toBeUndefined()
    expect([await statusOf(first), await statusOf(second)]).toEqual([undefined, 500])
  })

  it('a request with frozen header fields can be admitted', async () => {
    const request = make(Object.freeze(list()) as string[])
    await guard(request)
    expect(await statusOf(request)).toBeUndefined()
  })
})

describe.each(KINDS.slice(0, 3))('the mark that a guard leaves on a request %s', (_kind, make) => {
  it("a guard's mark admits no other request, whether it is copied, shared, spread, wrapped or inherited", async () => {
    const fields = list()
    const request = make(fields)
    await guard(request)
    const { key, mark } = markOn(fields)
    const bearing = (value: unknown): OnNode => make(Object.assign(list(), { [key]: value }))
    for (const other of [
      bearing(mark),
      make(fields),
      { ...request },
      new Proxy(request, {}),
      Object.create(request),
      structuredClone({ ...request }),
      bearing({ ...mark }),
      bearing(Object.create(mark)),
      bearing(new Proxy(mark, {})),
      make(new Proxy(fields, {})),
    ]) {
      expect(await statusOf(other)).toBe(500)
    }
    expect(await statusOf(request)).toBeUndefined()
  })

  it("a guard's mark cannot be forged through its constructor", async () => {
    const fields = list()
    const request = make(fields)
    await guard(request)
    const { key, mark } = markOn(fields)
    const other = make(Object.assign(list()))
    const Found = mark.constructor as new (...args: unknown[]) => object
    const admission = { guard: guard.guard, principal: fakePrincipal(['a:read']), use: undefined, spentMs: 0, limitedIn: [] }
    for (const args of [[], [other], [other, admission], [{}, other, admission], [undefined, other, admission]]) {
      expect(() => new Found(...args)).toThrow(TypeError)
      expect(() => Reflect.construct(Found, args, Object)).toThrow(TypeError)
    }
    expect(Reflect.ownKeys(mark)).toEqual([])
    expect(Reflect.ownKeys(Found).sort()).toEqual(['length', 'name', 'prototype'])
    expect(Object.getOwnPropertyNames(Object.getPrototypeOf(mark))).toEqual(['constructor'])
    expect(key.description).toBe('latchkey.mark')
  })

  it("a guard's mark that is restored after a later guard refused the request admits nothing", async () => {
    const fields = list()
    const request = make(fields)
    await guard(request)
    const { key, mark } = markOn(fields)
    fields[1] = 'Bearer bad'
    await guard(request)
    Reflect.set(fields, key, mark)
    expect(await statusOf(request)).toBe(500)
  })

  it('a mark copied from another request admits nothing, before or after a guard decides', async () => {
    const fields = list()
    const first = make(list())
    await guard(first)
    const planted = markOn((first.rawHeaders ?? Reflect.get(first.raw ?? first.req ?? {}, 'rawHeaders')) as object)
    const request = make(Object.assign(fields, { [planted.key]: planted.mark }))
    expect(await statusOf(request)).toBe(500)
    await guard(request)
    expect(await statusOf(request)).toBeUndefined()
    fields[1] = 'Bearer bad'
    await guard(request)
    expect(await statusOf(request)).toBe(500)
    expect(await statusOf(first)).toBeUndefined()
  })
})

describe('the admission that a guard leaves on a Hono context', () => {
  const contextOf = (more: object = {}): OnNode => ({ headers: list(), req: { raw: {} }, ...more })

  it('the mark on a Hono context admits no other context, whether it is copied, spread, wrapped or inherited', async () => {
    const context = contextOf()
    await guard(context)
    const { key, mark } = markOn(context)
    expect(key.description).toBe('latchkey.mark')
    for (const other of [
      contextOf({ [key]: mark }),
      contextOf({ [key]: { ...mark } }),
      contextOf({ [key]: Object.create(mark) }),
      { ...context },
      new Proxy(context, {}),
      Object.create(context),
    ]) {
      expect(await statusOf(other)).toBe(500)
      await guard(other)
      expect(await statusOf(other)).toBeUndefined()
    }
    expect(await statusOf(context)).toBeUndefined()
  })

  it('a mark that is restored on a Hono context after a later guard refused the request admits nothing', async () => {
    const fields = list()
    const context = contextOf({ headers: fields })
    await guard(context)
    const { key, mark } = markOn(context)
    fields[1] = 'Bearer bad'
    await guard(context)
    Reflect.set(context, key, mark)
    expect(await statusOf(context)).toBe(500)
  })

  it('a frozen Hono context can be admitted', async () => {
    const context = Object.freeze(contextOf())
    await guard(context)
    expect(await statusOf(context)).toBeUndefined()
  })
})

it("replacing a request's principal does not change its admission", () => {
  const request = { rawHeaders: list() }
  const admission: Admission = { guard: guard.guard, principal: fakePrincipal(['a:read']), use: undefined, spentMs: 0, limitedIn: [] }
  admit(request, admission)
  Object.assign(request, { principal: 'somebody else' })
  expect(admissionOf(request)).toBe(admission)
})

describe('a use whose client has left', () => {
  /** A request whose client left immediately, and the uses that were counted. `flushLater` flushes three seconds later. */
  async function abandoned() {
    let now = 0
    const openUses = new OpenUses(() => undefined)
    const more = { openUses, monotonic: () => now, deadlineMs: 60_000 }
    const tokens = fakeTokens(() => allowing(fakePrincipal(['a:read'], { shop: ['1'] })), more)
    const guard = createGuard<OnNode>(tokens, { onWarning: () => undefined }, fakePlatform())
    const request = { headers: list() }
    await guard(request)
    const response = { headersSent: false }
    admissionOf(request)?.use?.follow(() => 'GET /stock', undefined, response)()
    const flushLater = async (): Promise<void> => {
      now += 3_000
      await openUses.flush()
    }
    return { uses: tokens.uses, request, response, flushLater }
  }

  /** A check whose lookup waits until it is answered. */
  function waiting() {
    let answer: (value: Promise<string> | string) => void = () => undefined
    const lookup = new Promise<string>((resolve) => {
      answer = resolve
    })
    return { answer, check: createScopeCheck<OnNode>(['a:read', { shop: () => lookup }]) }
  }

  it.each([
    ['refuses it', '2', 'resource_denied'],
    ['allows it', '1', 'allowed'],
    ['fails', new Error('down'), 'lookup_failed'],
  ])('a use whose client has left is counted once, after a slow check has ended: the check %s', async (_how, found, outcome) => {
    const { uses, request, response, flushLater } = await abandoned()
    const { answer, check } = waiting()
    const checked = check(request)
    await flushLater()
    // A host's own timeout may answer in the meantime.
    response.headersSent = true
    await flushLater()
    expect(uses).toEqual([])
    answer(typeof found === 'string' ? found : Promise.reject(found))
    await checked
    await pause(0)
    await flushLater()
    expect(uses).toMatchObject([{ outcome }])
  })

  it('a use whose client has left is not counted while a second guard decides', async () => {
    const { uses, request, flushLater } = await abandoned()
    let fail: (error: unknown) => void = () => undefined
    const decision = new Promise((_resolve, reject) => {
      fail = reject
    })
    const second = createGuard<OnNode>(
      fakeTokens(() => decision),
      { onWarning: () => undefined },
      fakePlatform(),
    )
    const decided = second(request)
    await flushLater()
    expect(uses).toEqual([])
    fail(new Error('down'))
    await decided
    await flushLater()
    expect(uses).toMatchObject([{ outcome: 'undecided' }])
  })

  it('a use that is refused after it was counted is recorded as refused, but not counted again', async () => {
    const { uses, request, flushLater } = await abandoned()
    await flushLater()
    await createScopeCheck<OnNode>(['a:write'])(request)
    await flushLater()
    expect(uses).toEqual([
      { tokenId: 't1', endpoint: 'GET /stock', scope: '', outcome: 'allowed', isCounted: false },
      { tokenId: 't1', endpoint: 'GET /stock', scope: 'a:write', outcome: 'scope_insufficient', isCounted: true },
    ])
  })
})
