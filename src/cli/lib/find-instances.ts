import { readdir, readFile } from 'node:fs/promises'
import { posix, resolve } from 'node:path'

/** A source file of the project that calls `latchkey()`. */
export type InstanceFile = {
  /** Its path in the project, such as `src/tokens.ts`. */
  readonly file: string
  /** The name under which the file exports the instance. Absent: it does not. */
  readonly exported?: string
  /** Whether it is a JavaScript file that loads modules with `require`. Absent: it uses `import`, or is TypeScript. */
  readonly commonJs?: true
  /** Whether the file starts a server. If it does, importing the file would also start one. */
  readonly serves: boolean
}

const SOURCE = /^(?!latchkey\.config\.|latchkey\.routes\.)(?!.*\.(?:test|spec|d)\.).*\.[cm]?[jt]sx?$/
const OTHER_FOLDERS = /^(?:\..*|node_modules|dist|build|out|coverage|tests?|__tests__|e2e|examples?|docs)$/
const MAX_FILES = 2000
const MAX_DEPTH = 6

/** Returns those of the project's source files that create an instance. */
export async function findInstances(cwd: string, sources: readonly string[]): Promise<readonly InstanceFile[]> {
  const found: InstanceFile[] = []
  for (const file of sources) {
    const text = await readFile(resolve(cwd, file), 'utf8').catch(() => '')
    const code = text.replace(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, '')
    if (!/['"]latchkey['"]/.test(code) || !/\blatchkey\s*(?:<[^()]*>\s*)?\(/.test(code)) continue
    const exported = exportIn(code)
    found.push({
      file,
      ...(exported !== undefined && { exported }),
      ...(isCommonJs(file, code) && { commonJs: true as const }),
      serves: /\b(?:listen|serve)\s*\(/.test(code),
    })
  }
  return found
}

/** Returns paths of the project's source files, by depth. */
export async function sourcesIn(cwd: string): Promise<readonly string[]> {
  const sources: string[] = []
  let folders = ['']
  for (let depth = 0; depth < MAX_DEPTH && folders.length > 0; depth += 1) {
    const inside: string[] = []
    for (const folder of folders) {
      const entries = await readdir(resolve(cwd, folder), { withFileTypes: true }).catch(() => [])
      for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
        const path = posix.join(folder, entry.name)
        if (entry.isDirectory() && !OTHER_FOLDERS.test(entry.name)) inside.push(path)
        if (entry.isFile() && SOURCE.test(entry.name) && sources.length < MAX_FILES) sources.push(path)
      }
    }
    folders = inside
  }
  return sources
}

/** Only ES modules can contain `import` and `export` statements, whatever `type` package.json has. */
function isCommonJs(file: string, code: string): boolean {
  if (/\.cjs$/.test(file)) return true
  return /\.jsx?$/.test(file) && !/^\s*(?:import|export)\b(?!\s*\()/m.test(code) && /\brequire\s*\(|\bexports\b/.test(code)
}

/** A call of `latchkey()`, also as a property of a module: `lib.latchkey()` and `require('latchkey').latchkey()`. */
const CALL = String.raw`(?:await )?(?:[\w$]+\.|require\(['"]latchkey['"]\)\.)?latchkey\s*(?:<[^()]*>\s*)?\(`
/** The beginning of the object that a CommonJS module exports, up to one of its properties. */
const OBJECT = String.raw`\bmodule\.exports\s*=\s*\{(?:[^{}]|\{[^{}]*\})*?`

function exportIn(code: string): string | undefined {
  const direct = exportOf(CALL, code)
  if (direct !== undefined) return direct
  const name = new RegExp(String.raw`\b(?:const|let|var) ([\w$]+)[^=\n]*=\s*${CALL}`).exec(code)?.[1]
  if (name !== undefined) return exportOf(String.raw`${name.replaceAll('$', String.raw`\$`)}(?![\w$.(])`, code, name)
  const made = [/^export (?:const|let|var) tokens\b/m, /\bexports\.tokens\s*=/, new RegExp(String.raw`${OBJECT}\btokens\b`)]
  return made.some((way) => way.test(code)) ? 'tokens' : undefined
}

/** Returns the name under which a module exports a value: a variable with this name, or the result of a call. */
function exportOf(value: string, code: string, name?: string): string | undefined {
  const find = (way: string): string | undefined => new RegExp(way, 'm').exec(code)?.[1]
  const named =
    find(String.raw`^export (?:const|let|var) ([\w$]+)[^=\n]*=\s*${value}`) ??
    find(String.raw`\bexports\.([\w$]+)\s*=\s*${value}`) ??
    find(String.raw`${OBJECT}\b([\w$]+)['"]?\s*:\s*${value}`)
  if (named !== undefined) return named
  if (new RegExp(String.raw`(?:^export default|\bmodule\.exports\s*=)\s+${value}`, 'm').test(code)) return 'default'
  if (name === undefined) return undefined
  const listed = new RegExp(String.raw`^export \{(?:[^}]*[\s,])?${value}(?: as ([\w$]+))?\s*[,}]`, 'm').exec(code)
  if (listed !== null) return listed[1] ?? name
  return find(`^export (?:const|let|var) (${value})`) ?? find(String.raw`${OBJECT}(?<![\w$.])(${value})\s*[,}]`)
}

/** Returns the path that a module in the project's folder uses to import a file: `src/tokens.ts` is imported as `./src/tokens.js`. */
export function importPathOf(file: string): string {
  return `./${file.replace(/\.([cm]?)[jt]sx?$/, '.$1js')}`
}

/** Returns the file next to this file that an instance should be moved into. */
export function ownModuleFor(file: string): string {
  return posix.join(posix.dirname(file), `tokens${posix.extname(file).replace('x', '')}`)
}
