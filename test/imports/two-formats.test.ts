import type { Latchkey, LatchkeyOptions, TokenFormat } from 'latchkey'
import { ownTokens, plainTokens, sha256Tokens } from 'latchkey/import'
import { exchange, generateSigningKey } from 'latchkey/jwt'
import { introspection, revocation, whoami } from 'latchkey/oauth'
import { memoryStore } from 'latchkey/stores/memory'
import { createTicket } from 'latchkey/ws'
import { describe, expect, it } from 'vitest'
import { pause, principalOf, type Scope, until, verdict } from '../latchkey/harness.js'
import { accepting, oldToken } from './world.js'

const shape = { prefix: 'sk_', length: 35 }
const hashed = sha256Tokens({ ...shape, name: 'hashed' })
const plain = plainTokens({ ...shape, name: 'plain' })
const map = () => ({ name: 'Old', scopes: ['stock:read' as const], tenantId: 'acme' })
const BOTH = [
  ['first', [hashed, plain]],
  ['last', [plain, hashed]],
] as const

/** A secret imported in two formats, which the import does not detect because the plain table comes first. */
async function imported(formats: readonly TokenFormat[], options: Partial<LatchkeyOptions<Scope>> = {}, ofHashed = map) {
  const tokens = accepting(formats, options)
  const { token, row } = oldToken(1)
  expect(await tokens.system.import([{ token }], { format: plain, map })).toMatchObject({ imported: 1 })
  expect(await tokens.system.import([row], { format: hashed, map: ofHashed })).toMatchObject({ imported: 1 })
  return { tokens, token, row, hashed: await idOf(tokens, 'hashed'), plain: await idOf(tokens, 'plain') }
}

async function idOf(tokens: Latchkey<Scope>, format: string): Promise<string> {
  const { items } = await tokens.system.list({ status: ['active', 'revoked'] })
  return items.find(({ importedFrom }) => importedFrom === format)?.id ?? ''
}

