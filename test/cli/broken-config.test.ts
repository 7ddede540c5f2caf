import { afterAll, beforeAll, expect, it } from 'vitest'
import { openShell, type Shell } from './support.js'

let shell: Shell
beforeAll(async () => {
  shell = await openShell()
})
afterAll(() => shell.close())

const BROKEN = 'export const options = {\n  a: 1\n  b: 2\n}\n'

const refusal = async (...args: readonly string[]): Promise<string> => {
  const { code, stdout, stderr } = await shell.run(...args)
  expect([code, stdout]).toEqual([1, ''])
  expect(stderr).toMatch(/^latchkey: [^\n]+\n$/)
  return stderr
}

it.each(['mjs', 'ts', 'cjs'])('the error for a .%s configuration with a syntax error names its file and line', async (extension) => {
  const file = shell.write(`broken.config.${extension}`, extension === 'cjs' ? BROKEN.replace('export const', 'const') : BROKEN)
  expect(await refusal('list', '--config', file)).toContain(`${shell.folder}/broken.config.${extension}:3`)
})

it('the error for a syntax error in a file that the configuration imports names that file', async () => {
  shell.write('src/options.mjs', BROKEN)
  shell.write('src/tokens.mjs', "import { options } from './options.mjs'\nexport const tokens = options\n")
  const file = shell.write('imports.config.mjs', "export { tokens } from './src/tokens.mjs'\n")
  expect(await refusal('list', '--config', file)).toContain(`(${shell.folder}/src/options.mjs:3)`)
})

it('the error for an import that does not exist names the file and line', async () => {
  const file = shell.write('unexported.config.mjs', "\nimport { nope } from 'node:fs'\nexport const tokens = nope\n")
  expect(await refusal('list', '--config', file)).toContain(`(${file}:2)`)
})

it('the error for a configuration that throws names the line of the project that failed', async () => {
  shell.write('src/pool.mjs', '\nexport const pool = undefined.pool\n')
  const file = shell.write('throws.config.mjs', "import { pool } from './src/pool.mjs'\nexport const tokens = pool\n")
  expect(await refusal('list', '--config', file)).toContain(`(${shell.folder}/src/pool.mjs:2)`)
  const invalid = shell.write(
    'invalid.config.mjs',
    `import { latchkey } from '$index'
import { memoryStore } from '$memory'
export const tokens = latchkey({
  prefix: 'acme_live',
  store: memoryStore(),
})
`,
  )
  expect(await refusal('list', '--config', invalid)).toMatch(/scopes: [^\n]*\(.*invalid\.config\.mjs:3\)\n$/)
})

it('the error for a --map module with a syntax error names its file and line', async () => {
  const map = shell.write('map.mjs', BROKEN)
  shell.write('tokens.csv', 'a\n1\n')
  expect(await refusal('import', 'tokens.csv', '--format', 'old', '--map', map)).toContain(`(${map}:3)`)
})
