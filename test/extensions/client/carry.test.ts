import type { ServerResponse } from 'node:http'
import { inspect } from 'node:util'
import { type Client, createClient } from 'latchkey/client'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Place, place, TOKEN } from './places.js'
import { call, holder, idOf, makeWorld, ORIGIN, shelf, type World } from './world.js'

describe('redirects', () => {
  let api: Place
  let elsewhere: Place
  let client: Client
  let target = ''
  let status = 302

  beforeEach(async () => {
    elsewhere = await place((request, response) => {
      if (request.url === '/back') redirect(response, `${api.origin}/final`)
      else response.end('elsewhere')
    })
    api = await place((request, response) => {
      if (request.url === '/begin') redirect(response, target)
      else if (request.url === '/loop') redirect(response, '/loop')
      else if (request.url !== '/never') request.pipe(response)
    })
    client = createClient({ manage: `${api.origin}/tokens`, token: TOKEN, save: () => undefined, onError: () => undefined })
    status = 302
  })
  afterEach(async () => {
    await client.settled()
    await Promise.all([api.close(), elsewhere.close()])
  })

  function redirect(response: ServerResponse, location: string): void {
    response.writeHead(status, { location }).end()
  }

  it('the client sends the request to the checked URL even if the URL object changes after the call', async () => {
    const url = new URL(`${api.origin}/final`)
    const answer = client.fetch(url, { method: 'POST', body: 'api' })
    url.port = new URL(elsewhere.origin).port
    expect(await (await answer).text()).toBe('api')
  })

  it.each(['file:///etc/hostname', 'data:text/plain,hi', 'blob:null/1', `${'b'.repeat(49)}:`])(
    'the client does not follow a redirect to %s',
    async (place) => {
      target = place
      await expect(client.fetch(`${api.origin}/begin`)).rejects.toThrow('a redirect to a URL that is not http(s) is not followed')
    },
  )

  it('the client does not quote a redirect to an invalid URL, which may contain the token', async () => {
    target = `http://[${TOKEN}`
    const error = await client.fetch(`${api.origin}/begin`).catch((fault) => fault)
    expect(error).toBeInstanceOf(TypeError)
    expect(inspect(error)).not.toContain(TOKEN)
  })

  const askedOf = ({ got }: Place, path: string): { method: string | undefined; token: string | undefined; type: string | undefined }[] =>
    got
      .filter(({ url }) => url === path)
      .map(({ method, headers }) => ({ method, token: headers.authorization, type: headers['content-type'] }))

  it('the client follows cross-origin redirects without the token', async () => {
    target = `${elsewhere.origin}/file`
    const response = await client.fetch(`${api.origin}/begin`, { headers: { cookie: 'session=1', 'x-trace': '7' } })
    expect(await response.text()).toBe('elsewhere')
    const [request] = elsewhere.got
    expect(request?.headers).toMatchObject({ 'x-trace': '7' })
    expect(request?.headers).not.toHaveProperty('authorization')
    expect(request?.headers).not.toHaveProperty('cookie')
    expect(JSON.stringify(elsewhere.got.map(({ url, rawHeaders }) => [url, rawHeaders]))).not.toContain(TOKEN)
  })

  it('the client does not send the token again after a redirect leaves the origin and returns', async () => {
    target = `${elsewhere.origin}/back`
    expect((await client.fetch(`${api.origin}/begin`)).status).toBe(200)
    expect(askedOf(api, '/final')).toEqual([{ method: 'GET', token: undefined, type: undefined }])
  })

  it('a redirect to a different scheme, host or port counts as cross-origin', async () => {
    for (const away of ['https://127.0.0.1:1/', 'http://localhost:1/', 'http://127.0.0.1:1/', '//127.0.0.2:1/']) {
      target = away
      await expect(client.fetch(`${api.origin}/begin`)).rejects.toThrow('fetch failed')
    }
    expect(api.got.filter(({ url }) => url === '/begin')).toHaveLength(4)
  })

  it('the client follows same-origin redirects with the token', async () => {
    target = '/final'
    expect((await client.fetch(`${api.origin}/begin`)).status).toBe(200)
    expect(askedOf(api, '/final')).toEqual([{ method: 'GET', token: `Bearer ${TOKEN}`, type: undefined }])
  })

  it.each([301, 302, 303, 307, 308])(
    'the client follows a %i for GET and HEAD and returns it to the caller for other methods',
    async (code) => {
      status = code
      target = '/final'
      for (const method of ['GET', 'HEAD']) expect((await client.fetch(`${api.origin}/begin`, { method })).status).toBe(200)
      expect(askedOf(api, '/final').map(({ method }) => method)).toEqual(['GET', 'HEAD'])
      for (const init of [
        { method: 'POST', body: '{}' },
        { method: 'PUT', body: new Blob(['x']).stream(), duplex: 'half' },
        { method: 'DELETE' },
      ]) {
        const response = await client.fetch(`${api.origin}/begin`, init as RequestInit)
        expect([response.status, response.headers.get('location')]).toEqual([code, '/final'])
      }
      expect(askedOf(api, '/final')).toHaveLength(2)
    },
  )

  it('redirected Requests keep their headers and signal', async () => {
    target = '/final'
    const abort = new AbortController()
    const request = new Request(`${api.origin}/begin`, { headers: { 'x-trace': '7' }, signal: abort.signal })
    expect((await client.fetch(request)).status).toBe(200)
    expect(api.got.at(-1)).toMatchObject({ method: 'GET', url: '/final', headers: { 'x-trace': '7' } })
    target = '/never'
    const answer = client.fetch(new Request(`${api.origin}/begin`, { signal: abort.signal }))
    await expect.poll(() => api.got.at(-1)?.url).toBe('/never')
    abort.abort(new Error('enough'))
    await expect(answer).rejects.toThrow('enough')
  })

  it('the client honors redirect: "manual" and redirect: "error"', async () => {
    target = '/final'
    const response = await client.fetch(`${api.origin}/begin`, { redirect: 'manual' })
    expect([response.status, response.headers.get('location')]).toEqual([302, '/final'])
    await expect(client.fetch(`${api.origin}/begin`, { redirect: 'error' })).rejects.toThrow('a redirect, which is not followed')
    await expect(client.fetch(new Request(`${api.origin}/begin`, { redirect: 'error' }))).rejects.toThrow(
      'a redirect, which is not followed',
    )
  })

  it('an undefined redirect setting does not replace the redirect setting of the Request', async () => {
    target = '/final'
    const request = new Request(`${api.origin}/begin`, { redirect: 'error' })
    await expect(client.fetch(request, { redirect: undefined } as object)).rejects.toThrow(/a redirect, which is not followed/)
  })

  it('the client gives up on endless redirects', async () => {
    await expect(client.fetch(`${api.origin}/loop`)).rejects.toThrow('a redirect, which is not followed')
    expect(askedOf(api, '/loop')).toHaveLength(21)
  })

  it('the client never follows redirects from the management API', async () => {
    const trap = await place((_, response) => response.writeHead(307, { location: `${elsewhere.origin}/tokens/self` }).end())
    const trapped = createClient({ manage: `${trap.origin}/tokens`, token: TOKEN, save: () => undefined, onError: () => undefined })
    await expect(trapped.rotate()).rejects.toMatchObject({ code: 'answer_invalid', status: 307 })
    expect(elsewhere.got).toEqual([])
    await trap.close()
  })
})

