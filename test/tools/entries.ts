import { existsSync, readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/** The parts of `src`, besides the extensions, that are separate entries. */
const FOLDERS = ['dashboard', 'testing'] as const

const filesIn = (folder: string): readonly string[] =>
  readdirSync(`${ROOT}/${folder}`)
    .filter((name) => name.endsWith('.ts'))
    .map((name) => name.slice(0, -'.ts'.length))
    .sort()

const foldersIn = (folder: string): readonly string[] =>
  readdirSync(`${ROOT}/${folder}`)
    .filter((name) => existsSync(`${ROOT}/${folder}/${name}/index.ts`))
    .sort()

/**
 * The package's entries as `dist` name → source file, read from the tree. The location of an adapter, a store or an extension makes it an
 * entry.
 */
export const entries: ReadonlyMap<string, string> = new Map([
  ['index', 'src/index.ts'],
  ...FOLDERS.map((name) => [name, `src/${name}/index.ts`] as const),
  ...foldersIn('src/extensions').map((name) => [name, `src/extensions/${name}/index.ts`] as const),
  // The Node-only part of an extension is separate, so the rest runs in browsers.
  ...foldersIn('src/extensions').flatMap((name) =>
    existsSync(`${ROOT}/src/extensions/${name}/node.ts`) ? [[`${name}/node`, `src/extensions/${name}/node.ts`] as const] : [],
  ),
  ...filesIn('adapters/frameworks').map((name) => [name, `adapters/frameworks/${name}.ts`] as const),
  ...filesIn('adapters/stores').map((name) => [`stores/${name}`, `adapters/stores/${name}.ts`] as const),
])

/** The command line. It is not an entry, because nothing imports it. */
export const PROGRAM: ReadonlyMap<string, string> = new Map([['cli', 'src/cli/main.ts']])

/** Declarations that the ESM and CommonJS builds must share because users extend them. Only their declarations are built. */
export const DECLARED: ReadonlyMap<string, string> = new Map([['register', 'src/model/register.ts']])

type Target = { readonly types: string; readonly default: string }

/** How `package.json` describes one entry, for `import` and for `require`. */
export type Export = { readonly import: Target; readonly require: Target }

const subpathOf = (name: string): string => (name === 'index' ? '.' : `./${name}`)

/** The `exports` of `package.json`. */
export const exportsOf = (names: Iterable<string>): { readonly [subpath: string]: Export | string } => ({
  ...Object.fromEntries(
    [...names].map((name) => [
      subpathOf(name),
      {
        import: { types: `./dist/${name}.d.ts`, default: `./dist/${name}.js` },
        require: { types: `./dist/${name}.d.cts`, default: `./dist/${name}.cjs` },
      },
    ]),
  ),
  './package.json': './package.json',
})

/** The `typesVersions` of `package.json`, for `moduleResolution: node`, which does not support `exports`. */
export const typesVersionsOf = (names: Iterable<string>): { readonly '*': { readonly [subpath: string]: readonly string[] } } => ({
  '*': Object.fromEntries([...names].filter((name) => name !== 'index').map((name) => [name, [`./dist/${name}.d.cts`]])),
})
