import { ownTokens, plainTokens, sha256Tokens } from 'latchkey/import'
import { describe, expect, it } from 'vitest'
import { verify } from '../../src/verify/verify.js'
import { DAY, node } from '../verbs/notices-world.js'
import { IMPORT_KEY, oldToken } from './world.js'

const shape = { prefix: 'sk_', length: 35 }
const hashed = sha256Tokens({ ...shape, name: 'hashed' })
const plain = plainTokens({ ...shape, name: 'plain' })
const slow = ownTokens({ name: 'slow', key: (credential) => credential.slice(0, 11), verify: (credential, hash) => credential === hash })
const PAIRS = [
  ['hashed, plain', [hashed, plain]],
  ['plain, hashed', [plain, hashed]],
  ['hashed, slow', [hashed, slow]],
] as const

/** A node with a secret that has one record in each of the formats. Each record belongs to a different tenant. */
async function world([first, second]: (typeof PAIRS)[number][1]) {
  const tokens = node({ expiry: { unused: '180d' }, imports: { key: IMPORT_KEY, formats: [first, second] } })
  const { token, row } = oldToken(1)
  // The formats of the rows, in an order in which the import does not detect the second record.
  const rows = [
    [plain, { token }],
    [hashed, row],
    [slow, { key: token.slice(0, 11), hash: token }],
  ] as const
  for (const [format, each] of rows) {
    if (format !== first && format !== second) continue
    const map = () => ({ name: format.name, scopes: ['stock:read' as const], tenantId: format.name })
    expect(await tokens.handle.import([each], { format, map })).toMatchObject({ imported: 1 })
  }
  const present = async () => {
    const verified = await verify(tokens.context, token, { ip: '192.0.2.1' })
    return verified.ok ? 'ok' : verified.code
  }
  const records = async () => Object.fromEntries((await tokens.handle.list()).items.map((record) => [record.name, record]))
  return { ...tokens, token, present, records }
}

describe.each(PAIRS)('a secret imported in two formats, in the order %s', (_order, formats) => {
  it('a secret imported in two formats remains accepted while it is used, although requests count for only one of its records', async () => {
    const { clock, present, look, context, events, records } = await world(formats)
    for (let day = 0; day < 200; day += 1) {
      clock.now += DAY
      expect(await present()).toBe('ok')
      await context.flush()
      await look()
    }
    expect([await events('token.unused'), await events('token.deactivated')]).toEqual([[], []])
    expect(Object.values(await records()).map(({ status }) => status)).toEqual(['active', 'active'])
  })

  it('the last use of a secret imported in two formats is shown on both records, and its address only on the record that it is counted for', async () => {
    const { clock, present, context, records, handle } = await world(formats)
    const [first, second] = formats.map(({ name }) => name)
    clock.now += DAY
    expect(await present()).toBe('ok')
    for (const written of [false, true]) {
      if (written) await context.flush()
      const all = await records()
      expect(all[first ?? '']).toMatchObject({ lastUsedAt: new Date(clock.now), lastUsedIp: '192.0.2.1' })
      expect(all[second ?? '']).toMatchObject({ lastUsedAt: new Date(clock.now) })
      expect(all[second ?? '']?.lastUsedIp).toBeUndefined()
    }
    const { [second ?? '']: other } = await records()
    expect(await handle.usage(other?.id ?? '')).toMatchObject({ total: 0, addresses: [] })
  })

  it('both records of a secret imported in two formats are deactivated a week after the notice if nobody uses the secret', async () => {
    const { clock, present, look, events } = await world(formats)
    for (let day = 0; day < 187; day += 1) {
      clock.now += DAY
      await look()
    }
    expect((await events('token.deactivated')).map(({ reason }) => reason)).toEqual(['unused', 'unused'])
    expect(await present()).toBe('token_inactive')
  })
})
