import { type LatchkeyOptions, latchkey } from 'latchkey'
import { ownTokens } from 'latchkey/import'
import { leakReports } from 'latchkey/leaks'
import { memoryStore } from 'latchkey/stores/memory'
import { faultyStore } from 'latchkey/testing'
import { expect, it, vi } from 'vitest'
import { labelFinds } from '../../../src/extensions/leaks/label-finds.js'
import { readReport } from '../../../src/extensions/leaks/read-report.js'
import { IMPORT_KEY } from '../../imports/world.js'
import { pause, until } from '../../latchkey/harness.js'
import { createSender } from './support.js'

const finding = (token: string, at = 0) => ({ token, type: 't', url: `https://x.example/${at}`, source: 'commit' })
const many = (count: number, tokenOf: (at: number) => string) => Array.from({ length: count }, (_, at) => finding(tokenOf(at), at))

/** An instance that accepts tokens with slow hashes, and counts how many of them it compares at the same time. */
async function standing(options: Pick<Partial<LatchkeyOptions>, 'store' | 'deadline'> = {}) {
  let comparing = 0
  const most = { atOnce: 0, compared: 0 }
  const format = ownTokens({
    name: 'old',
    key: (credential) => {
      if (credential.startsWith('unreadable')) throw new Error('cannot read it')
      return /^k-([0-9]+)-/.exec(credential)?.[1]
    },
    verify: async (credential) => {
      comparing += 1
      most.compared += 1
      most.atOnce = Math.max(most.atOnce, comparing)
      await pause(1)
      comparing -= 1
      return credential.endsWith('secret')
    },
  })
  const tokens = latchkey({
    prefix: 'acme_live',
    store: memoryStore(),
    scopes: { 'a:b': 'x' },
    logger: false,
    imports: { key: IMPORT_KEY, formats: [format] },
    ...options,
  })
  const rows = Array.from({ length: 30 }, (_, key) => ({ key, hash: `hash of ${key}` }))
  await tokens.system.import(rows, { format, map: () => ({ name: 'Old', scopes: ['a:b' as const] }) })
  const { token } = await tokens.system.create({ name: 'ERP', tenantId: 'acme', scopes: ['a:b'] })
  const sender = createSender()
  const report = leakReports(tokens, { fetch: sender.fetch })
  const send = (finds: readonly unknown[], receive = report) => receive(sender.request(JSON.stringify(finds)))
  return { tokens, token, sender, send, most }
}

it.each([
  ['a key that does not exist', 77],
  ['a key of a token', 1],
])('wrong secrets for %s do not keep a leak report from revoking the tokens listed after them', async (_, key) => {
  const { tokens, token, send, most } = await standing()
  const finds = [...many(150, (at) => `k-${key}-guess-${at}`), finding(token), finding('k-1-secret')]
  const response = await send(finds)
  expect(response.status).toBe(200)
  const labels = ((await response.json()) as { label: string }[]).map(({ label }) => label)
  expect(labels).toEqual([...Array(150).fill('false_positive'), 'true_positive', 'true_positive'])
  expect(await tokens.verify(token)).toEqual({ ok: false, code: 'token_revoked' })
  expect(await tokens.verify('k-1-secret')).toEqual({ ok: false, code: 'token_revoked' })
  expect(most.atOnce).toBeLessThanOrEqual(2)
  await tokens.close()
})

it('a signed leak report does not use up the capacity for slow hashes that other callers need', async () => {
  const { tokens, send } = await standing()
  const [response, used] = await Promise.all([
    send(many(200, (at) => `k-1-guess-${at}`)),
    Promise.all([2, 3, 4, 5].map((key) => tokens.verify(`k-${key}-secret`, { ip: '192.0.2.1' }))),
  ])
  expect(response.status).toBe(200)
  expect(used.map(({ ok }) => ok)).toEqual([true, true, true, true])
  await tokens.close()
})

it('findings that cannot be processed do not keep a leak report from revoking the tokens listed after them', async () => {
  const { tokens, token, send, sender } = await standing()
  const unreadable = many(100, (at) => `unreadable-${at}`)
  expect((await send([...unreadable, finding('k-1-secret'), finding(token)])).status).toBe(503)
  expect(await tokens.verify(token)).toEqual({ ok: false, code: 'token_revoked' })
  expect(await tokens.verify('k-1-secret')).toEqual({ ok: false, code: 'token_revoked' })
  const other = await tokens.system.create({ name: 'Shop', scopes: ['a:b'] })
  const action = ({ source }: { readonly source: string }) => (source === 'commit' ? (undefined as never) : ('revoke' as const))
  const strict = leakReports(tokens, { fetch: sender.fetch, action })
  const finds = [...many(100, (at) => `acme_${at}`), { ...finding(other.token), source: 'content' }]
  expect((await send(finds, strict)).status).toBe(503)
  expect(await tokens.verify(other.token)).toEqual({ ok: false, code: 'token_revoked' })
  await tokens.close()
})

