import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { IMPORT_KEY, sha256 } from '../imports/world.js'
import { openShell, SCOPES, type Shell } from './support.js'

const CONFIG = `import { latchkey } from '$index'
import { betterAuthKeys, ownTokens, plainTokens, sanctumTokens, sha256Tokens } from '$import'
import { sqliteStore } from '$sqlite'

const own = ownTokens({
  name: 'own',
  key: (text) => /^o:(\\w{8}):\\w+$/.exec(text)?.[1],
  verify: (text, hash) => text.endsWith(hash),
})
const short = plainTokens({ name: 'short', length: 16 })
const formats = [plainTokens({ prefix: 'key_' }), short, sha256Tokens({ prefix: 'sk_' }), sanctumTokens(), betterAuthKeys(), own]
export const tokens = latchkey({
  prefix: 'acme_live',
  store: sqliteStore('$folder/tokens.db'),
  scopes: ${JSON.stringify(SCOPES)},
  imports: { key: '${IMPORT_KEY}', formats },
})
`

const hex = randomBytes(20).toString('hex')
const words = randomBytes(64).toString('hex').replace(/\d/g, 'x').slice(0, 64)
/** A token of each format, with its row and the part that no output may contain. */
const OLD: readonly (readonly [format: string, token: string, row: object, secret: string])[] = [
  ['plain', `key_0123456789abcdef_${hex}`, { token: `key_0123456789abcdef_${hex}` }, hex],
  ['short', hex.slice(0, 16), { token: hex.slice(0, 16) }, hex.slice(0, 16)],
  ['sha256', `sk_${hex}`, { hash: sha256(`sk_${hex}`) }, hex],
  ['sanctum', `7|${hex}`, { id: 7, token: sha256(hex) }, hex],
  ['better-auth', words, { key: Buffer.from(sha256(words), 'hex').toString('base64url') }, words],
  ['own', `o:abcdefgh:${hex}`, { key: 'abcdefgh', hash: hex }, hex],
]

let shell: Shell
beforeAll(async () => {
  shell = await openShell()
  shell.write('latchkey.config.mjs', CONFIG)
  shell.write('map.mjs', "export const map = (row) => ({ name: row.label, scopes: ['inventory:read'] })\n")
  for (const [format, , row] of OLD) {
    shell.write(`${format}.jsonl`, JSON.stringify({ ...row, label: format }))
    expect(await shell.run('import', `${format}.jsonl`, '--format', format, '--map', 'map.mjs')).toMatchObject({ code: 0 })
  }
})
afterAll(() => shell.close())

it.each(OLD)('an imported token in the format %s that is passed as a file name is not repeated', async (_format, token, _, secret) => {
  for (const args of [
    ['list', '--config', token],
    ['import', token, '--format', 'plain', '--map', 'map.mjs'],
    ['import', 'plain.jsonl', '--format', 'plain', '--map', token],
  ]) {
    const { code, stdout, stderr } = await shell.run(...args)
    expect([code, stdout, stderr]).toEqual([2, '', expect.stringContaining('there is no such file')])
    expect(stderr).not.toContain(secret)
  }
})

it.each(OLD)(
  'an imported token in the format %s that is passed instead of its ID is reduced to the ID',
  async (format, token, _, secret) => {
    const { code, stdout, stderr } = await shell.run('show', token, '--json')
    expect([code, JSON.parse(stdout)]).toMatchObject([0, { name: format, importedFrom: format }])
    expect(stderr).toBe(
      `latchkey: a whole token was passed where its ID, ${JSON.parse(stdout).id}, is enough. It may now be in your shell history: rotate it\n`,
    )
    expect(`${stdout}${stderr}`).not.toContain(secret)
  },
)

it.each([
  'update TOKEN --name x',
  'rotate TOKEN',
  'deactivate TOKEN',
  'activate TOKEN',
  'revoke TOKEN',
  'events TOKEN',
  'usage TOKEN',
  'explain TOKEN',
])('a pasted imported token is reduced to its ID and is not repeated: %s', async (line) => {
  const token = `sk_${hex}`
  const { stdout, stderr } = await shell.run(...line.split(' ').map((word) => word.replace('TOKEN', token)))
  expect(stderr).toMatch(/where its ID, \w{16}, is enough/)
  expect(`${stdout}${stderr}`).not.toContain(hex)
})

it.each([
  ['a token that was never imported', 'key_0123456789abcdef_SECRET', 'fits the imported format plain, and no imported token'],
  ['a token with a wrong secret', '7|SECRET', 'fits the imported format sanctum, and no imported token'],
  ['a token of an unknown format', 'SECRETS', "An imported token's ID is shown by `latchkey list --imported`"],
])('the error for %s says how to find the ID and does not repeat the text', async (_, text, message) => {
  const secret = randomBytes(20).toString('hex')
  const { code, stdout, stderr } = await shell.run('revoke', text.replace('SECRET', secret), '--yes')
  expect([code, stdout, stderr]).toEqual([2, '', expect.stringContaining(message)])
  for (const part of [secret, '0123456789abcdef']) expect(stderr).not.toContain(part)
})

it('an ID that fits a format of imported tokens is still looked up as an ID', async () => {
  const { record } = await shell.tokens.system.create({ name: 'new', scopes: ['inventory:read'] })
  expect(await shell.run('show', record.id)).toMatchObject({ code: 0, stderr: '' })
})
