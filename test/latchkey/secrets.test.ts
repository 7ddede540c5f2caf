import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { type AuditEvent, latchkey } from 'latchkey'
import { sqliteStore } from 'latchkey/stores/sqlite'
import { faultyStore } from 'latchkey/testing'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { portableEngine } from '../../src/token/hash.js'
import { codeOf, SCOPES, SYSTEM } from './harness.js'

const PEPPER = 'a pepper of more than thirty-two characters'

afterEach(() => vi.restoreAllMocks())

/** Every run of 12 characters of a text. */
function pieces(text: string): readonly string[] {
  return Array.from({ length: text.length - 11 }, (_, at) => text.slice(at, at + 12))
}

/** Everything that can be got to see of a value, at the most talkative setting. */
function seen(value: unknown): string {
  const texts = [inspect(value, { showHidden: true, depth: null, getters: true }), String(value)]
  try {
    texts.push(JSON.stringify(value) ?? '')
  } catch {
    // Circular: inspected above.
  }
  if (value instanceof Error)
    texts.push(value.stack ?? '', seen(value.cause), inspect(Object.getOwnPropertyDescriptors(value), { depth: null }))
  return texts.join('\n')
}

describe('a canary token', () => {
  it('leaves no twelve characters of its secret, and no digest, in anything but the answer to create and rotate', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'latchkey-'))
    const console_ = (['log', 'info', 'warn', 'error', 'debug', 'trace'] as const).map((name) => vi.spyOn(console, name))
    const written = [vi.spyOn(process.stdout, 'write'), vi.spyOn(process.stderr, 'write')]
    try {
      const told: AuditEvent[] = []
      const store = faultyStore(sqliteStore(join(folder, 'tokens.db')))
      const tokens = latchkey({
        prefix: 'acme_live',
        store,
        scopes: SCOPES,
        pepper: PEPPER,
        ownerScopes: ({ ownerId }) => (ownerId === 'gone' ? null : ['stock:read']),
        onEvent: (event) => told.push(event),
        usage: { flushIntervalSeconds: 0.01 },
        deadlineSeconds: 1,
      })
      const witness: unknown[] = [tokens, told]
      const first = await tokens.create({ name: 'canary', ownerId: 'u1', scopes: ['stock:read'], ttlSeconds: 600 }, SYSTEM)
      const { token, record } = first
      const other = await tokens.create({ name: 'gone', ownerId: 'gone', scopes: ['stock:read'] }, SYSTEM)
      const next = await tokens.rotate(record.id, { overlapSeconds: 60 }, SYSTEM)
      const canaries = [token, other.token, next.token]
      witness.push(first.record, other.record, next.record)
      const id = next.record.id
      const use = { ip: '10.0.0.1', method: 'GET', endpoint: '/stock' }
      const calls: (() => unknown)[] = [
        ...canaries.flatMap((canary) => [
          () => tokens.verify(canary, use),
          () => tokens.verify(`${canary.slice(0, -1)}${canary.endsWith('0') ? '1' : '0'}`, use),
          () => tokens.verify(canary.replace('live', 'test'), use),
          () => tokens.verify(` ${canary}`, use),
          // The token where something else belongs.
          () => tokens.get(canary),
          () => tokens.revoke(canary, {}, SYSTEM),
          () => tokens.rotate(canary, {}, SYSTEM),
          () => tokens.update(canary, { name: 'x' }, SYSTEM),
          () => tokens.usage(canary),
          () => tokens.events({ tokenId: canary }),
          () => tokens.list({ cursor: canary }),
          () => tokens.events({ cursor: canary }),
          () => tokens.list({ status: canary as 'active' }),
          () => tokens.create({ name: 'x', scopes: [canary as 'stock:read'] }, SYSTEM),
          () => tokens.create({ name: 'x', scopes: [], [canary]: 1 } as never, SYSTEM),
          () => tokens.create({ name: 'x', scopes: [], expiresAt: canary }, SYSTEM),
          () => tokens.create({ name: 'x', scopes: [], allowedIps: [canary] }, SYSTEM),
          () => tokens.create({ name: 'x', scopes: [], resources: { [canary]: ['1'] } }, SYSTEM),
          () => tokens.create(canary as never, SYSTEM),
          () => tokens.revokeAll({ all: canary as unknown as true }, SYSTEM),
          () => tokens.get(id, { actor: canary as 'system' }),
          () => tokens.prune({ before: canary }),
          () => latchkey({ prefix: canary, store, scopes: SCOPES }),
          () => latchkey({ prefix: 'x', store, scopes: SCOPES, [canary]: true } as never),
        ]),
        () => tokens.get(id),
        () => tokens.list(),
        () => tokens.events({ limit: 1000 }),
        () => tokens.usage(id),
        () => tokens.update(id, { name: 'y' }, { ...SYSTEM, version: 99 }),
        () => tokens.revoke(other.record.id, {}, SYSTEM),
        () => tokens.verify(other.token, use),
        () => tokens.rotate(record.id, {}, SYSTEM),
        () => tokens.create({ name: 'z', scopes: ['billing:read'] }, { actor: { id: 'a', tenants: '*', manages: 'all', scopes: [] } }),
      ]
      for (const call of calls) {
        try {
          const answer = await call()
          witness.push(answer)
          if (typeof answer === 'object' && answer !== null && 'principal' in answer) {
            const { principal } = answer as { principal: { signal: AbortSignal } }
            witness.push(principal, principal.signal, JSON.parse(JSON.stringify(principal)))
          }
        } catch (error) {
          expect(codeOf(error)).not.toMatch(/^not a latchkey error/)
          witness.push(error)
        }
      }
      // A database that quotes what it was sent.
      for (const method of ['find', 'commit', 'list', 'events', 'usage'] as const) {
        store.behave({
          [method]: { do: 'fail', error: Object.assign(new Error(`near ${token}`), { parameters: canaries, detail: token }) },
        })
        for (const call of [
          () => tokens.verify(next.token),
          () => tokens.revoke(id, {}, SYSTEM),
          () => tokens.list(),
          () => tokens.events(),
          () => tokens.usage(id),
        ]) {
          witness.push(await Promise.resolve(call()).catch((error: unknown) => error))
        }
      }
      store.behave()
      await tokens.close()
      witness.push(await tokens.verify(token).catch((error: unknown) => error))

      const files = readdirSync(folder).map((name) => readFileSync(join(folder, name)).toString('latin1'))
      const said = [...console_, ...written].flatMap((spy) => spy.mock.calls.map((args) => seen(args)))
      const shown = [...witness.map(seen), ...said].join('\n')
      for (const canary of canaries) {
        const secret = canary.split('_').at(-1) ?? ''
        expect(secret).toHaveLength(49)
        for (const piece of pieces(secret)) {
          expect(shown.includes(piece), `shown: ${piece}`).toBe(false)
          expect(
            files.some((text) => text.includes(piece)),
            `in the database: ${piece}`,
          ).toBe(false)
        }
        const digest = portableEngine.hmacSha256(PEPPER)(canary.slice(0, -6))
        expect(files.some((text) => text.includes(digest) || text.includes(Buffer.from(digest, 'hex').toString('latin1')))).toBe(true)
        expect(shown).not.toContain(digest)
        expect(shown).not.toContain(digest.slice(0, 16))
      }
      for (const piece of pieces(PEPPER)) expect(shown + files.join('')).not.toContain(piece)
      expect(witness.length).toBeGreaterThan(80)
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })
})
