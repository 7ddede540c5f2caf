/** The input of a reader of the README: commands, a program, and the commands that run it in each language. */
export type QuickStart = {
  /** Commands for an empty folder. */
  readonly setup: readonly string[]
  /** Valid as JavaScript and as TypeScript. */
  readonly program: string
  readonly javascript: Language
  readonly typescript: Language
}

/** How the program is saved and run in a language. */
export type Language = { readonly file: string; readonly install: readonly string[]; readonly run: string }

const MARK = '<!-- quick start -->'

/** The shell and program blocks after a mark, in order. */
const blocksOf = (markdown: string): readonly { readonly language: string; readonly text: string }[] =>
  [...markdown.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)].map(([, language = '', text = '']) => ({ language, text }))

const commandsOf = (text: string): readonly string[] => text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))

const languageOf = (text: string): Language => {
  const commands = commandsOf(text)
  const run = commands.at(-1)
  const file = run?.split(' ').at(-1)
  if (run === undefined || file === undefined || !/^[\w-]+\.[jt]s$/.test(file)) throw new Error(`README.md: no file is run by: ${run}`)
  return { file, install: commands.slice(0, -1), run }
}

/**
 * Extracts the quick start from the README. After the mark `<!-- quick start -->` come the commands that set up a project, the program,
 * the command that runs it as JavaScript, and the commands that run it as TypeScript. The text must also name each file.
 */
export const readQuickStart = (markdown: string): QuickStart => {
  const start = markdown.indexOf(MARK)
  if (start === -1) throw new Error(`README.md has no ${MARK}`)
  const rest = markdown.slice(start)
  const [setup, program, javascript, typescript] = blocksOf(rest)
  const languages = [setup, program, javascript, typescript].map((block) => block?.language)
  if (languages.join() !== 'sh,ts,sh,sh' || !setup || !program || !javascript || !typescript) {
    throw new Error(`README.md: after ${MARK} come ${languages.join()}, not sh,ts,sh,sh`)
  }
  const read = { javascript: languageOf(javascript.text), typescript: languageOf(typescript.text) }
  for (const { file } of Object.values(read)) if (!rest.includes(`\`${file}\``)) throw new Error(`README.md does not say to save ${file}`)
  return { setup: commandsOf(setup.text), program: program.text, ...read }
}

/** The first guarded route of the program, which the checks call. */
export const routeOf = (program: string): string => {
  const route = /\.get\(\s*'(\/[^':]+)',\s*requireScopes\(/.exec(program)?.[1]
  if (route === undefined) throw new Error('the quick start has no `app.get(path, requireScopes(…))`')
  return route
}

const IMPORT = /^import\s+(?:(?<name>\w+)\s*,?\s*)?(?:\{(?<names>[^}]*)\}\s*)?from\s+'(?<from>[^']+)'/gm

/** Converts the program to CommonJS: `require` instead of `import`, and a function around top-level `await`. */
export const toCommonJs = (program: string): string => {
  const requires: string[] = []
  const body = program.replace(IMPORT, (...match) => {
    const { name, names, from } = match.at(-1) as { readonly name?: string; readonly names?: string; readonly from: string }
    if (name !== undefined) requires.push(`const ${name} = require('${from}')`)
    if (names !== undefined) requires.push(`const {${names.replaceAll(' as ', ': ')}} = require('${from}')`)
    return ''
  })
  if (/^import\b/m.test(body)) throw new Error('the quick start has a form of import that this function cannot convert to CommonJS')
  return `${requires.join('\n')}\n\nconst main = async () => {\n${body.replace(/^export /gm, '')}\n}\n\nmain()\n`
}
