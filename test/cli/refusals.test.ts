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
      'latchkey: there is no token with ID "0000000000000000", or this actor cannot see it (not_found)',
    ],
    ['a token that cannot be revoked', ['revoke', NOBODY, '--yes'], 1, '(not_found)'],
    ['a scope that is not in the catalogue', ['create', '--name', 'x', '--scope', 'inventory:reed'], 2, 'did you mean "inventory:read"?'],
    ['missing scopes', ['create', '--name', 'x'], 2, '--scope'],
    ['an invalid duration', ['create', '--name', 'x', '--scope', 'inventory:read', '--expires-in', '5 days'], 2, '--expires-in:'],
    ['a missing option', ['create', '--scope', 'inventory:read'], 2, 'give the token a name with --name'],
    ['a misspelled name', ['create', '--nam', 'ERP', '--scope', 'inventory:read'], 2, "unknown option '--nam' (Did you mean --name?)"],
    ['a name without its option', ['create', 'ERP', '--scope', 'inventory:read'], 2, 'too many arguments'],
    ['a misspelled command', ['revok', NOBODY], 2, 'Did you mean revoke?'],
    ['a misspelled option', ['list', '--jsn'], 2, 'Did you mean --json?'],
    ['an invalid status', ['list', '--status', 'gone'], 2, 'active'],
    ['a missing argument', ['show'], 2, "missing required argument 'id' (`latchkey list` shows the IDs)"],
    ['one argument too many', ['list', 'x'], 2, 'too many arguments'],
    ['an invalid ID', ['show', 'erp'], 2, '16 letters and digits'],
    ['revoke-all without a filter', ['revoke-all', '--yes'], 2, '--tenant, --owner or --all'],
    ['metadata that is not JSON', ['create', '--name', 'x', '--scope', 'inventory:read', '--metadata', '{'], 2, '--metadata must be JSON'],
    ['a resource without a value', ['create', '--name', 'x', '--scope', 'inventory:read', '--resource', 'w1'], 2, 'warehouse=w1'],
    ['an invalid instant', ['events', '--from', 'yesterday'], 2, 'from:'],
    ['an invalid actor name', ['list', '--as', 'x'.repeat(300)], 2, 'actor.id:'],
    ['a missing configuration', ['list', '--config', 'none.ts'], 2, '--config: there is no such file; relative paths start at /'],
  ])('the error for %s is one sentence, with nothing on standard output', async (_case, args, code, text) => {
    const ended = await shell.run(...args)
    expect(ended).toEqual({ code, stdout: '', stderr: expect.stringContaining(text) })
    expect(ended.stderr).toMatch(/^latchkey: [^\n]+\n$/)
  })

  it('the exit code is 0 for --help and 2 for a command line without a command', async () => {
    const [help, none] = [await shell.run('rotate', '--help'), await shell.run()]
    expect([help.code, help.stderr, help.stdout]).toEqual([0, '', expect.stringContaining('--overlap')])
    expect([none.code, none.stdout, none.stderr]).toEqual([2, '', expect.stringContaining('Exit codes: 0 done')])
  })

  it('the exit code is 3 when the store does not respond, even for doctor', async () => {
    const file = shell.write(
      'away.config.mjs',
      `import { latchkey } from '$index'
import { sqliteStore } from '$sqlite'
export default latchkey({ prefix: 'acme_live', store: sqliteStore('$folder/no/such/folder.db'), scopes: { a: 'b' }, logger: false })`,
    )
    const [list, doctor] = [await shell.run('list', '--config', file), await shell.run('doctor', '--json', '--config', file)]
    expect([list.code, list.stderr]).toEqual([3, expect.stringMatching(/^latchkey: [^\n]*\(store_unavailable\)\n$/)])
    expect([doctor.code, JSON.parse(doctor.stdout).ok]).toEqual([3, false])
    const audit = JSON.parse(doctor.stdout).checks.find(({ name }: { name: string }) => name === 'audit')
    expect(audit).toEqual({ name: 'audit', detail: 'not read' })
  })

  it.each(['postgres', 'mysql', 'redis'])('an unreachable %s store exits with 3 and one sentence', async (kind) => {
    const file = shell.write(
      `${kind}.config.mjs`,
      `import { latchkey } from '$index'
import { ${kind}Store } from '$${kind}'
export default latchkey({ prefix: 'acme_live', store: ${kind}Store({ url: '${kind}://127.0.0.1:1/0' }), scopes: { a: 'b' } })`,
    )
    const list = await shell.run('list', '--config', file)
    expect([list.code, list.stdout]).toEqual([3, ''])
    expect(list.stderr).toMatch(/^latchkey: [^\n]+ \(Error: [^\n]*ECONNREFUSED [^\n]*127\.0\.0\.1:1\) \(store_unavailable\)\n$/)
    const doctor = await shell.run('doctor', '--config', file)
    expect([doctor.code, doctor.stderr]).toEqual([3, 'Some checks failed.\n'])
    expect(doctor.stdout).toMatch(/FAILED/)
  })

  it('the error names the cause of a failure, without a password', async () => {
    const file = shell.write(
      'cause.config.mjs',
      `import { latchkey } from '$index'
import { memoryStore } from '$memory'
const inner = new Error('connect to postgres://app:hun/t#er2@db.example/app failed')
const mayOwn = () => { throw Object.assign(new Error('the directory is down', { cause: inner }), { code: 'EDOWN' }) }
const tokens = latchkey({ prefix: 'acme_live', store: memoryStore(), scopes: { a: 'b' }, mayOwn, logger: false })
export default tokens`,
    )
    const { code, stderr } = await shell.run('create', '--name', 'x', '--scope', 'a', '--owner', 'ada', '--config', file)
    expect(code).toBe(3)
    expect(stderr).toContain('the directory is down < Error: connect to postgres://…@db.example/app failed) (store_unavailable)')
    expect(stderr).not.toMatch(/hun|er2/)
  })

  it('a failure of a custom store is reported with the kind and code of its error', async () => {
    const file = shell.write(
      'own.config.mjs',
      `import { latchkey } from '$index'
import { memoryStore } from '$memory'
const list = async () => { throw Object.assign(new Error('password hunter2'), { code: 'EHOSTDOWN' }) }
export default latchkey({ prefix: 'acme_live', store: { ...memoryStore(), list }, scopes: { a: 'b' }, logger: false })`,
    )
    const { code, stderr } = await shell.run('list', '--config', file)
    expect([code, stderr]).toEqual([3, expect.stringMatching(/^latchkey: [^\n]+ \(Error EHOSTDOWN\) \(store_unavailable\)\n$/)])
  })

  it('a command over a memory store says that no server sees its tokens', async () => {
    const file = shell.write(
      'memory.config.mjs',
      `import { latchkey } from '$index'
import { memoryStore } from '$memory'
export default latchkey({ prefix: 'acme_live', store: memoryStore(), scopes: { a: 'b' } })`,
    )
    const { code, stdout, stderr } = await shell.run('create', '--name', 'x', '--scope', 'a', '--config', file)
    expect([code, stdout]).toEqual([0, expect.stringMatching(/^acme_live_\w+\n$/)])
    expect(stderr).toContain('\nNote: this command has a memory store of its own, which ends with the command. ')
  })

  it.each(['a b', 'a,b'])('an option that contains two scopes, %s, is refused, and the error shows how to pass several', async (scopes) => {
    const { code, stderr } = await shell.run('create', '--name', 'x', '--scope', scopes)
    expect([code, stderr]).toEqual([2, expect.stringContaining('--scope takes one scope: repeat it, as in --scope inventory:read --scope')])
  })

  it.each(['', '…', '...'])('a hint with %j at its end is not an ID, and the error says so', async (end) => {
    const { record } = await shell.tokens.system.create({ name: 'x', scopes: ['inventory:read'] })
    const { code, stderr } = await shell.run('show', record.hint.replace('…', end))
    expect([code, stderr]).toEqual([2, expect.stringContaining('This is a hint, which several tokens may share')])
  })

  it('a fault that the command does not report itself is logged', async () => {
    const file = shell.write(
      'seal.config.mjs',
      `import { latchkey } from '$index'
import { memoryStore } from '$memory'
const onEvent = () => { throw new Error('the queue is full') }
export default latchkey({ prefix: 'acme_live', store: memoryStore(), scopes: { a: 'b' }, onEvent })`,
    )
    const { code, stderr } = await shell.run('create', '--name', 'x', '--scope', 'a', '--config', file)
    expect([code, stderr]).toEqual([0, expect.stringMatching(/latchkey LATCHKEY_\w+ onEvent: [^\n]*the queue is full/)])
  })
})

describe('a token on the command line', () => {
  it('a token passed instead of its ID is reduced to the ID, with a warning that does not repeat it', async () => {
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
  ])('the error for a command line that contains a token does not repeat the token: %s', async (command) => {
    const { token } = await shell.tokens.system.create({ name: 'x', scopes: ['inventory:read'] })
    const { code, stdout, stderr } = await shell.run(...command.split(' ').map((word) => word.replace('TOKEN', token)))
    expect(code, stderr).not.toBe(0)
    expect(`${stdout}${stderr}`).not.toContain(token.slice(27, 50))
  })

  it('no option accepts a token, so tokens never appear in the process list', () => {
    const program = new Command()
    for (const add of COMMANDS) add(program, () => undefined)
    const named = (option: Option): boolean => /token|secret|pepper|password/i.test(option.flags)
    expect(program.commands.flatMap((command) => command.options.filter(named))).toEqual([])
    expect(program.commands.length).toBe(COMMANDS.length)
  })
})
