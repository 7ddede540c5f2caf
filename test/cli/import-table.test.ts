import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { IMPORT_KEY, oldToken } from '../imports/world.js'
import { openShell, SCOPES, type Shell } from './support.js'

let shell: Shell
beforeAll(async () => {
  shell = await openShell()
})
afterAll(() => shell.close())

const CONFIG = `import { latchkey } from '$index'
import { sha256Tokens } from '$import'
import { sqliteStore } from '$sqlite'

export const tokens = latchkey({
  prefix: 'acme_live',
  store: sqliteStore('$folder/table.db'),
  scopes: ${JSON.stringify(SCOPES)},
  imports: { key: '${IMPORT_KEY}', formats: [sha256Tokens({ prefix: 'sk_', length: 35 })] },
})
`

describe('latchkey import of a table', () => {
  const made = Array.from({ length: 130 }, (_, at) => oldToken(1000 + at))
  const quoted = (text: unknown): string => `"${String(text).replaceAll('"', '""')}"`
  const table = (columns: readonly string[], rows: readonly (readonly string[])[], delimiter = ','): string =>
    [columns, ...rows].map((cells) => cells.join(delimiter)).join('\r\n')
  const args = ['--config', 'table.config.mjs', '--format', 'sha256', '--map', 'table-map.mjs', '--json'] as const
  const hashes = made.map(({ row }) => String(Reflect.get(row, 'hash')))

  beforeAll(() => {
    shell.write('table.config.mjs', CONFIG)
    const map = "export const map = (row) => ({ name: row.label, scopes: ['inventory:read'], ownerId: row.owner, expiresAt: row.ends })\n"
    shell.write('table-map.mjs', map)
  })
  const run = async (file: string, ...more: string[]) => {
    const { code, stdout, stderr } = await shell.run('import', file, ...args, ...more)
    return { code, stderr, report: stdout === '' ? undefined : JSON.parse(stdout) }
  }

  it('import reads tables with byte order marks, quotes, line breaks, empty cells and other delimiters', async () => {
    const names = ['plain', 'with "quotes", and a comma', '  spaces  ', 'ünï']
    const columns = ['label', 'hash', 'owner', 'ends', 'note']
    const rows = names.map((name, at) => [quoted(name), hashes[at] ?? '', '', at === 0 ? '2999-01-01T00:00:00Z' : '', '"over\ntwo lines"'])
    shell.write('keys.csv', `\uFEFF${table(columns, rows)}\r\n\r\n`)
    expect(await run('keys.csv', '--dry-run')).toMatchObject({ code: 0, report: { rows: 4, imported: 4, problems: [] } })
    expect(await run('keys.csv')).toMatchObject({ code: 0, report: { imported: 4 } })
    const found = JSON.parse((await shell.run('list', '--config', 'table.config.mjs', '--json')).stdout)
    const items: { name: string; ownerId?: string; expiresAt?: string }[] = found.items ?? found
    expect(items.map(({ name }) => name).sort()).toEqual([...names].sort())
    expect(items.filter(({ ownerId, expiresAt }) => ownerId !== undefined || expiresAt !== undefined)).toHaveLength(1)
    const listed = async (...filters: string[]) =>
      JSON.parse((await shell.run('list', '--config', 'table.config.mjs', '--json', ...filters)).stdout).items
    const [old] = await listed('--name', 'plain')
    const rotated = await shell.run('rotate', old.id, '--overlap', '1h', '--config', 'table.config.mjs', '--json')
    const successor: string = JSON.parse(rotated.stdout).record.id
    expect(await listed('--imported')).toHaveLength(4)
    const open: { id: string }[] = await listed('--imported', '--not-replaced')
    expect(open).toHaveLength(3)
    expect((await listed('--not-replaced')).map(({ id }: { id: string }) => id)).toContain(successor)
    shell.write('keys.txt', table(columns, rows, ';'))
    expect(await run('keys.txt', '--delimiter', ';')).toMatchObject({ code: 0, report: { rows: 4, existing: 4 } })
    shell.write('keys.TSV', table(columns, rows, '\t'))
    expect(await run('keys.TSV')).toMatchObject({ code: 0, report: { rows: 4, existing: 4 } })
  })

  it('import continues after an interruption and names invalid rows by line', async () => {
    const rows = hashes.map((hash, at) => [
      `key ${at}`,
      at === 120 ? 'no hash' : hash,
      'ada',
      '',
      at === 120 || at === 3 ? '"over\ntwo lines"' : '',
    ])
    const header = ['label', 'hash', 'owner', 'ends', 'note']
    shell.write('long.csv', `${table(header, rows)}\r\n"half a sec`)
    const broken = await run('long.csv')
    expect(broken).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/line \d+ has a quote that is never closed\. Rows before it were processed/),
    })
    expect(broken.stderr).not.toContain('half a sec')
    shell.write('long.csv', table(header, rows))
    const again = await run('long.csv')
    expect(again.report).toMatchObject({ rows: 130, failed: 1, problems: [{ row: 121, line: 123, field: 'hash' }] })
    expect(again.report.existing).toBeGreaterThanOrEqual(100)
  })

  it.each([
    ['after 3 rows', ['1,a', '2,b', '3,c', '4,"half'], 5],
    ['after empty lines and a cell of three lines', ['1,"a', '', 'b"', '', '', '2,"half'], 7],
    ['after another quoted cell of the row', ['"1', '2","half'], 3],
    ['that a later row closes', ['1,a', '2,"half', '3,"b"'], 3],
    ['in the header', ['1,2'], 1, 'hash,"half'],
  ])('import names the line where a quote opens that is never closed: %s', async (_, rows, line, header = 'hash,label') => {
    for (const end of ['\n', '\r\n']) {
      shell.write('open.csv', [header, ...rows, ...Array.from({ length: 200 }, (_, at) => `${at},x`)].join(end))
      const { code, stderr } = await run('open.csv')
      expect([code, stderr]).toEqual([
        2,
        expect.stringMatching(new RegExp(`^latchkey: line ${line} has a quote that (?:is never closed|closes only)`)),
      ])
    }
  })

  it('import counts a Windows line break in a quoted cell as one line', async () => {
    const rows = [
      ['"over\r\n\r\nthree lines"', 'no hash'],
      ['wrong', 'no hash'],
      ['"two\r\nlines"', 'no hash'],
      ['wrong', 'no hash'],
    ]
    shell.write('windows.csv', table(['label', 'hash'], rows))
    const { report } = await run('windows.csv', '--dry-run')
    expect(report.problems.map(({ line }: { line: number }) => line)).toEqual([2, 5, 6, 8])
  })

  it.each([
    ['a row with too many cells', 'label,hash\na,b\nc,d,half a sec\n', /line 3 has more or fewer cells than the header/],
    ['text after a quote', 'label,hash\na,"half a sec" x\n', /line 2 has text after a closing quote/],
    ['a quote inside a cell', 'label,hash\na,half "a sec\n', /line 2 has a quote in the middle of a cell/],
    ['two columns with the same name', 'hash,hash\na,b\n', /columns 1 and 2 of the header have the same name/],
    ['a column without a name', 'hash,\na,b\n', /column 2 of the header has no name/],
  ])('import rejects %s without quoting a cell', async (_, text, message) => {
    shell.write('broken.csv', text)
    const { code, stderr } = await run('broken.csv')
    expect([code, stderr]).toEqual([2, expect.stringMatching(message)])
    expect(stderr).not.toContain('half')
  })

  it.each([
    ['semicolons', 'keys.csv', 'label;hash\na;b\n', 'separated by ";": add --delimiter \';\''],
    ['semicolons and a comma in a name', 'keys.csv', 'label;hash, hex;owner\na;b;c\n', "add --delimiter ';'"],
    [
      'quoted names',
      'keys.csv',
      '"label";"hash"\n',
      'line 1 has text after a closing quote (if another character separates the cells, add',
    ],
    ['a quoted name', 'keys.csv', 'label;"hash, hex"\n', '(if another character separates the cells, add --delimiter)'],
    ['tabs', 'keys.csv', 'label\thash\n', "separated by a tab: add --delimiter $'\\t'"],
    ['bars', 'keys.csv', 'label|hash\n', "add --delimiter '|'"],
    ['commas in a file for tabs', 'keys.tsv', 'label,hash\n', "add --delimiter ','"],
    ['commas in a file without an extension', 'keys', 'label,hash\n', 'for a table, add --delimiter, or name the file .csv or .tsv'],
  ])('import suggests the delimiter for a table with %s', async (_, name, text, message) => {
    shell.write(name, text)
    expect(await run(name)).toMatchObject({ code: 2, stderr: expect.stringContaining(message) })
  })

  it('import accepts a single column, and a column name that contains another separator', async () => {
    shell.write('one.csv', 'hash\n')
    expect(await run('one.csv', '--dry-run')).toMatchObject({ code: 0, report: { rows: 0 } })
    shell.write('odd.csv', 'label,hash;hex\n')
    expect(await run('odd.csv', '--dry-run')).toMatchObject({ code: 0, report: { rows: 0 } })
  })

  it('import groups identical problems, with their number and first lines, and lists each problem with --json', async () => {
    const rows = hashes.slice(0, 8).map((hash, at) => [at === 7 ? '' : `key ${at}`, hash])
    shell.write('wrong.csv', table(['label', 'digest'], rows))
    const { code, stdout, stderr } = await shell.run('import', 'wrong.csv', ...args.slice(0, -1), '--dry-run')
    expect([code, stderr]).toEqual([1, 'Nothing was written.\n'])
    const problem = 'hash: the row has no column hash; it has label, digest'
    expect(stdout).toMatch(new RegExp(`8 +│ 2, 3, 4, 5, 6, … +│ hash +│ ${problem}`))
    expect(stdout.split(problem)).toHaveLength(2)
    const { report } = await run('wrong.csv', '--dry-run')
    expect(report.problems).toEqual(rows.map((_, at) => ({ row: at + 1, line: at + 2, field: 'hash', message: problem })))
    shell.write('wrong.csv', table(['label', 'digest'], Array(130).fill(rows[0])))
    const long = await shell.run('import', 'wrong.csv', ...args.slice(0, -1), '--dry-run')
    expect(long.stderr).toBe('The table shows the first 100 failed rows; there are 30 more.\nNothing was written.\n')
  })

  it("import names the error of map() and its place in the map's module, without data from the row", async () => {
    const secret = 'Hash5ecret'
    shell.write(
      'maps/failing.mjs',
      `import { scopesOf } from './lib/scopes.mjs'
class Odd extends Error {}
export const map = (row) => {
  if (row.label === 'odd') throw Object.assign(new Odd('x'), { name: row.hash + '1' })
  if (row.label === 'text') throw row.hash
  if (row.label === 'late') return scopesOf(row)
  return { name: row.name.trim() }
}
`,
    )
    shell.write('maps/lib/scopes.mjs', '\nexport const scopesOf = (row) => JSON.parse(row.hash)\n')
    shell.write(
      'failing.csv',
      table(
        ['label', 'hash'],
        [
          ['a', secret],
          ['b', secret],
          ['odd', secret],
          ['text', secret],
          ['late', secret],
        ],
      ),
    )
    const { code, stdout } = await shell.run(
      'import',
      'failing.csv',
      '--config',
      'table.config.mjs',
      '--format',
      'sha256',
      '--map',
      'maps/failing.mjs',
    )
    expect(code).toBe(1)
    expect(stdout).toMatch(/2 +│ 2, 3 +│ +│ map\(\) failed: TypeError at failing\.mjs:7:27 /)
    expect(stdout).toMatch(/1 +│ 4 +│ +│ map\(\) failed: an error at failing\.mjs:4:\d+ /)
    expect(stdout).toMatch(/1 +│ 5 +│ +│ map\(\) failed +│/)
    expect(stdout).toMatch(/1 +│ 6 +│ +│ map\(\) failed: SyntaxError at lib\/scopes\.mjs:2:39 /)
    expect(stdout).not.toContain(secret)
  })

  it.each([
    ['has no rows', 'label,hash\n', 'The file has no rows, so nothing was imported.\n'],
    ['is skipped whole', `label,hash\na,${'0'.repeat(64)}\n`, 'map() returned nothing for every row, so nothing was imported.'],
  ])('import says so if a file %s', async (_, text, message) => {
    shell.write('nothing.csv', text)
    shell.write('nothing.mjs', 'export const map = (row) => { ({ name: row.label }) }\n')
    const { code, stderr } = await shell.run(
      'import',
      'nothing.csv',
      '--config',
      'table.config.mjs',
      '--format',
      'sha256',
      '--map',
      'nothing.mjs',
    )
    expect([code, stderr]).toEqual([0, expect.stringContaining(message)])
  })

  it('import without --format lists the configured formats', async () => {
    const ask = (...more: string[]) => shell.run('import', 'keys.csv', '--map', 'table-map.mjs', ...more)
    expect(await ask('--config', 'table.config.mjs')).toMatchObject({
      code: 2,
      stderr: 'latchkey: add --format, which must be one of sha256\n',
    })
    expect(await ask()).toMatchObject({ code: 2, stderr: expect.stringContaining('the configuration has no imports option, so') })
  })

  it('import rejects an invalid delimiter', async () => {
    expect(await run('keys.csv', '--delimiter', ';;')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('--delimiter must be one character'),
    })
  })
})
