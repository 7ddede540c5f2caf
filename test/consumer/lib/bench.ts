import { cp, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { must } from './shell.js'

const ROOT = fileURLToPath(new URL('../../..', import.meta.url))
const FIXTURES = fileURLToPath(new URL('../fixtures/', import.meta.url))
const INSTALL = ['install', '--prefer-offline', '--no-audit', '--no-fund', '--loglevel=error']

/** Describes a project of the suite. */
export type ProjectOptions = {
  readonly name: string
  /** `latchkey` stands for the packed tarball. */
  readonly packages: readonly string[]
  /** @default 'module' */
  readonly type?: 'module' | 'commonjs'
  /** Folders of `fixtures` whose files are copied into the project. */
  readonly fixtures?: readonly string[]
}

/** Where the suites work and how they report. */
export type Bench = {
  readonly tarball: string
  /** Whether to run the whole matrix instead of CI's sample. */
  readonly all: boolean
  project(options: ProjectOptions): Promise<string>
  check(name: string, act: () => Promise<unknown>): Promise<void>
  counts(): { readonly passed: number; readonly failed: number }
}

/** One kind of consumer. The name of each check says what works. */
export type Suite = {
  readonly name: string
  /** Whether `.ci/run` runs this kind of consumer. Otherwise only `npm run test:matrix` does. */
  readonly sample: boolean
  run(bench: Bench): Promise<void>
}

/** Packs the package as for publishing, and rejects files that no user needs. */
export async function pack(work: string): Promise<string> {
  const output = await must('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', work], ROOT)
  const [packed] = JSON.parse(output.replace(/^[^[]*/, ''))
  const files: readonly string[] = packed.files.map((file: { readonly path: string }) => file.path)
  const strangers = files.filter(
    (path) => !/^(dist\/|docs\/.*\.md$|examples\/|(README|CHANGELOG|SECURITY|CONTRIBUTING)\.md$|LICENSE$|package\.json$)/.test(path),
  )
  if (strangers.length > 0) throw new Error(`the package contains files that no user needs: ${strangers.join(', ')}`)
  if (!files.includes('dist/third-party-notices.txt')) throw new Error('the package lacks the notices of the code that it bundles')
  return join(work, packed.filename)
}

/** Adds packages to a project. */
export async function install(folder: string, packages: readonly string[]): Promise<void> {
  await must('npm', [...INSTALL, ...packages], folder)
}

/** Creates a folder for projects that have only what they install, as on a user's machine. */
export function createBench(work: string, tarball: string, all: boolean): Bench {
  let passed = 0
  let failed = 0
  return {
    tarball,
    all,
    counts: () => ({ passed, failed }),
    async project({ name, packages, type = 'module', fixtures = [] }) {
      const folder = join(work, name)
      await mkdir(folder)
      await writeFile(join(folder, 'package.json'), JSON.stringify({ name, private: true, type }))
      await install(
        folder,
        packages.map((asked) => (asked === 'latchkey' ? tarball : asked)),
      )
      for (const fixture of fixtures) await cp(join(FIXTURES, fixture), folder, { recursive: true })
      return folder
    },
    async check(name, act) {
      const start = Date.now()
      try {
        await act()
        passed += 1
        console.log(`ok    ${name} (${Math.round((Date.now() - start) / 1000)} s)`)
      } catch (error) {
        failed += 1
        console.log(`FAIL  ${name}\n${error instanceof Error ? error.message : String(error)}`)
      }
    },
  }
}
