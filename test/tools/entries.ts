type Manifest = { readonly exports: { readonly [subpath: string]: unknown } }

const isManifest = (value: unknown): value is Manifest =>
  typeof value === 'object' && value !== null && 'exports' in value && typeof value.exports === 'object' && value.exports !== null

const EXTENSIONS: ReadonlySet<string> = new Set(['leaks', 'oauth', 'jwt'])
const FOLDERS: ReadonlySet<string> = new Set(['testing', 'dashboard'])

const sourceOf = (name: string): string => {
  if (name === 'index') return 'src/index.ts'
  if (FOLDERS.has(name)) return `src/${name}/index.ts`
  if (EXTENSIONS.has(name)) return `src/extensions/${name}/index.ts`
  return name.startsWith('stores/') ? `adapters/${name}.ts` : `adapters/frameworks/${name}.ts`
}

/** The package's entries as `dist` name → source file, read from the `exports` of its manifest. */
export const entriesOf = (manifest: unknown): ReadonlyMap<string, string> => {
  if (!isManifest(manifest)) throw new TypeError('package.json has no exports')
  const names = Object.keys(manifest.exports)
    .filter((subpath) => subpath !== './package.json')
    .map((subpath) => (subpath === '.' ? 'index' : subpath.slice(2)))
  return new Map(names.map((name) => [name, sourceOf(name)]))
}
