import { createHash } from 'node:crypto'
import { inspect } from 'node:util'
import { type AuditEvent, type FaultReport, InvalidInputError, latchkey } from 'latchkey'
import { leakReports } from 'latchkey/leaks'
import { memoryStore } from 'latchkey/stores/memory'
import { describe, expect, it } from 'vitest'
import { createSender } from './support.js'

const failing = (error: Error): never => {
  throw error
}

const createTokens = (onError?: (fault: FaultReport) => unknown) => {
  const told: AuditEvent[] = []
  const tokens = latchkey({
    prefix: 'acme_live',
    store: memoryStore(),
    scopes: { 'inventory:read': 'See stock' },
    onEvent: (event) => told.push(event),
    ...(onError !== undefined && { onError, logger: false }),
  })
  const create = (name = 'ERP') => tokens.system.create({ name, tenantId: 'acme', scopes: ['inventory:read'] })
  return { tokens, create, told }
}

const hash = (token: string): string => createHash('sha256').update(token).digest('base64')

/** An endless body, and the number of times that it was read. */
function endlessBody(): { readonly endless: ReadableStream<Uint8Array>; readonly pulls: () => number } {
  let pulls = 0
  const endless = new ReadableStream<Uint8Array>(
    {
      pull: (controller) => {
        pulls += 1
        controller.enqueue(new Uint8Array(1024))
      },
    },
    { highWaterMark: 0 },
  )
  return { endless, pulls: () => pulls }
}

describe('a leak report', () => {
  it('a leak report revokes the token, records where it was found, and answers which tokens were real', async () => {
    const { tokens, create } = createTokens()
    const sender = createSender()
    const { token, record } = await create()
    const stranger = `${token.slice(0, -1)}${token.endsWith('0') ? '1' : '0'}`
    const report = leakReports(tokens, { fetch: sender.fetch })
    // Odd whitespace and unknown members, because the signature covers the raw bytes, not a normalized form.
    const body = `[ {"token":"${token}",\n\t"type":"acme_token","url":"https://github.com/x/y/blob/1/.env","source":"commit","also":{"a":[1]}} ,{"token":"${stranger}","type":"acme_token","url":"","source":"content"}]\n`
    const response = await report(sender.request(body))
    expect(response.status).toBe(200)
    expect(await response.json()).toEqual([
      { token_hash: hash(token), token_type: 'acme_token', label: 'true_positive' },
      { token_hash: hash(stranger), token_type: 'acme_token', label: 'false_positive' },
    ])
    expect(await tokens.verify(token)).toEqual({ ok: false, code: 'token_revoked' })
    const { items } = await tokens.system.events({ tokenId: record.id, action: 'token.leaked' })
    expect(items).toMatchObject([
      {
        actorId: 'leaks:github',
        tenantId: 'acme',
        details: { url: 'https://github.com/x/y/blob/1/.env', source: 'commit', action: 'revoke' },
      },
    ])
    expect(await tokens.system.get(record.id)).toMatchObject({ status: 'revoked', revokedCode: 'leaked', revokedBy: 'leaks:github' })
  })

  it('sending a leak report again changes nothing', async () => {
    const { tokens, create } = createTokens()
    const sender = createSender()
    const { token, record } = await create()
    const report = leakReports(tokens, { fetch: sender.fetch })
    const body = JSON.stringify([{ token, type: 't', url: 'https://x.example/1', source: 'content' }])
    const answers = await Promise.all([1, 2, 3, 4].map(async () => (await report(sender.request(body))).json()))
    expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1)
    const { items } = await tokens.system.events({ tokenId: record.id })
    expect(items.map((event) => event.action).sort()).toEqual(['token.created', 'token.leaked', 'token.revoked'])
    expect(sender.fetches).toBe(1)
  })

  it.each([
    ['deactivate', 'inactive'],
    ['notify', 'active'],
    ['revoke', 'revoked'],
  ] as const)('a leak report with the action %s leaves the token %s', async (action, status) => {
    const { tokens, create } = createTokens()
    const sender = createSender()
    const { token, record } = await create()
    const report = leakReports(tokens, { fetch: sender.fetch, action: ({ source }) => (source === 'content' ? action : 'notify') })
    await report(sender.request(JSON.stringify([{ token, type: 't', url: 'u', source: 'content' }])))
    expect((await tokens.system.get(record.id))?.status).toBe(status)
  })

  it.each([
    ['returns nothing', () => undefined],
    ['returns another word', () => 'delete'],
    ['throws an InvalidInputError', () => failing(new InvalidInputError('find', 'is not known'))],
  ])('a leak report is answered with 503 and onError receives the fault if the action function %s', async (_, action) => {
    const faults: FaultReport[] = []
    const { tokens, create } = createTokens((fault) => faults.push(fault))
    const sender = createSender()
    const { token, record } = await create()
    const body = JSON.stringify([{ token, type: 't', url: 'u', source: 'content' }])
    const response = await leakReports(tokens, { fetch: sender.fetch, action: action as never })(sender.request(body))
    expect([response.status, response.headers.get('retry-after')]).toEqual([503, '5'])
    expect(faults).toMatchObject([{ where: 'endpoint', error: { message: expect.stringContaining('the action callback') } }])
    expect((await leakReports(tokens, { fetch: sender.fetch })(sender.request(body))).status).toBe(200)
    expect(await tokens.system.get(record.id)).toMatchObject({ status: 'revoked' })
  })

  it('a leak report with thousands of findings is processed completely', async () => {
    const { tokens, create } = createTokens()
    const sender = createSender()
    const made = await Promise.all(Array.from({ length: 500 }, (_, at) => create(`token ${at}`)))
    const finds = Array.from({ length: 3000 }, (_, at) => ({
      token: made[at % 1000]?.token ?? `acme_live_nothing${at}`,
      type: 't',
      url: `https://x.example/${at}`,
      source: 'content',
    }))
    const response = await leakReports(tokens, { fetch: sender.fetch })(sender.request(JSON.stringify(finds)))
    const labels = ((await response.json()) as { label: string }[]).map((answer) => answer.label)
    expect(labels.filter((label) => label === 'true_positive')).toHaveLength(1500)
    expect((await tokens.system.list({ status: 'active' })).items).toHaveLength(0)
  })
})

