import { latchkey } from 'latchkey'
import { djangoTokens, ownTokens, plainTokens, sanctumTokens, sha256Tokens } from 'latchkey/import'
import { memoryStore } from 'latchkey/stores/memory'
import { faultyStore } from 'latchkey/testing'
import { authenticate } from 'latchkey/web'
import { expect, it } from 'vitest'
import { retain } from '../../src/verbs/retain.js'
import { instance, mint, verdict } from '../latchkey/harness.js'
import { DAY, node, START } from '../verbs/notices-world.js'
import { accepting, IMPORT_KEY, oldToken, outcome, SCOPES, sha256, terms } from './world.js'

const old = sha256Tokens({ prefix: 'sk_', length: 35 })
const map = () => ({ name: 'Old', scopes: ['stock:read' as const] })

/** The status of a request with these headers. */
async function status(tokens: ReturnType<typeof accepting>, headers: Record<string, string>, options: object = {}): Promise<number> {
  const answer = await authenticate(tokens, new Request('https://api.test/', { headers }), options)
  return answer.response?.status ?? 200
}

it('accepts each imported format in the form that its clients send, and refuses other credentials', async () => {
  const tokens = accepting([sanctumTokens(), djangoTokens(), old])
  const secret = 'S'.repeat(48)
  const key = '9944b09199c62bcf9418ad846dd0e4bbdfc6ee4b'
  const { token, row } = oldToken(1)
  await tokens.system.import([{ id: 7, token: sha256(secret) }], { format: 'sanctum', map })
  await tokens.system.import([{ key }], { format: 'django', map })
  await tokens.system.import([row], { format: old, map })
  const bearer = (text: string) => status(tokens, { authorization: `Bearer ${text}` })
  expect(await bearer(`7|${secret}`)).toBe(200)
  expect(await bearer(`7|${'T'.repeat(48)}`)).toBe(401)
  expect(await bearer('7|short')).toBe(400)
  expect(await bearer(`7|${secret},7|${secret}`)).toBe(400)
  expect(await bearer(key)).toBe(200)
  expect(await status(tokens, { authorization: `Token ${key}` })).toBe(200)
  expect(await status(tokens, { authorization: `token ${key.replace('9', '8')}` })).toBe(401)
  expect(await status(instance(), { authorization: `Token ${key}` })).toBe(401)
  expect(await status(tokens, { 'x-api-key': token }, { credential: { header: 'x-api-key' } })).toBe(200)
  expect(
    await status(tokens, { authorization: `Token ${key}`, 'x-api-key': token }, { credential: ['bearer', { header: 'x-api-key' }] }),
  ).toBe(400)
  const asked: string[] = []
  const foreign = (credential: string): undefined => void asked.push(credential)
  expect(await status(tokens, { authorization: `Bearer ${token}` }, { foreign })).toBe(200)
  expect(await status(tokens, { authorization: 'Bearer somebody' }, { foreign })).toBe(401)
  expect(asked).toEqual(['somebody'])
})

it('a credential that fits two formats is looked up in both, and the token that it proves to be is accepted', async () => {
  const plain = plainTokens({ prefix: 'sk_' })
  const tokens = accepting([old, plain])
  const [a, b] = [oldToken(1), oldToken(2)]
  await tokens.system.import([a.row], { format: old, map })
  await tokens.system.import([{ token: b.token }], { format: plain, map })
  for (const { token } of [a, b]) expect(await verdict(tokens.verify(token))).toBe('ok')
  expect((await tokens.introspect(b.token)).record?.importedFrom).toBe('plain')
  expect(await verdict(tokens.verify(oldToken(3).token))).toBe('token_unknown')
})

it('never treats a latchkey token as a token of another format, whatever its prefix and validity', async () => {
  const store = faultyStore(memoryStore())
  const any = plainTokens({ length: [1, 512] })
  const tokens = accepting([any], { store })
  const other = latchkey({ prefix: 'acme_live', store: memoryStore(), scopes: SCOPES, logger: false })
  const ours = await mint(tokens)
  const theirs = (await other.system.create({ name: 'x', scopes: ['stock:read'] })).token
  const forged = `${ours.token.slice(0, -1)}${ours.token.endsWith('0') ? '1' : '0'}`
  // These rows claim that the strings are tokens of the old system.
  await tokens.system.import([{ token: ours.token }, { token: theirs }, { token: forged }], { format: any, map })
  await tokens.system.revoke(ours.record.id)
  store.behave()
  const before = store.calls.filter(({ method }) => method === 'find').length
  expect(await verdict(tokens.verify(theirs))).toBe('token_malformed')
  expect(await verdict(tokens.verify(forged))).toBe('token_malformed')
  expect(store.calls.filter(({ method }) => method === 'find').length).toBe(before)
  expect(await verdict(tokens.verify(ours.token))).toBe('token_revoked')
  await other.close()
})

it('refuses junk without a store call, and recognizes no old token on an instance without imports', async () => {
  const store = faultyStore(memoryStore())
  const tokens = accepting([old], { store })
  const { token, row } = oldToken(1)
  await tokens.system.import([row], { format: old, map })
  const before = store.calls.length
  for (const junk of [
    '',
    'sk_',
    `${token}x`,
    token.slice(1),
    `${token}\n`,
    ` ${token}`,
    `sk_${'ü'.repeat(32)}`,
    'sk_'.repeat(5000),
    7,
    null,
    {},
  ]) {
    expect(await verdict(tokens.verify(junk as string))).toBe('token_malformed')
  }
  expect(store.calls.length).toBe(before)
  expect(await verdict(instance({ store }).verify(token))).toBe('token_malformed')
  expect(await verdict(instance({ store, imports: { key: `${IMPORT_KEY}x`, formats: [old] } }).verify(token))).toBe('token_unknown')
})