describe.each(BOTH)('a secret imported in two formats, the revoked record listed %s', (_where, formats) => {
  it('after pruning, still refuses a secret that was imported twice, even on a node that has never seen it', async () => {
    const store = memoryStore()
    let now = Date.now()
    const { tokens, token, ...made } = await imported(formats, { store, clock: () => now })
    await tokens.system.revoke(made.hashed, { reason: 'stolen' })
    now += 1000
    expect(await tokens.system.prune({ before: new Date(now) })).toEqual({ count: 0 })
    expect(await verdict(accepting(formats, { store, clock: () => now }).verify(token))).toBe('token_revoked')
  })

  it('presenting a revoked secret that was imported twice also revokes its other record, and the event names the revoked record', async () => {
    const { tokens, token, ...made } = await imported(formats)
    expect(await verdict(tokens.verify(token))).toBe('ok')
    await tokens.system.revoke(made.hashed, { reason: 'stolen' })
    for (let times = 0; times < 3; times += 1) expect(await verdict(tokens.verify(token))).toBe('token_revoked')
    await tokens.flush()
    const record = await tokens.system.get(made.plain)
    expect(record).toMatchObject({ status: 'revoked', revokedBy: 'system', revokedCode: 'manual' })
    const { items } = await tokens.as({ id: 'boss', tenants: ['acme'], manages: 'all' }).events({ tokenId: made.plain })
    expect(items.filter(({ action }) => action === 'token.revoked')).toMatchObject([
      { actorId: 'system', details: { sameSecretAs: made.hashed }, after: { revokedCode: 'manual' } },
    ])
  })

  it("administrators of a tenant do not see the ID of another tenant's record with the same secret", async () => {
    const { tokens, token, ...made } = await imported(formats, {}, () => ({ ...map(), tenantId: 'globex' }))
    await tokens.system.revoke(made.hashed)
    expect(await verdict(tokens.verify(token))).toBe('token_revoked')
    await tokens.flush()
    const { items } = await tokens.as({ id: 'boss', tenants: ['acme'], manages: 'all' }).events({ tokenId: made.plain })
    expect(items[0]).toMatchObject({ action: 'token.revoked', details: { sameSecretElsewhere: true } })
    expect(JSON.stringify(items)).not.toContain(made.hashed)
  })

  it("an actor that manages only its own tokens does not see the ID of another person's record with the same secret", async () => {
    const tokens = accepting(formats)
    const { token, row } = oldToken(1)
    const by = (id: string) => tokens.as({ id, tenants: '*', manages: 'all' })
    await by('ann').import([{ token }], { format: plain, map })
    await by('bob').import([row], { format: hashed, map })
    const made = { hashed: await idOf(tokens, 'hashed'), plain: await idOf(tokens, 'plain') }
    await tokens.system.revoke(made.hashed)
    expect(await verdict(tokens.verify(token))).toBe('token_revoked')
    await tokens.flush()
    const { items } = await tokens.as({ id: 'ann', tenants: ['acme'], manages: 'own' }).events({ tokenId: made.plain })
    expect(items[0]).toMatchObject({ action: 'token.revoked', details: { sameSecretElsewhere: true } })
    expect(JSON.stringify(items)).not.toContain(made.hashed)
  })

  it('refuses a secret imported twice even after the format of its revoked record has ended', async () => {
    let now = Date.now()
    const ending = { ...hashed, until: now + 1000 }
    const both = formats.map((format) => (format === hashed ? ending : format))
    const { tokens, token, ...made } = await imported(both, { clock: () => now })
    await tokens.system.revoke(made.hashed)
    now += 2000
    expect(await verdict(tokens.verify(token))).toBe('token_revoked')
    expect(await tokens.introspect(token)).toMatchObject({ active: false })
  })

  it('a secret imported twice stays valid when the format of one of its two valid records ends', async () => {
    let now = Date.now()
    const both = formats.map((format) => (format === hashed ? { ...hashed, until: now + 1000 } : format))
    const { tokens, token } = await imported(both, { clock: () => now })
    now += 2000
    expect(await verdict(tokens.verify(token))).toBe('ok')
  })

  it('keeps a request open when its secret was also imported in another format and that format ends', async () => {
    let now = Date.now()
    const both = formats.map((format) => (format === hashed ? { ...hashed, until: now + 1000 } : format))
    const { tokens, token, ...made } = await imported(both, { clock: () => now })
    const verified = await tokens.verify(token)
    if (!verified.ok) throw new Error('was refused')
    const { signal, tokenId } = verified.principal
    now += 2000
    await tokens.system.update(tokenId ?? '', { description: 'read again' })
    await tokens.system.update(made.hashed, { description: 'read again' })
    await pause(30)
    expect(signal.aborted).toBe(tokenId === made.hashed)
  })

  it.each(['revoke', 'deactivate'] as const)(
    'fires the signal of a pending request when the other record with its secret ends: %s',
    async (verb) => {
      const { tokens, token, ...made } = await imported(formats)
      const verified = await tokens.verify(token)
      if (!verified.ok) throw new Error('was refused')
      const { signal, tokenId } = verified.principal
      await tokens.system[verb](tokenId === made.plain ? made.hashed : made.plain)
      await until(() => signal.aborted)
    },
  )

  it('fires the signal of a request when the other record with its secret is revoked with all tokens of the tenant', async () => {
    const tokens = accepting(formats)
    const { token, row } = oldToken(1)
    await tokens.system.import([{ token }], {
      format: plain,
      map: () => ({ ...map(), tenantId: formats[0] === plain ? 'acme' : 'umbrella' }),
    })
    await tokens.system.import([row], { format: hashed, map: () => ({ ...map(), tenantId: formats[0] === hashed ? 'acme' : 'umbrella' }) })
    const verified = await tokens.verify(token)
    if (!verified.ok) throw new Error('was refused')
    const { signal, tenantId } = verified.principal
    expect(tenantId).toBe('acme')
    await tokens.system.revokeAll({ tenantId: 'umbrella' })
    await until(() => signal.aborted)
  })
})

it('accepts no token in a format that has ended, even alongside a format that does not recognize the token', async () => {
  let now = Date.now()
  const ending = { ...hashed, until: now + 1000 }
  const tokens = accepting([ending, plain], { clock: () => now })
  const [good, revoked] = [oldToken(1), oldToken(2)]
  await tokens.system.import([good.row, revoked.row], { format: ending, map })
  expect(await verdict(tokens.verify(good.token))).toBe('ok')
  await tokens.system.revoke((await tokens.introspect(revoked.token)).record?.id ?? '')
  now += 2000
  for (const { token } of [good, revoked]) expect(await verdict(tokens.verify(token))).toBe('token_unknown')
})

