import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Command, CommanderError } from 'commander'
import { describe, expect, it } from 'vitest'
import { addInit } from '../../src/cli/commands/init.js'
import { COMMANDS } from '../../src/cli/commands.js'
import { RECIPES } from '../consumer/suites/recipes.js'
import { blocksOf, PAGES, syntaxErrorsOf } from './blocks.js'
import { compileBlocks } from './compile.js'

/** Pages whose programs need their own packages: the consumer suites of these names save them as the page describes and run them against the tarball. */
const RUN_ELSEWHERE = new Set([...RECIPES, 'frameworks/next', 'frameworks/nest', 'testing'].map((page) => `docs/${page}.md`))
const NAMED = /^\/\/ \S+\.ts\n/
const REGISTERED = /^declare module 'latchkey' \{\n {2}interface Register \{[\s\S]*?^\}$/gm

const blocks = PAGES.flatMap(blocksOf)
const programs = blocks.filter(
  ({ language, page, text }) => language === 'ts' && !(RUN_ELSEWHERE.has(page) && NAMED.test(text) && page !== 'docs/getting-started.md'),
)

describe('code blocks on the docs pages', () => {
  it('code blocks compile with the declarations of the earlier blocks on their page', () => {
    // A program can register only one instance.
    const unregistered = programs.map((block) => ({ ...block, text: block.text.replace(REGISTERED, '') }))
    expect(compileBlocks('all', unregistered)).toEqual([])
  }, 600_000)

  it('code blocks compile when an instance is registered', () => {
    const page = programs.filter(({ page }) => page === 'docs/getting-started.md')
    expect(page.some(({ text }) => REGISTERED.test(text))).toBe(true)
    expect(compileBlocks('registered', page)).toEqual([])
  }, 600_000)

  it('the tutorial compiles as one program, with only the packages that it installs', () => {
    const [tokens, ...rest] = programs.filter(({ page }) => page === 'docs/getting-started.md')
    if (tokens === undefined) throw new Error('docs/getting-started.md has no program')
    const server = { ...tokens, text: rest.map(({ text }) => text).join('\n') }
    expect(compileBlocks('tutorial', [tokens, server], false)).toEqual([])
  }, 600_000)

  it('the tutorial works in JavaScript without the declaration of the instance and with its JavaScript blocks', () => {
    const page = blocks.filter(({ page, language }) => page === 'docs/getting-started.md' && ['ts', 'js'].includes(language))
    // A JavaScript block replaces the TypeScript block before it.
    const program = page.filter((_, index) => page[index + 1]?.language !== 'js').map(({ text }) => text.replace(REGISTERED, ''))
    expect(program.flatMap(syntaxErrorsOf)).toEqual([])
  })

  it('the compiler check reports a name that does not exist', () => {
    const block = { page: 'docs/wrong.md', line: 1, language: 'ts', text: "await tokens.system.creat({ name: 'ERP' })\n" }
    expect(compileBlocks('wrong', [block])).toEqual([expect.stringMatching(/^docs\/wrong\.md:1 .*'creat'.*'create'/)])
  }, 600_000)

  it('shell blocks use existing commands and options of the command line', () => {
    const commands = blocks
      .filter(({ language }) => language === 'sh')
      .flatMap(({ page, text }) => text.split('\n').map((line) => ({ page, line })))
      .flatMap(({ page, line }) =>
        [...line.matchAll(/npx latchkey ((?:"[^"]*"|'[^']*'|[^|><&;#)'"])*)/g)].map(([, args = '']) => ({ page, args: args.trim() })),
      )
    expect(commands.length).toBeGreaterThan(20)
    expect(commands.flatMap(({ page, args }) => whyRefused(args).map((why) => `${page}: npx latchkey ${args}: ${why}`))).toEqual([])
  })

  // Express 4 ignores the promise of a handler, so its rejection would end the process.
  it('no handler for Express is asynchronous, in blocks, examples or docstrings', () => {
    const sources = ['examples', 'adapters/frameworks'].flatMap((folder) =>
      readdirSync(folder, { recursive: true, encoding: 'utf8' })
        .filter((name) => /\.[tj]sx?$/.test(name) && !name.includes('node_modules'))
        .map((name) => ({ page: join(folder, name), text: readFileSync(join(folder, name), 'utf8') })),
    )
    const asynchronous = [...blocks, ...sources].flatMap(({ page, text }) =>
      [...text.matchAll(/\b(?:app|router)\.\w+\(.*\basync \(\w+, res\w*(?:, \w+)?\) =>.*/g)].map(([line]) => `${page}: ${line}`),
    )
    expect(asynchronous).toEqual([])
  })

  it('JSON blocks contain valid JSON', () => {
    const broken = blocks.filter(({ language, text }) => language === 'json' && !isJson(text))
    expect(broken.map(({ page, line }) => `${page}:${line}`)).toEqual([])
  })

  it('every code block is in a language that is either checked or not machine-readable', () => {
    const found = new Set(blocks.map(({ language }) => language))
    expect([...found].sort()).toEqual(['http', 'js', 'json', 'regex', 'sh', 'sql', 'ts'])
    // JavaScript blocks need only parse, because they have no types.
    for (const { language, text, page, line } of blocks) {
      if (language === 'js') expect([`${page}:${line}`, ...syntaxErrorsOf(text)]).toEqual([`${page}:${line}`])
    }
  })
})

function whyRefused(args: string): readonly string[] {
  const program = new Command('latchkey').exitOverride().configureOutput({ writeErr: () => undefined, writeOut: () => undefined })
  program.option('--config <file>').option('--as <name>').option('--json').option('--yes').option('-v, --version')
  addInit(program, { stdin: process.stdin, stdout: process.stdout, stderr: process.stderr, cwd: '.' })
  for (const add of COMMANDS) add(program, () => undefined)
  for (const command of program.commands) command.exitOverride().action(() => undefined)
  try {
    program.parse(args.match(/"[^"]*"|'[^']*'|\S+/g) ?? [], { from: 'user' })
    return []
  } catch (error) {
    return error instanceof CommanderError && error.exitCode === 0 ? [] : [String(error)]
  }
}

function isJson(text: string): boolean {
  try {
    // An ellipsis stands for omitted members.
    JSON.parse(text.replaceAll(/,? *…/g, ''))
    return true
  } catch {
    return false
  }
}