it('imported tokens keep working after the pepper is changed, and a leak report still finds them', async () => {
  const store = memoryStore()
  const [first, second] = ['0123456789abcdef0123456789abcdef', 'fedcba9876543210fedcba9876543210']
  const { token, row } = oldToken(1)
  await accepting([old], { store, pepper: first }).system.import([row], { format: old, map })
  const tokens = accepting([old], { store, pepper: [second, first] })
  expect(await verdict(tokens.verify(token))).toBe('ok')
  expect(await verdict(accepting([old], { store, pepper: second }).verify(token))).toBe('secret_mismatch')
  const at = { url: `https://x.example/?key=${token}`, source: `log of ${token}` }
  expect(await tokens.system.reportLeak({ token, action: 'revoke', ...at })).toMatchObject({ known: true, record: { status: 'revoked' } })
  expect(await verdict(tokens.verify(token))).toBe('token_revoked')
  const { items } = await tokens.system.events({ action: 'token.leaked' })
  expect(items).toMatchObject([{ details: { url: 'https://x.example/?key=…', source: 'log of …' } }])
})

it('stores no part of an imported token in a leak report, however the URL encodes the token', async () => {
  const sanctum = sanctumTokens()
  const tokens = accepting([sanctum])
  const token = `7|${'kE3'.repeat(16)}`
  await tokens.system.import([{ id: 7, token: sha256(token.slice(2)) }], {
    format: sanctum,
    map: () => ({ name: 'x', scopes: ['stock:read'] }),
  })
  await tokens.system.reportLeak({ token, action: 'notify', url: `https://x.example/?key=${encodeURIComponent(token)}` })
  const { items } = await tokens.system.events({ action: 'token.leaked' })
  expect(items).toMatchObject([{ details: { url: 'https://x.example/?key=…' } }])
})

it('answers 503 if a function of a format throws or returns an invalid value, and quotes no credential', async () => {
  const faults: unknown[] = []
  for (const key of [
    (credential: string) => {
      throw new Error(`cannot read ${credential}`)
    },
    () => 7,
    async () => 'key',
  ]) {
    const format = ownTokens({ name: 'own', key: key as never, verify: () => true })
    const tokens = accepting([format], { onError: ({ error }) => faults.push(error.message, String(error.cause)) })
    expect(await verdict(tokens.verify('the-old-secret'))).toBe('store_unavailable')
    expect(await status(tokens, { authorization: 'Bearer the-old-secret' })).toBe(503)
  }
  expect(faults.length).toBeGreaterThan(0)
  expect(faults.join(' ')).not.toContain('the-old-secret')
})

it('refuses a token whose format has ended, explains why, and writes a notice beforehand if it is in use', async () => {
  const until = new Date(START + 60 * DAY)
  const format = sha256Tokens({ prefix: 'sk_', until })
  const world = node({ imports: { key: IMPORT_KEY, formats: [format] } })
  const { clock, handle, look, use, events } = world
  const made = [oldToken(1), oldToken(2)]
  await handle.import(
    made.map(({ row }) => row),
    { format, map: terms },
  )
  const { items } = await handle.list({ imported: true })
  const [used, idle] = items.map(({ id }) => id)
  await look()
  for (const days of [29, 31, 50, 54]) {
    clock.now = START + days * DAY
    await use(used ?? '')
    await look()
    await look()
  }
  const notices = await events('token.old_still_used')
  expect(notices.map(({ tokenId, details }) => [tokenId, details?.thresholdSeconds, details?.until])).toEqual([
    [used, 30 * 86_400, until.toISOString()],
    [used, 7 * 86_400, until.toISOString()],
  ])
  expect((await handle.explain(idle ?? '')).steps[0]).toMatchObject({ step: 'record', ok: true, importedFrom: 'sha256' })
  clock.now = until.getTime()
  expect((await handle.explain(idle ?? '')).steps[0]).toMatchObject({ step: 'record', ok: false, code: 'token_unknown' })
})

it('explain() reports token_unknown for a token whose format is not accepted', async () => {
  const store = memoryStore()
  await accepting([old], { store }).system.import([oldToken(1).row], { format: old, map })
  const tokens = instance({ store })
  const [record] = (await tokens.system.list({ imported: true })).items
  expect(await tokens.system.explain(record?.id ?? '')).toMatchObject({ ok: false, code: 'token_unknown' })
})

it('keeps the marker of a removed imported token until its format ends', async () => {
  const clock = { now: START }
  const until = START + 60 * DAY
  const format = sha256Tokens({ prefix: 'sk_', until })
  const { context, handle } = node({ imports: { key: IMPORT_KEY, formats: [format] }, retention: { events: '10d', dead: '10d' } }, clock)
  const { row } = oldToken(1)
  const bring = () => handle.import([row], { format, map })
  await bring()
  const { items } = await handle.list()
  await handle.revoke(items[0]?.id ?? '')
  clock.now = START + 30 * DAY
  await retain(context, clock.now, async () => true)
  expect((await handle.list()).items).toEqual([])
  expect(outcome(await bring())).toEqual({ rows: 1, removed: 1 })
  clock.now = until
  await retain(context, clock.now, async () => true)
  expect((await handle.events({ action: 'token.imported' })).items).toEqual([])
})
