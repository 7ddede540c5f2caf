import { readFileSync } from 'node:fs'
import { latchkey } from 'latchkey'
import { sha256Tokens } from 'latchkey/import'
import { sqliteStore } from 'latchkey/stores/sqlite'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { IMPORT_KEY, oldToken } from '../imports/world.js'
import { verdict } from '../latchkey/harness.js'
import { execute, openShell, SCOPES, type Shell } from './support.js'

let shell: Shell
beforeAll(async () => {
  shell = await openShell()
})
afterAll(() => shell.close())

const config = (database: string, more = ''): string => `import { latchkey } from '$index'
import { sqliteStore } from '$sqlite'
${more === '' ? '' : "import { sha256Tokens } from '$import'\n"}
export const tokens = latchkey({ prefix: 'acme_live', store: sqliteStore('$folder/${database}'), scopes: ${JSON.stringify(SCOPES)}, ${more} })
`

describe('latchkey import', () => {
  const lines = (rows: readonly object[]): string => `${rows.map((row) => JSON.stringify(row)).join('\n')}\n`
  const made = Array.from({ length: 130 }, (_, at) => oldToken(at))
  const imports = `imports: { key: '${IMPORT_KEY}', formats: [sha256Tokens({ prefix: 'sk_', length: 35 })] }`
  const args = ['--config', 'import.config.mjs', '--format', 'sha256', '--map', 'map.mjs'] as const

  beforeAll(() => {
    shell.write('import.config.mjs', config('import.db', imports))
    shell.write('map.mjs', "export const map = (row) => ({ name: row.name, scopes: ['inventory:read'], ownerId: row.owner })\n")
    shell.write('keys.ndjson', lines(made.map(({ row }) => row)))
  })

  it('import --dry-run writes nothing, import creates the tokens, and a second import skips them', async () => {
    const run = async (...more: string[]) => JSON.parse((await shell.run('import', 'keys.ndjson', ...args, '--json', ...more)).stdout)
    expect(await run('--dry-run')).toMatchObject({ rows: 130, imported: 130, problems: [] })
    expect(await run()).toMatchObject({ rows: 130, imported: 130, existing: 0, failed: 0 })
    expect(await run()).toMatchObject({ rows: 130, imported: 0, existing: 130 })
    const formats = [sha256Tokens({ prefix: 'sk_', length: 35 })]
    const store = sqliteStore(`${shell.folder}/import.db`)
    const tokens = latchkey({ prefix: 'acme_live', store, scopes: SCOPES, imports: { key: IMPORT_KEY, formats } })
    expect(await verdict(tokens.verify(made[7]?.token ?? ''))).toBe('ok')
    await tokens.close()
  })

  it('import reads standard input, names failed rows without their contents, and exits with 1', async () => {
    const secret = 'a secret that nobody can see'
    shell.write('throws.mjs', 'export default (row) => { throw new Error(row.hash) }\n')
    const row = JSON.stringify({ hash: secret, name: 'x', owner: 'ada' })
    const command = `echo '${row}' | "${process.execPath}" "${shell.program}" import - ${args.join(' ').replace('map.mjs', 'throws.mjs')}`
    for (const more of ['', ' --json']) {
      const { code, stdout, stderr } = await execute('bash', ['-c', command + more], shell.folder)
      expect(code, stderr).toBe(1)
      expect(stdout + stderr).not.toContain('secret')
      expect(stdout).toContain('1')
    }
  })

  it.each([
    ['a line that is not a JSON object', ['import', 'broken.ndjson', ...args], /line 2 is not a JSON object/, 2],
    ['a missing file', ['import', 'missing.ndjson', ...args], /import: there is no such file; relative paths start at /, 2],
    ['a module without a function', ['import', 'keys.ndjson', ...args.slice(0, 5), 'empty.mjs'], /must export a function/, 1],
    ['an unknown format', ['import', 'keys.ndjson', ...args.slice(0, 2), '--format', 'md5', ...args.slice(4)], /format: is not among/, 2],
  ])('import rejects %s', async (_, command, message, exit) => {
    shell.write('broken.ndjson', `${JSON.stringify(made[0]?.row)}\n{"hash": "half a sec`)
    shell.write('empty.mjs', 'export const nothing = 1\n')
    const { code, stderr } = await shell.run(...command)
    expect(stderr).toMatch(message)
    expect(stderr).not.toContain('half a sec')
    expect(code).toBe(exit)
  })
})

describe('latchkey copy', () => {
  it('the commands on the docs page copy all data to another store and leave the old store closed', async () => {
    shell.write('old.config.mjs', config('old.db'))
    shell.write('new.config.mjs', config('new.db'))
    const old = latchkey({ prefix: 'acme_live', store: sqliteStore(`${shell.folder}/old.db`), scopes: SCOPES, logger: false })
    const { token } = await old.system.create({ name: 'ERP', scopes: ['inventory:read'] })
    const page = readFileSync(new URL('../../docs/moving-stores.md', import.meta.url), 'utf8')
    const [, block = ''] = /```sh\n([\s\S]*?)```/.exec(page) ?? []
    const run = (command: string) => {
      const npx = `npx() { shift; "${process.execPath}" "${shell.program}" --config old.config.mjs "$@"; }`
      return execute('bash', ['-c', `${npx}\n${command}`], shell.folder)
    }
    const commands = block.trim().split('\n')
    expect(commands).toHaveLength(3)
    const [first, second, third] = commands
    const copied = await run(first ?? '')
    expect([copied.code, copied.stdout], copied.stderr).toEqual([0, expect.stringMatching(/│ tokens +│ 1 +│ 1 +│ [0-9a-f]{64} │/)])
    const fenced = await run(`${second} --json`)
    expect(JSON.parse(fenced.stdout), fenced.stderr).toMatchObject({ step: 'fence', parts: { tokens: { count: 1 } }, damagedEvents: [] })
    const refused = await run('npx latchkey create --name x --scope inventory:read')
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining('store_moving')])
    expect((await run('npx latchkey copy --to new.config.mjs --step open')).stderr).toContain('Add --yes')
    const opened = await run(third ?? '')
    expect([opened.code, opened.stderr]).toEqual([0, expect.stringContaining('The new store accepts changes')])
    await expect.poll(() => verdict(old.verify(token))).toBe('store_unavailable')
    await old.close()
    const now = latchkey({ prefix: 'acme_live', store: sqliteStore(`${shell.folder}/new.db`), scopes: SCOPES })
    expect(await verdict(now.verify(token))).toBe('ok')
    await now.close()
    const again = await run(first ?? '')
    expect([again.code, again.stderr]).toEqual([1, expect.stringContaining('were already moved out of the sqlite store')])
  }, 120_000)

  it('copy rejects an unknown step and a missing configuration', async () => {
    const missing = await shell.run('copy', '--to', 'missing.mjs')
    expect([missing.code, missing.stderr]).toEqual([2, expect.stringMatching(/--to: there is no such file/)])
    const unknown = await shell.run('copy', '--to', 'missing.mjs', '--step', 'jump')
    expect([unknown.code, unknown.stderr]).toEqual([2, expect.stringContaining('--step: must be one of copy, fence, open, cancel')])
  })
})
