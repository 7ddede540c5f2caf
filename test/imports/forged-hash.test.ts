import { ownTokens } from 'latchkey/import'
import { memoryStore } from 'latchkey/stores/memory'
import { describe, expect, it } from 'vitest'
import type { StoredToken } from '../../src/model/record.js'
import type { TokenStore } from '../../src/store/port.js'
import { verdict } from '../latchkey/harness.js'
import { accepting } from './world.js'

/** A stand-in for bcrypt. Anyone can compute it. */
const publicHash = (credential: string): string => `hash of ${credential}`
const format = ownTokens({
  name: 'slow',
  key: (credential) => /^k-([0-9]+)-/.exec(credential)?.[1],
  verify: (credential, hash) => publicHash(credential) === hash,
})
const map = () => ({ name: 'Old', scopes: ['stock:read' as const] })
const row = (key: number) => ({ key, hash: publicHash(`k-${key}-secret`) })

/** Two imported tokens in a database that an attacker can write to without knowing the pepper or the import key. */
async function attacked() {
  const honest = memoryStore()
  let edit = (stored: StoredToken): StoredToken => stored
  const store: TokenStore = {
    ...honest,
    find: async (ids) => (await honest.find(ids)).map(edit),
  }
  const tokens = accepting([format], { store, pepper: 'Vx5Rk8mW2qTz7Lb4Yc9Nd3Hs6Gj1Fp0A', cache: false, logger: false })
  expect(await tokens.system.import([row(1), row(2)], { format, map })).toMatchObject({ imported: 2 })
  const stored = async (key: number): Promise<StoredToken> => {
    const { items } = await tokens.system.list({ limit: 10 })
    const found = await honest.find(items.map(({ id }) => id))
    return found.find(({ importedHash }) => importedHash === row(key).hash) as StoredToken
  }
  return { tokens, stored, write: (change: typeof edit) => (edit = change) }
}

describe('an attacker who can write to the database but has no key', () => {
  it.each(['before', 'after'])(
    'an attacker who can write to the database cannot choose the secret of an imported token %s its first use',
    async (when) => {
      const { tokens, write } = await attacked()
      if (when === 'after') {
        expect(await verdict(tokens.verify('k-1-secret'))).toBe('ok')
        await tokens.flush()
      }
      write((stored) => ({ ...stored, importedHash: publicHash('k-1-forged') }))
      expect(await verdict(tokens.verify('k-1-forged'))).toBe('secret_mismatch')
      expect(await tokens.introspect('k-1-forged')).toEqual({ active: false })
      write((stored) => stored)
      expect(await verdict(tokens.verify('k-1-secret'))).toBe('ok')
    },
  )

  it('an attacker who can write to the database cannot give one imported token the secret of another by copying its row', async () => {
    const { tokens, stored, write } = await attacked()
    const { importedHash = '', requestHash = '' } = await stored(2)
    write((mine) => ({ ...mine, importedHash, requestHash }))
    for (const credential of ['k-1-secret', 'k-1-forged']) expect(await verdict(tokens.verify(credential))).toBe('secret_mismatch')
    expect(await verdict(tokens.verify('k-2-secret'))).toBe('ok')
  })

  it('a hash whose mark was removed in the database is refused', async () => {
    const { tokens, write } = await attacked()
    write(({ requestHash: _, ...stored }) => ({ ...stored, importedHash: publicHash('k-1-forged') }))
    expect(await verdict(tokens.verify('k-1-forged'))).toBe('secret_mismatch')
  })
})