describe('an invalid leak report', () => {
  const body = '[{"token":"some_token","type":"t","url":"u","source":"s"}]'

  it('a leak report with any changed byte is rejected', async () => {
    const { tokens, create } = createTokens()
    const sender = createSender()
    const { token, record } = await create()
    const report = leakReports(tokens, { fetch: sender.fetch })
    const text = JSON.stringify([{ token, type: 't', url: 'u', source: 's' }])
    for (let at = 0; at < text.length; at += 1) {
      const changed = `${text.slice(0, at)}${String.fromCharCode(text.charCodeAt(at) ^ 1)}${text.slice(at + 1)}`
      const response = await report(sender.request(changed, { signed: text }))
      expect([at, response.status]).toEqual([at, 400])
    }
    expect((await report(sender.request(`${text} `, { signed: text }))).status).toBe(400)
    expect((await tokens.system.get(record.id))?.status).toBe('active')
  })

  it.each([
    ['not base64', '!!!'],
    ['empty', ''],
    ['not DER', Buffer.from('hello').toString('base64')],
    ['zero in r and s', Buffer.from([0x30, 6, 2, 1, 0, 2, 1, 0]).toString('base64')],
  ])('a leak report whose signature is %s is rejected', async (_, signature) => {
    const { tokens } = createTokens()
    const sender = createSender()
    const response = await leakReports(tokens, { fetch: sender.fetch })(sender.request(body, { signature }))
    expect(response.status).toBe(400)
  })

  it('leak reports from unknown senders are rejected, and twenty concurrent reports cause only two key fetches', async () => {
    const { tokens } = createTokens()
    const sender = createSender()
    const report = leakReports(tokens, { fetch: sender.fetch })
    const statuses = await Promise.all(
      Array.from({ length: 20 }, async (_, at) => (await report(createSender().request(body, { identifier: `unknown-${at}` }))).status),
    )
    expect(new Set(statuses)).toEqual(new Set([400]))
    expect((await report(createSender().request(body))).status).toBe(400)
    // All but the first arrived while the first fetch was in flight.
    expect(sender.fetches).toBe(2)
  })

  it('a leak report that names an unknown key is rejected before its body is read', async () => {
    const { tokens } = createTokens()
    const sender = createSender()
    const { endless, pulls } = endlessBody()
    const { headers } = createSender().request(body, { identifier: 'unknown' })
    const request = new Request('https://api.example/leaks', { method: 'POST', headers, body: endless, duplex: 'half' } as RequestInit)
    expect((await leakReports(tokens, { fetch: sender.fetch })(request)).status).toBe(400)
    expect(pulls()).toBe(0)
  })

  it.each([
    ['an unreadable signature', { 'github-public-key-signature': 'c2lnbmF0dXJl' }, 400],
    ['an identifier of unusual length', { 'github-public-key-identifier': 'k'.repeat(300) }, 400],
    ['a declared length over the limit', { 'content-length': '9000000' }, 413],
  ])('a leak report with %s is rejected before its body is read and before keys are fetched', async (_, changes, status) => {
    const { tokens } = createTokens()
    const sender = createSender()
    const { endless, pulls } = endlessBody()
    const headers = new Headers(sender.request(body).headers)
    for (const [name, value] of Object.entries(changes)) headers.set(name, value)
    const request = new Request('https://api.example/leaks', { method: 'POST', headers, body: endless, duplex: 'half' } as RequestInit)
    expect((await leakReports(tokens, { fetch: sender.fetch })(request)).status).toBe(status)
    expect([sender.fetches, pulls()]).toEqual([0, 0])
  })

  it('large leak reports that never end use no more memory than eight reports, and other reports are still processed', async () => {
    const { tokens, create } = createTokens()
    const sender = createSender()
    const made = await Promise.all([create('ERP'), create('Shop')])
    const report = leakReports(tokens, { fetch: sender.fetch, maxBytes: 1000 })
    await report(sender.request('[]'))
    const open: ReadableStreamDefaultController<Uint8Array>[] = []
    const flood = Array.from({ length: 12 }, () => {
      const { headers } = sender.request(body)
      const start = (controller: ReadableStreamDefaultController<Uint8Array>): void => {
        controller.enqueue(new Uint8Array(1000))
        open.push(controller)
      }
      const stalled = new ReadableStream<Uint8Array>({ start })
      return report(new Request('https://api.example/leaks', { method: 'POST', headers, body: stalled, duplex: 'half' } as RequestInit))
    })
    const refused = await Promise.all(flood.slice(0, 4))
    expect(refused.map(({ status, headers }) => [status, headers.get('retry-after')])).toEqual(Array(4).fill([429, '5']))
    for (const [at, { token, record }] of made.entries()) {
      const text = JSON.stringify([{ token, type: 't', url: 'u', source: 'content' }])
      const signed = sender.request(text)
      if (at === 0) signed.headers.set('content-length', String(text.length))
      expect((await report(signed)).status).toBe(200)
      expect((await tokens.system.get(record.id))?.status).toBe('revoked')
    }
    for (const controller of open) controller.error(new Error('the test is over'))
    await Promise.all(flood)
  })

  it('a flood of large leak reports from one address does not keep out a report from another address', async () => {
    const { tokens } = createTokens()
    const sender = createSender()
    const address = ({ headers }: Request) => headers.get('x-address') ?? undefined
    const report = leakReports(tokens, { fetch: sender.fetch, maxBytes: 1000, ip: address })
    const from = (ip: string, sent: string | ReadableStream) => {
      const { headers } = sender.request('[]')
      headers.set('x-address', ip)
      return report(new Request('https://api.example/leaks', { method: 'POST', headers, body: sent, duplex: 'half' } as RequestInit))
    }
    const stalled = () => new ReadableStream<Uint8Array>({ start: (controller) => controller.enqueue(new Uint8Array(1000)) })
    const flood = Array.from({ length: 8 }, () => from('203.0.113.7', stalled()))
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect((await from('203.0.113.8', '[]')).status).toBe(200)
    expect((await Promise.race(flood)).status).toBe(429)
  })

  it('a leak report without signature headers is rejected', async () => {
    const { tokens } = createTokens()
    const response = await leakReports(tokens, { fetch: createSender().fetch })(
      new Request('https://api.example/leaks', { method: 'POST', body }),
    )
    expect(response.status).toBe(401)
  })

  it('a leak report whose body was already read fails with a 500 that explains the cause', async () => {
    const { tokens } = createTokens()
    const sender = createSender()
    const request = sender.request(body)
    await request.text()
    const response = await leakReports(tokens, { fetch: sender.fetch })(request)
    expect(response.status).toBe(500)
    expect(await response.text()).toContain('before any body parser')
  })

  it.each([
    ['not an array', '{"token":"x"}'],
    ['not JSON', '[{'],
    ['a list with a finding that has no token', '[{"type":"t"}]'],
    ['a list with a null finding', '[null]'],
  ])('a signed leak report that is %s is answered with 400', async (_, text) => {
    const { tokens } = createTokens()
    const sender = createSender()
    expect((await leakReports(tokens, { fetch: sender.fetch })(sender.request(text))).status).toBe(400)
  })

  it('a leak report that is too large is answered with 413', async () => {
    const { tokens } = createTokens()
    const sender = createSender()
    const report = leakReports(tokens, { fetch: sender.fetch, maxBytes: 100 })
    expect((await report(sender.request(JSON.stringify([{ token: 'x'.repeat(200) }])))).status).toBe(413)
  })

  it.each([
    ['cannot be reached', () => Promise.reject(new TypeError('fetch failed'))],
    ['returns an error', () => Promise.resolve(new Response('', { status: 500 }))],
    ['returns no keys', () => Promise.resolve(Response.json({ public_keys: [] }))],
    ['returns invalid JSON', () => Promise.resolve(new Response('<html>'))],
  ])('a leak report is answered with 503 and Retry-After when the keys URL %s', async (_, fetch) => {
    const { tokens } = createTokens()
    const response = await leakReports(tokens, { fetch })(createSender().request(body))
    expect(response.status).toBe(503)
    expect(response.headers.get('retry-after')).toBe('5')
  })
})

