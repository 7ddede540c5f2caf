import { Command, type Option } from 'commander'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { COMMANDS } from '../../src/cli/commands.js'
import { openShell, type Shell } from './support.js'

let shell: Shell
beforeAll(async () => {
  shell = await openShell()
})
afterAll(() => shell.close())

const NOBODY = '0'.repeat(16)

describe('exit codes', () => {
  it.each([
    [
      'a token that does not exist',
      ['show', NOBODY],
      1,
      'latchkey: no token with id "0000000000000000" that this actor may see (not_found)',
    ],
    ['one that cannot be revoked', ['revoke', NOBODY, '--yes'], 1, '(not_found)'],
    ['a scope that is not in the catalogue', ['create', '--name', 'x', '--scope', 'inventory:reed'], 2, 'did you mean "inventory:read"?'],
    ['no scopes', ['create', '--name', 'x'], 2, '--scope'],
    ['a duration that is none', ['create', '--name', 'x', '--scope', 'inventory:read', '--expires-in', '5 days'], 2, 'expiresIn:'],
    ['a missing option', ['create', '--scope', 'inventory:read'], 2, "required option '--name <name>' not specified"],
    ['a misspelled command', ['revok', NOBODY], 2, 'Did you mean revoke?'],
    ['a misspelled option', ['list', '--jsn'], 2, 'Did you mean --json?'],
    ['a status that is none', ['list', '--status', 'gone'], 2, 'active'],
    ['a missing argument', ['show'], 2, "missing required argument 'id'"],
    ['an argument too many', ['list', 'x'], 2, 'too many arguments'],
    ['something that is no id', ['show', 'erp'], 2, '16 letters and digits'],
    ['no choice of whose tokens', ['revoke-all', '--yes'], 2, '--tenant, --owner or --all'],
    ['metadata that is no JSON', ['create', '--name', 'x', '--scope', 'inventory:read', '--metadata', '{'], 2, '--metadata must be JSON'],
    ['a resource without a value', ['create', '--name', 'x', '--scope', 'inventory:read', '--resource', 'w1'], 2, 'warehouse=w1'],
    ['an instant that is none', ['events', '--from', 'yesterday'], 2, 'from:'],
    ['a name for the actor that is none', ['list', '--as', 'x'.repeat(300)], 2, 'actor.id:'],
    ['a configuration that is not there', ['list', '--config', 'none.ts'], 2, '--config: there is no file'],
  ])('for %s: one sentence, nothing on the standard output', async (_case, args, code, text) => {
    const ended = await shell.run(...args)
    expect(ended).toEqual({ code, stdout: '', stderr: expect.stringContaining(text) })
    expect(ended.stderr).toMatch(/^latchkey: [^\n]+\n$/)
  })

  it('are 0 for help that was asked for, and 2 for a command line without a command', async () => {
    const [help, none] = [await shell.run('rotate', '--help'), await shell.run()]
    expect([help.code, help.stderr, help.stdout]).toEqual([0, '', expect.stringContaining('--overlap')])
    expect([none.code, none.stdout, none.stderr]).toEqual([2, '', expect.stringContaining('Exit codes: 0 done')])
  })

  it('are 3 where the store does not answer, for doctor too', async () => {
    const file = shell.write(
      'away.config.mjs',
      `import { latchkey } from '$index'
import { sqliteStore } from '$sqlite'
export default latchkey({ prefix: 'acme_live', store: sqliteStore('$folder/no/such/folder.db'), scopes: { a: 'b' }, logger: false })`,
    )
    const [list, doctor] = [await shell.run('list', '--config', file), await shell.run('doctor', '--json', '--config', file)]
    expect([list.code, list.stderr]).toEqual([3, expect.stringMatching(/^latchkey: [^\n]*\(store_unavailable\)\n$/)])
    expect([doctor.code, JSON.parse(doctor.stdout).ok]).toEqual([3, false])
  })
})

describe('a token', () => {
  it('that is given for its id is cut to it, warned of, and never repeated', async () => {
    const { token, record } = await shell.tokens.system.create({ name: 'pasted', scopes: ['inventory:read'] })
    const { code, stdout, stderr } = await shell.run('show', token, '--json')
    expect([code, JSON.parse(stdout).id, stderr]).toEqual([0, record.id, expect.stringContaining('rotate it')])
    const cut = await shell.run('show', token.slice(0, -9))
    expect(cut.code).toBe(0)
    for (const text of [stdout, stderr, cut.stdout, cut.stderr]) expect(text).not.toContain(token.slice(27, 50))
  })

  it.each([
    ['TOKEN'],
    ['--TOKEN'],
    ['list TOKEN'],
    ['list --limit TOKEN'],
    ['list --status TOKEN'],
    ['list --cursor TOKEN'],
    ['list --config TOKEN'],
    ['events --from TOKEN'],
    ['create --name TOKEN --scope inventory:read'],
    ['create --name x --scope TOKEN'],
    ['create --name x --scope inventory:read --expires-in TOKEN'],
    ['create --name x --scope inventory:read --resource TOKEN'],
    ['init --prefix TOKEN'],
    ['revoke TOKEN'],
    ['revoke-all --tenant TOKEN'],
    ['prune --before TOKEN'],
    ['verify-audit --head TOKEN'],
  ])('is not repeated by the error of: %s', async (command) => {
    const { token } = await shell.tokens.system.create({ name: 'x', scopes: ['inventory:read'] })
    const { code, stdout, stderr } = await shell.run(...command.split(' ').map((word) => word.replace('TOKEN', token)))
    expect(code, stderr).not.toBe(0)
    expect(`${stdout}${stderr}`).not.toContain(token.slice(27, 50))
  })

  it('has no option to be given in, so that it stands in no list of processes', () => {
    const program = new Command()
    for (const add of COMMANDS) add(program, () => undefined)
    const named = (option: Option): boolean => /token|secret|pepper|password/i.test(option.flags)
    expect(program.commands.flatMap((command) => command.options.filter(named))).toEqual([])
    expect(program.commands.length).toBe(COMMANDS.length)
  })
})