it('a leak report that names one token hundreds of times revokes that token and the token listed after it', async () => {
  const { tokens, token, send } = await standing()
  const other = await tokens.system.create({ name: 'Shop', scopes: ['a:b'] })
  expect((await send([...many(600, () => token), finding(other.token)])).status).toBe(200)
  for (const leaked of [token, other.token]) expect(await tokens.verify(leaked)).toEqual({ ok: false, code: 'token_revoked' })
  await tokens.close()
})

it('a leak report gives up when the store hangs, and succeeds when it is sent again', async () => {
  const store = faultyStore(memoryStore())
  const { tokens, token, send } = await standing({ store, deadline: '1s' })
  const ids = await Promise.all(Array.from({ length: 300 }, () => tokens.system.create({ name: 'Shop', scopes: ['a:b'] })))
  store.behave({ find: { do: 'hang' } })
  const before = store.calls.length
  expect((await send(ids.map(({ token }) => finding(token)))).status).toBe(503)
  expect(store.calls.length - before).toBeLessThan(300)
  store.behave()
  // On a busy machine, one request may not be enough for all of them.
  await vi.waitFor(async () => expect((await send([...ids.map(({ token }) => finding(token)), finding(token)])).status).toBe(200), {
    timeout: 30_000,
  })
  const { items } = await tokens.system.list({ status: 'active' })
  expect(items.filter(({ importedFrom }) => importedFrom === undefined)).toEqual([])
  await tokens.close()
})

it("a leak report handles latchkey's own tokens first, and retries failed findings four at a time", async () => {
  const ours = `acme_live_${'0'.repeat(16)}_${'0'.repeat(49)}`
  const order: string[] = []
  let running = 0
  const labels = await labelFinds([...many(70, (at) => `old-${at}`), finding(ours)], {
    act: async ({ token }) => {
      order.push(token)
      running += 1
      await pause(1)
      const crowded = running > 4
      running -= 1
      if (crowded) throw new Error('too many at once')
      return true
    },
    keysOf: () => [],
    deadlineMs: 60_000,
  })
  expect(order[0]).toBe(ours)
  expect(new Set(labels.map(({ label }) => label))).toEqual(new Set(['true_positive']))
})

it('wrong secrets for one key do not delay a later token with another key', async () => {
  const order: string[] = []
  const act = async ({ token }: { readonly token: string }) => order.push(token) > 0
  const keysOf = ({ token }: { readonly token: string }) => (token.startsWith('both') ? ['x', token] : [token.slice(0, 1)])
  const finds = [...many(100, (at) => `a-${at}`), ...many(100, (at) => `both-${at}`), finding('b-0'), finding('a-100'), finding('b-1')]
  await labelFinds(finds, { act, keysOf, deadlineMs: 60_000 })
  expect(order.slice(0, 6)).toEqual(['a-0', 'both-0', 'b-0', 'a-1', 'both-1', 'b-1'])
  expect(order).toHaveLength(203)
})

it('a slow finding does not delay the findings after it', async () => {
  const done: string[] = []
  const act = async ({ token }: { readonly token: string }) => {
    if (token === 'old-0') await until(() => done.length === 200)
    return done.push(token) > 0
  }
  await labelFinds(
    many(201, (at) => `old-${at}`),
    { act, keysOf: () => [], deadlineMs: 60_000 },
  )
  expect(done.at(-1)).toBe('old-0')
})

it('a leak report revokes the genuine token before most of the wrong secrets for another key have been compared', async () => {
  const { tokens, send, most } = await standing()
  const finds = [...many(150, (at) => `k-1-guess-${at}`), finding('k-2-secret')]
  let comparedBefore = Number.POSITIVE_INFINITY
  const sent = send(finds)
  await until(async () => {
    comparedBefore = most.compared
    return (await tokens.system.list({ status: 'revoked' })).items.length === 1
  })
  expect(comparedBefore).toBeLessThan(75)
  expect((await sent).status).toBe(200)
  await tokens.close()
})

it('other work continues while a long leak report is read', async () => {
  const url = `https://x.example/${'%2525252541'.repeat(200)}`
  const bytes = new TextEncoder().encode(JSON.stringify(many(800, (at) => `k-${at}-guess`).map((find) => ({ ...find, url }))))
  let turns = 0
  const ticking = setInterval(() => {
    turns += 1
  }, 1)
  const finds = await readReport(bytes)
  clearInterval(ticking)
  expect(finds).toHaveLength(800)
  expect(turns).toBeGreaterThan(0)
})

it('of a finding with a text too long for a token, only the text is kept, for its label', async () => {
  const token = '%25'.repeat(100_000)
  const about = { type: 'acme', url: `https://example.test/${token}`, source: 'content' }
  const finds = await readReport(
    new TextEncoder().encode(
      JSON.stringify([
        { token, ...about },
        { ...about, token: 'short', url: 'https://example.test/' },
      ]),
    ),
  )
  expect(finds).toEqual([
    { token, type: '', url: '', source: '' },
    { token: 'short', type: 'acme', url: 'https://example.test/', source: 'content' },
  ])
})
