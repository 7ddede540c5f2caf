import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { entries } from './entries.js'

// Makes the declarations in `dist` work for both `import` and `require`. Each entry has one of each kind. Declarations that entries share
// exist once, as CommonJS, which both kinds may import. A class, and the `Register` that users extend, is therefore the same for both.
const dist = fileURLToPath(new URL('../../dist', import.meta.url))

const RELATIVE = /(from '|import '|import\(')(\.{1,2}\/[^']+)\.js'/g
const toCjs = (text: string): string => text.replace(RELATIVE, "$1$2.cjs'")

const names = (await readdir(dist, { recursive: true }))
  .filter((path) => path.endsWith('.d.ts'))
  .map((path) => path.replaceAll('\\', '/').slice(0, -'.d.ts'.length))
for (const name of names) {
  const text = toCjs(await readFile(`${dist}/${name}.d.ts`, 'utf8'))
  await writeFile(`${dist}/${name}.d.cts`, text)
  if (entries.has(name)) await writeFile(`${dist}/${name}.d.ts`, text)
  else await rm(`${dist}/${name}.d.ts`)
}