describe('the text of a reported token', () => {
  it('a reported token appears in no response, event or callback, even if the URL contains it', async () => {
    const { tokens, create, told } = createTokens()
    const sender = createSender()
    const { token, record } = await create()
    const secret = token.split('_')[3] ?? ''
    const report = leakReports(tokens, { fetch: sender.fetch })
    const response = await report(
      sender.request(JSON.stringify([{ token, type: 't', url: `https://x.example/?token=${token}`, source: 's' }])),
    )
    const { items } = await tokens.system.events({ tokenId: record.id })
    const seen = `${await response.text()}${JSON.stringify(items)}${inspect(told, { depth: null })}`
    for (let at = 0; at + 12 <= secret.length; at += 1) expect(seen).not.toContain(secret.slice(at, at + 12))
  })

  it('a token reported by the application with reportLeak() does not appear in the event', async () => {
    const { tokens, create, told } = createTokens()
    const { token, record } = await create()
    const at = { url: `https://x.example/#${token}`, source: `log of ${token}`, type: token }
    await tokens.system.reportLeak({ token, action: 'notify', ...at })
    const { items } = await tokens.system.events({ tokenId: record.id, action: 'token.leaked' })
    expect(items).toHaveLength(1)
    expect(`${JSON.stringify(items)}${inspect(told, { depth: null })}`).not.toContain(token.slice(-30))
  })
})

