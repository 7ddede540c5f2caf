import { chmod, mkdir, readdir, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Plugin, rolldown } from 'rolldown'
import { toCommonJs } from './commonjs.js'
import { entries, PROGRAM } from './entries.js'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/** Entries that run in programs without the rest of latchkey: a token's holder, and receivers of messages, files or tables. */
const APART: { readonly [group: string]: readonly string[] } = {
  holder: ['client', 'client/node'],
  receiver: ['webhooks', 'leaks', 'audit', 'import'],
}
/**
 * Alternative entries share the code that all of them load, except code that another entry also loads. That entry would otherwise also get
 * what the alternatives import later.
 */
const ALIKE: { readonly [group: string]: { readonly all: readonly string[]; readonly also: readonly string[] } } = {
  http: { all: ['express', 'fastify', 'koa', 'hono', 'web'], also: ['nest', 'ws', 'cli', 'testing'] },
  sql: { all: ['stores/sqlite', 'stores/postgres', 'stores/mysql'], also: ['cli', 'testing'] },
}

/** A built file: its path in the folder of the build, and its code. */
export type BuiltFile = { readonly path: string; readonly code: string }

/**
 * Joins built ES modules into few files. Splitting by entries alone leaves dozens of small files, which every new process reads, compiles
 * and links one by one (`npm run bench:start`).
 * Everything that `latchkey` loads becomes one file, except what an entry in `APART` also loads.
 */
export async function fewFiles(built: ReadonlyMap<string, string>, extension: string): Promise<readonly BuiltFile[]> {
  let groups: ReadonlyMap<string, string> = new Map()
  const findGroups: Plugin = {
    name: 'find-groups',
    buildEnd() {
      const importsOf = (path: string): readonly string[] => this.getModuleInfo(path)?.importedIds ?? []
      groups = groupsOf(new Map([...built].map(([name, path]) => [name, reachedFrom(path, importsOf)])))
    },
  }
  const bundle = await rolldown({
    input: Object.fromEntries(built),
    platform: 'node',
    external: (id) => !id.startsWith('.') && !id.startsWith('/'),
    plugins: [findGroups],
  })
  const { output } = await bundle.generate({
    format: 'esm',
    entryFileNames: `[name].${extension}`,
    // Without the hash of the first build.
    chunkFileNames: ({ name }) => `${name.replace(/-[0-9A-Z]{8}$/, '')}-[hash].${extension}`,
    minifyInternalExports: false,
    codeSplitting: {
      groups: NAMES.map((name, at) => ({ name, priority: NAMES.length - at, test: (path) => groups.get(path) === name })),
    },
  })
  await bundle.close()
  return output.flatMap((file) => (file.type === 'chunk' ? [{ path: file.fileName, code: file.code }] : []))
}

const NAMES = [...Object.keys(APART), 'core', ...Object.keys(ALIKE)]

/** The files that a file imports, directly or not, other than with `import()`. */
function reachedFrom(path: string, importsOf: (path: string) => readonly string[]): ReadonlySet<string> {
  const reached = new Set([path])
  for (const each of reached) for (const imported of importsOf(each)) reached.add(imported)
  return reached
}

/** The group of each file that has one. */
function groupsOf(reached: ReadonlyMap<string, ReadonlySet<string>>): ReadonlyMap<string, string> {
  const core = reached.get('index') ?? new Set()
  const groups = new Map<string, string>()
  for (const path of new Set([...reached.values()].flatMap((paths) => [...paths]))) {
    const by = [...reached].flatMap(([name, paths]) => (paths.has(path) ? [name] : []))
    const apart = Object.entries(APART).find(([, names]) => names.some((name) => by.includes(name)))
    const alike = Object.entries(ALIKE).find(
      ([, { all, also }]) => all.every((name) => by.includes(name)) && by.every((name) => [...all, ...also].includes(name)),
    )
    const group = core.has(path) ? (apart?.[0] ?? 'core') : alike?.[0]
    if (group !== undefined) groups.set(path, group)
  }
  return groups
}

/** Replaces all files of a build that have this extension. */
export async function replaceFiles(folder: string, extension: string, files: readonly BuiltFile[]): Promise<void> {
  const old = await readdir(folder, { recursive: true })
  for (const name of old.filter((name) => name.endsWith(`.${extension}`))) await rm(join(folder, name))
  for (const { path, code } of files) {
    const place = join(folder, path)
    await mkdir(dirname(place), { recursive: true })
    await writeFile(place, code)
    if (code.startsWith('#!')) await chmod(place, 0o755)
  }
}

/** The folder of the ES modules that are converted to CommonJS. */
export const BEFORE_COMMONJS = 'node_modules/.cache/latchkey-commonjs'

// Part of `npm run build`.
if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const builtIn = (folder: string, names: Iterable<string>): ReadonlyMap<string, string> =>
    new Map([...names].map((name) => [name, join(ROOT, folder, `${name}.js`)]))
  await replaceFiles(join(ROOT, 'dist'), 'js', await fewFiles(builtIn('dist', [...entries.keys(), ...PROGRAM.keys()]), 'js'))
  const modules = await fewFiles(builtIn(BEFORE_COMMONJS, entries.keys()), 'cjs')
  const commonJs = await Promise.all(modules.map(async ({ path, code }) => ({ path, code: await toCommonJs(code) })))
  await replaceFiles(join(ROOT, 'dist'), 'cjs', commonJs)
  await rm(join(ROOT, BEFORE_COMMONJS), { recursive: true })
}
