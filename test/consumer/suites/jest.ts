import type { Suite } from '../lib/bench.js'
import { must } from '../lib/shell.js'

const JEST = ['node_modules/jest/bin/jest.js', '--ci', '--colors=false']
const DRIVERS = ['express', 'kysely@0.28', 'libsql', 'pg', 'ioredis']
const TYPED = ['typescript@~6.0', 'ts-jest@29', '@types/jest@30', '@types/node@20', '@types/express@5']

/** Jest in CommonJS mode, as in Nest's template and many other projects. It loads neither ES modules nor `import()`. */
export const jest: Suite = {
  name: 'jest',
  sample: true,
  async run(bench) {
    const packages = ['latchkey', ...DRIVERS, 'jest@30', ...TYPED]
    const folder = await bench.project({ name: 'jest', packages, type: 'commonjs', fixtures: ['jest-config', 'jest'] })
    await bench.check('Jest 30 in CommonJS and ts-jest load the package, guard routes and recognize driver errors', () =>
      must(process.execPath, JEST, folder),
    )
    if (!bench.all) return
    const newer = await bench.project({
      name: 'jest-newer-kysely',
      packages: ['latchkey', 'kysely@0.29', 'libsql', 'jest@30'],
      type: 'commonjs',
      fixtures: ['jest-newer-kysely'],
    })
    await bench.check('an ESM-only kysely is reported in Jest', () => must(process.execPath, JEST, newer))
  },
}