describe('text around a leaked token', () => {
  it('unusual characters in a report do not prevent the tokens from being revoked', async () => {
    const { tokens, create } = createTokens()
    const sender = createSender()
    const made = await Promise.all([create(), create(), create()])
    const urls = [
      'https://x.example/\u202egpj.exe',
      `https://x.example/${'a'.repeat(1999)}😀`,
      'https://x.example/a\u200d\u200db\ufeff\ud800\u0000',
    ]
    const finds = made.map(({ token }, at) => ({ token, type: '\u2066t', url: urls[at], source: 'content' }))
    const response = await leakReports(tokens, { fetch: sender.fetch })(sender.request(JSON.stringify(finds)))
    expect(response.status).toBe(200)
    for (const { token } of made) expect(await tokens.verify(token)).toEqual({ ok: false, code: 'token_revoked' })
    const { items } = await tokens.system.events({ action: 'token.leaked' })
    expect(items.map(({ details }) => details?.url)).toContain('https://x.example/gpj.exe')
  })

  it('invisible characters and truncation do not hide part of a token from redaction', async () => {
    const { tokens, create } = createTokens()
    const sender = createSender()
    const { token, record } = await create()
    const report = leakReports(tokens, { fetch: sender.fetch, action: 'notify' })
    const secret = token.split('_')[3] ?? ''
    const split = token.replace(secret, `\u200b${secret}`)
    // If the text were cut to 2,000 characters first, the rest of the token would be too short to recognize.
    const urls = [`https://x.example/#${split}`, `https://x.example/`.padEnd(2000 - token.length + 28, 'a') + token]
    const response = await report(sender.request(JSON.stringify(urls.map((url) => ({ token, type: 't', url, source: 's' })))))
    expect(response.status).toBe(200)
    const { items } = await tokens.system.events({ tokenId: record.id, action: 'token.leaked' })
    expect(items).toHaveLength(2)
    for (let at = 0; at + 12 <= secret.length; at += 1) expect(JSON.stringify(items)).not.toContain(secret.slice(at, at + 12))
  })
})

