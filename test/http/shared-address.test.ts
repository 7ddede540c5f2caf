import type { Warning } from 'latchkey'
import { sha256Tokens } from 'latchkey/import'
import { expect, it } from 'vitest'
import { createGuard } from '../../src/http/authenticate.js'
import { createSharingCheck } from '../../src/http/shared-address.js'
import { instance, mint } from '../latchkey/harness.js'
import { fakePlatform, withToken } from './fake.js'

type Seen = readonly [tokenId: string, ip: string | undefined]

function warningsAfter(uses: Iterable<Seen>): readonly string[] {
  const told: string[] = []
  const check = createSharingCheck()
  for (const [tokenId, ip] of uses) check(tokenId, ip, ({ code, message }) => void told.push(`${code} ${message.split(': ').at(-1)}`))
  return told
}

const uses = (count: number, ip: (at: number) => string | undefined): readonly Seen[] =>
  Array.from({ length: count }, (_, at) => [`t${at}`, ip(at)] as const)

it('many tokens from one address cause one warning with the address', () => {
  expect(warningsAfter(uses(500, () => '10.0.0.1'))).toEqual(['LATCHKEY_W011 10.0.0.1'])
})

it('many tokens from two proxy addresses cause a warning, and one IPv6 network counts as one address', () => {
  expect(warningsAfter(uses(50, (at) => `10.0.0.${at % 2}`))).toEqual(['LATCHKEY_W011 10.0.0.0 and 10.0.0.1'])
  expect(warningsAfter(uses(50, (at) => `2001:db8::${at.toString(16)}`))).toEqual(['LATCHKEY_W011 2001:db8::/64'])
})

it('many tokens from unknown addresses cause a warning', () => {
  expect(warningsAfter(uses(50, () => undefined))).toEqual(['LATCHKEY_W011 the address is not known'])
  expect(warningsAfter(uses(50, () => 'unix:'))).toEqual(['LATCHKEY_W011 the address is not known'])
})

it('many tokens from three addresses, or few tokens from one address, cause no warning', () => {
  expect(warningsAfter(uses(500, (at) => `10.0.0.${at % 3}`))).toEqual([])
  expect(warningsAfter(uses(49, () => '10.0.0.1'))).toEqual([])
  expect(warningsAfter(Array.from({ length: 10_000 }, () => ['t1', '10.0.0.1'] as const))).toEqual([])
})

it('a shared address causes a warning without a pepper, and with a pepper only if imported tokens are accepted', async () => {
  const warned = async (pepper?: string, more: Parameters<typeof instance>[0] = {}): Promise<readonly string[]> => {
    const told: Warning[] = []
    const tokens = instance(pepper === undefined ? more : { pepper, ...more })
    const guard = createGuard(tokens, { onWarning: (warning) => told.push(warning) }, fakePlatform())
    for (let at = 0; at < 60; at += 1) await guard({ ...withToken((await mint(tokens)).token), ip: '10.0.0.1' })
    return told.map(({ code }) => code)
  }
  expect(await warned()).toEqual(['LATCHKEY_W011'])
  const pepper = 'a pepper of at least thirty-two characters'
  expect(await warned(pepper)).toEqual([])
  const imports = { key: 'an import key of at least thirty-two characters', formats: [sha256Tokens({ prefix: 'sk_' })] }
  expect(await warned(pepper, { imports })).toEqual(['LATCHKEY_W011'])
})

it('guards of one instance count addresses together, even if each request creates its own guard', async () => {
  const told: Warning[] = []
  const tokens = instance()
  for (let at = 0; at < 60; at += 1) {
    const guard = createGuard(tokens, { onWarning: (warning) => told.push(warning) }, fakePlatform())
    await guard({ ...withToken((await mint(tokens)).token), ip: '10.0.0.1' })
  }
  expect(told.map(({ code }) => code)).toEqual(['LATCHKEY_W011'])
})
