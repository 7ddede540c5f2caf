import { type Latchkey, latchkey } from 'latchkey'
import { sha256Tokens } from 'latchkey/import'
import { describe, expect, it, onTestFinished } from 'vitest'
import { type Scope, verdict } from '../latchkey/harness.js'
import { everyStore, type OpenStore } from '../support/every-store.js'
import { VECTORS } from './vectors.js'
import { IMPORT_KEY, oldToken, outcome, SCOPES, terms } from './world.js'

const stores = await everyStore()
const old = sha256Tokens({ name: 'old', prefix: 'sk_', length: 35 })

function nodeOf(open: OpenStore, format = old): Latchkey<Scope> {
  const imports = { key: IMPORT_KEY, formats: [format] }
  const tokens = latchkey({ prefix: 'acme_test', store: open(), scopes: SCOPES, logger: false, deadline: '30s', imports })
  onTestFinished(() => tokens.close().catch(() => undefined))
  return tokens
}

describe.each(stores)('imports on $kind', ({ place, skip }) => {
  it.skipIf(skip)('accepts imported tokens until they are revoked, and a later import does not undo the revocation', async () => {
    const open = await place()
    const tokens = nodeOf(open)
    const other = nodeOf(open)
    const made = Array.from({ length: 120 }, (_, at) => oldToken(at))
    const rows = made.map(({ row }) => row)
    const [first, second, third] = made.map(({ token }) => token)
    if (first === undefined || second === undefined || third === undefined) throw new Error('no tokens')
    const bring = () => tokens.system.import(rows, { format: old, map: terms })

    expect(await verdict(other.verify(first))).toBe('token_unknown')
    expect(outcome(await bring())).toEqual({ rows: 120, imported: 120 })
    expect(outcome(await bring())).toEqual({ rows: 120, existing: 120 })
    const verification = await tokens.verify(first)
    if (!verification.ok) throw new Error(verification.code)
    const { tokenId = '', ownerId } = verification.principal
    const allowed = [verification.principal.allows('stock:read'), verification.principal.allows('stock:write')]
    expect([ownerId, allowed]).toEqual(['ada', [true, false]])

    const listed = await tokens.system.list({ imported: true, ownerId: 'ada', limit: 1000 })
    expect(listed.items).toHaveLength(120)
    expect(listed.items.every(({ importedFrom, status }) => importedFrom === 'old' && status === 'active')).toBe(true)
    const trail = await tokens.system.events({ tokenId })
    expect(trail.items.map(({ action }) => action)).toEqual(['token.imported'])
    expect(JSON.stringify([listed, trail])).not.toContain(rows[0]?.hash)

    const rotated = await tokens.system.rotate(tokenId, { overlap: '1h' })
    expect([await verdict(tokens.verify(first)), await verdict(other.verify(rotated.token))]).toEqual(['ok', 'ok'])
    expect(rotated.record.importedFrom).toBeUndefined()

    const { record } = await tokens.introspect(second)
    await tokens.system.revoke(record?.id ?? '', { waitForNodes: true })
    expect([await verdict(tokens.verify(second)), await verdict(other.verify(second))]).toEqual(['token_revoked', 'token_revoked'])
    expect(outcome(await bring())).toEqual({ rows: 120, existing: 120 })
    expect(await tokens.system.prune({ before: Date.now() + 1000 })).toEqual({ count: 1 })
    expect(outcome(await bring())).toEqual({ rows: 120, existing: 119, removed: 1 })
    expect(await verdict(nodeOf(open).verify(second))).toBe('token_unknown')

    await tokens.system.revokeAll({ ownerId: 'ada' })
    expect(await verdict(tokens.verify(third))).toBe('token_revoked')
    expect(outcome(await bring())).toEqual({ rows: 120, existing: 119, removed: 1 })
    await tokens.system.erase({ ownerId: 'ada' })
    expect(outcome(await bring())).toEqual({ rows: 120, existing: 119, removed: 1 })
    expect((await tokens.system.list({ ownerId: 'ada' })).items).toEqual([])
  })

  it.skipIf(skip)('imports a token of each format, verifies it, refuses a wrong secret, and revokes the token', async () => {
    const open = await place()
    for (const { format, row, token, wrong } of VECTORS) {
      const tokens = nodeOf(open, format)
      const report = await tokens.system.import([row], { format, map: () => ({ name: format.name, scopes: ['stock:read'] }) })
      expect(report, format.name).toMatchObject({ imported: 1, problems: [] })
      expect(await verdict(tokens.verify(wrong)), format.name).toMatch(/^(token_unknown|secret_mismatch)$/)
      const verification = await tokens.verify(token)
      expect(verification.ok && verification.principal.name, format.name).toBe(format.name)
      await tokens.flush()
      expect(await verdict(tokens.verify(token)), format.name).toBe('ok')
      const { record } = await tokens.introspect(token)
      expect(record?.importedFrom).toBe(format.name)
      await tokens.system.revoke(record?.id ?? '')
      expect(await verdict(tokens.verify(token)), format.name).toBe('token_revoked')
    }
  })
})
