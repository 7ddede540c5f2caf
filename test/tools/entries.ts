type Manifest = { readonly exports: { readonly [subpath: string]: unknown } }

const isManifest = (value: unknown): value is Manifest =>
  typeof value === 'object' && value !== null && 'exports' in value && typeof value.exports === 'object' && value.exports !== null

// Parts of the library itself, beside the adapters.
const MODULES: ReadonlySet<string> = new Set(['testing', 'leaks', 'oauth', 'jwt'])

const sourceOf = (name: string): string => {
  if (name === 'index') return 'src/index.ts'
  if (MODULES.has(name)) return `src/${name}/index.ts`
  return `adapters/${name}.ts`
}

/** The package's entries as `dist` name → source file, read from the `exports` of its manifest. */
export const entriesOf = (manifest: unknown): ReadonlyMap<string, string> => {
  if (!isManifest(manifest)) throw new TypeError('package.json has no exports')
  const names = Object.keys(manifest.exports)
    .filter((subpath) => subpath !== './package.json')
    .map((subpath) => (subpath === '.' ? 'index' : subpath.slice(2)))
  return new Map(names.map((name) => [name, sourceOf(name)]))
}
