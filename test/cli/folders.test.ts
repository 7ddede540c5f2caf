import { chownSync, existsSync, lchownSync, mkdirSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { latchkey } from 'latchkey'
import { sqliteStore } from 'latchkey/stores/sqlite'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { findConfig } from '../../src/cli/lib/config.js'
import { IMPORT_KEY } from '../imports/world.js'
import { type Ended, execute, openShell, SCOPES, type Shell } from './support.js'

let shell: Shell
beforeAll(async () => {
  shell = await openShell()
  mkdirSync(join(shell.folder, 'sub'))
})
afterAll(() => shell.close())

const CONFIG = (file: string): string => `import { latchkey } from '$index'
import { sha256Tokens } from '$import'
import { sqliteStore } from '$sqlite'

const imports = { key: '${IMPORT_KEY}', formats: [sha256Tokens({ prefix: 'sk_', length: 35 })] }
export const tokens = latchkey({ prefix: 'acme_live', store: sqliteStore('${file}'), imports, scopes: ${JSON.stringify(SCOPES)} })
`

const inSub = (...args: readonly string[]): Promise<Ended> => execute(process.execPath, [shell.program, ...args], join(shell.folder, 'sub'))

/** Names of the tokens in a file. */
async function namesIn(file: string): Promise<readonly string[]> {
  const tokens = latchkey({ prefix: 'acme_live', store: sqliteStore(join(shell.folder, file)), scopes: SCOPES })
  const { items } = await tokens.system.list({ status: 'active' })
  await tokens.close()
  return items.map(({ name }) => name)
}

describe('the command line in a subfolder', () => {
  beforeAll(() => {
    shell.write('latchkey.config.mjs', CONFIG('relative.db'))
    shell.write('other/latchkey.config.mjs', CONFIG('moved.db'))
  })

  it('a relative path in the nearest configuration is relative to the folder of the configuration', async () => {
    expect((await inSub('create', '--name', 'from below', '--scope', 'inventory:read')).code).toBe(0)
    expect(await namesIn('relative.db')).toEqual(['from below'])
    const { code, stderr } = await inSub('revoke-all', '--all', '--yes')
    expect([code, stderr]).toEqual([0, 'Revoked 1 token.\n'])
    expect([existsSync(join(shell.folder, 'sub/relative.db')), await namesIn('relative.db')]).toEqual([false, []])
  })

  it('copy resolves a relative path in the --to configuration from the current folder', async () => {
    expect((await inSub('create', '--name', 'moved', '--scope', 'inventory:read')).code).toBe(0)
    for (const step of ['copy', 'fence', 'open']) {
      const { code, stderr } = await inSub('copy', '--to', '../other/latchkey.config.mjs', '--step', step, '--yes')
      expect(code, stderr).toBe(0)
    }
    expect(await namesIn('sub/moved.db')).toEqual(['moved'])
    expect(existsSync(join(shell.folder, 'sub/relative.db'))).toBe(false)
  })

  it('a relative path on the command line is relative to the current folder', async () => {
    shell.write('sub/map.mjs', 'export const map = (row) => ({ name: row.name, scopes: [] })\n')
    shell.write('sub/keys.csv', `hash,name\n${'a'.repeat(64)},old\n`)
    shell.write('sub/head.json', '{}\n')
    const config = ['--config', '../other/latchkey.config.mjs']
    const imported = await inSub('import', 'keys.csv', '--format', 'sha256', '--map', 'map.mjs', '--dry-run', '--json', ...config)
    expect(JSON.parse(imported.stdout), imported.stderr).toMatchObject({ rows: 1 })
    // The file is read, and rejected for its content.
    expect((await inSub('verify-audit', '--head', 'head.json', ...config)).stderr).not.toContain('cannot be read')
  })
})

// Windows has no numeric user IDs.
describe.skipIf(process.geteuid === undefined)('a configuration that belongs to another user', () => {
  const NOBODY = 65_534
  const isRoot = process.geteuid?.() === 0
  let file: string
  let app: string
  beforeAll(() => {
    file = shell.write('shared/latchkey.config.mjs', CONFIG('$folder/shared/tokens.db'))
    app = join(shell.folder, 'shared/app')
    mkdirSync(app)
    // Only root can give files to another user, and only it owns files that every user trusts.
    if (isRoot) chownSync(file, NOBODY, NOBODY)
    else vi.spyOn(process, 'geteuid').mockReturnValue(NOBODY)
  })
  afterAll(() => vi.restoreAllMocks())

  it('a configuration of another user in a parent folder is refused', () => {
    expect(() => findConfig(app, undefined)).toThrow(
      `${file} belongs to another user, so it is not run in a subfolder: to use it anyway, pass it with --config`,
    )
  })

  it.each(['link', 'file'])('a link in a parent folder is refused if the %s belongs to another user', (which) => {
    mkdirSync(join(shell.folder, which, 'app'), { recursive: true })
    const link = join(shell.folder, which, 'latchkey.config.mjs')
    symlinkSync(which === 'file' ? file : process.execPath, link)
    if (isRoot && which === 'link') lchownSync(link, NOBODY, NOBODY)
    expect(() => findConfig(join(shell.folder, which, 'app'), undefined)).toThrow(`${link} belongs to another user`)
  })

  it('a configuration of another user is accepted in the current folder and with --config', () => {
    expect(findConfig(join(shell.folder, 'shared'), undefined)).toBe(file)
    expect(findConfig(app, '../latchkey.config.mjs')).toBe(file)
  })

  it.runIf(isRoot)('the command line does not run a configuration of another user in a parent folder', async () => {
    const refused = await execute(process.execPath, [shell.program, 'list'], app)
    expect(refused).toEqual({ code: 1, stdout: '', stderr: expect.stringContaining(`latchkey: ${file} belongs to another user`) })
    const accepted = await execute(process.execPath, [shell.program, 'list', '--config', file], app)
    expect(accepted).toMatchObject({ code: 0 })
  })
})

describe('a SQLite file that does not exist', () => {
  beforeAll(() => shell.write('new.config.mjs', CONFIG('$folder/new.db')))
  const run = (...args: readonly string[]): Promise<Ended> => inSub(...args, '--config', '../new.config.mjs')
  const isThere = (): boolean => existsSync(join(shell.folder, 'new.db'))

  it('doctor reports a missing SQLite file and does not create it', async () => {
    const { code, stdout } = await run('doctor')
    expect(code).toBe(3)
    expect(stdout).toContain(`the file ${join(shell.folder, 'new.db')} does not exist`)
    expect(stdout).toContain('npx latchkey migrate')
    expect(isThere()).toBe(false)
  })

  it('commands that do not open a missing SQLite file neither create nor mention it', async () => {
    for (const args of [['scanner-rules'], ['migrate', '--print']]) expect((await run(...args)).stderr, args.join(' ')).toBe('')
    expect(isThere()).toBe(false)
  })

  it('a command that creates a missing SQLite file says so, once', async () => {
    const note = `Note: the SQLite file ${join(shell.folder, 'new.db')} did not exist, so it was created.\n`
    const { code, stderr } = await run('revoke-all', '--all', '--yes')
    expect([code, stderr]).toEqual([0, `Revoked 0 tokens.\n${note}`])
    expect((await run('revoke-all', '--all', '--yes')).stderr).toBe('Revoked 0 tokens.\n')
  })

  it('migrate creates a missing SQLite file without a note', async () => {
    shell.write('set-up.config.mjs', CONFIG('$folder/set-up.db'))
    expect((await inSub('migrate', '--config', '../set-up.config.mjs')).stderr).toBe('The store sqlite is set up.\n')
  })
})
