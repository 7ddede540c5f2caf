/** What a reader of the README copies: the packages to install, and the program. */
export type QuickStart = { readonly packages: readonly string[]; readonly program: string }

const MARK = '<!-- quick start -->'

const block = (markdown: string, languages: string): string | undefined =>
  new RegExp(`^\`\`\`(?:${languages})\\n([\\s\\S]*?)^\`\`\`$`, 'm').exec(markdown)?.[1]

/**
 * Takes the quick start out of the README: behind the mark `<!-- quick start -->`, the first shell block holds `npm install …`
 * and the first TypeScript or JavaScript block is the program, which must be valid as both.
 */
export const readQuickStart = (markdown: string): QuickStart => {
  const start = markdown.indexOf(MARK)
  if (start === -1) throw new Error(`README.md has no ${MARK}`)
  const rest = markdown.slice(start)
  const install = /^npm (?:install|i) (.+)$/m.exec(block(rest, 'sh|bash|shell|console') ?? '')?.[1]
  if (install === undefined) throw new Error(`README.md: no shell block with \`npm install …\` behind ${MARK}`)
  const program = block(rest, 'ts|typescript|js|javascript|mjs')
  if (program === undefined) throw new Error(`README.md: no TypeScript block behind ${MARK}`)
  return { packages: install.split('#')[0]?.trim().split(/\s+/) ?? [], program }
}

/** The first guarded route of the program, which the checks call. */
export const routeOf = (program: string): string => {
  const route = /\.get\(\s*'(\/[^':]+)',\s*requireScopes\(/.exec(program)?.[1]
  if (route === undefined) throw new Error('the quick start has no `app.get(path, requireScopes(…))`')
  return route
}

const IMPORT = /^import\s+(?:(?<name>\w+)\s*,?\s*)?(?:\{(?<names>[^}]*)\}\s*)?from\s+'(?<from>[^']+)'/gm

/** The same program as a CommonJS reader writes it: `require` for `import`, and a function around top-level `await`. */
export const toCommonJs = (program: string): string => {
  const requires: string[] = []
  const body = program.replace(IMPORT, (...match) => {
    const { name, names, from } = match.at(-1) as { readonly name?: string; readonly names?: string; readonly from: string }
    if (name !== undefined) requires.push(`const ${name} = require('${from}')`)
    if (names !== undefined) requires.push(`const {${names.replaceAll(' as ', ': ')}} = require('${from}')`)
    return ''
  })
  if (/^import\b/m.test(body)) throw new Error('the quick start has an import of a form that has no CommonJS equal here')
  return `${requires.join('\n')}\n\nconst main = async () => {\n${body.replace(/^export /gm, '')}\n}\n\nmain()\n`
}
