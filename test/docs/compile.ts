import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Block, declaredIn, exportedBy, readBy } from './blocks.js'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const FOLDER = join(ROOT, 'node_modules/.cache/docs-blocks')
const GIVEN = join(ROOT, 'test/docs/given')

/** Frameworks whose pages and blocks use their own `app`; all others use Express. */
const FRAMEWORKS = ['koa', 'fastify', 'hono', 'nest', 'web']

/** A comment or an ellipsis in place of options that the page has shown before. */
const ELIDED = /^(\s*)\/\/ …$|…(?=,| )/gm

/**
 * Compiles blocks of one or more pages and returns their errors.
 *
 * A block sees the declarations of the earlier blocks on its page. Anything that no block declares, such as the host's `app`, is declared in `given/`, unless
 * `givens` is false.
 */
export function compileBlocks(name: string, blocks: readonly Block[], givens = true): readonly string[] {
  const folder = join(FOLDER, name)
  rmSync(folder, { recursive: true, force: true })
  const lines = new Map<string, Block>()
  const pages = new Map([...new Set(blocks.map(({ page }) => page))].map((page) => [page, blocks.filter((block) => block.page === page)]))
  for (const [page, own] of pages)
    for (const [file, block] of write(join(folder, page.replace(/\.md$/, '')), own, givens)) lines.set(file, block)
  const config = join(folder, 'tsconfig.json')
  const compilerOptions = {
    declaration: false,
    isolatedDeclarations: false,
    module: 'esnext',
    moduleResolution: 'bundler',
    allowImportingTsExtensions: false,
    verbatimModuleSyntax: false,
    exactOptionalPropertyTypes: false,
    noUncheckedIndexedAccess: false,
    types: ['node'],
    lib: ['ES2023', 'ES2024.String', 'DOM', 'DOM.Iterable'],
  }
  writeFileSync(
    config,
    JSON.stringify({
      extends: join(ROOT, 'tsconfig.json'),
      compilerOptions,
      include: [],
      files: [...(givens ? [join(GIVEN, 'modules.d.ts')] : []), join(ROOT, 'adapters/stores/lib/better-sqlite3.d.ts'), ...lines.keys()],
    }),
  )
  // Errors in our sources are ignored here, because the sources are compiled separately.
  const own = errorsOf(config).filter((error) => !/^(?:src|adapters)\//.test(error))
  return own.map((error) => {
    const [, path = '', line = '0'] = /^(.*?)\((\d+),\d+\)/.exec(error) ?? []
    const block = lines.get(join(ROOT, path))
    return block === undefined
      ? error
      : `${block.page}:${block.line} (line ${line} with its imports) ${error.slice(error.indexOf(': ') + 2)}`
  })
}

function write(folder: string, blocks: readonly Block[], givens: boolean): ReadonlyMap<string, Block> {
  mkdirSync(folder, { recursive: true })
  const files = new Map<string, Block>()
  const earlier: { readonly file: string; readonly names: readonly string[] }[] = []
  blocks.forEach((block, index) => {
    const [, named] = /^\/\/ (\S+\.ts)\n/.exec(block.text) ?? []
    const file = join(folder, named ?? `block-${index}.ts`)
    const text = block.text.replace(ELIDED, '$1...elided,').replaceAll('...elided,,', '...elided,')
    const framework =
      FRAMEWORKS.find((each) => folder.endsWith(`frameworks/${each}`) || text.toLowerCase().startsWith(`// ${each}`)) ?? 'express'
    const given = givens ? [givenBy(framework), givenBy('all')] : []
    const own = new Set(declaredIn(text))
    const imports: string[] = []
    for (const name of readBy(text)) {
      if (own.has(name)) continue
      const source = [...earlier].reverse().find(({ names }) => names.includes(name)) ?? given.find(({ names }) => names.includes(name))
      if (source !== undefined) imports.push(`import { ${name} } from '${specifier(file, source.file)}'`)
    }
    const hidden = declaredIn(text.replaceAll(/^import .*$/gm, '')).filter((name) => !exportedBy(text).includes(name))
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, [...imports, text, hidden.length > 0 ? `export { ${hidden.join(', ')} }` : 'export {}', ''].join('\n'))
    files.set(file, block)
    earlier.push({ file, names: declaredIn(text.replaceAll(/^import .*$/gm, '')) })
  })
  // The instance that a page imports without showing it.
  const tokens = join(folder, 'tokens.ts')
  if (!files.has(tokens)) writeFileSync(tokens, `export { tokens } from '${specifier(tokens, join(GIVEN, 'all.ts'))}'\n`)
  return files
}

function givenBy(name: string): { readonly file: string; readonly names: readonly string[] } {
  const file = join(GIVEN, `${name}.ts`)
  return { file, names: exportedBy(readFileSync(file, 'utf8')) }
}

function specifier(from: string, to: string): string {
  const path = relative(dirname(from), to).replace(/\.ts$/, '.js')
  return path.startsWith('.') ? path : `./${path}`
}

function errorsOf(config: string): readonly string[] {
  try {
    execFileSync(process.execPath, [join(ROOT, 'node_modules/typescript/bin/tsc'), '-p', config, '--pretty', 'false'], {
      cwd: ROOT,
      encoding: 'utf8',
      maxBuffer: 64 << 20,
    })
    return []
  } catch (error) {
    const output: unknown = Reflect.get(Object(error), 'stdout')
    const found = String(output)
      .split(/\n(?! )/)
      .filter((text) => /error TS\d+/.test(text))
    if (found.length === 0) throw error
    return found
  }
}
