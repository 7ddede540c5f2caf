import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Bench, Suite } from '../lib/bench.js'
import { compiles } from '../lib/compile.js'
import { namedBlocks } from '../lib/named-blocks.js'
import { must } from '../lib/shell.js'

const blocks = namedBlocks(await readFile(new URL('../../../docs/frameworks/nest.md', import.meta.url), 'utf8'))
const FILES = ['src/stock.controller.ts', 'src/app.module.ts', 'src/stock.spec.ts']
const OTHERS = ['rxjs@7', 'reflect-metadata@0.2', 'supertest', 'typescript@~6.0', '@types/supertest', '@types/express@5', '@types/node@20']

const nest = (major: number): readonly string[] =>
  ['common', 'core', 'testing', 'platform-express'].map((name) => `@nestjs/${name}@${major}`)

/** Saves the page's files. In an ES module project, relative imports get file extensions. */
const save = async (folder: string, endings: boolean): Promise<void> => {
  for (const file of FILES) {
    const text = blocks.find((block) => block.file === file)?.text
    if (text === undefined) throw new Error(`docs/frameworks/nest.md has no block for ${file}`)
    await mkdir(dirname(join(folder, file)), { recursive: true })
    await writeFile(join(folder, file), endings ? text.replace(/ from '(\.[^']+)'/g, " from '$1.js'") : text)
  }
}

const onNest11 = async (bench: Bench): Promise<void> => {
  const packages = ['latchkey', ...nest(11), ...OTHERS, 'jest@30', 'ts-jest@29', '@types/jest@30']
  const folder = await bench.project({ name: 'nest-11', packages, type: 'commonjs', fixtures: ['jest-config'] })
  await save(folder, false)
  const config = JSON.parse(await readFile(join(folder, 'tsconfig.jest.json'), 'utf8'))
  Object.assign(config.compilerOptions, { experimentalDecorators: true, emitDecoratorMetadata: true })
  await writeFile(join(folder, 'tsconfig.jest.json'), JSON.stringify(config))
  await bench.check('the application on the Nest page passes its test in Jest on Nest 11 in CommonJS', () =>
    must(process.execPath, ['node_modules/jest/bin/jest.js', '--ci', '--colors=false', '--testMatch=**/*.spec.ts'], folder),
  )
}

const onNest12 = async (bench: Bench): Promise<void> => {
  const folder = await bench.project({ name: 'nest-12', packages: ['latchkey', ...nest(12), ...OTHERS, 'vitest@4'] })
  await save(folder, true)
  await bench.check('the application on the Nest page compiles on Nest 12', () =>
    compiles(folder, 'nodenext', FILES.slice(0, 2), { experimentalDecorators: true }),
  )
  await writeFile(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions: { experimentalDecorators: true, target: 'es2022' } }))
  await bench.check('the application on the Nest page passes its test in Vitest on Nest 12', () =>
    must(process.execPath, ['node_modules/vitest/vitest.mjs', 'run', '--globals'], folder),
  )
}

/** Both major versions of Nest, each with the module kind and test runner of its own template. */
export const nestjs: Suite = {
  name: 'nest',
  sample: true,
  async run(bench) {
    await onNest12(bench)
    await onNest11(bench)
  },
}