describe("GitHub's published sample", () => {
  // From the documentation of GitHub's secret scanning partner program.
  const sample = '[{"token":"some_token","type":"some_type","url":"some_url"}]'
  const signature = 'MEUCIQDKZokqnCjrRtw0tni+2Ltvl/uiMJ1EGumEsp1BsNr32AIgQY1YXD2nlj+XNfGK4rBfkMJ1JDOQcYXxa2sY8FNkrKc='
  const identifier = '90a421169f0a406205f1563a953312f0be898d3c7b6c06b681aa86a874555f4a'
  const key = `-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE9MJJHnMfn2+H4xL4YaPDA4RpJqUq
kCmRCBnYERxZanmcpzQSXs1X/AljlKkbJ8qpVIW4clayyef9gWhFbNHWAA==
-----END PUBLIC KEY-----`

  it("GitHub's published sample report is verified and answered", async () => {
    const { tokens } = createTokens()
    const fetch = () => Promise.resolve(Response.json({ public_keys: [{ key_identifier: identifier, key, is_current: true }] }))
    const response = await leakReports(tokens, { fetch })(createSender(identifier).request(sample, { signature }))
    expect(response.status).toBe(200)
    expect(await response.json()).toEqual([{ token_hash: hash('some_token'), token_type: 'some_type', label: 'false_positive' }])
  })
})

it('leakReports() rejects an unknown action and an invalid keys URL at setup', () => {
  const { tokens } = createTokens()
  expect(() => leakReports(tokens, { action: 'delete' as never })).toThrow(expect.objectContaining({ field: 'action' }))
  for (const keysUrl of ['keys', 'http://scanner.example/keys', 'data:application/json,{}']) {
    expect(() => leakReports(tokens, { keysUrl })).toThrow(expect.objectContaining({ field: 'keysUrl' }))
  }
})

