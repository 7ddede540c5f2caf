import { readdir, readFile } from 'node:fs/promises'
import { posix, resolve } from 'node:path'

/** A source file of the project that calls `latchkey()`. */
export type InstanceFile = {
  /** Its path in the project, such as `src/tokens.ts`. */
  readonly file: string
  /** The name under which the file exports the instance. Absent: it does not. */
  readonly exported?: string
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
    found.push({ file, ...(exported !== undefined && { exported }), serves: /\b(?:listen|serve)\s*\(/.test(code) })
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

function exportIn(code: string): string | undefined {
  if (/^export default (?:await )?latchkey\b/m.test(code)) return 'default'
  const name = /\b(?:const|let|var) (\w+)[^=\n]*=\s*(?:await )?latchkey\b/.exec(code)?.[1]
  if (name === undefined) return /^export const tokens\b/m.test(code) ? 'tokens' : undefined
  const word = String.raw`\b${name}\b`
  // A list of exports may rename the instance, and the new name is not looked for.
  const ways = [
    `^export (?:const|let|var) ${word}`,
    String.raw`^export \{[^}]*${word}(?! as)[^}]*\}`,
    String.raw`^(?:module\.)?exports\.${name} =`,
  ]
  if ([...ways, String.raw`^module\.exports = \{[^}]*${word}`].some((way) => new RegExp(way, 'm').test(code))) return name
  return new RegExp(`^export default ${word}`, 'm').test(code) ? 'default' : undefined
}

/** Returns the path that a module in the project's folder uses to import a file: `src/tokens.ts` is imported as `./src/tokens.js`. */
export function importPathOf(file: string): string {
  return `./${file.replace(/\.([cm]?)[jt]sx?$/, '.$1js')}`
}

/** Returns the file next to this file that an instance should be moved into. */
export function ownModuleFor(file: string): string {
  return posix.join(posix.dirname(file), `tokens${posix.extname(file).replace('x', '')}`)
}