async function* generate(): AsyncGenerator<Uint8Array> {
  yield new TextEncoder().encode('x')
}

describe('client.fetch()', () => {
  let world: World

  beforeEach(async () => {
    world = await makeWorld()
  })
  afterEach(() => world.close())

  it('client.fetch() sends the given request and replaces any Authorization header with the token', async () => {
    const token = await world.mint()
    const { client } = holder(world, shelf(token))
    for (const ask of [
      () =>
        client.fetch(`${ORIGIN}/stock?a=1`, {
          method: 'PUT',
          body: 'five',
          headers: [
            ['authorization', 'Basic x'],
            ['x-trace', '7'],
          ],
        }),
      () => client.fetch(new URL(`${ORIGIN}/stock?a=1`), { method: 'PUT', body: new Blob(['five']), headers: { 'x-trace': '7' } }),
      () => client.fetch(new Request(`${ORIGIN}/stock?a=1`, { method: 'PUT', body: 'five', headers: { 'x-trace': '7' } })),
    ]) {
      const response = await ask()
      expect(await response.json()).toEqual({ caller: idOf(token), body: 'five' })
      const sent = world.requests.filter(({ route }) => route === 'PUT /stock').at(-1)
      expect([sent?.headers.get('authorization'), sent?.headers.get('x-trace')]).toEqual([`Bearer ${token}`, '7'])
    }
  })

  it.each<[string, (url: string, init: RequestInit) => [string | Request, object]]>([
    [
      'undefined members next to a Request',
      (url, init) => [new Request(url, init), { method: undefined, headers: undefined, signal: undefined }],
    ],
    ['members of a prototype', (url, init) => [url, Object.create(init)]],
    ['a Request in place of the settings', (url, init) => [url, new Request(url, init)]],
  ])('client.fetch() reads its settings as the platform does: %s', async (_, argumentsOf) => {
    const token = await world.mint()
    const { client } = holder(world, shelf(token))
    const init = { method: 'PUT', body: 'five', headers: { 'x-trace': '7' } }
    const [input, given] = argumentsOf(`${ORIGIN}/stock`, init)
    const response = await client.fetch(input, given)
    expect(await response.json()).toEqual({ caller: idOf(token), body: 'five' })
    expect(world.requests.find(({ route }) => route === 'PUT /stock')?.headers.get('x-trace')).toBe('7')
  })

  it('client.fetch() sends the headers that it was called with, even if they change before the token is loaded', async () => {
    const { client } = holder(world, shelf(await world.mint()))
    const headers = new Headers({ 'x-trace': '7' })
    const answer = client.fetch(`${ORIGIN}/stock`, { headers })
    headers.set('x-trace', '8')
    await answer
    expect(world.requests.find(({ route }) => route === 'GET /stock')?.headers.get('x-trace')).toBe('7')
  })

  it("client.fetch() sends the request to the checked URL even if another realm's URL object changes after the call", async () => {
    const { client } = holder(world, shelf(await world.mint()))
    const url = { href: `${ORIGIN}/stock`, toString: (): string => url.href }
    const answer = client.fetch(url as URL)
    url.href = 'https://elsewhere.test/'
    expect((await answer).status).toBe(200)
    expect(world.count('GET /stock')).toBe(1)
  })

  it('client.fetch() works when detached from the client, like the global fetch()', async () => {
    const { fetch } = holder(world, shelf(await world.mint())).client
    expect((await fetch(`${ORIGIN}/stock`)).status).toBe(200)
  })

  it.each([
    'https://elsewhere.test/',
    'http://api.test/stock',
    'https://api.test:8443/',
    'https://api.test.evil.test/',
    'https://api.test@evil.test/',
  ])('client.fetch() rejects the cross-origin URL %s without sending anything', async (url) => {
    const { client } = holder(world, shelf(await world.mint()))
    await expect(client.fetch(url)).rejects.toMatchObject({
      code: 'invalid_input',
      message: expect.stringContaining('the token is not sent to'),
    })
    expect(world.requests).toEqual([])
  })

  it('the `origins` option replaces the management API as the only origin that receives the token', async () => {
    const { client } = holder(world, shelf(await world.mint()), { origins: ['https://stock.test', 'https://bills.test/'] })
    for (const url of ['https://stock.test/a', 'https://bills.test/b']) expect((await client.fetch(url)).status).toBe(200)
    await expect(client.fetch(`${ORIGIN}/stock`)).rejects.toMatchObject({ code: 'invalid_input' })
  })

  it('client.fetch() passes on platform rejections and aborts', async () => {
    const { client } = holder(world, shelf(await world.mint()))
    await expect(client.fetch('/stock')).rejects.toThrow(TypeError)
    // Keep a reference: the platform holds a Request's signal only weakly.
    const held: Request[] = []
    world.intercept((request) => {
      if (request.url.endsWith('/stock')) held.push(request)
      return new Promise((_, reject) => request.signal.addEventListener('abort', () => reject(request.signal.reason)))
    })
    const reason = new Error('enough')
    const abort = new AbortController()
    const answers = [
      client.fetch(`${ORIGIN}/stock`, { signal: abort.signal }),
      client.fetch(new Request(`${ORIGIN}/stock`, { signal: abort.signal })),
    ]
    await expect.poll(() => held).toHaveLength(2)
    abort.abort(reason)
    for (const answer of answers) await expect(answer).rejects.toBe(reason)
  })
})

