import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { entries } from '../../tools/entries.js'
import type { Suite } from '../lib/bench.js'
import { compile, type Resolution } from '../lib/compile.js'

const WITHOUT_COMPILER = [
  ...['latchkey', 'express', 'koa', 'fastify', 'hono', 'kysely@0.28', 'pg', 'mysql2', 'ioredis', 'redis', 'libsql'],
  ...['@types/node@20', '@types/express@5', '@types/koa', '@types/pg'],
]
const PACKAGES = [...WITHOUT_COMPILER, 'typescript@~6.0']
/** The oldest that docs/installation.md names. */
const OLDEST = '5.4'

const placesOf = (errors: readonly string[]): string => errors.map((line) => line.slice(0, line.indexOf('): error') + 1)).join()

/** In our words, or in those of the compiler. */
const TYPO = /did you mean '"?inventory:read"?'\?/i
/** Where the misspelled scopes stand in `wrong-scope.ts`: for requireScopes, create and update. */
const WRONG = 'wrong-scope.ts(4,15),wrong-scope.ts(7,48),wrong-scope.ts(8,55)'

/** Compiles with these errors, each told as its place, and no others. All of them are the same slip, and say what was meant. */
const errsAt = async (folder: string, resolution: Resolution, files: readonly string[], places: string): Promise<void> => {
  const errors = await compile(folder, resolution, files)
  if (placesOf(errors) !== places || errors.some((line) => !TYPO.test(line)))
    throw new Error(`there should be errors at ${places}, and there are:\n${errors.join('\n') || 'none'}`)
}

/** Nest 12 is made of ES modules only. */
const nest = (type: 'module' | 'commonjs'): readonly string[] =>
  ['common', 'core'].map((name) => `@nestjs/${name}@${type === 'module' ? 12 : 11}`)

/** A program that imports every entry. */
const everyEntry = (): string => {
  const specifiers = [...entries.keys()].map((name) => (name === 'index' ? 'latchkey' : `latchkey/${name}`))
  const imports = specifiers.map((specifier, index) => `import * as entry${index} from '${specifier}'`)
  return `${imports.join('\n')}\n\nexport const entries = [${specifiers.map((_, index) => `entry${index}`).join(', ')}]\n`
}

const KINDS = [
  { type: 'module', resolutions: ['nodenext', 'node16', 'bundler'], sampled: ['nodenext'] },
  { type: 'commonjs', resolutions: ['node16', 'nodenext', 'commonjs'], sampled: ['node16', 'commonjs'] },
] as const

/** The declarations of every entry, under each way in which TypeScript finds packages, with the declarations themselves checked. */
export const types: Suite = {
  name: 'types',
  sample: true,
  async run(bench) {
    for (const { type, resolutions, sampled } of KINDS) {
      const folder = await bench.project({ name: `types-${type}`, packages: [...PACKAGES, ...nest(type)], type, fixtures: ['types'] })
      await writeFile(join(folder, 'every-entry.ts'), everyEntry())
      for (const resolution of resolutions) {
        if (!bench.all && !sampled.some((name) => name === resolution)) continue
        const how = `${type}, ${resolution === 'commonjs' ? 'module commonjs with moduleResolution node' : resolution}`
        await bench.check(`every entry has its types, and a registered instance types the scopes of requireScopes: ${how}`, () =>
          errsAt(folder, resolution, ['every-entry.ts', 'registered.ts', 'wrong-scope.ts'], WRONG),
        )
      }
    }
    const oldest = await bench.project({
      name: 'types-oldest',
      packages: [...WITHOUT_COMPILER, ...nest('module'), `typescript@~${OLDEST}`],
      fixtures: ['types'],
    })
    await writeFile(join(oldest, 'every-entry.ts'), everyEntry())
    await bench.check(`every entry has its types in TypeScript ${OLDEST}, the oldest that is supported`, () =>
      errsAt(oldest, 'nodenext', ['every-entry.ts', 'registered.ts', 'wrong-scope.ts'], WRONG),
    )
    const folder = await bench.project({ name: 'types-mixed', packages: PACKAGES, fixtures: ['types'] })
    await bench.check('an instance that an ES module registers types the scopes of CommonJS files too', () =>
      errsAt(
        folder,
        'nodenext',
        ['mixed.mts', 'mixed-require.cts', 'mixed-wrong.cts', 'mixed-wrong.mts'],
        'mixed-wrong.cts(3,15),mixed-wrong.mts(3,15)',
      ),
    )
  },
}
