import { readFile, writeFile } from 'node:fs/promises'
import { entries, exportsOf, typesVersionsOf } from './entries.js'

// Writes the entries found in the tree to package.json: `npm run entries`. `test/house/exports.test.ts` fails when this is due.
const file = new URL('../../package.json', import.meta.url)
const manifest: object = JSON.parse(await readFile(file, 'utf8'))
const named = {
  main: './dist/index.cjs',
  types: './dist/index.d.cts',
  exports: exportsOf(entries.keys()),
  typesVersions: typesVersionsOf(entries.keys()),
}
// The fields go where the old `exports` was.
const written = Object.entries(manifest)
  .filter(([name]) => name === 'exports' || !(name in named))
  .flatMap(([name, value]) => (name === 'exports' ? Object.entries(named) : [[name, value] as const]))
await writeFile(file, `${JSON.stringify(Object.fromEntries(written), null, 2)}\n`)
console.log(`${entries.size} entries written to package.json`)