describe('a 401 response', () => {
  let world: World
  let first: string
  let second: string
  let store: ReturnType<typeof shelf>

  /** Creates a holder whose token was revoked while the storage already has the successor. */
  async function overtaken() {
    const made = holder(world, store)
    await call(made.client)
    await made.client.settled()
    await world.tokens.system.revoke(idOf(first))
    store.put({ token: second })
    return made
  }

  beforeEach(async () => {
    world = await makeWorld()
    first = await world.mint()
    second = await world.mint()
    store = shelf(first)
  })
  afterEach(() => world.close())

  it.each<[string, RequestInit]>([
    ['no body', {}],
    ['text', { method: 'POST', body: 'five' }],
    ['bytes', { method: 'POST', body: new TextEncoder().encode('five') }],
    ['a blob', { method: 'POST', body: new Blob(['five']) }],
    ['form fields', { method: 'POST', body: new URLSearchParams('five') }],
  ])('a 401 is retried once with the successor when the request has %s', async (_, init) => {
    const { client } = await overtaken()
    const route = `${init.method ?? 'GET'} /stock`
    const tried = world.count(route)
    expect(await call(client, '/stock', init)).toEqual({ status: 200, caller: idOf(second) })
    expect(world.count(route) - tried).toBe(2)
  })

  it.each([
    ['a stream', () => ({ method: 'POST', body: new Blob(['five']).stream(), duplex: 'half' })],
    ['an async generator', () => ({ method: 'POST', body: generate(), duplex: 'half' })],
  ])('a 401 is returned to the caller when the body is %s, and the next request uses the successor', async (_, init) => {
    const { client } = await overtaken()
    const response = await client.fetch(`${ORIGIN}/stock`, init() as RequestInit)
    expect(response.status).toBe(401)
    expect(await response.json()).toMatchObject({ code: 'token_revoked' })
    expect((await call(client, '/stock', init() as RequestInit)).caller).toBe(idOf(second))
  })

  it('a 401 is retried with the same headers even if they can be read only once', async () => {
    const { client } = await overtaken()
    const headers = new Map([['x-trace', '7']]).entries()
    expect((await client.fetch(`${ORIGIN}/traced`, { headers: headers as unknown as [string, string][] })).status).toBe(200)
    expect(world.requests.filter(({ route }) => route === 'GET /traced').map((sent) => sent.headers.get('x-trace'))).toEqual(['7', '7'])
  })

  it('a 401 is returned to the caller when a Request carries the body', async () => {
    const { client } = await overtaken()
    const request = new Request(`${ORIGIN}/stock`, { method: 'POST', body: 'five' })
    expect((await client.fetch(request)).status).toBe(401)
  })

  it('a 401 is retried once when a Request has no body', async () => {
    const { client } = await overtaken()
    expect((await client.fetch(new Request(`${ORIGIN}/stock`, { method: 'DELETE' }))).status).toBe(200)
  })

  it('a 401 is retried only once even when the successor is also rejected', async () => {
    const { client } = await overtaken()
    await world.tokens.system.revoke(idOf(second))
    const tried = world.count('GET /stock')
    expect((await call(client)).status).toBe(401)
    expect(world.count('GET /stock') - tried).toBe(2)
  })

  it('a 401 is returned to the caller immediately when there is no successor', async () => {
    const { client } = await overtaken()
    store.put({ token: first })
    const tried = world.count('GET /stock')
    let loads = 0
    const { client: counted } = holder(world, store, {
      load: () => {
        loads += 1
        return store.load()
      },
    })
    await Promise.all(Array.from({ length: 20 }, () => call(client)))
    expect(world.count('GET /stock') - tried).toBe(20)
    for (let n = 0; n < 20; n += 1) expect((await call(counted)).status).toBe(401)
    // One load at the start, one for the lookup of the token's own record, and one per second for all 401s.
    expect(loads).toBeLessThan(6)
  })

  it('a 401 from another origin after a redirect does not resend the request', async () => {
    const { client } = await overtaken()
    world.intercept((request) =>
      request.url.startsWith(ORIGIN)
        ? new Response(null, { status: 302, headers: { location: 'https://elsewhere.test/' } })
        : new Response('{}', { status: 401 }),
    )
    const tried = world.count('GET /stock')
    expect((await client.fetch(`${ORIGIN}/stock`)).status).toBe(401)
    expect(world.count('GET /stock') - tried).toBe(1)
  })
})
