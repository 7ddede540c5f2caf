import { readFile } from 'node:fs/promises'
import type { Options } from 'tsup'
import { entriesOf } from './test/tools/entries.js'
import { requirePage } from './test/tools/page.js'

requirePage()

// One list of entries: the package's `exports`. Code splitting keeps a single copy of the error classes behind all of them.
const manifest: unknown = JSON.parse(await readFile(new URL('package.json', import.meta.url), 'utf8'))

const options: Options = {
  entry: Object.fromEntries(entriesOf(manifest)),
  tsconfig: 'tsconfig.build.json',
  format: 'esm',
  target: 'node20',
  platform: 'node',
  // `node:sqlite` exists under this name only.
  removeNodeProtocol: false,
  splitting: true,
  treeshake: true,
  clean: true,
  // rollup's declarations set `baseUrl`, which TypeScript 6 deprecates.
  dts: { compilerOptions: { ignoreDeprecations: '6.0' } },
}

export default options
