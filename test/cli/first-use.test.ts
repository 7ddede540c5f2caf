import Database from 'libsql'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { openShell, SCOPES, type Shell } from './support.js'

let shell: Shell
beforeAll(async () => {
  shell = await openShell()
})
afterAll(() => shell.close())

const config = (name: string, more = ''): readonly string[] => [
  '--config',
  shell.write(
    `${name}.config.mjs`,
    `import { latchkey } from '$index'
import { sqliteStore } from '$sqlite'

export const tokens = latchkey({ prefix: 'acme_live', store: sqliteStore('$folder/${name}.db'), scopes: ${JSON.stringify(SCOPES)}${more} })
`,
  ),
]
const made = async (name: string, ...more: readonly string[]): Promise<string> =>
  JSON.parse((await shell.run('create', '--name', name, '--scope', 'inventory:read', '--json', ...more)).stdout).record.id

it.each([
  ['without the sealing option', '', 'set the `sealing` option'],
  ['before the first seal', ', sealing: {}', 'events are sealed while your application runs'],
])('verify-audit fails if nothing is sealed, and says so: %s', async (name, sealing, advice) => {
  const options = config(name.replaceAll(' ', '-'), sealing)
  await shell.run('create', '--name', 'x', '--scope', 'inventory:read', ...options)
  const { code, stdout, stderr } = await shell.run('verify-audit', ...options)
  expect([code, stdout]).toEqual([1, expect.stringContaining(`Nothing is sealed, so nothing was verified: ${advice}`)])
  expect(stderr).toBe('')
  const { code: jsonCode, stdout: json } = await shell.run('verify-audit', '--json', ...options)
  expect([jsonCode, JSON.parse(json)]).toMatchObject([1, { ok: false, sealed: 0, problems: [{ kind: 'seal' }] }])
})

it('verify-audit calls the audit log internally consistent only if it found no problem', async () => {
  const CONSISTENT = 'Without --head, this shows only that the audit log is internally consistent.\n'
  const id = await made('sealed')
  await shell.tokens.system.sealAudit()
  expect(await shell.run('verify-audit')).toMatchObject({ code: 0, stderr: CONSISTENT })
  const database = new Database(`${shell.folder}/tokens.db`)
  try {
    database.exec("update latchkey_events set actor_id = 'mallory'")
  } finally {
    database.close()
  }
  const { code, stdout, stderr } = await shell.run('verify-audit')
  expect([code, stderr, stdout]).toEqual([1, '', expect.stringContaining('changed')])
  expect(id).toHaveLength(16)
})

it('verify-audit names the missing field of a head', async () => {
  shell.write('bad.json', '{}')
  const { code, stderr } = await shell.run('verify-audit', '--head', 'bad.json')
  expect([code, stderr]).toEqual([2, expect.stringMatching(/^latchkey: --head: (?:number|hash) /)])
})

it.each([
  [['ada'], '`npx latchkey owner-gone ada`'],
  [['ada', '--tenant', 't1'], '`npx latchkey owner-gone ada --tenant t1`'],
  [['ada; ls'], '`npx latchkey owner-gone`'],
])('erase of an owner who still has tokens names the command that revokes them: %j', async (args, command) => {
  await made('kept', '--owner', args[0] ?? '', '--tenant', 't1')
  const { code, stderr } = await shell.run('erase', ...args, '--yes')
  expect([code, stderr]).toEqual([
    1,
    `latchkey: this owner has tokens that are not revoked: revoke them first with ${command} (conflict)\n`,
  ])
})

it.each([
  ['create', '--name', 'x', '--scope', 'inventory:read'],
  ['update', 'ID'],
  ['explain', 'ID', '--scope', 'inventory:read'],
])('%s refuses a --resource without a value, such as that of an unset variable', async (...command) => {
  const id = await made('wide')
  const { code, stderr } = await shell.run(...command.map((word) => (word === 'ID' ? id : word)), '--resource', 'warehouse=')
  expect([code, stderr]).toEqual([2, expect.stringContaining('--resource warehouse= has no value')])
})

it('revoke-all asks with the number of live tokens, and repeats a tenant that has none', async () => {
  for (const name of ['a', 'b', 'c']) await made(name, '--tenant', 'counted')
  const [first] = (await shell.tokens.system.list({ tenantId: 'counted' })).items
  await shell.tokens.system.revoke(first?.id ?? '')
  expect(await shell.run('revoke-all', '--tenant', 'counted')).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('Revoke every token of tenant "counted" permanently? Live tokens: 2. '),
  })
  expect(await shell.run('revoke-all', '--tenant', 'nope', '--yes')).toMatchObject({
    code: 0,
    stderr: 'Revoked 0 tokens: no token of tenant "nope" was left to revoke.\n',
  })
  expect(await shell.run('owner-gone', 'nope', '--yes')).toMatchObject({
    code: 0,
    stderr: expect.stringMatching(/^Revoked 0 tokens: no token of .*nope.* was left to revoke\.\n$/),
  })
})

it('a second deactivate or activate says that nothing changed', async () => {
  const id = await made('paused')
  const told = async (command: string): Promise<string> => (await shell.run(command, id)).stderr
  expect(await told('activate')).toBe(`"paused" (ID ${id}) was already active. Nothing changed.\n`)
  expect(await told('deactivate')).toBe(`Deactivated "paused" (ID ${id}).\n`)
  expect(await told('deactivate')).toBe(`"paused" (ID ${id}) was already deactivated. Nothing changed.\n`)
  expect(await told('activate')).toBe(`Activated "paused" (ID ${id}).\n`)
})

it('events of an unknown token fail as show does, but those of a pruned token are shown', async () => {
  const unknown = '0'.repeat(16)
  const [shown, events] = [await shell.run('show', unknown), await shell.run('events', unknown)]
  expect(events).toEqual(shown)
  expect(events.code).toBe(1)
  const id = await made('short')
  expect(await shell.run('events', id, '--action', 'token.revoked')).toMatchObject({ code: 0, stderr: '' })
  await shell.run('revoke', id, '--yes')
  await shell.run('prune', '--before', String(Date.now() + 1), '--yes')
  expect((await shell.run('show', id)).code).toBe(1)
  expect(await shell.run('events', id)).toMatchObject({ code: 0, stdout: expect.stringContaining('token.revoked') })
  expect(await shell.run('events', id, '--action', 'token.leaked')).toMatchObject({ code: 0, stderr: '' })
})

it('explain suggests a scope for a misspelled one', async () => {
  const id = await made('explained')
  const { stdout } = await shell.run('explain', id, '--scope', 'inventory:raed')
  expect(stdout).toContain('inventory:raed is not in the catalogue; did you mean inventory:read?')
})

it('a duration without a unit is read as seconds, and the command says so', async () => {
  expect((await shell.run('list', '--expires-within', '14')).stderr).toBe(
    'Note: --expires-within 14 means 14 seconds. For other units, add one, as in 15m or 14d.\n',
  )
  expect((await shell.run('list', '--expires-within', '14d')).stderr).toBe('')
  expect((await shell.run('rotate', await made('rolled'), '--overlap', '7')).stderr).toMatch(/^Note: --overlap 7 means 7 seconds\./)
})

it('init --force says that init never overwrites a file', async () => {
  const { code, stderr } = await shell.run('init', '--force')
  expect([code, stderr]).toEqual([2, "latchkey: unknown option '--force' (init never overwrites a file: delete it first)\n"])
})
