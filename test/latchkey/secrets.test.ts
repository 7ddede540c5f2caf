import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { type AuditEvent, latchkey } from 'latchkey'
import { sqliteStore } from 'latchkey/stores/sqlite'
import { faultyStore } from 'latchkey/testing'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { portableEngine } from '../../src/token/hash.js'
import { codeOf, SCOPES } from './harness.js'

const PEPPER = 'a pepper of more than thirty-two characters'

afterEach(() => vi.restoreAllMocks())

/** Every run of 12 characters of a string. */
function pieces(text: string): readonly string[] {
  return Array.from({ length: text.length - 11 }, (_, at) => text.slice(at, at + 12))
}

/** Every printed form of a value, with the most verbose settings. */
function seen(value: unknown): string {
  const texts = [inspect(value, { showHidden: true, depth: null, getters: true }), String(value)]
  try {
    texts.push(JSON.stringify(value) ?? '')
  } catch {
    // A circular value is covered by inspect() above.
  }
  if (value instanceof Error)
    texts.push(value.stack ?? '', seen(value.cause), inspect(Object.getOwnPropertyDescriptors(value), { depth: null }))
  return texts.join('\n')
}

describe('a canary token', () => {
  it('no twelve consecutive characters of a secret and no digest appear anywhere except in the results of create and rotate', async () => {
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
        owner: ({ ownerId }) => (ownerId === 'gone' ? null : { scopes: ['stock:read'] }),
        onEvent: (event) => told.push(event),
        usage: { flushEvery: 0.01 },
        deadline: 1,
      })
      const witness: unknown[] = [tokens, told]
      const first = await tokens.system.create({ name: 'canary', ownerId: 'u1', scopes: ['stock:read'], expiresIn: 600 })
      const { token, record } = first
      const other = await tokens.system.create({ name: 'gone', ownerId: 'gone', scopes: ['stock:read'] })
      const next = await tokens.system.rotate(record.id, { overlap: 60 })
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
          // Calls with the token in a wrong argument.
          () => tokens.system.get(canary),
          () => tokens.system.revoke(canary),
          () => tokens.system.rotate(canary),
          () => tokens.system.update(canary, { name: 'x' }),
          () => tokens.system.usage(canary),
          () => tokens.system.events({ tokenId: canary }),
          () => tokens.system.list({ cursor: canary }),
          () => tokens.system.events({ cursor: canary }),
          () => tokens.system.list({ status: canary as 'active' }),
          () => tokens.system.create({ name: 'x', scopes: [canary as 'stock:read'] }),
          () => tokens.system.create({ name: 'x', scopes: [], [canary]: 1 } as never),
          () => tokens.system.create({ name: 'x', scopes: [], expiresAt: canary }),
          () => tokens.system.create({ name: 'x', scopes: [], allowedIps: [canary] }),
          () => tokens.system.create({ name: 'x', scopes: [], resources: { [canary]: ['1'] } }),
          () => tokens.system.create(canary as never),
          () => tokens.system.revokeAll({ all: canary as unknown as true }),
          () => tokens.system.get(id),
          () => tokens.system.prune({ before: canary }),
          () => latchkey({ prefix: canary, store, scopes: SCOPES }),
          () => latchkey({ prefix: 'x', store, scopes: SCOPES, [canary]: true } as never),
        ]),
        () => tokens.system.get(id),
        () => tokens.system.list(),
        () => tokens.system.events({ limit: 1000 }),
        () => tokens.system.usage(id),
        () => tokens.system.update(id, { name: 'y' }, { version: 99 }),
        () => tokens.system.revoke(other.record.id),
        () => tokens.verify(other.token, use),
        () => tokens.system.rotate(record.id),
        () => tokens.as({ id: 'a', tenants: '*', manages: 'all', scopes: [] }).create({ name: 'z', scopes: ['billing:read'] }),
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
      // A database whose errors quote the query and its parameters.
      for (const method of ['find', 'commit', 'list', 'events', 'usage'] as const) {
        store.behave({
          [method]: { do: 'fail', error: Object.assign(new Error(`near ${token}`), { parameters: canaries, detail: token }) },
        })
        for (const call of [
          () => tokens.verify(next.token),
          () => tokens.system.revoke(id),
          () => tokens.system.list(),
          () => tokens.system.events(),
          () => tokens.system.usage(id),
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