describe('a leak report that writes the token in a different way', () => {
  const WRITINGS: readonly (readonly [string, (token: string, secret: string) => string])[] = [
    ['only its secret', (_, secret) => `https://paste.example/raw?key=${secret}`],
    ['half of its secret', (_, secret) => `https://paste.example/${secret.slice(0, 25)}`],
    ['its secret in two halves', (_, secret) => `https://paste.example/${secret.slice(0, 25)}/${secret.slice(25)}`],
    ['underscores encoded twice', (token) => `https://x/?q=${encodeURIComponent(token.replaceAll('_', '%5F'))}`],
    ['underscores as escapes of JSON', (token) => `https://x/${token.replaceAll('_', '\\u005f')}`],
    ['underscores as escapes of HTML', (token) => `https://x/${token.replaceAll('_', '&#95;')}?b=${token.replaceAll('_', '&#x5F;')}`],
    ['underscores encoded four times', (token) => `https://x/${token.replaceAll('_', '%2525255F')}`],
    ['in capital letters', (token) => `https://x/${token.toUpperCase()}`],
    ['hyphens', (token) => `https://x/${token.replaceAll('_', '-')}`],
    ['no prefix', (token) => `https://x/?t=${token.split('_').slice(2).join('_')}`],
    ['its first letters cut off', (token) => `https://x/${token.slice(10)}`],
    ['letters encoded', (_, secret) => `https://x/${[...secret].map((letter) => `%${letter.charCodeAt(0).toString(16)}`).join('')}`],
    [
      'letters encoded twice',
      (_, secret) => `https://x/${[...secret].map((letter) => `%25${letter.charCodeAt(0).toString(16)}`).join('')}`,
    ],
  ]

  const percent = (text: string): string => [...text].map((sign) => `%${sign.charCodeAt(0).toString(16)}`).join('')
  const decoded = (text: string): string => {
    const next = text
      .replace(/%([0-9a-f]{2})|\\+u([0-9a-f]{4})|&#x([0-9a-f]+);/gi, (_, ...hex) =>
        String.fromCharCode(
          Number.parseInt(
            hex.find((each) => each !== undefined),
            16,
          ),
        ),
      )
      .replaceAll('&#95;', '_')
    return next === text ? text : decoded(next)
  }

  it.each(WRITINGS)('a leak report puts no part of the secret into the audit log: %s', async (_name, write) => {
    const { tokens, create, told } = createTokens()
    const { token, record } = await create()
    const secret = token.slice(token.lastIndexOf('_') + 1)
    const url = write(token, secret)
    const scanner = tokens.as({ id: 'scanner', tenants: '*', manages: 'all' })
    await scanner.reportLeak({ token, url, source: url.slice(0, 200), type: url.slice(0, 200), action: 'notify' })
    const sender = createSender()
    const report = leakReports(tokens, { fetch: sender.fetch })
    await report(sender.request(JSON.stringify([{ token, url: `${url}&more`, source: url, type: url }])))
    const { items } = await tokens.system.events({ tokenId: record.id, action: 'token.leaked' })
    expect(items).not.toHaveLength(0)
    const text = decoded(JSON.stringify([items, told]))
    for (let at = 0; at + 12 <= secret.length; at += 1) expect(text).not.toContain(secret.slice(at, at + 12))
  })

  // A part of another token's secret cannot be told from other text.
  const RECOGNIZED = WRITINGS.filter(([name]) => /encoded|escapes/.test(name) && !name.startsWith('letters'))
  RECOGNIZED.push(
    ['the whole token, encoded', (token) => `https://x/${percent(token)}`],
    ['the whole token, encoded twice', (token) => `https://x/${percent(token).replaceAll('%', '%25')}`],
    ['the whole token as escapes of JSON', (token) => [...token].map((sign) => `\\u00${sign.charCodeAt(0).toString(16)}`).join('')],
  )
  it.each(RECOGNIZED)('a finding does not show the token of another finding of the same report: %s', async (_name, write) => {
    const { tokens, create, told } = createTokens()
    const [shown, hidden] = [await create('shown'), await create('hidden')]
    const secret = hidden.token.slice(hidden.token.lastIndexOf('_') + 1)
    const text = write(hidden.token, secret)
    const sender = createSender()
    const finds = [
      { token: shown.token, url: text, source: text, type: text },
      { token: hidden.token, url: 'https://x/', source: 's', type: 't' },
    ]
    const response = await leakReports(tokens, { fetch: sender.fetch })(sender.request(JSON.stringify(finds)))
    expect(await response.json()).toMatchObject([{ label: 'true_positive' }, { label: 'true_positive' }])
    const { items } = await tokens.system.events({ action: 'token.leaked' })
    expect(items).toHaveLength(2)
    const all = decoded(JSON.stringify([items, told]))
    for (let at = 0; at + 12 <= secret.length; at += 1) expect(all).not.toContain(secret.slice(at, at + 12))
  })

  it('decoys in a report neither blank the text about a token of another tenant nor add an event', async () => {
    const { tokens, create } = createTokens()
    const { token, record } = await create()
    const sender = createSender()
    const report = leakReports(tokens, { fetch: sender.fetch, action: 'notify' })
    const url = 'https://github.com/acme/warehouse0terminals0of0the0north0and0south/blob/main/.env'
    const find = { token, url, source: 'commit', type: 't' }
    const spelled = `warehouse0terminals0of0the0north0and0south${'0'.repeat(49)}`.slice(0, 49)
    const decoys = [`acme_live_${'0'.repeat(16)}_${spelled}`, 'https://github.com/acme', url].map((decoy) => ({
      ...find,
      token: decoy,
      url: 'https://x/',
    }))
    for (const finds of [[find], [find, ...decoys], [...decoys, find]]) await report(sender.request(JSON.stringify(finds)))
    const { items } = await tokens.system.events({ tokenId: record.id, action: 'token.leaked' })
    expect(items).toMatchObject([{ details: { url, source: 'commit' } }])
  })

  it('removes only the secret from the text of a leak report, and keeps the ID', async () => {
    const { tokens, create } = createTokens()
    const { token, record } = await create()
    const secret = token.slice(token.lastIndexOf('_') + 1)
    const source = `see ${record.id}: ${secret}, and again ${secret.slice(0, 12)} there`
    await tokens.system.reportLeak({ token, source, url: 'https://x/%7Eann?a=%2Fb', action: 'notify' })
    const { items } = await tokens.system.events({ tokenId: record.id, action: 'token.leaked' })
    expect(items).toMatchObject([{ details: { source: `see ${record.id}: …, and again … there`, url: 'https://x/%7Eann?a=%2Fb' } }])
  })
})
