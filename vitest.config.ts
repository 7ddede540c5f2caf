import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { defineConfig, type ViteUserConfig } from 'vitest/config'

const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url))

const config: ViteUserConfig = defineConfig({
  resolve: {
    alias: [
      { find: /^latchkey$/, replacement: at('./src/index.ts') },
      { find: /^latchkey\/(testing|dashboard)$/, replacement: at('./src/$1/index.ts') },
      { find: /^latchkey\/(audit|client|import|jwt|leaks|oauth|otel|webhooks)$/, replacement: at('./src/extensions/$1/index.ts') },
      { find: /^latchkey\/client\/node$/, replacement: at('./src/extensions/client/node.ts') },
      { find: /^latchkey\/stores\/(.+)$/, replacement: at('./adapters/stores/$1.ts') },
      { find: /^latchkey\/(.+)$/, replacement: at('./adapters/frameworks/$1.ts') },
    ],
  },
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['test/consumer/fixtures/**'],
    // Many tests wait for a server or a clock, so that two cores serve two files at a time; by default one of them would stay idle.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    testTimeout: 20_000,
    hookTimeout: 30_000,
    expect: { poll: { timeout: 10_000 } },
    coverage: { include: ['src/**', 'adapters/**'] },
  },
})

export default config