it('prunes revoked imported tokens once no other format is accepted', async () => {
  let now = Date.now()
  const both = [hashed, { ...plain, until: now + 60_000 }]
  const { tokens, ...made } = await imported(both, { clock: () => now })
  await tokens.system.revoke(made.hashed)
  now += 1000
  expect(await tokens.system.prune({ before: new Date(now) })).toEqual({ count: 0 })
  now += 60_000
  expect(await tokens.system.prune({ before: new Date(now) })).toEqual({ count: 1 })
  expect(await tokens.system.get(made.hashed)).toBeUndefined()
})

it('reports a row as a problem if another format already imported its token, whatever the status of that token', async () => {
  const tokens = accepting([hashed, plain])
  const [good, revoked, fresh] = [oldToken(1), oldToken(2), oldToken(3)]
  await tokens.system.import([good.row, revoked.row], { format: hashed, map })
  await tokens.system.revoke((await tokens.introspect(revoked.token)).record?.id ?? '')
  const rows = [good, revoked, fresh].map(({ token }) => ({ token }))
  for (const dryRun of [true, false]) {
    const report = await tokens.system.import(rows, { format: plain, map, dryRun })
    expect(report).toMatchObject({ imported: 1, failed: 2 })
    expect(report.problems).toEqual(
      [1, 2].map((row) => ({
        row,
        message: 'the token of this row was already imported in another format, and one token needs one record',
      })),
    )
  }
  expect(await verdict(tokens.verify(good.token))).toBe('ok')
  expect(await verdict(tokens.verify(revoked.token))).toBe('token_revoked')
})

const key = (credential: string): string | undefined => (/^sk_/.test(credential) ? credential.slice(0, 11) : undefined)
const slow = ownTokens({ name: 'slow', key, verify: (credential, hash) => credential === hash })

/** A record in the format that is listed first, and a record with a slow hash in the other format; by default, both are of the same secret. */
async function twins(secret?: string) {
  const { token, row } = oldToken(1)
  const tokens = accepting([hashed, slow])
  await tokens.system.import([row], { format: hashed, map })
  await tokens.system.import([{ key: token.slice(0, 11), hash: secret ?? token }], { format: slow, map })
  return { tokens, token, other: await idOf(tokens, 'slow') }
}

it.each(['revoke', 'deactivate'] as const)(
  'fires the signal of a request when a record whose slow hash was never compared ends: %s',
  async (verb) => {
    const { tokens, token, other } = await twins()
    const { signal } = await principalOf(tokens.verify(token))
    await tokens.system[verb](other)
    await until(() => signal.aborted)
  },
)

it('fires the signal of a request when a record whose format is no longer accepted is revoked', async () => {
  let now = Date.now()
  const second = sha256Tokens({ ...shape, name: 'second', column: 'second', until: now + 1000 })
  const { token, row } = oldToken(1)
  const tokens = accepting([hashed, second], { clock: () => now })
  await tokens.system.import([row], { format: hashed, map })
  await tokens.system.import([{ second: row.hash }], { format: second, map })
  const other = await idOf(tokens, 'second')
  now += 5000
  const { signal } = await principalOf(tokens.verify(token))
  await pause(30)
  expect(signal.aborted).toBe(false)
  await tokens.system.revoke(other)
  await until(() => signal.aborted)
})

it('keeps accepting a secret and its open requests after a different secret with the same key is revoked', async () => {
  const { tokens, token, other } = await twins('a different secret')
  await principalOf(tokens.verify(token))
  await tokens.system.revoke(other)
  const principal = await principalOf(tokens.verify(token))
  const { signal } = principal
  await pause(30)
  expect(signal.aborted).toBe(false)
  expect(await createTicket(tokens, principal)).toHaveProperty('ticket')
})

it('creates no ticket for a principal whose secret was revoked in another format', async () => {
  const { tokens, token, other } = await twins()
  const principal = await principalOf(tokens.verify(token))
  expect(await createTicket(tokens, principal)).toHaveProperty('ticket')
  await tokens.system.revoke(other)
  await expect(createTicket(tokens, principal)).rejects.toMatchObject({ code: 'token_revoked' })
})

