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
/** The oldest version that docs/installation.md names. */
const OLDEST = '5.4'
/** Reports other alternatives of a union than TypeScript 6 does. `npm install typescript` installs it. */
const NEWEST = '7'

const placesOf = (errors: readonly string[]): string => errors.map((line) => line.slice(0, line.indexOf('): error') + 1)).join()

/** The suggestion as latchkey or the compiler words it. */
const TYPO = /did you mean '"?inventory:read"?'\?/i
/** The positions of the misspelled scopes in `wrong-scope.ts`: for requireScopes, create and update. */
const WRONG = 'wrong-scope.ts(4,15),wrong-scope.ts(7,48),wrong-scope.ts(8,55)'

/** Compiles and expects exactly the errors at these positions. Each is the same misspelling with a suggestion. */
const errsAt = async (folder: string, resolution: Resolution, files: readonly string[], places: string): Promise<void> => {
  const errors = await compile(folder, resolution, files)
  if (placesOf(errors) !== places || errors.some((line) => !TYPO.test(line)))
    throw new Error(`expected errors at ${places}, but got:\n${errors.join('\n') || 'none'}`)
}

/** Nest 12 is published only as ES modules. */
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

/** Checks the declarations of every entry under each module resolution setting. */
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
        await bench.check(`every entry has types, and a registered instance types the scopes of requireScopes: ${how}`, () =>
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
    await bench.check(`every entry has types in TypeScript ${OLDEST}, the oldest supported version`, () =>
      errsAt(oldest, 'nodenext', ['every-entry.ts', 'registered.ts', 'wrong-scope.ts'], WRONG),
    )
    const newest = await bench.project({
      name: 'types-newest',
      packages: [...WITHOUT_COMPILER, ...nest('module'), `typescript@${NEWEST}`],
      fixtures: ['types'],
    })
    await writeFile(join(newest, 'every-entry.ts'), everyEntry())
    await bench.check(`every entry has types in TypeScript ${NEWEST}, which reports scopes that a new token lacks as such`, async () => {
      await errsAt(newest, 'nodenext', ['every-entry.ts', 'registered.ts', 'wrong-scope.ts'], WRONG)
      const errors = await compile(newest, 'nodenext', ['no-scopes.ts'])
      if (errors.length !== 1 || !errors[0]?.includes("'scopes' is missing")) throw new Error(errors.join('\n') || 'no error')
    })
    const folder = await bench.project({ name: 'types-mixed', packages: PACKAGES, fixtures: ['types'] })
    await bench.check('an instance registered in an ES module also types the scopes of CommonJS files', () =>
      errsAt(
        folder,
        'nodenext',
        ['mixed.mts', 'mixed-require.cts', 'mixed-wrong.cts', 'mixed-wrong.mts'],
        'mixed-wrong.cts(3,15),mixed-wrong.mts(3,15)',
      ),
    )
  },
}
