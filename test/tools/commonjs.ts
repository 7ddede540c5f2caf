import { builtinModules } from 'node:module'
import { transform } from 'esbuild'
import type { Options } from 'tsup'

type EsbuildPlugin = NonNullable<Options['esbuildPlugins']>[number]

/** Matches a driver import such as `await import('pg')`. A `try` surrounds it, so bundlers tolerate a missing package even after it becomes `require`. */
const DRIVER = /\bawait import\((?=["'][^."'])/g

/** Converts a built ES module to CommonJS, without `import()`, which Jest refuses. esbuild splits ES modules only. */
export async function toCommonJs(code: string): Promise<string> {
  const { code: text } = await transform(code.replace(DRIVER, 'require('), {
    format: 'cjs',
    target: 'node20',
    platform: 'node',
    define: { 'import.meta.url': '__filename' },
    supported: { 'dynamic-import': false },
    logLevel: 'error',
  })
  return text
}

/** Lets bundled CommonJS `require` platform modules inside an ES module, which has no `require`. */
export function requireBuiltins(): EsbuildPlugin {
  return {
    name: 'require-builtins',
    setup: (build) => {
      build.onResolve({ filter: /^[a-z]/ }, ({ kind, path }) => {
        const name = path.replace(/^node:/, '')
        return kind === 'require-call' && builtinModules.includes(name) ? { path: name, namespace: 'builtin' } : undefined
      })
      build.onLoad({ filter: /.*/, namespace: 'builtin' }, ({ path }) => ({
        contents: `module.exports = process.getBuiltinModule('node:${path}')`,
        loader: 'js',
      }))
    },
  }
}