it.each(['slow', 'plain'] as const)(
  'ends what is derived from a secret when the other record with that secret expires: %s',
  async (which) => {
    const now = Math.ceil(Date.now() / 1000) * 1000
    const second = which === 'slow' ? slow : sha256Tokens({ ...shape, name: 'second', column: 'hash' })
    const { token, row } = oldToken(1)
    const tokens = accepting([hashed, second], { clock: () => now })
    await tokens.system.import([row], { format: hashed, map })
    const rows = [{ key: token.slice(0, 11), hash: which === 'slow' ? token : row.hash }]
    await tokens.system.import(rows, { format: second, map: () => ({ ...map(), expiresAt: now + 60_000 }) })
    const form = (fields: Record<string, string>) =>
      new Request('https://auth.example/', { method: 'POST', body: new URLSearchParams(fields) })
    const introspect = introspection(tokens, { client: () => ({ id: 'gateway', tenants: '*' }) })
    expect(await (await introspect(form({ token }))).json()).toMatchObject({ active: true, exp: now / 1000 + 60 })
    const issuer = 'https://auth.example'
    const buy = exchange(tokens, { issuer, audiences: ['stock'], keys: [await generateSigningKey()], clock: () => now })
    const bought = await buy(
      form({
        grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
        subject_token: token,
        subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
      }),
    )
    expect(await bought.json()).toMatchObject({ expires_in: 60 })
  },
)

it.each(BOTH)(
  'whoami reports when the secret ends, whichever of its records expires first: the hashed one listed %s',
  async (_, formats) => {
    for (const [ofPlain, ofHashed] of [
      ['1h', '365d'],
      ['365d', '1h'],
      [undefined, '1h'],
      ['1h', undefined],
    ] as const) {
      const now = Date.now()
      const tokens = accepting(formats, { clock: () => now })
      const { token, row } = oldToken(1)
      await tokens.system.import([{ token }], { format: plain, map: () => ({ ...map(), expiresIn: ofPlain }) })
      await tokens.system.import([row], { format: hashed, map: () => ({ ...map(), expiresIn: ofHashed }) })
      const request = new Request('https://api.test/whoami', { headers: { authorization: `Bearer ${token}` } })
      expect(await (await whoami(tokens)(request)).json()).toMatchObject({ expiresAt: new Date(now + 3_600_000).toISOString() })
    }
  },
)

describe('a secret imported in two formats for two tenants', () => {
  const GLOBEX = () => ({ ...map(), tenantId: 'globex' })

  it.each(['acme', 'globex'])(
    "an administrator of %s can report a leak of a secret that two tenants share, which ends the tenant's own record",
    async (tenantId) => {
      const { tokens, token, ...made } = await imported([hashed, plain], {}, GLOBEX)
      const id = tenantId === 'globex' ? made.hashed : made.plain
      const admin = tokens.as({ id: 'ann', tenants: [tenantId], manages: 'all' })
      expect(await admin.reportLeak({ token, action: 'revoke' })).toMatchObject({ known: true, record: { id, status: 'revoked' } })
      expect(await verdict(tokens.verify(token))).toBe('token_revoked')
      expect(await tokens.as({ id: 'eve', tenants: ['other'], manages: 'all' }).reportLeak({ token, action: 'revoke' })).toEqual({
        known: false,
      })
    },
  )

  it.each(['acme', 'globex'])('an OAuth client of %s can revoke a secret imported for two tenants', async (tenantId) => {
    const { tokens, token, ...made } = await imported([hashed, plain], {}, GLOBEX)
    const revoke = revocation(tokens, { client: () => ({ id: 'stock', tenants: [tenantId] }) })
    const response = await revoke(new Request('https://auth.example/revoke', { method: 'POST', body: new URLSearchParams({ token }) }))
    expect(response.status).toBe(200)
    expect((await tokens.system.get(tenantId === 'globex' ? made.hashed : made.plain))?.status).toBe('revoked')
    expect(await verdict(tokens.verify(token))).toBe('token_revoked')
  })
})
