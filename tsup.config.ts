import { rm } from 'node:fs/promises'
import type { Options } from 'tsup'
import { requireBuiltins } from './test/tools/commonjs.js'
import { DECLARED, entries, PROGRAM } from './test/tools/entries.js'
import { BEFORE_COMMONJS } from './test/tools/few-files.js'
import { noteInputs } from './test/tools/inputs.js'
import { requirePage } from './test/tools/page.js'

requirePage()

const shared = {
  tsconfig: 'tsconfig.build.json',
  format: 'esm',
  target: 'node20',
  platform: 'node',
  // `node:sqlite` exists under this name only.
  removeNodeProtocol: false,
  // All entries share a single copy of the error classes and of the admissions.
  splitting: true,
  treeshake: true,
} satisfies Options

await rm('dist', { recursive: true, force: true })

const options: Options[] = [
  {
    ...shared,
    // Built with the entries, so the command line and the configuration that it loads share one copy.
    entry: Object.fromEntries([...entries, ...PROGRAM]),
    esbuildPlugins: [requireBuiltins(), noteInputs('esm')],
    // rollup's declarations set `baseUrl`, which TypeScript 6 deprecates.
    dts: { entry: Object.fromEntries([...entries, ...DECLARED]), compilerOptions: { ignoreDeprecations: '6.0' } },
  },
  {
    ...shared,
    entry: Object.fromEntries(entries),
    outDir: BEFORE_COMMONJS,
    // This package is only an ES module, which Jest cannot `require`. The ES modules of latchkey import it, so a fix in it reaches users
    // without a latchkey release.
    noExternal: ['jose'],
    treeshake: false,
    esbuildPlugins: [noteInputs('cjs')],
  },
]

export default options
