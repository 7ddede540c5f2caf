import { memoryStore } from 'latchkey/stores/memory'
import { interceptStore } from 'latchkey/testing'
import { describe, expect, it } from 'vitest'
import type { StoredToken } from '../../src/model/record.js'
import { codeOf, instance, mint, verdict, warm } from './harness.js'

const CORRUPT = [Number.NaN, null, '2030', '2030-01-01T00:00:00Z', {}, [], true, false, -1, Number.POSITIVE_INFINITY, 1e20, new Date(NaN)]
const FIELDS = {
  revokedAt: 'token_revoked',
  deactivatedAt: 'token_inactive',
  notBefore: 'token_not_yet_valid',
  expiresAt: 'token_expired',
} as const

describe('instants that the store corrupted', () => {
  for (const [field, code] of Object.entries(FIELDS)) {
    for (const value of CORRUPT) {
      it(`a token is refused when its ${field} is ${typeof value} ${String(value)}`, async () => {
        let corrupt = false
        const store = interceptStore(memoryStore(), ({ method }, proceed) => {
          const rows = proceed()
          return corrupt && (method === 'find' || method === 'list')
            ? (rows as StoredToken[]).map((row) => ({ ...row, [field]: value }))
            : rows
        })
        const tokens = instance({ store })
        const { token, record } = await mint(tokens)
        corrupt = true
        expect(await verdict(tokens.verify(token))).toBe(code)
        const shown = await tokens.system.get(record.id).then((found) => found?.status, codeOf)
        expect(shown).not.toBe('active')
      })
    }
  }

  it('a token is refused when the clock returns a corrupt instant', async () => {
    let now = Date.now()
    const tokens = instance({ clock: () => now })
    const { token } = await mint(tokens, { expiresIn: 60 })
    for (const wrong of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -1, 1e20, '1', undefined, null] as number[]) {
      now = wrong
      expect(await verdict(tokens.verify(token))).not.toBe('ok')
    }
  })

  it('a corrupt clock does not revive an expired token', async () => {
    let now = Date.now()
    const tokens = instance({ clock: () => now })
    const { token } = await mint(tokens, { expiresIn: 60 })
    const lasting = await mint(tokens)
    now += 61_000
    expect(await verdict(tokens.verify(token))).toBe('token_expired')
    for (const wrong of [Number.NEGATIVE_INFINITY, Number.NaN, -1]) {
      now = wrong
      expect(await verdict(tokens.verify(token))).not.toBe('ok')
      expect(await verdict(tokens.verify(lasting.token))).not.toBe('ok')
    }
  })

  it('a clock that throws is an outage, even for cached tokens', async () => {
    let broken = false
    const clock = (): number => {
      if (broken) throw new Error('no time')
      return Date.now()
    }
    const tokens = instance({ clock })
    const { token } = await mint(tokens)
    await warm(tokens, token)
    broken = true
    expect(await verdict(tokens.verify(token))).toBe('store_unavailable')
  })

  it('a token becomes valid and expires exactly to the millisecond', async () => {
    let now = Date.now()
    const tokens = instance({ clock: () => now })
    const expiresAt = now + 60_000
    const notBefore = now + 1000
    const { token } = await mint(tokens, { expiresAt, notBefore })
    const seen: string[] = []
    for (const at of [notBefore - 1, notBefore, expiresAt - 1, expiresAt, expiresAt + 1]) {
      now = at
      seen.push(await verdict(tokens.verify(token)))
    }
    expect(seen).toEqual(['token_not_yet_valid', 'ok', 'ok', 'token_expired', 'token_expired'])
  })
})
