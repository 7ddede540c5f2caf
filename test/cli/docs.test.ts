import { readFileSync } from 'node:fs'
import { Command } from 'commander'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { addInit } from '../../src/cli/commands/init.js'
import { COMMANDS } from '../../src/cli/commands.js'
import { EXIT } from '../../src/cli/lib/fault.js'
import { execute, openShell, type Shell } from './support.js'

const page = readFileSync(new URL('../../docs/cli.md', import.meta.url), 'utf8')
const blocks = (language: string): readonly string[] =>
  [...page.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, 'gm'))].map(([, text = '']) => text)
const firstCells = (heading: string): readonly string[] =>
  [...(page.split(heading)[1]?.split('\n\n')[0] ?? '').matchAll(/^\| `?(.+?)`? \|/gm)].map(([, cell = '']) => cell)

let shell: Shell
beforeAll(async () => {
  shell = await openShell()
})
afterAll(() => shell.close())

describe('the docs page about the command line', () => {
  it('the docs page lists every command with its arguments, and every exit code', () => {
    const program = new Command()
    addInit(program, { stdin: process.stdin, stdout: process.stdout, stderr: process.stderr, cwd: '.' })
    for (const add of COMMANDS) add(program, () => undefined)
    const written = program.commands.map((command) =>
      [command.name(), ...command.registeredArguments.map((one) => (one.required ? `<${one.name()}>` : `[${one.name()}]`))].join(' '),
    )
    expect(firstCells('| command | does |\n|---|---|\n')).toEqual(written)
    expect(firstCells('| exit code | means |\n|---|---|\n')).toEqual(Object.values(EXIT).map(String))
  })

  const commands = blocks('sh').flatMap((block) => block.split('\n').filter((line) => line.includes('npx latchkey')))

  it.each(commands)("the example command on the docs page works with the page's configuration: %s", async (command) => {
    const [config = ''] = blocks('ts')
    shell.write(
      'page.config.mjs',
      config
        .replace("'latchkey'", "'$index'")
        .replace("'latchkey/stores/sqlite'", "'$sqlite'")
        .replace("'tokens.db'", "'$folder/tokens.db'"),
    )
    const { record } = await shell.tokens.system.create({ name: 'example', scopes: ['inventory:read'] })
    const npx = `npx() { shift; "${process.execPath}" "${shell.program}" --config page.config.mjs "$@"; }`
    const ended = await execute('bash', ['-c', `${npx}\nset -e\nID=${record.id}\n${command}`], shell.folder)
    expect(ended.code, ended.stderr).toBe(0)
  })
})
