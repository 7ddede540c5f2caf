import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { defineConfig, type TestProjectInlineConfiguration, type ViteUserConfig } from 'vitest/config'
import { ALONE, EVERY, LONG, NOT_OURS } from './test/tools/suites.js'

const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url))

const cores = availableParallelism()
// Most tests wait for a server or a clock, so running twice as many files as there are cores keeps every core busy. Long tests start their own processes.
const QUICK = { maxWorkers: 2 * cores }
// Long tests start their own servers and browsers: on a busy machine, each of their steps takes many times as long.
const PATIENT = { testTimeout: 120_000, hookTimeout: 120_000, expect: { poll: { timeout: 30_000 } } }
const HEAVY = { maxWorkers: cores + 1 }

const config: ViteUserConfig = defineConfig({
  resolve: {
    alias: [
      { find: /^latchkey$/, replacement: at('./src/index.ts') },
      { find: /^latchkey\/(testing|dashboard)$/, replacement: at('./src/$1/index.ts') },
      {
        find: /^latchkey\/(audit|client|copy|import|jwt|leaks|oauth|otel|relay|webhooks)$/,
        replacement: at('./src/extensions/$1/index.ts'),
      },
      { find: /^latchkey\/client\/node$/, replacement: at('./src/extensions/client/node.ts') },
      { find: /^latchkey\/stores\/(.+)$/, replacement: at('./adapters/stores/$1.ts') },
      { find: /^latchkey\/(.+)$/, replacement: at('./adapters/frameworks/$1.ts') },
    ],
  },
  test: {
    // Only a test that hangs takes that long: a busy machine may be ten times slower than a quiet one.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    expect: { poll: { timeout: 20_000 } },
    coverage: { include: ['src/**', 'adapters/**'] },
    projects: [
      project(
        'together',
        { ...QUICK, include: [EVERY], exclude: [...LONG, ...ALONE], isolate: false, setupFiles: ['test/support/leaves-no-trace.ts'] },
        0,
      ),
      project('alone', { ...QUICK, include: ALONE, exclude: LONG }, 1),
      project('long', { ...HEAVY, ...PATIENT, include: LONG }, 2),
    ],
  },
})

/**
 * Projects run one after another: the files of `together` share the modules that a worker has loaded only while no other project runs in
 * between.
 */
function project(
  name: string,
  test: NonNullable<TestProjectInlineConfiguration['test']>,
  groupOrder: number,
): TestProjectInlineConfiguration {
  return { extends: true, test: { ...test, name, exclude: [...(test.exclude ?? []), ...NOT_OURS], sequence: { groupOrder } } }
}

export default config
